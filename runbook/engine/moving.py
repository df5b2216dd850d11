"""Moving a host's walk from step to step."""

from dataclasses import replace

from runbook.engine.graph import graph_of
from runbook.errors import RunbookError
from runbook.model.definition import End, Fix, Goto, Runbook, Target
from runbook.model.event import FixConcluded, HostEvent, StepConcluded, StepJumped
from runbook.model.observation import Observation
from runbook.model.state import FixPhase, FixProgress, FoundCause, HostState

NO_FIX = FixProgress()


def go(
    runbook: Runbook,
    state: HostState,
    step: str,
    target: Target,
    evidence: Observation | None = None,
) -> HostState:
    """Leave a step for a target."""
    if isinstance(target, Goto):
        return arrive(runbook, state, target.step)
    return close_path(state, step, target, evidence)


def close_path(
    state: HostState, step: str, target: Target, evidence: Observation | None = None
) -> HostState:
    """Take the verdict of an end, and the cause it names."""
    if not isinstance(target, End):
        return state
    if target.cause is not None:
        state = find(state, target.cause, step, evidence)
    return replace(state, position=None, closing=target.verdict)


def arrive(runbook: Runbook, state: HostState, step: str) -> HostState:
    """Come to a step; one that was passed in this epoch is looked at, or asked about, anew."""
    count = state.visits.get(step, 0) + 1
    known, answers = state.known, state.answers
    if count > 1:
        stale = graph_of(runbook).users(step) | {step}
        known = {other: seen for other, seen in known.items() if other not in stale}
        answers = {other: answer for other, answer in answers.items() if other != step}
    state = replace(
        state,
        position=step,
        visits={**state.visits, step: count},
        known=known,
        answers=answers,
        fix=NO_FIX,
        allowed=count == 1 and step in state.retraced,
    )
    return _recall(state, step) if isinstance(runbook.steps[step], Fix) else state


def _recall(state: HostState, fix: str) -> HostState:
    """Let a yes or a no to this fix stand if the walk found what it found then.

    A yes to another fix outlives only a no that stands: any other way there has become another.
    """
    walked = state.walked
    for refusal in state.refusals:
        if (refusal.step, refusal.walked) == (fix, walked):
            progress = FixProgress(phase=FixPhase.DECLINED, refusal=refusal.event)
            return replace(state, fix=progress)
    approval = state.approval
    if approval is not None and (approval.step, approval.walked) == (fix, walked):
        progress = FixProgress(phase=FixPhase.APPROVED, approval=approval.event)
        return replace(state, fix=progress)
    return replace(state, approval=None)


def find(state: HostState, cause: str, step: str, evidence: Observation | None) -> HostState:
    """Conclude a cause, once in an epoch."""
    if any(found.cause == cause and found.epoch == state.epoch for found in state.causes):
        return state
    found = FoundCause(cause=cause, step=step, epoch=state.epoch, evidence=evidence)
    return replace(state, causes=(*state.causes, found), fault_seen=True)


def expect_target(runbook: Runbook, event: StepConcluded | FixConcluded | StepJumped) -> None:
    """Raise RunbookError `event-out-of-place` where an event leads to no step."""
    target = Goto(step=event.to) if isinstance(event, StepJumped) else event.next
    if isinstance(target, Goto) and target.step not in runbook.steps:
        raise out_of_place(event, f'there is no step "{target.step}"')


def out_of_place(event: HostEvent, reason: str) -> RunbookError:
    """Return the error of an event that does not follow from those before it."""
    name = type(event).__name__
    step = getattr(event, "step", None)
    of = f' of "{step}"' if step is not None else ""
    return RunbookError.of(
        "event-out-of-place",
        f'host "{event.host}": the event {name}{of} does not follow from those before it: {reason}',
        context="The events are of another runbook, or one was changed since, or this is a defect.",
        hint="Nothing was done. Start a new run.",
    )
