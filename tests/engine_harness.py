"""Runbooks in few words, and a loop that drives the engine against a scripted world."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace

from runbook.engine import decide, evolve, start
from runbook.model.decision import (
    AskOperator,
    AskStep,
    AwaitFix,
    Decision,
    Done,
    Observe,
    Record,
    RequestApproval,
    StartFix,
    VerifyFix,
    WatchCheck,
)
from runbook.model.definition import (
    AnsibleTasks,
    Ask,
    Branch,
    Case,
    Cause,
    Check,
    CheckResult,
    Choice,
    Collect,
    End,
    Expiry,
    Fix,
    FixResult,
    Goto,
    Json,
    Manual,
    Probe,
    Runbook,
    Step,
    Target,
    Verify,
    Watch,
)
from runbook.model.event import (
    Acted,
    Answered,
    EvidenceExpired,
    FixApproved,
    FixDeclined,
    FixEnded,
    FixIntended,
    FixVerified,
    HostEvent,
    HostJoined,
    Mode,
    Observed,
    StepAllowed,
    SteppingSet,
)
from runbook.model.observation import Observation, Texts, Verification
from runbook.model.state import HostState
from runbook.model.verdict import Verdict

HOST = "web1.example"

_PROBE = Probe(type="tcp", arguments={"port": 80})


def to(text: str) -> Target:
    """Read a target: a step id, `end:VERDICT` or `end:VERDICT:CAUSE`."""
    if not text.startswith("end:"):
        return Goto(step=text)
    _, verdict, *cause = text.split(":")
    return End(verdict=Verdict(verdict), cause=cause[0] if cause else None)


def check(
    name: str,
    passed: str = "end:healthy",
    failed: str = "end:unresolved",
    unknown: str = "end:escalated",
    *,
    needs: Sequence[str] = (),
    lazy: bool = False,
    effect: str | None = None,
    cause: str | None = None,
    max_visits: int = 1,
    scope: str = "",
) -> Check:
    """Build a check."""
    return Check(
        id=name,
        title=f"{name} is fine",
        look=_PROBE,
        next={
            CheckResult.PASSED: to(passed),
            CheckResult.FAILED: to(failed),
            CheckResult.UNKNOWN: to(unknown),
        },
        needs=tuple(needs),
        lazy=lazy,
        effect=effect,
        cause=cause,
        max_visits=max_visits,
        scope=scope,
    )


def branch(
    name: str,
    cases: Sequence[str],
    otherwise: str,
    unknown: str = "end:escalated",
    *,
    needs: Sequence[str] = (),
    max_visits: int = 1,
) -> Branch:
    """Build a branch; `cases` are targets."""
    return Branch(
        id=name,
        title=f"Which way at {name}",
        cases=tuple(Case(when="x is defined", next=to(case)) for case in cases),
        otherwise=to(otherwise),
        unknown=to(unknown),
        needs=tuple(needs),
        max_visits=max_visits,
    )


_FIX_DEFAULTS = {
    FixResult.RESOLVED: "end:resolved",
    FixResult.CAUSE_REMOVED: "end:unresolved",
    FixResult.RECURRED: "end:unresolved",
    FixResult.NO_EFFECT: "end:unresolved",
    FixResult.FAILED: "end:unresolved",
    FixResult.UNKNOWN: "end:unknown",
    FixResult.DECLINED: "end:declined",
}


def fix(
    name: str,
    *,
    symptom: str,
    verify_cause: str | None = None,
    cause: str | None = None,
    destructive: bool = True,
    max_visits: int = 1,
    needs: Sequence[str] = (),
    scope: str = "",
    **targets: str,
) -> Fix:
    """Build a fix; targets by the names of results, the rest as the language has them."""
    ways = _FIX_DEFAULTS | {FixResult(result): target for result, target in targets.items()}
    return Fix(
        id=name,
        title=f"Do {name}",
        action=AnsibleTasks(bodies=({"ansible.builtin.command": "true"},)),
        verify=Verify(symptom=symptom, cause=verify_cause),
        next={result: to(target) for result, target in ways.items()},
        cause=cause,
        destructive=destructive,
        max_visits=max_visits,
        needs=tuple(needs),
        scope=scope,
    )


def ask(
    name: str, choices: Mapping[str, str], expires: str = "end:escalated", *, max_visits: int = 1
) -> Ask:
    """Build a question; `choices` are targets by choice id."""
    return Ask(
        id=name,
        title=f"Asks {name}",
        choices=tuple(
            Choice(id=choice, title=choice, next=to(target)) for choice, target in choices.items()
        ),
        expires=Expiry(after_s=60, next=to(expires)),
        max_visits=max_visits,
    )


def manual(
    name: str,
    done: str,
    not_done: str = "end:escalated",
    expires: str = "end:escalated",
    *,
    max_visits: int = 1,
) -> Manual:
    """Build an instruction."""
    return Manual(
        id=name,
        title=f"By hand: {name}",
        instruction="Turn it off and on",
        commands=(),
        done=to(done),
        not_done=to(not_done),
        expires=Expiry(after_s=60, next=to(expires)),
        max_visits=max_visits,
    )


def watch(
    name: str,
    of: str,
    passed: str = "end:healthy",
    failed: str = "end:unresolved",
    unknown: str = "end:escalated",
    *,
    max_visits: int = 1,
) -> Watch:
    """Build a watch over the check `of`."""
    return Watch(
        id=name,
        title=f"Watch {of}",
        check=of,
        for_s=60,
        every_s=5,
        next={
            CheckResult.PASSED: to(passed),
            CheckResult.FAILED: to(failed),
            CheckResult.UNKNOWN: to(unknown),
        },
        max_visits=max_visits,
    )


def collect(name: str, then: str, *, needs: Sequence[str] = (), max_visits: int = 1) -> Collect:
    """Build an evidence bundle."""
    return Collect(
        id=name,
        title=f"Collect {name}",
        probes={"load": Probe(type="load", arguments={})},
        next=to(then),
        needs=tuple(needs),
        max_visits=max_visits,
    )


def book(*steps: Step) -> Runbook:
    """Build a runbook of steps; the first is the start, causes are those the steps name."""
    causes = [step.cause for step in steps if isinstance(step, Check | Fix) and step.cause]
    return Runbook(
        name="example",
        title="An example",
        start=steps[0].id,
        steps={step.id: step for step in steps},
        causes={cause: Cause(id=cause, title=cause) for cause in causes},
    )


def seen(
    result: CheckResult | str, *, reason: str | None = None, at: float = 0.0, **facts: Json
) -> Observation:
    """Build an observation."""
    return Observation(result=CheckResult(result), reason=reason, seen_at=at, facts=facts)


def cases(*values: str) -> Observation:
    """Build the observation of a branch."""
    return seen("passed", cases=list(values))


def observed(host: str = HOST, /, **observations: str | Observation) -> Observed:
    """Build the event of looking at steps."""
    return Observed(
        host=host,
        observations={
            step: seen(value) if isinstance(value, str) else value
            for step, value in observations.items()
        },
    )


def approved(step: str, host: str = HOST) -> FixApproved:
    """Build a yes."""
    return FixApproved(host=host, step=step, by="ann", digest="d")


def declined(step: str, host: str = HOST) -> FixDeclined:
    """Build a no."""
    return FixDeclined(host=host, step=step, by="ann", reason="not now")


def intended(step: str, attempt: int = 1, host: str = HOST) -> FixIntended:
    """Build an intent."""
    return FixIntended(host=host, step=step, attempt=attempt, invocation="i")


def ended(
    step: str,
    acted: Acted = Acted.CHANGED,
    *,
    interrupted: bool = False,
    reason: str | None = None,
    host: str = HOST,
) -> FixEnded:
    """Build the end of an action."""
    return FixEnded(host=host, step=step, acted=acted, interrupted=interrupted, reason=reason)


def verified(step: str, result: FixResult, host: str = HOST) -> FixVerified:
    """Build a verification."""
    return FixVerified(host=host, step=step, verification=Verification(result=result))


def answered(step: str, answer: str, host: str = HOST) -> Answered:
    """Build an answer."""
    return Answered(host=host, step=step, answer=answer, by="ann")


def settle(runbook: Runbook, state: HostState, mode: Mode = Mode.RUN) -> HostState:
    """Take in what only has to be recorded, until something has to be done."""
    while isinstance(decision := decide(runbook, state, mode), Record):
        state = evolve(runbook, state, decision.event)
    return state


def after(runbook: Runbook, *events: HostEvent, mode: Mode = Mode.RUN) -> HostState:
    """Return the state after events, each followed by what only has to be recorded."""
    return after_more(runbook, settle(runbook, start(runbook, HOST), mode), *events, mode=mode)


def after_more(
    runbook: Runbook, state: HostState, *events: HostEvent, mode: Mode = Mode.RUN
) -> HostState:
    """Return the state after further events, each followed by what only has to be recorded."""
    for event in events:
        state = settle(runbook, evolve(runbook, state, event), mode)
    return state


@dataclass(kw_only=True)
class World:
    """What everybody outside the engine says; a test overrides what it cares for."""

    look: Callable[[str], Observation] = lambda _step: seen("passed")
    approves: Callable[[str], bool] = lambda _fix: True
    expires: Callable[[str], bool] = lambda _fix: False
    acts: Callable[[str], tuple[Acted, bool]] = lambda _fix: (Acted.CHANGED, False)
    verifies: Callable[[str], FixResult] = lambda _fix: FixResult.RESOLVED
    answers: Callable[[str], str] = lambda _step: "yes"
    by_hand: Callable[[str], HostEvent | None] = lambda _step: None
    title: Callable[[str], str] | None = None


class EndlessWalkError(AssertionError):
    """The walk did more than any walk may."""


@dataclass(kw_only=True)
class Walk:
    """One host driven through a runbook; `events` is what a journal would hold."""

    runbook: Runbook
    world: World
    mode: Mode = Mode.RUN
    host: str = HOST
    stepping: bool = False
    events: list[HostEvent] = field(default_factory=list)
    decisions: list[Decision] = field(default_factory=list)
    state: HostState = field(init=False)

    def __post_init__(self) -> None:
        self.state = start(self.runbook, self.host)
        self.take(HostJoined(host=self.host))
        if self.stepping:
            self.take(SteppingSet(host=self.host, on=True, by="ann"))

    def take(self, event: HostEvent) -> None:
        """Write an event down and take it in."""
        self.state = evolve(self.runbook, self.state, event)
        self.events.append(event)

    def run(self, limit: int = 2_000) -> HostState:
        """Go on to the end."""
        for _ in range(limit):
            if self.advance():
                return self.state
        raise EndlessWalkError(self.state)

    def advance(self) -> bool:
        """Do one decision; say whether the host is done."""
        decision = decide(self.runbook, self.state, self.mode)
        self.decisions.append(decision)
        for event in self._does(decision):
            self.take(event)
        return isinstance(decision, Done)

    def _does(self, decision: Decision) -> tuple[HostEvent, ...]:
        match decision:
            case Done():
                return ()
            case Record(event=event):
                return (event,)
            case Observe(steps=steps):
                return (self._looked(steps),)
            case WatchCheck(step=step):
                return (self._looked((step,)),)
            case AskOperator(step=step):
                return (answered(step, self.world.answers(step), self.host),)
            case AskStep(step=step):
                said = self.world.by_hand(step)
                said = said or StepAllowed(host=self.host, step=step, by="ann")
                return (replace(said, host=self.host),)
            case _:
                return self._fixes(decision)

    def _fixes(
        self, decision: RequestApproval | StartFix | AwaitFix | VerifyFix
    ) -> tuple[HostEvent, ...]:
        name = decision.fix
        match decision:
            case RequestApproval():
                if not self.world.approves(name):
                    return (declined(name, self.host),)
                return (approved(name, self.host),)
            case StartFix(attempt=attempt):
                if self.world.expires(name):
                    return (EvidenceExpired(host=self.host, step=name, age_s=61.0),)
                return (intended(name, attempt, self.host),)
            case AwaitFix():
                acted, interrupted = self.world.acts(name)
                return (ended(name, acted, interrupted=interrupted, host=self.host),)
            case VerifyFix():
                return (verified(name, self.world.verifies(name), self.host),)

    def _looked(self, steps: Sequence[str]) -> Observed:
        title = self.world.title
        return Observed(
            host=self.host,
            observations={step: self.world.look(step) for step in steps},
            texts={step: Texts(title=title(step)) for step in steps} if title else {},
        )
