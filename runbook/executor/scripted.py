"""An executor that reaches no host: canned outcomes, for rehearsals and tests.

It keeps every promise of `runbook.executor` and nothing takes time. Each look at a step is answered
by the next outcome of its list, the last one for ever; what the script does not mention is unknown,
as a host would be that does not answer.
"""

import re
import threading
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from fnmatch import fnmatchcase
from typing import TypeVar

from runbook.executor import (
    OWN_LOOK,
    Deliver,
    Ending,
    FixRequest,
    HostActed,
    HostObserved,
    HostPreviewed,
    HostsResolved,
    HostVerified,
    InvocationEnded,
    LookRequest,
    ObserveRequest,
    ParamProblem,
    PreviewRequest,
    Report,
    Request,
    UndoRequest,
    VerifyRequest,
    WatchRequest,
)
from runbook.model.definition import CheckResult, FixResult, Json
from runbook.model.event import Acted
from runbook.model.observation import Activity, Observation, TaskChange, Verification

STOPPED = "it was stopped"
UNSCRIPTED = "the script says nothing of it"

_T = TypeVar("_T")


@dataclass(frozen=True, kw_only=True, slots=True)
class ScriptedFix:
    """One try of a fix, or of its undo: what the action reports, and what looking again does.

    `verification` counts only where the action came to its end (changed, unchanged).
    """

    acted: Acted = Acted.CHANGED
    verification: Verification = field(
        default_factory=lambda: Verification(result=FixResult.RESOLVED)
    )
    changes: tuple[TaskChange, ...] = ()
    reason: str | None = None


@dataclass(frozen=True, kw_only=True, slots=True)
class ScriptedHost:
    """All that one host does, by step id.

    `looks` are for checks, branches, collect and watch steps, and `OWN_LOOK`. `unreachable` is the reason why the
    host never answers. A step in `stuck` comes to nothing until its invocation is cancelled.
    `activity` is what else goes on there, for whoever asks.
    """

    params: Mapping[str, Json] = field(default_factory=dict)
    groups: tuple[str, ...] = ("ungrouped",)
    problems: Mapping[str, str] = field(default_factory=dict)
    typed: bool = False
    looks: Mapping[str, Sequence[Observation]] = field(default_factory=dict)
    fixes: Mapping[str, Sequence[ScriptedFix]] = field(default_factory=dict)
    undos: Mapping[str, Sequence[ScriptedFix]] = field(default_factory=dict)
    previews: Mapping[str, Sequence[TaskChange]] = field(default_factory=dict)
    unreachable: str | None = None
    activity: Activity | None = None
    stuck: frozenset[str] = frozenset()


@dataclass(kw_only=True)
class ScriptedExecutor:
    """Plays a script; `hosts` is the whole inventory, `requests` what has been asked so far.

    Patterns are host names, `*` and `!` as Ansible has them, joined by colons or commas; `all` is
    every host. A pattern names no groups, although hosts may be in some.
    """

    hosts: Mapping[str, ScriptedHost]
    requests: list[Request] = field(default_factory=list)
    _turns: Counter[tuple[str, str, str]] = field(default_factory=Counter)
    _lock: threading.Lock = field(default_factory=threading.Lock)

    def start(self, request: Request, deliver: Deliver) -> "ScriptedInvocation":
        """Begin, and return at once."""
        self.requests.append(request)
        invocation = ScriptedInvocation(request=request, executor=self, deliver=deliver)
        invocation.begin()
        return invocation

    def orphan(self, invocation: str) -> bool:  # noqa: ARG002 -- whichever it is
        """Say that nothing is left running: a script ends with its process."""
        return False

    def resolve(self, pattern: str) -> tuple[str, ...]:
        """Return the hosts a pattern names, in the order of the script."""
        words = [word for word in re.split(r"[:,]", pattern) if word]
        chosen = {host for word in words if word[0] != "!" for host in self._matching(word)}
        barred = {host for word in words if word[0] == "!" for host in self._matching(word[1:])}
        return tuple(host for host in self.hosts if host in chosen - barred)

    def _matching(self, word: str) -> list[str]:
        return [host for host in self.hosts if word == "all" or fnmatchcase(host, word)]

    def next_of(self, host: str, kind: str, step: str, script: Sequence[_T]) -> _T | None:
        """Take the next outcome of a list; the last one stays."""
        with self._lock:
            turn = self._turns[host, kind, step]
            self._turns[host, kind, step] += 1
        return script[min(turn, len(script) - 1)] if script else None

    def latest_of(self, host: str, kind: str, step: str, script: Sequence[_T]) -> _T | None:
        """Return the outcome taken last, the first one if none has been."""
        with self._lock:
            turn = max(0, self._turns[host, kind, step] - 1)
        return script[min(turn, len(script) - 1)] if script else None


@dataclass(kw_only=True)
class ScriptedInvocation:
    """A request under way."""

    request: Request
    executor: ScriptedExecutor
    deliver: Deliver
    _cancelled: threading.Event = field(default_factory=threading.Event)
    _ended: threading.Event = field(default_factory=threading.Event)

    def begin(self) -> None:
        """Start the thread."""
        threading.Thread(target=self._run, name=self.request.id, daemon=True).start()

    def cancel(self) -> None:
        """Stop it; hosts that are stuck report now."""
        self._cancelled.set()

    def wait(self, timeout_s: float | None = None) -> bool:
        """Wait for the end."""
        return self._ended.wait(timeout_s)

    def _run(self) -> None:
        hosts = self._hosts()
        late = [host for host in hosts if self._is_stuck(host)]
        for host in hosts:
            if host not in late:
                self._play(host, self._script(host))
        if late:
            self._cancelled.wait()
            for host in late:
                self._tell(*self._cut_off(host))
        ending = Ending.CANCELLED if late else Ending.COMPLETED
        self._tell(InvocationEnded(request=self.request.id, ending=ending))
        self._ended.set()

    def _hosts(self) -> tuple[str, ...]:
        match self.request:
            case ObserveRequest(joining=True, pattern=pattern, at_most=at_most):
                hosts = self.executor.resolve(pattern)
                if at_most is not None and len(hosts) > at_most:
                    self._tell(HostsResolved(request=self.request.id, hosts=hosts))
                    return ()
                self._tell(self._resolved(hosts))
                return hosts
            case ObserveRequest(wants=wants):
                return tuple(wants)
            case _:
                return tuple(self.request.hosts)

    def _resolved(self, hosts: Sequence[str]) -> HostsResolved:
        scripts = {host: self._script(host) for host in hosts}
        return HostsResolved(
            request=self.request.id,
            hosts=tuple(hosts),
            params={host: script.params for host, script in scripts.items()},
            groups={host: script.groups for host, script in scripts.items()},
            typed=frozenset(host for host, script in scripts.items() if script.typed),
            problems=tuple(
                ParamProblem(host=host, param=param, message=message)
                for host, script in scripts.items()
                for param, message in script.problems.items()
            ),
        )

    def _script(self, host: str) -> ScriptedHost:
        unknown = ScriptedHost(unreachable=f"the script has no host {host}")
        return self.executor.hosts.get(host, unknown)

    def _steps(self, host: str) -> tuple[str, ...]:
        match self.request:
            case ObserveRequest(wants=wants, steps=steps):
                return tuple(wants.get(host, steps))
            case WatchRequest(step=step):
                return (step,)
            case LookRequest():
                return (OWN_LOOK,)
            case _:
                return (self.request.fix,)

    def _is_stuck(self, host: str) -> bool:
        return not self._script(host).stuck.isdisjoint(self._steps(host))

    def _tell(self, *reports: Report) -> None:
        for report in reports:
            self.deliver(report)

    def _play(self, host: str, script: ScriptedHost) -> None:
        if script.unreachable is not None:
            self._tell(*self._cut_off(host, f"unreachable: {script.unreachable}"))
            return
        match self.request:
            case ObserveRequest(activity=asked):
                observed = self._observed(host, lambda step: self._look(host, script, step))
                self._tell(replace(observed, activity=script.activity if asked else None))
            case WatchRequest() | LookRequest():
                self._tell(self._observed(host, lambda step: self._look(host, script, step)))
            case FixRequest(fix=fix):
                self._tell(*self._tried(host, "fix", script.fixes.get(fix, ())))
            case UndoRequest(fix=fix):
                self._tell(*self._tried(host, "undo", script.undos.get(fix, ()))[:1])
            case VerifyRequest(fix=fix):
                tried = self.executor.latest_of(host, "fix", fix, script.fixes.get(fix, ()))
                self._tell(
                    self._unverified(host, UNSCRIPTED)
                    if tried is None
                    else self._verified(host, tried.verification)
                )
            case PreviewRequest(fix=fix):
                changes = tuple(script.previews.get(fix, ()))
                self._tell(HostPreviewed(request=self.request.id, host=host, changes=changes))

    def _look(self, host: str, script: ScriptedHost, step: str) -> Observation:
        seen = self.executor.next_of(host, "look", step, script.looks.get(step, ()))
        return seen or Observation(result=CheckResult.UNKNOWN, reason=UNSCRIPTED)

    def _tried(self, host: str, kind: str, script: Sequence[ScriptedFix]) -> tuple[Report, ...]:
        tried = self.executor.next_of(host, kind, self._steps(host)[0], script)
        if tried is None:
            return (self._acted(host, Acted.UNKNOWN, UNSCRIPTED),)
        acted = HostActed(
            request=self.request.id,
            host=host,
            acted=tried.acted,
            changes=tried.changes,
            reason=tried.reason,
        )
        if tried.acted not in (Acted.CHANGED, Acted.UNCHANGED):
            return (acted,)
        return (acted, self._verified(host, tried.verification))

    def _cut_off(self, host: str, reason: str = STOPPED) -> tuple[Report, ...]:
        """Say that nothing came of a host."""
        match self.request:
            case ObserveRequest() | WatchRequest() | LookRequest():
                unseen = Observation(result=CheckResult.UNKNOWN, reason=reason)
                return (self._observed(host, lambda _step: unseen),)
            case FixRequest() | UndoRequest():
                acted = Acted.UNKNOWN if reason == STOPPED else Acted.WITHHELD
                return (self._acted(host, acted, reason),)
            case VerifyRequest():
                return (self._unverified(host, reason),)
            case PreviewRequest():
                return (
                    HostPreviewed(request=self.request.id, host=host, changes=(), failed=reason),
                )

    def _observed(self, host: str, look: Callable[[str], Observation]) -> HostObserved:
        return HostObserved(
            request=self.request.id,
            host=host,
            observations={step: look(step) for step in self._steps(host)},
        )

    def _acted(self, host: str, acted: Acted, reason: str) -> HostActed:
        return HostActed(request=self.request.id, host=host, acted=acted, reason=reason)

    def _verified(self, host: str, verification: Verification) -> HostVerified:
        return HostVerified(request=self.request.id, host=host, verification=verification)

    def _unverified(self, host: str, reason: str) -> HostVerified:
        return self._verified(host, Verification(result=FixResult.UNKNOWN, reason=reason))
