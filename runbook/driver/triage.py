"""Which of several runbooks fits what is wrong: the opening checks of all of them, in one look.

The opening of a runbook is what can be looked at before any fix, question or wait. It is walked
read-only, as far as that one look carries; what a second look would show is not guessed.
"""

import queue
import secrets
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from enum import StrEnum
from typing import TypeVar

from runbook.driver.joining import unfit, unusable
from runbook.engine.evidence import is_blind
from runbook.engine.evolve import evolve, start
from runbook.engine.lookahead import lookahead
from runbook.engine.walking import walk
from runbook.executor import (
    Executor,
    HostObserved,
    HostsResolved,
    InvocationEnded,
    ObserveRequest,
    ParamProblem,
    Report,
)
from runbook.model.decision import AskOperator, Decision, Done, Observe, WatchCheck
from runbook.model.definition import (
    AnsibleTask,
    Branch,
    Cause,
    Check,
    Collect,
    Fix,
    Goto,
    Runbook,
    Scope,
    Step,
    Target,
)
from runbook.model.event import Mode, Observed
from runbook.model.state import HostState
from runbook.model.verdict import Verdict, exit_code

_T = TypeVar("_T")

LAST_WAIT_S = 10.0
"""How long to wait for a look that was given up."""


class Fit(StrEnum):
    """What a runbook's opening came to on a host, from the best fit to the worst.

    `cause`: a cause was concluded. `fault`: a check failed, and what it means takes another look.
    `unknown`: it could not be told. `open`: it begins with something that is not looked at here.
    `healthy`: nothing is wrong by it. `lacking`: a param has no value that can be used.
    """

    CAUSE = "cause"
    FAULT = "fault"
    UNKNOWN = "unknown"
    OPEN = "open"
    HEALTHY = "healthy"
    LACKING = "lacking"


_ORDER = tuple(Fit)


@dataclass(frozen=True, kw_only=True, slots=True)
class Candidate:
    """A runbook to be considered, with those of its symptoms that were named."""

    runbook: Runbook
    symptoms: tuple[str, ...] = ()


@dataclass(frozen=True, kw_only=True, slots=True)
class Opening:
    """How far one look carried a runbook's walk on one host.

    `further` says what the walk would need next, "" where it came to its end or to a fix.
    """

    fit: Fit
    state: HostState
    further: str = ""
    lacking: tuple[ParamProblem, ...] = ()


@dataclass(frozen=True, kw_only=True, slots=True)
class Finding:
    """What the opening of one runbook came to, on all hosts."""

    candidate: Candidate
    openings: Mapping[str, Opening]

    @property
    def runbook(self) -> Runbook:
        """The runbook."""
        return self.candidate.runbook

    @property
    def fit(self) -> Fit:
        """The best fit on any host."""
        return min((one.fit for one in self.openings.values()), key=_ORDER.index)

    @property
    def hosts(self) -> tuple[str, ...]:
        """The hosts that it fits best."""
        return tuple(host for host, one in self.openings.items() if one.fit is self.fit)

    @property
    def causes(self) -> tuple[Cause, ...]:
        """All causes that were concluded on the hosts, in the order found."""
        found = (item.cause for host in self.hosts for item in self.openings[host].state.causes)
        return tuple(self.runbook.causes[id_] for id_ in dict.fromkeys(found))

    @property
    def likelihood(self) -> float:
        """The declared likelihood of the likeliest cause found; 0 where none is declared."""
        return max((cause.likelihood or 0.0 for cause in self.causes), default=0.0)

    @property
    def fix(self) -> Fix | None:
        """The fix it would come to on the first host that it fits."""
        position = self.openings[self.hosts[0]].state.position
        step = self.runbook.steps[position] if position is not None else None
        return step if isinstance(step, Fix) else None


def triage(
    candidates: Sequence[Candidate], executor: Executor, pattern: str
) -> tuple[tuple[str, ...], list[Finding]]:
    """Look once, for all runbooks; return the hosts and what was found, the best fit first.

    `executor` is one for `together` of the runbooks. Raises RunbookError `no-hosts` or
    `ansible-unusable`.
    """
    wanted = {one.runbook.name: opening_of(one.runbook) for one in candidates}
    request = ObserveRequest(
        id=f"triage-{secrets.token_hex(3)}",
        pattern=pattern,
        joining=True,
        steps=tuple(f"{name}/{step}" for name, steps in wanted.items() for step in steps),
    )
    resolved, observed = _look(executor, request)
    problem = unfit(replace(resolved, problems=()), pattern)
    if problem is not None:
        raise problem
    findings = [
        Finding(
            candidate=one,
            openings={
                host: _opening(_opened(one.runbook), host, resolved, observed[host])
                for host in resolved.hosts
            },
        )
        for one in candidates
    ]
    return resolved.hosts, sorted(findings, key=_rank)


def together(runbooks: Iterable[Runbook]) -> Runbook:
    """Return one runbook with the steps of several, each under its runbook's name.

    It is there to be looked at, never to be walked: its steps lead nowhere. Each runbook's params
    are taken from the host's own variables, as if it were run by itself.
    """
    steps: dict[str, Step] = {}
    scopes: dict[str, Scope] = {}
    books = list(runbooks)
    for book in books:
        scopes[book.name] = Scope(
            prefix=book.name, runbook=book.name, parent="", params=book.params, inherits=True
        )
        for prefix, scope in book.scopes.items():
            within = f"{book.name}/{scope.parent}" if scope.parent else book.name
            inner = f"{book.name}/{prefix}"
            scopes[inner] = replace(scope, prefix=inner, parent=within)
        for step in book.steps.values():
            id_ = f"{book.name}/{step.id}"
            steps[id_] = replace(
                step,
                id=id_,
                scope=f"{book.name}/{step.scope}" if step.scope else book.name,
                needs=tuple(f"{book.name}/{need}" for need in step.needs),
            )
    return Runbook(
        name="triage",
        title="Which runbook fits",
        start="",
        steps=steps,
        scopes=scopes,
        folder=books[0].folder if books else ".",
        sources=tuple(dict.fromkeys(source for book in books for source in book.sources)),
    )


def opening_of(runbook: Runbook) -> tuple[str, ...]:
    """Return the steps that can be looked at before anything else is done."""
    opened = _opened(runbook)
    first = opened.steps[opened.start]
    if isinstance(first, Collect) or (isinstance(first, Check) and first.lazy):
        return ()
    return lookahead(opened, start(opened, ""))


def _opened(runbook: Runbook) -> Runbook:
    """Return a runbook as it is opened here.

    Its bundles of evidence are passed by, as they judge nothing, and no step waits for one that its
    words tell of. Ansible's own tasks are not looked at: each would be a round trip for all hosts.
    """

    def to(target: Target) -> Target:
        passed: set[str] = set()
        while isinstance(target, Goto) and target.step not in passed:
            step = runbook.steps[target.step]
            if not isinstance(step, Collect):
                break
            passed.add(target.step)
            target = step.next
        return target

    first = to(Goto(step=runbook.start))
    bundles = {step.id for step in runbook.steps.values() if isinstance(step, Collect)}
    return replace(
        runbook,
        start=first.step if isinstance(first, Goto) else runbook.start,
        steps={
            id_: replace(
                _leading(step, to), needs=tuple(need for need in step.needs if need not in bundles)
            )
            for id_, step in runbook.steps.items()
        },
    )


def _leading(step: Step, to: Callable[[Target], Target]) -> Step:
    match step:
        case Check():
            return replace(
                step,
                next={result: to(target) for result, target in step.next.items()},
                lazy=step.lazy or isinstance(step.look, AnsibleTask),
            )
        case Branch():
            return replace(
                step,
                cases=tuple(replace(case, next=to(case.next)) for case in step.cases),
                otherwise=to(step.otherwise),
                unknown=to(step.unknown),
            )
        case _:
            return step


def _look(
    executor: Executor, request: ObserveRequest
) -> tuple[HostsResolved, dict[str, HostObserved]]:
    inbox: queue.SimpleQueue[Report] = queue.SimpleQueue()
    invocation = executor.start(request, inbox.put)
    reports: list[Report] = []
    try:
        while not (reports and isinstance(reports[-1], InvocationEnded)):
            reports.append(inbox.get())
    except BaseException:
        invocation.cancel()
        invocation.wait(LAST_WAIT_S)
        raise
    resolved = next((report for report in reports if isinstance(report, HostsResolved)), None)
    if resolved is None:
        raise unusable(getattr(reports[-1], "reason", None))
    observed = {report.host: report for report in reports if isinstance(report, HostObserved)}
    return resolved, observed


def _opening(
    runbook: Runbook, host: str, resolved: HostsResolved, observed: HostObserved
) -> Opening:
    prefix = f"{runbook.name}/"
    lacking = tuple(
        replace(problem, param=problem.param.removeprefix(prefix))
        for problem in resolved.problems
        if problem.host == host and problem.param.startswith(prefix)
    )
    begun = start(runbook, host)
    if lacking:
        return Opening(fit=Fit.LACKING, state=begun, lacking=lacking)
    seen = evolve(
        runbook,
        begun,
        Observed(
            host=host,
            observations=_within(prefix, observed.observations),
            texts=_within(prefix, observed.texts),
        ),
    )
    _, state, decision = walk(runbook, seen, Mode.DIAGNOSE)
    return Opening(
        fit=_fit(runbook, state, decision), state=state, further=_further(runbook, state, decision)
    )


def _fit(runbook: Runbook, state: HostState, decision: Decision) -> Fit:
    if state.causes:
        return Fit.CAUSE
    if state.fault_seen:
        return Fit.FAULT
    if state.verdict is Verdict.UNKNOWN or any(is_blind(runbook, visit) for visit in state.path):
        return Fit.UNKNOWN
    if not isinstance(decision, Done):
        return Fit.OPEN
    return Fit.HEALTHY if exit_code(state.verdict or Verdict.UNKNOWN) == 0 else Fit.FAULT


def _further(runbook: Runbook, state: HostState, decision: Decision) -> str:
    """Say what the walk would need next."""
    match decision:
        case Observe(steps=(step, *_)):
            what = "look further"
        case WatchCheck(step=step):
            what = "watch"
        case AskOperator(step=step):
            what = "ask"
        case _:
            return ""
    texts = state.texts.get(step)
    return f"{what}: {texts.title if texts is not None else runbook.steps[step].title}"


def _rank(finding: Finding) -> tuple[object, ...]:
    """Return the sort key: best fit, one that has a fix, likeliest, most hosts, most symptoms."""
    return (
        _ORDER.index(finding.fit),
        finding.fix is None,
        -finding.likelihood,
        -len(finding.hosts),
        -len(finding.candidate.symptoms),
        finding.runbook.name,
    )


def _within(prefix: str, told: Mapping[str, _T]) -> dict[str, _T]:
    return {
        step.removeprefix(prefix): item for step, item in told.items() if step.startswith(prefix)
    }
