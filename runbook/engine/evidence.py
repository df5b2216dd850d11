"""What the walk has seen that speaks for acting, and how old it is."""

from runbook.model.definition import Ask, CheckResult, Fix, Runbook, Watch
from runbook.model.observation import Observation
from runbook.model.state import HostState, Visit


def is_blind(runbook: Runbook, visit: Visit) -> bool:
    """Say whether a step was passed without anybody being able to tell, or having looked.

    A choice that a person made is an answer, even where its id is "unknown".
    """
    return visit.by_hand or (
        visit.result == CheckResult.UNKNOWN.value and not isinstance(runbook.steps[visit.step], Ask)
    )


def cause_evidence(state: HostState, fix: Fix) -> Observation | None:
    """Return the failed look that speaks for the cause of a fix, None where there is none.

    It is that of the fix's own cause check, else of the last check that failed in this epoch.
    """
    return _failed_look(state, [fix.verify.cause] if fix.verify.cause else [])


def last_failed(state: HostState) -> Observation | None:
    """Return the last look that failed in this epoch, None where there is none."""
    return _failed_look(state, [])


def _failed_look(state: HostState, first: list[str]) -> Observation | None:
    walked = [visit.step for visit in reversed(state.path) if visit.epoch == state.epoch]
    for step in first + walked:
        seen = state.known.get(step)
        if seen is not None and seen.result is CheckResult.FAILED:
            return seen
    return None


def evidence_seen_at(runbook: Runbook, state: HostState) -> float | None:
    """Return when the oldest of what the walk rests on was seen, as POSIX seconds.

    That is what was seen at the steps passed in this epoch, from the last watch on: looking through
    a period makes what was seen before it old, and is the fresher evidence. None where the epoch
    has passed no observed step.
    """
    times: list[float] = []
    for visit in reversed(state.path):
        if visit.epoch != state.epoch:
            break
        seen = state.known.get(visit.step)
        if seen is not None:
            times.append(seen.seen_at)
        if isinstance(runbook.steps[visit.step], Watch):
            break
    return min(times, default=None)
