"""What a run did as spans of time: the run, in it its hosts, in these their steps and fixes. Pure.

Times are those at which the journal's entries were written, as POSIX seconds.
"""

from collections.abc import Iterable
from dataclasses import dataclass, field

from runbook.journal import Entry, RunSummary
from runbook.model.event import (
    FixApproved,
    FixConcluded,
    FixDeclined,
    FixIntended,
    HostFinished,
    HostJoined,
    RunFinished,
    StepConcluded,
)
from runbook.model.verdict import Verdict, exit_code


@dataclass(frozen=True, kw_only=True, slots=True)
class Span:
    """Something that took time; `failed` says that it did not come to what it was for."""

    name: str
    began: float
    ended: float
    attributes: dict[str, str] = field(default_factory=dict)
    failed: bool = False
    inside: tuple["Span", ...] = ()


@dataclass(kw_only=True, slots=True)
class _Host:
    """A host's walk so far: `at` is when its last step was over."""

    began: float
    at: float
    inside: list[Span] = field(default_factory=list)
    verdict: Verdict | None = None
    causes: tuple[str, ...] = ()
    approved: dict[str, str] = field(default_factory=dict)
    fixing_since: float | None = None


def span_of(run: RunSummary, entries: Iterable[Entry]) -> Span:
    """Return what a run did, from its entries in their order."""
    hosts: dict[str, _Host] = {}
    ended, verdict = run.started_at, run.verdict
    for entry in entries:
        ended = max(ended, entry.at)
        if isinstance(entry.event, RunFinished):
            verdict = entry.event.verdict
        _hear(hosts, entry)
    return Span(
        name=f"run {run.runbook}",
        began=run.started_at,
        ended=ended,
        attributes={
            "runbook.run": run.id,
            "runbook.name": run.runbook,
            "runbook.mode": run.mode.value,
            "runbook.by": run.operator,
            "runbook.verdict": verdict.value if verdict is not None else "",
        },
        failed=_failed(verdict),
        inside=tuple(_host_span(name, host) for name, host in hosts.items()),
    )


def _hear(hosts: dict[str, _Host], entry: Entry) -> None:
    event, at = entry.event, entry.at
    if isinstance(event, HostJoined):
        hosts.setdefault(event.host, _Host(began=at, at=at))
        return
    host = hosts.get(getattr(event, "host", ""))
    if host is None:
        return
    match event:
        case StepConcluded(step=step, result=result):
            host.inside.append(_step_span("step", step, host.at, at, result=result))
            host.at = at
        case FixApproved(step=step, by=by):
            host.approved[step] = by
        case FixDeclined(step=step, guard=guard, by=by):
            attributes = {"result": "declined", "by": by, "guard": guard}
            host.inside.append(_step_span("fix", step, host.at, at, failed=True, **attributes))
            host.at = at
        case FixIntended():
            host.fixing_since = at
        case FixConcluded(step=step, result=result) if host.fixing_since is not None:
            attributes = {"result": result.value, "approved_by": host.approved.get(step, "")}
            failed = result.value not in {"resolved", "cause_removed"}
            begun = host.fixing_since
            host.inside.append(_step_span("fix", step, begun, at, failed=failed, **attributes))
            host.at, host.fixing_since = at, None
        case HostFinished(verdict=verdict, causes=causes):
            host.at, host.verdict, host.causes = at, verdict, causes
        case _:
            pass


def _step_span(
    what: str, step: str, began: float, ended: float, *, failed: bool = False, **told: str
) -> Span:
    attributes = {f"runbook.{key}": value for key, value in told.items() if value}
    return Span(
        name=f"{what} {step}",
        began=min(began, ended),
        ended=ended,
        attributes={"runbook.step": step, **attributes},
        failed=failed,
    )


def _host_span(name: str, host: _Host) -> Span:
    told = {
        "runbook.host": name,
        "runbook.verdict": host.verdict.value if host.verdict is not None else "",
        "runbook.causes": ", ".join(host.causes),
    }
    return Span(
        name=f"host {name}",
        began=host.began,
        ended=host.at,
        attributes={key: value for key, value in told.items() if value},
        failed=_failed(host.verdict),
        inside=tuple(host.inside),
    )


def _failed(verdict: Verdict | None) -> bool:
    return verdict is None or exit_code(verdict) != 0
