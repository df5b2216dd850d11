"""What an event makes of a host's state."""

from collections.abc import Iterable, Mapping
from dataclasses import replace

from runbook.engine.by_hand import step_by_hand
from runbook.engine.moving import (
    NO_FIX,
    arrive,
    close_path,
    expect_target,
    find,
    go,
    out_of_place,
)
from runbook.model.definition import (
    Ask,
    Check,
    CheckResult,
    Fix,
    FixResult,
    Goto,
    Manual,
    Runbook,
    Watch,
)
from runbook.model.event import (
    Acted,
    ActivitySeen,
    Answered,
    AsideEvent,
    CauseFound,
    Event,
    EvidenceExpired,
    FixApproved,
    FixConcluded,
    FixDeclined,
    FixEnded,
    FixIntended,
    FixRechecked,
    FixVerified,
    HostEvent,
    HostFinished,
    HostJoined,
    LookAgain,
    Observed,
    RunEvent,
    StepAllowed,
    StepConcluded,
    StepJumped,
    SteppingSet,
    StepSkipped,
    UndoEvent,
)
from runbook.model.state import (
    Approval,
    FixPhase,
    FixProgress,
    FixRecord,
    HostState,
    Refusal,
    Visit,
)
from runbook.model.verdict import Verdict

_NOT_BEGUN = frozenset({FixPhase.NONE, FixPhase.APPROVED})


def start(runbook: Runbook, host: str) -> HostState:
    """Return the state of a host at the start of its walk."""
    blank = HostState(host=host, position=None, origin=runbook.start)
    return arrive(runbook, blank, runbook.start)


def replay(runbook: Runbook, events: Iterable[Event]) -> Mapping[str, HostState]:
    """Return the state of every host that joined, in joining order, as its events leave it.

    Raises RunbookError `event-out-of-place` where the events tell of another walk than this
    runbook's, so that nobody goes on from a state nobody knows.
    """
    states: dict[str, HostState] = {}
    for event in events:
        if isinstance(event, AsideEvent | UndoEvent | RunEvent):
            continue
        if isinstance(event, HostJoined) and event.host not in states:
            states[event.host] = start(runbook, event.host)
        if event.host not in states:
            raise out_of_place(event, "the host has not joined")
        states[event.host] = evolve(runbook, states[event.host], event)
    return states


def evolve(runbook: Runbook, state: HostState, event: HostEvent) -> HostState:
    """Return the state after an event.

    What comes from outside can come too late (an answer given twice, a result nobody waits for any
    more) and changes nothing then. What the walk itself wrote has to fit: RunbookError
    `event-out-of-place` otherwise, above all for a destructive fix that nobody approved.
    """
    match event:
        case HostJoined():
            return replace(state, params=event.params, groups=event.groups, typed=event.typed)
        case HostFinished():
            return replace(state, verdict=event.verdict, reason=event.reason)
        case FixApproved() | FixDeclined() | Answered() | EvidenceExpired() | LookAgain():
            return _hear(runbook, state, event)
        case SteppingSet() | StepAllowed() | StepSkipped() | StepJumped():
            return step_by_hand(runbook, state, event)
        case Observed() | ActivitySeen():
            return _see(state, event)
        case CauseFound():
            _expect(state, event, _NOT_BEGUN | {FixPhase.DECLINED})
            return find(state, event.cause, event.step, event.evidence)
        case StepConcluded():
            return _pass_step(runbook, state, event)
        case FixIntended() | FixEnded() | FixVerified() | FixRechecked():
            return _advance_fix(runbook, state, event)
        case FixConcluded():
            return _pass_fix(runbook, state, event)


def _look_back(state: HostState, event: FixRechecked) -> HostState:
    """Have a fix that did not last count as one that recurred; the walk itself is over."""
    tries = [number for number, one in enumerate(state.fixes) if one.step == event.step]
    if state.verdict is None or not tries:
        raise out_of_place(event, "the fix is not over there")
    if event.verification.result is not FixResult.RECURRED:
        return state
    fixes = list(state.fixes)
    fixes[tries[-1]] = replace(fixes[tries[-1]], result=FixResult.RECURRED.value, verified=True)
    return replace(state, fixes=tuple(fixes))


def _see(state: HostState, event: Observed | ActivitySeen) -> HostState:
    """Take in what was seen."""
    match event:
        case Observed():
            return replace(
                state,
                known={**state.known, **event.observations},
                texts={**state.texts, **event.texts} if event.texts else state.texts,
            )
        case ActivitySeen():
            return replace(state, activity=event.activity)


def _hear(
    runbook: Runbook,
    state: HostState,
    event: FixApproved | FixDeclined | Answered | EvidenceExpired | LookAgain,
) -> HostState:
    """Take in what came from outside, unless it is too late. It wakes a host that waits for it."""
    waiting = state.verdict is Verdict.WAITING
    if state.position != event.step or not (waiting or state.verdict is None):
        return state
    awake = replace(state, verdict=None, reason=None) if waiting else state
    step = runbook.steps[event.step]
    open_fix = isinstance(step, Fix) and state.fix.phase in _NOT_BEGUN
    match event:
        case Answered() if isinstance(step, Ask | Manual):
            answers = {**state.answers, event.step: event.answer}
            return replace(awake, answers=answers, expiries=0)
        case FixApproved() if open_fix:
            return replace(
                awake,
                approval=Approval(step=event.step, walked=state.walked, event=event),
                fix=FixProgress(phase=FixPhase.APPROVED, approval=event),
                expiries=0,
            )
        case FixDeclined() if open_fix:
            refusal = Refusal(step=event.step, walked=state.walked, event=event)
            return replace(
                awake,
                approval=None,
                refusals=(*state.refusals, refusal),
                fix=FixProgress(phase=FixPhase.DECLINED, refusal=event),
                expiries=0,
            )
        case LookAgain() if waiting and isinstance(step, Manual):
            return awake  # What is done by hand changes what is seen; its answer comes first.
        case EvidenceExpired() | LookAgain() if open_fix or (waiting and isinstance(step, Ask)):
            fresh = replace(
                awake,
                epoch=state.epoch + 1,
                known={},
                visits={},
                expiries=state.expiries + 1 if isinstance(event, EvidenceExpired) else 0,
                retraced=_passed_by_leave(state) | {event.step},
            )
            return arrive(runbook, fresh, state.origin)
        case _:
            return state


def _passed_by_leave(state: HostState) -> frozenset[str]:
    """Return the steps of this epoch that the walk passed by what was seen or said there."""
    return frozenset(
        visit.step for visit in state.path if visit.epoch == state.epoch and not visit.by_hand
    )


def _pass_step(runbook: Runbook, state: HostState, event: StepConcluded) -> HostState:
    _expect(state, event, {FixPhase.NONE})
    expect_target(runbook, event)
    if event.cause is not None:
        state = find(state, event.cause, event.step, event.evidence)
    known = state.known
    step = runbook.steps[event.step]
    match step:
        case Fix():
            raise out_of_place(event, "it is a fix")
        case Manual() if event.result == "done":
            # A person changed the host by hand: as after a fix, nothing seen before counts.
            known = {}
        case Ask() | Manual() | Watch():
            # Time has passed: what was seen ahead of need is looked at when it is needed.
            known = {seen: look for seen, look in known.items() if seen in state.visits}
    visit = Visit(
        step=event.step,
        result=event.result,
        epoch=state.epoch,
        reason=event.evidence.reason if event.evidence is not None else None,
    )
    state = replace(
        state,
        path=(*state.path, visit),
        known=known,
        fault_seen=state.fault_seen
        or (isinstance(step, Check | Watch) and event.result == CheckResult.FAILED.value),
    )
    return go(runbook, state, event.step, event.next, event.evidence)


def _advance_fix(
    runbook: Runbook, state: HostState, event: FixIntended | FixEnded | FixVerified | FixRechecked
) -> HostState:
    match event:
        case FixIntended():
            _expect(state, event, _NOT_BEGUN)
            fix = runbook.steps[event.step]
            if not isinstance(fix, Fix):
                raise out_of_place(event, "it is no fix")
            if fix.destructive and state.fix.phase is not FixPhase.APPROVED:
                raise out_of_place(event, "nobody approved it")
            record = FixRecord(
                step=event.step,
                attempt=event.attempt,
                result=Acted.UNKNOWN.value,
                verified=False,
            )
            return replace(
                state,
                fixes=(*state.fixes, record),
                fix=replace(state.fix, phase=FixPhase.INTENDED),
            )
        case FixEnded():
            _expect(state, event, {FixPhase.INTENDED})
            record = replace(state.fixes[-1], acted=event.acted)
            return replace(
                state,
                fixes=(*state.fixes[:-1], record),
                fix=replace(state.fix, phase=FixPhase.ENDED, ended=event),
            )
        case FixVerified():
            _expect(state, event, {FixPhase.ENDED, FixPhase.VERIFIED})
            return replace(state, fix=replace(state.fix, phase=FixPhase.VERIFIED, verified=event))
        case FixRechecked():
            return _look_back(state, event)


def _pass_fix(runbook: Runbook, state: HostState, event: FixConcluded) -> HostState:
    _expect(state, event, {FixPhase.DECLINED, FixPhase.ENDED, FixPhase.VERIFIED})
    expect_target(runbook, event)
    ended, verified = state.fix.ended, state.fix.verified
    visit = Visit(
        step=event.step, result=event.result.value, epoch=state.epoch, reason=event.reason
    )
    state = replace(state, path=(*state.path, visit), fix=NO_FIX)
    if ended is None:
        return go(runbook, state, event.step, event.next)
    record = replace(
        state.fixes[-1],
        result=event.result.value,
        verified=verified is not None
        and event.result is not FixResult.UNKNOWN
        and verified.verification.result is event.result,
    )
    state = replace(state, fixes=(*state.fixes[:-1], record))
    if ended.acted is Acted.WITHHELD:
        return go(runbook, state, event.step, event.next)
    attempts = state.attempts
    if not (ended.interrupted and ended.acted is Acted.UNKNOWN):
        attempts = {**attempts, event.step: attempts.get(event.step, 0) + 1}
    state = close_path(state, event.step, event.next)
    state = replace(
        state,
        epoch=state.epoch + 1,
        attempts=attempts,
        known={},
        answers={},
        visits={},
        approval=None,
        refusals=(),
        expiries=0,
        retraced=frozenset(),
    )
    if isinstance(event.next, Goto):
        state = replace(state, origin=event.next.step)
        return arrive(runbook, state, event.next.step)
    return state


def _expect(
    state: HostState,
    event: CauseFound | StepConcluded | FixIntended | FixEnded | FixVerified | FixConcluded,
    phases: Iterable[FixPhase],
) -> None:
    if state.verdict is not None:
        raise out_of_place(event, "the host has its verdict")
    if state.position != event.step:
        stands = "is at its end" if state.position is None else f'stands at "{state.position}"'
        raise out_of_place(event, f"the walk {stands}")
    if state.fix.phase not in phases:
        raise out_of_place(event, f"the fix there is {state.fix.phase.value}")
