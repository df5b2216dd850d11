"""Taking back what a run did: its fixes' own undo, in reverse order, each asked about.

It belongs to the record of the run it takes back, and is journaled there.
"""

import queue
import secrets
import time
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace

from runbook.driver.acting import changed_meanwhile
from runbook.driver.flights import describe
from runbook.driver.joining import held
from runbook.driver.launch import Setting, left_open
from runbook.driver.operator import ApprovalReply, ApprovalRequest
from runbook.driver.stopping import InterruptedRunError, Stop
from runbook.engine.evolve import replay
from runbook.errors import RunbookError
from runbook.executor import (
    HostActed,
    HostObserved,
    HostPreviewed,
    Invocation,
    InvocationEnded,
    ObserveRequest,
    PreviewRequest,
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
from runbook.model.needs import with_needs
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
    """Takes a run back. `done` tells afterwards what came of each fix on each host.

    `reasons` are those of undos that did not come to their end, by fix and host, `seen` how causes
    and symptoms looked afterwards, `declined` the fixes that somebody wants left as they are.
    `interrupted` is the reason why it stopped before its end, if it did.
    """

    summary: RunSummary
    setting: Setting
    done: dict[str, dict[str, Acted]] = field(default_factory=dict)
    reasons: dict[str, dict[str, str]] = field(default_factory=dict)
    seen: dict[str, dict[str, Observation]] = field(default_factory=dict)
    declined: list[str] = field(default_factory=list)
    interrupted: str | None = None
    _inbox: queue.SimpleQueue[Report | ApprovalReply | Stop] = field(
        default_factory=queue.SimpleQueue
    )

    def stop(self, stop: Stop) -> None:
        """Ask for an end: after the undo under way, or at once; safe from a signal handler."""
        self._inbox.put(stop)

    def perform(self) -> None:
        """Undo, one fix after the other, until one fails or `stop` is called; raise RunbookError.

        Errors: `run-driven` (it is still going on), `nothing-to-undo`, `still-at-work` (a fix or an
        undo that was left running), `changed-meanwhile` (the undo is no longer the one that belonged
        to the fix), `host-held`.
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
        working = sorted(
            host
            for host, invocation in left_open(events).items()
            if self.setting.executor.orphan(invocation)
        )
        if working:
            raise RunbookError.of(
                "still-at-work",
                f"what run {run} left running is still changing {', '.join(working)}",
                hint="wait for its end, then call this again",
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
                if not self._undo(step, states) or self.interrupted is not None:
                    return
        except InterruptedRunError as stopped:
            self.interrupted = str(stopped)
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
        reports = self._run(request)
        acted = {report.host: report for report in reports if isinstance(report, HostActed)}
        seen = {} if self.interrupted is not None else self._look(step.fix, hosts)
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
        self.reasons[step.fix] = {
            host: reason for host in hosts if (reason := acted[host].reason) is not None
        }
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
        previews = self._predict(step) if self.setting.operator.wants_previews else {}
        if self.interrupted is not None:
            raise InterruptedRunError(self.interrupted)
        self.setting.operator.approve(
            ApprovalRequest(
                fix=replace(fix, title=title, action=fix.undo or fix.action, undo=None),
                hosts=step.hosts,
                title=title,
                impact="The host is as it was before the fix, fault included",
                cause=None,
                states={host: states[host] for host in step.hosts},
                evidence={},
                previews=previews,
                undoing=True,
            ),
            self._inbox.put,
        )
        while True:
            match self._inbox.get():
                case ApprovalReply() as reply:
                    return reply
                case Stop(reason=reason):
                    self.setting.operator.leave()
                    raise InterruptedRunError(reason)
                case _:
                    pass  # Of what was cut off before.

    def _predict(self, step: Undoable) -> dict[str, HostPreviewed]:
        """Ask Ansible what the undo would change."""
        request = PreviewRequest(
            id=self._name(), fix=step.fix, hosts=step.hosts, known=step.known, undo=True
        )
        return {
            report.host: report
            for report in self._run(request)
            if isinstance(report, HostPreviewed)
        }

    def _look(self, fix_id: str, hosts: tuple[str, ...]) -> dict[str, Mapping[str, Observation]]:
        """Look once at the fix's cause and symptom, so that nobody has to guess how it is now."""
        fix = self.setting.runbook.steps[fix_id]
        assert isinstance(fix, Fix)  # noqa: S101 -- as `undoable` found it
        steps = tuple(step for step in (fix.verify.cause, fix.verify.symptom) if step)
        wanted = with_needs(self.setting.runbook, steps)
        request = ObserveRequest(
            id=self._name(), pattern=",".join(hosts), wants=dict.fromkeys(hosts, wanted)
        )
        return {
            report.host: {step: report.observations[step] for step in dict.fromkeys(steps)}
            for report in self._run(request)
            if isinstance(report, HostObserved)
        }

    def _run(self, request: Request) -> list[Report]:
        """Carry a request out; told to stop, let an undo come to its end, but nothing else."""
        invocation = self.setting.executor.start(request, self._inbox.put)
        hosts = tuple(request.wants) if isinstance(request, ObserveRequest) else request.hosts
        self.setting.observer.working(hosts, describe(request))
        reports: list[Report] = []
        while True:
            match self._inbox.get():
                case Stop() as stop:
                    self._wind_up(stop, request, invocation)
                case InvocationEnded():
                    return reports
                case ApprovalReply():
                    pass
                case report:
                    reports.append(report)

    def _wind_up(self, stop: Stop, request: Request, invocation: Invocation) -> None:
        self.interrupted = stop.reason
        if stop.now or not isinstance(request, UndoRequest):
            invocation.cancel()
            return
        self.setting.observer.working(
            request.hosts, "finishing the undo under way; interrupt again to give it up"
        )

    def _tell(self, *events: UndoEvent) -> None:
        self.setting.journal.append(
            self.summary.id, events, at=time.time(), who=self.setting.operator.name
        )

    def _name(self) -> str:
        return f"{self.summary.id}-undo-{secrets.token_hex(3)}"
