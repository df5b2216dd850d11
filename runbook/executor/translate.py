"""From the records of our callback to reports: pure, trusting no more than it must.

A record says what Ansible attributes to a host; what a module put inside is data. A host of which
no result of ours came back was not looked at, however the process ended. No record, however wrong,
raises anything here: it would cost every other host its result.
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

from runbook.executor import (
    OWN_LOOK,
    Ending,
    FixRequest,
    HostActed,
    HostObserved,
    HostPreviewed,
    HostsResolved,
    HostVerified,
    LookRequest,
    ObserveRequest,
    ParamProblem,
    PreviewRequest,
    Progress,
    Report,
    Request,
    UndoRequest,
    VerifyRequest,
    WatchRequest,
)
from runbook.executor.plan import Sampling
from runbook.executor.readings import (
    activity_from,
    as_mapping,
    as_words,
    judged,
    observations_from,
    own_look_from,
    problems_from,
    rounds_from,
    texts_from,
    watched_from,
)
from runbook.model.definition import CheckResult, FixResult
from runbook.model.event import Acted
from runbook.model.observation import Observation, TaskChange, Texts, Verification

Record = Mapping[str, Any]

SILENT = "no result came back from Ansible"
NOT_FINISHED = "the action did not come to its end"


@dataclass(kw_only=True)
class _Host:
    """What has been told of one host so far."""

    begun: bool = False
    changes: list[TaskChange] = field(default_factory=list)
    trouble: str | None = None
    withheld: str | None = None
    lost: str | None = None
    acted: bool = False
    final: bool = False


@dataclass(kw_only=True)
class Translator:
    """Turns one request's records into reports, each host's final report exactly once."""

    request: Request
    sampling: Sampling | None = None
    _hosts: dict[str, _Host] = field(default_factory=dict)
    _resolved: bool = False

    def __post_init__(self) -> None:
        match self.request:
            case ObserveRequest(joining=True):
                pass
            case ObserveRequest(wants=wants):
                self._expect(wants)
            case _:
                self._expect(self.request.hosts)

    def _expect(self, hosts: Iterable[str]) -> None:
        for host in hosts:
            self._hosts[host] = _Host()

    def feed(self, record: Record) -> list[Report]:
        """Take one record; return what it means."""
        kind = record.get("kind")
        if kind == "hosts":
            return self._on_hosts(record)
        name = record.get("host")
        host = self._hosts.get(name) if isinstance(name, str) else None
        if host is None or host.final or not isinstance(name, str):
            return []
        match kind:
            case "began" if isinstance(self.request, PreviewRequest):
                return []  # Whoever reads “End the process” would take it for being done.
            case "began":
                text = as_words(record.get("task"))
                return [Progress(request=self.request.id, host=name, text=text)]
            case "sampled":
                text = as_words(record.get("text"))
                return [Progress(request=self.request.id, host=name, text=text)]
            case "lost":
                host.lost = as_words(record.get("reason"))
                return []
            case "ours":
                return self._on_ours(name, host, record.get("task"))
            case "observed":
                return self._on_observed(name, host, record)
            case "task":
                return self._on_task(name, host, record)
            case _:
                return []

    def finish(self, ending: Ending, reason: str | None) -> list[Report]:
        """Say what is known of every host that has no final report when the process is over."""
        return [
            self._settle(name, host, ending, reason)
            for name, host in self._hosts.items()
            if not host.final
        ]

    # Records

    def _on_hosts(self, record: Record) -> list[Report]:
        told = record.get("hosts")
        if not isinstance(self.request, ObserveRequest) or not self.request.joining:
            return []
        if self._resolved or not isinstance(told, list):
            return []
        self._resolved = True
        hosts = tuple(dict.fromkeys(str(host) for host in told))
        if self.request.at_most is not None and len(hosts) > self.request.at_most:
            return [HostsResolved(request=self.request.id, hosts=hosts)]
        self._expect(hosts)
        params, typed = as_mapping(record.get("params")), record.get("typed")
        groups = as_mapping(record.get("groups"))
        return [
            HostsResolved(
                request=self.request.id,
                hosts=hosts,
                params={host: as_mapping(params.get(host)) for host in hosts},
                groups={host: tuple(map(str, groups.get(host, ()))) for host in hosts},
                typed=frozenset(map(str, typed if isinstance(typed, list) else ())).intersection(
                    hosts
                ),
                problems=tuple(
                    ParamProblem(host=host, param=param, message=message)
                    for host, param, message in problems_from(record.get("problems"))
                    if host in self._hosts
                ),
            )
        ]

    def _on_ours(self, name: str, host: _Host, task: object) -> list[Report]:
        acts = isinstance(self.request, FixRequest | UndoRequest)
        if task == "runbook_begin":
            host.begun = True
        elif task == "runbook_acted" and not host.acted:
            report = self._acted(name, host)
            return [report] if acts else []
        elif task == "runbook_end" and acts and not host.acted:
            host.acted = host.final = True
            if host.lost is not None:
                return [self._act(name, host, Acted.UNKNOWN, host.lost)]
            return [self._act(name, host, Acted.FAILED, host.trouble or NOT_FINISHED)]
        return []

    def _acted(self, name: str, host: _Host) -> HostActed:
        """Take it that the action came to its end: a task that failed on the way was rescued."""
        host.acted = True
        host.trouble = None
        host.final = isinstance(self.request, UndoRequest)
        changed = any(change.status == "changed" for change in host.changes)
        return self._act(name, host, Acted.CHANGED if changed else Acted.UNCHANGED, None)

    def _act(self, name: str, host: _Host, acted: Acted, reason: str | None) -> HostActed:
        return HostActed(
            request=self.request.id,
            host=name,
            acted=acted,
            changes=tuple(host.changes),
            reason=reason,
        )

    def _on_observed(self, name: str, host: _Host, record: Record) -> list[Report]:
        seen = observations_from(record.get("observations"))
        reports: list[Report] = []
        match self.request:
            case ObserveRequest():
                texts = texts_from(record.get("texts"))
                observed = self._observe(name, self._wanted(name), seen, SILENT, texts)
                reports = [replace(observed, activity=activity_from(record.get("activity")))]
            case LookRequest():
                reports = [self._observe(name, (OWN_LOOK,), own_look_from(seen), SILENT)]
            case WatchRequest():
                rounds = rounds_from(record.get("rounds"))
                reports = [self._watch(name, rounds, seen)]
            case FixRequest() | VerifyRequest():
                if isinstance(self.request, FixRequest) and not host.acted:
                    reports.append(self._acted(name, host))
                rounds = rounds_from(record.get("rounds"))
                reports.append(self._verified(name, rounds, seen))
            case _:
                return []
        host.final = True
        return reports

    def _wanted(self, name: str) -> Sequence[str]:
        assert isinstance(self.request, ObserveRequest)  # noqa: S101 -- for the type checker
        return self.request.wants.get(name, self.request.steps)

    def _observe(
        self,
        name: str,
        wanted: Sequence[str],
        seen: Mapping[str, Observation],
        reason: str,
        texts: Mapping[str, Texts] | None = None,
    ) -> HostObserved:
        unseen = Observation(result=CheckResult.UNKNOWN, reason=reason)
        return HostObserved(
            request=self.request.id,
            host=name,
            observations={step: seen.get(step, unseen) for step in wanted},
            texts=texts or {},
        )

    def _watch(
        self, name: str, rounds: Sequence[Record], seen: Mapping[str, Observation]
    ) -> HostObserved:
        assert isinstance(self.request, WatchRequest)  # noqa: S101 -- for the type checker
        assert self.sampling is not None  # noqa: S101 -- for the type checker
        step = self.request.step
        watched = {step: watched_from(self.sampling.symptom, rounds, seen)}
        return self._observe(name, (step,), watched, SILENT)

    def _verified(
        self, name: str, rounds: Sequence[Record], seen: Mapping[str, Observation]
    ) -> HostVerified:
        assert self.sampling is not None  # noqa: S101 -- for the type checker
        return HostVerified(
            request=self.request.id,
            host=name,
            verification=judged(self.sampling, rounds, seen),
        )

    def _on_task(self, name: str, host: _Host, record: Record) -> list[Report]:
        status, message = str(record.get("status")), as_words(record.get("message"))
        if record.get("ours"):
            return self._on_our_trouble(name, host, record.get("task"), status, message)
        if status == "unreachable":
            host.lost = f"unreachable: {message}"
            return []
        if record.get("check") or host.acted:
            return []
        task = as_words(record.get("task"))
        host.changes.append(
            TaskChange(
                name=task,
                status="failed" if status == "ignored" else status,
                message=message if status in ("failed", "ignored", "skipped") else "",
                diff=as_words(record.get("diff"), limit=MAX_DIFF),
                rendered=as_words(record.get("rendered"), limit=MAX_DIFF),
            )
        )
        if status == "failed":
            host.trouble = f"task “{task}” failed: {message}"
        return []

    def _on_our_trouble(
        self, name: str, host: _Host, task: object, status: str, message: str
    ) -> list[Report]:
        if status not in ("failed", "unreachable"):
            return []
        reason = f"unreachable: {message}" if status == "unreachable" else message or NOT_FINISHED
        if task != "runbook_begin":
            host.lost = reason
            return []
        host.withheld = reason
        if not isinstance(self.request, FixRequest | UndoRequest) or host.acted:
            return []
        host.acted = host.final = True
        return [self._act(name, host, Acted.WITHHELD, reason)]

    # The end

    def _settle(self, name: str, host: _Host, ending: Ending, reason: str | None) -> Report:
        host.final = True
        why = host.lost or host.withheld or _why(ending, reason)
        match self.request:
            case ObserveRequest():
                return self._observe(name, self._wanted(name), {}, why)
            case LookRequest():
                return self._observe(name, (OWN_LOOK,), {}, why)
            case WatchRequest():
                return self._observe(name, (self.request.step,), {}, why)
            case VerifyRequest():
                return self._unverified(name, why)
            case PreviewRequest():
                failed = None if host.acted else host.trouble or why
                return HostPreviewed(
                    request=self.request.id, host=name, changes=tuple(host.changes), failed=failed
                )
            case FixRequest() | UndoRequest():
                return self._settle_action(name, host, why)

    def _settle_action(self, name: str, host: _Host, why: str) -> Report:
        if host.acted:
            return self._unverified(name, why)
        if not host.begun:
            return self._act(name, host, Acted.WITHHELD, why)
        return self._act(name, host, Acted.UNKNOWN, why)

    def _unverified(self, name: str, why: str) -> HostVerified:
        return HostVerified(
            request=self.request.id,
            host=name,
            verification=Verification(result=FixResult.UNKNOWN, reason=why),
        )


MAX_DIFF = 20_000


def _why(ending: Ending, reason: str | None) -> str:
    told = f": {reason}" if reason else ""
    match ending:
        case Ending.TIMED_OUT:
            return f"it took too long{told}"
        case Ending.CANCELLED:
            return f"it was stopped{told}"
        case Ending.BROKEN:
            return f"Ansible broke off{told}"
        case Ending.COMPLETED:
            return SILENT
