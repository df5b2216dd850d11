"""What to do next for one host."""

from typing import assert_never

from runbook.engine.closing import finish
from runbook.engine.evidence import cause_evidence, is_blind
from runbook.engine.graph import graph_of
from runbook.engine.lookahead import lookahead
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
    Ask,
    Branch,
    Check,
    CheckResult,
    Collect,
    Fix,
    FixResult,
    Goto,
    Manual,
    Runbook,
    Step,
    Target,
    Watch,
)
from runbook.model.event import Acted, CauseFound, FixConcluded, Mode, StepConcluded
from runbook.model.observation import Observation
from runbook.model.state import FixPhase, HostState
from runbook.model.verdict import Verdict

EXPIRED = "expired"
"""The answer to a question that nobody answered in time."""

MAX_EXPIRIES = 3
"""How often evidence may be too old at a fix with nobody to wait for: looking is too slow then."""

_UNKNOWN = CheckResult.UNKNOWN.value


def decide(runbook: Runbook, state: HostState, mode: Mode) -> Decision:
    """Say what is next for a host: something to do, or an event to write down.

    Doing it gives events, which `evolve` turns into the next state; `Record` only has its event.
    Every path of decisions ends in `Done` as long as what is done gives answers: steps are bounded
    by `max_visits` in an epoch, fixes by theirs in the run, looking again by `MAX_EXPIRIES`.
    """
    if state.verdict is not None:
        return Done()
    if state.position is None:
        return Record(event=finish(runbook, state, state.closing or Verdict.UNKNOWN))
    step = runbook.steps[state.position]
    if isinstance(step, Fix) and state.fix.phase in _UNDER_WAY:
        return _see_through(runbook, step, state)
    spent = _spent(step, state)
    if spent is not None:
        return Record(event=finish(runbook, state, Verdict.ESCALATED, spent))
    passed = _result(step, state)
    if _is_to_be_asked(step, state, mode):
        looks = lookahead(runbook, state) if passed is None else ()
        return AskStep(step=step.id, looks=looks, result=passed[0] if passed else "")
    if passed is not None:
        return _conclude(state, step, *passed)
    looks = lookahead(runbook, state)
    if looks:
        return Observe(steps=looks)
    return _do(runbook, step, state, mode)


def _do(runbook: Runbook, step: Step, state: HostState, mode: Mode) -> Decision:
    """Decide at a step that has all the results it uses, but none of its own."""
    match step:
        case Check() | Branch() | Collect():
            return Observe(steps=(step.id,))
        case Watch():
            return WatchCheck(step=step.id)
        case Ask() | Manual():
            return AskOperator(step=step.id)
        case Fix():
            return _approach(runbook, step, state, mode)
    assert_never(step)


def _is_to_be_asked(step: Step, state: HostState, mode: Mode) -> bool:
    """Say whether a person is to let this step be done.

    One who said yes or no to a fix has; a diagnosis ends at a fix, with nothing done.
    """
    ends = isinstance(step, Fix) and mode is Mode.DIAGNOSE
    return state.stepping and not state.allowed and state.fix.phase is FixPhase.NONE and not ends


def _spent(step: Step, state: HostState) -> str | None:
    """Say why the walk cannot go on with a step, None where it can."""
    if state.expiries >= MAX_EXPIRIES:
        return "what is seen is too old by the time the walk comes to a fix, however often it looks"
    visits = state.visits[step.id]
    done = state.attempts.get(step.id, 0)
    if isinstance(step, Fix) and done >= step.max_visits:
        return f"{_title(step, state)}: done {_times(done)}, and the walk came here again"
    if visits > step.max_visits:
        return f"{_title(step, state)}: passed {_times(visits - 1)}, and the walk came here again"
    return None


def _times(count: int) -> str:
    return "once" if count == 1 else f"{count} times"


def _title(step: Step, state: HostState) -> str:
    texts = state.texts.get(step.id)
    return texts.title if texts is not None else step.title


def _conclude(
    state: HostState, step: Step, result: str, target: Target, seen: Observation | None
) -> Record:
    failed = result == CheckResult.FAILED.value
    return Record(
        event=StepConcluded(
            host=state.host,
            step=step.id,
            result=result,
            next=target,
            cause=step.cause if isinstance(step, Check) and failed else None,
            evidence=seen,
        )
    )


def _result(step: Step, state: HostState) -> tuple[str, Target, Observation | None] | None:
    """Return a step's result, where it leads and what was seen, None where it has none yet."""
    seen = state.known.get(step.id)
    match step:
        case Check() | Watch() if seen is not None:
            return seen.result.value, step.next[seen.result], seen
        case Collect() if seen is not None:
            return seen.result.value, step.next, seen
        case Branch() if seen is not None:
            return *_choose(step, seen), seen
        case Ask() | Manual() if step.id in state.answers:
            return *_take(step, state.answers[step.id]), None
        case _:
            return None


def _choose(step: Branch, seen: Observation) -> tuple[str, Target]:
    if seen.result is CheckResult.UNKNOWN:
        return _UNKNOWN, step.unknown
    values = seen.facts.get("cases", ())
    for number, case in enumerate(step.cases, start=1):
        # Cases that nobody evaluated are as unknown as those that could not be.
        value = values[number - 1] if number <= len(values) else _UNKNOWN
        if value == "true":
            return f"case {number}", case.next
        if value != "false":
            return _UNKNOWN, step.unknown
    return "otherwise", step.otherwise


def _take(step: Ask | Manual, answer: str) -> tuple[str, Target]:
    """Return an answer and where it leads; one that the step does not have counts as none."""
    match step:
        case Ask():
            ways = {choice.id: choice.next for choice in step.choices}
        case Manual():
            ways = {"done": step.done, "not_done": step.not_done}
    return (answer, ways[answer]) if answer in ways else (EXPIRED, step.expires.next)


def _approach(runbook: Runbook, fix: Fix, state: HostState, mode: Mode) -> Decision:
    """Decide at a fix that has not begun."""
    if (
        fix.cause is not None
        and not _is_found(fix.cause, state)
        and not _came_blind(runbook, state)
    ):
        evidence = cause_evidence(state, fix)
        return Record(
            event=CauseFound(host=state.host, step=fix.id, cause=fix.cause, evidence=evidence)
        )
    if mode is Mode.DIAGNOSE:
        would = f"would do: {_title(fix, state)}"
        return Record(event=finish(runbook, state, Verdict.UNRESOLVED, would))
    if state.fix.refusal is not None:
        refusal = state.fix.refusal
        return _conclude_fix(state, fix, FixResult.DECLINED, reason=refusal.reason or None)
    if fix.destructive and state.fix.phase is not FixPhase.APPROVED:
        return RequestApproval(fix=fix.id)
    attempt = 1 + sum(record.step == fix.id for record in state.fixes)
    return StartFix(fix=fix.id, attempt=attempt)


def _is_found(cause: str, state: HostState) -> bool:
    return any(found.cause == cause and found.epoch == state.epoch for found in state.causes)


def _came_blind(runbook: Runbook, state: HostState) -> bool:
    """Say whether the walk came here because it could not tell, which finds no cause."""
    return bool(state.path) and is_blind(runbook, state.path[-1])


_UNDER_WAY = frozenset({FixPhase.INTENDED, FixPhase.ENDED, FixPhase.VERIFIED})


def _see_through(runbook: Runbook, fix: Fix, state: HostState) -> Decision:
    """Decide at a fix that has begun."""
    ended = state.fix.ended
    if ended is None:
        return AwaitFix(fix=fix.id)
    if ended.acted is Acted.WITHHELD:
        return _conclude_fix(state, fix, FixResult.UNKNOWN, reason=ended.reason)
    if ended.acted is Acted.FAILED:
        return _conclude_fix(state, fix, FixResult.FAILED, reason=ended.reason)
    if state.fix.verified is None:
        return VerifyFix(fix=fix.id)
    verification = state.fix.verified.verification
    if ended.acted is not Acted.UNKNOWN or verification.result in _HELPED:
        return _conclude_fix(state, fix, verification.result, reason=verification.reason)
    again = Goto(step=graph_of(runbook).scope_start(fix.id)) if ended.interrupted else None
    return _conclude_fix(state, fix, FixResult.UNKNOWN, reason=ended.reason, target=again)


_HELPED = frozenset({FixResult.RESOLVED, FixResult.CAUSE_REMOVED})


def _conclude_fix(
    state: HostState,
    fix: Fix,
    result: FixResult,
    *,
    reason: str | None,
    target: Target | None = None,
) -> Record:
    return Record(
        event=FixConcluded(
            host=state.host,
            step=fix.id,
            result=result,
            next=target or fix.next[result],
            reason=reason,
            cause=fix.cause,
        )
    )
