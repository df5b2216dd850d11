"""Taking back what a run did: its fixes' own undo, in reverse order, each asked about.

It belongs to the record of the run it takes back, and is journaled there.
"""

import queue
import secrets
import time
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace

from runbook.driver.joining import held
from runbook.driver.launch import Setting
from runbook.driver.loop import changed_meanwhile
from runbook.driver.operator import ApprovalReply, ApprovalRequest
from runbook.engine.evolve import replay
from runbook.errors import RunbookError
from runbook.executor import (
    HostActed,
    HostObserved,
    InvocationEnded,
    ObserveRequest,
    Report,
    Request,
    UndoRequest,
)
from runbook.journal import RunSummary
from runbook.journal.holder import this_process
from runbook.model.definition import Fix, Json, Runbook
from runbook.model.event import (
    Acted,
    Event,
    FixEnded,
    FixIntended,
    Observed,
    RunStarted,
    UndoEnded,
    UndoEvent,
    UndoIntended,
)
from runbook.model.observation import Observation
from runbook.model.state import HostState

_DID_SOMETHING = frozenset({Acted.CHANGED, Acted.FAILED, Acted.UNKNOWN})
_UNDONE = frozenset({Acted.CHANGED, Acted.UNCHANGED})


@dataclass(frozen=True, kw_only=True, slots=True)
class Undoable:
    """A fix that can be taken back on some hosts; `known` is what was seen there before it."""

    fix: str
    hosts: tuple[str, ...]
    known: Mapping[str, Mapping[str, Json]]


@dataclass(kw_only=True, slots=True)
class _Trace:
    """One fix on one host, as far as the events tell."""

    host: str
    fix: str
    known: dict[str, Json]
    open: bool = False


def undoable(runbook: Runbook, events: Iterable[Event]) -> tuple[Undoable, ...]:
    """Return what a run did that has an undo and was not undone yet, the last fix first."""
    seen: dict[str, dict[str, Json]] = {}
    traces: list[_Trace] = []
    for event in events:
        match event:
            case Observed(host=host, observations=observations):
                facts = {step: dict(item.facts) for step, item in observations.items()}
                seen.setdefault(host, {}).update(facts)
            case FixIntended(host=host, step=step):
                traces.append(
                    _Trace(host=host, fix=step, known=dict(seen.get(host, {})), open=True)
                )
            case FixEnded(host=host, step=step, acted=acted) if acted not in _DID_SOMETHING:
                _last(traces, host, step).open = False
            case UndoEnded(host=host, step=step, acted=acted) if acted in _UNDONE:
                _last(traces, host, step).open = False
            case _:
                pass
    found: dict[str, list[_Trace]] = {}
    for trace in reversed(traces):
        fix = runbook.steps.get(trace.fix)
        already = trace.host in {other.host for other in found.get(trace.fix, ())}
        if trace.open and isinstance(fix, Fix) and fix.undo is not None and not already:
            found.setdefault(trace.fix, []).append(trace)
    return tuple(
        Undoable(
            fix=fix,
            hosts=tuple(trace.host for trace in reversed(group)),
            known={trace.host: trace.known for trace in group},
        )
        for fix, group in found.items()
    )


def _last(traces: Sequence[_Trace], host: str, fix: str) -> _Trace:
    """Return the latest trace of a fix that is still open; raise where the events make no sense."""
    for trace in reversed(traces):
        if (trace.host, trace.fix) == (host, fix) and trace.open:
            return trace
    raise RunbookError.of(
        "journal-broken", f"{host}: the end of {fix} is written, but not that it began"
    )


@dataclass(kw_only=True)
class Undoing:
    """Takes a run back. `done` tells afterwards what came of each fix on each host."""

    summary: RunSummary
    setting: Setting
    done: dict[str, dict[str, Acted]] = field(default_factory=dict)
    seen: dict[str, dict[str, Observation]] = field(default_factory=dict)
    declined: list[str] = field(default_factory=list)

    def perform(self) -> None:
        """Undo, one fix after the other, until one fails; raise RunbookError.

        Errors: `run-driven` (it is still going on), `nothing-to-undo`, `changed-meanwhile` (the
        undo is no longer the one that belonged to the fix), `host-held`.
        """
        journal, run = self.setting.journal, self.summary.id
        journal.verify(run)
        events = [entry.event for entry in journal.entries(run)]
        steps = undoable(self.setting.runbook, events)
        if not steps:
            raise RunbookError.of(
                "nothing-to-undo",
                f"run {run} did nothing that has an undo and is not undone yet",
                hint=f"see what it did with `runbook report {run}`",
            )
        started = next(event for event in events if isinstance(event, RunStarted))
        if self.setting.closure() != started.closure:
            raise changed_meanwhile(run)
        states = replay(self.setting.runbook, events)
        hosts = sorted({host for step in steps for host in step.hosts})
        journal.take_over(run, this_process())
        conflict = journal.claim(run, hosts, at=time.time())
        if conflict is not None:
            raise held(conflict.claims)
        try:
            for step in steps:
                if not self._undo(step, states):
                    return
        finally:
            journal.release(run, hosts)

    def _undo(self, step: Undoable, states: Mapping[str, HostState]) -> bool:
        """Undo one fix where it is approved; say whether to go on with the one before it."""
        reply = self._ask(step, states)
        hosts = tuple(host for host in step.hosts if host in reply.approved)
        if len(hosts) < len(step.hosts):
            self.declined.append(step.fix)
        if not hosts:
            return False
        request = UndoRequest(id=self._name(), fix=step.fix, hosts=hosts, known=step.known)
        self._tell(
            *(
                UndoIntended(
                    host=host,
                    step=step.fix,
                    invocation=request.id,
                    by=reply.by,
                    reason=reply.reason,
                )
                for host in hosts
            )
        )
        acted = {
            report.host: report for report in self._run(request) if isinstance(report, HostActed)
        }
        seen = self._look(step.fix, hosts)
        self._tell(
            *(
                UndoEnded(
                    host=host,
                    step=step.fix,
                    acted=acted[host].acted,
                    changes=acted[host].changes,
                    reason=acted[host].reason,
                    observations=seen.get(host, {}),
                )
                for host in hosts
            )
        )
        self.done[step.fix] = {host: acted[host].acted for host in hosts}
        for host in hosts:
            self.seen.setdefault(host, {}).update(seen.get(host, {}))
        return len(hosts) == len(step.hosts) and all(
            report.acted in _UNDONE for report in acted.values()
        )

    def _ask(self, step: Undoable, states: Mapping[str, HostState]) -> ApprovalReply:
        fix = self.setting.runbook.steps[step.fix]
        assert isinstance(fix, Fix)  # noqa: S101 -- as `undoable` found it
        texts = states[step.hosts[0]].texts.get(step.fix)
        title = f"Undo: {texts.title if texts else fix.title}"
        replies: queue.SimpleQueue[ApprovalReply] = queue.SimpleQueue()
        self.setting.operator.approve(
            ApprovalRequest(
                fix=replace(fix, title=title, action=fix.undo or fix.action, undo=None),
                hosts=step.hosts,
                title=title,
                impact="The host is as it was before the fix, fault included",
                cause=None,
                states={host: states[host] for host in step.hosts},
                evidence={},
            ),
            replies.put,
        )
        return replies.get()

    def _look(self, fix_id: str, hosts: tuple[str, ...]) -> dict[str, Mapping[str, Observation]]:
        """Look once at the fix's cause and symptom, so that nobody has to guess how it is now."""
        fix = self.setting.runbook.steps[fix_id]
        assert isinstance(fix, Fix)  # noqa: S101 -- as `undoable` found it
        steps = tuple(step for step in (fix.verify.cause, fix.verify.symptom) if step)
        wanted = tuple(dict.fromkeys(steps))
        request = ObserveRequest(
            id=self._name(), pattern=",".join(hosts), wants=dict.fromkeys(hosts, wanted)
        )
        return {
            report.host: report.observations
            for report in self._run(request)
            if isinstance(report, HostObserved)
        }

    def _run(self, request: Request) -> list[Report]:
        inbox: queue.SimpleQueue[Report] = queue.SimpleQueue()
        self.setting.executor.start(request, inbox.put)
        reports: list[Report] = []
        while True:
            report = inbox.get()
            if isinstance(report, InvocationEnded):
                return reports
            reports.append(report)

    def _tell(self, *events: UndoEvent) -> None:
        self.setting.journal.append(
            self.summary.id, events, at=time.time(), who=self.setting.operator.name
        )

    def _name(self) -> str:
        return f"{self.summary.id}-undo-{secrets.token_hex(3)}"
