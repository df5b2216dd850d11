"""What a person does with a walk that asks before each step."""

from dataclasses import replace

from runbook.engine.moving import arrive, expect_target, go, out_of_place
from runbook.model.definition import End, Fix, Runbook
from runbook.model.event import ByHand, StepAllowed, StepJumped, SteppingSet, StepSkipped
from runbook.model.state import FixPhase, HostState, Visit
from runbook.model.targets import targets

_NOT_BEGUN = frozenset({FixPhase.NONE, FixPhase.APPROVED})


def step_by_hand(runbook: Runbook, state: HostState, event: ByHand) -> HostState:
    """Take in what a person does with the step the walk stands at, unless it is too late."""
    if isinstance(event, SteppingSet):
        return replace(state, stepping=event.on)
    if state.position != event.step or state.verdict is not None:
        return state
    if state.fix.phase not in _NOT_BEGUN:
        return state
    match event:
        case StepAllowed():
            return replace(state, allowed=True, expiries=0)
        case StepSkipped():
            return _skip(runbook, state, event)
        case StepJumped():
            return _jump(runbook, state, event)


def _skip(runbook: Runbook, state: HostState, event: StepSkipped) -> HostState:
    """Go on from a step that nobody looked at; a cause that nobody saw is not concluded."""
    step = runbook.steps[event.step]
    if isinstance(step, Fix) or event.next not in targets(step):
        raise out_of_place(event, "the step does not lead there")
    visit = Visit(
        step=event.step,
        result=event.result,
        epoch=state.epoch,
        reason=f"skipped by {event.by} as {event.result}" + _because(event.reason),
        by_hand=True,
    )
    target = End(verdict=event.next.verdict) if isinstance(event.next, End) else event.next
    passed = replace(state, path=(*state.path, visit), expiries=0)
    return go(runbook, passed, event.step, target)


def _jump(runbook: Runbook, state: HostState, event: StepJumped) -> HostState:
    """Begin an epoch at another step."""
    expect_target(runbook, event)
    visit = Visit(
        step=event.step,
        result="jumped",
        epoch=state.epoch + 1,
        reason=f"{event.by} jumped to {event.to}" + _because(event.reason),
        by_hand=True,
    )
    anew = replace(
        state,
        origin=event.to,
        epoch=state.epoch + 1,
        path=(*state.path, visit),
        known={},
        answers={},
        visits={},
        approval=None,
        refusals=(),
        expiries=0,
        retraced=frozenset(),
    )
    return arrive(runbook, anew, event.to)


def _because(reason: str) -> str:
    return f" ({reason})" if reason else ""
