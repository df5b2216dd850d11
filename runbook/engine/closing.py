"""The verdict of a walk that has come to its end."""

from runbook.engine.evidence import is_blind
from runbook.model.definition import Manual, Runbook
from runbook.model.event import Acted, HostFinished
from runbook.model.state import HostState, Visit
from runbook.model.verdict import Verdict, exit_code


def finish(
    runbook: Runbook, state: HostState, verdict: Verdict, reason: str | None = None
) -> HostFinished:
    """Build the event that ends a host's walk with what the path came to.

    Where nothing could be looked at the verdict is `unknown`, whatever the path says: a checklist
    walks an unreachable host to its last line. `healthy` is said more precisely: `resolved` after
    somebody acted, else `self_recovered` where a fault was seen. A good verdict that a skipped step
    leads to is `unknown`, too. `reason` says why the walk ends
    here; without one the last step's reason does.
    """
    blind = _nothing_seen(runbook, state)
    if blind is not None:
        reasons = [said for said in (reason, blind.reason) if said]
        return _finished(state, Verdict.UNKNOWN, "; ".join(reasons) or None)
    if state.path and state.path[-1].by_hand and exit_code(verdict) == 0:
        why = f"{state.path[-1].reason}, so nobody saw that it is"
        return _finished(state, Verdict.UNKNOWN, f"{why} {verdict.value}")
    if verdict is Verdict.HEALTHY:
        if _somebody_acted(runbook, state):
            verdict = Verdict.RESOLVED
        elif state.fault_seen:
            verdict = Verdict.SELF_RECOVERED
    if reason is None and state.path:
        reason = state.path[-1].reason
    return _finished(state, verdict, reason)


def _finished(state: HostState, verdict: Verdict, reason: str | None) -> HostFinished:
    causes = tuple(dict.fromkeys(found.cause for found in state.causes))
    return HostFinished(host=state.host, verdict=verdict, reason=reason, causes=causes)


def _nothing_seen(runbook: Runbook, state: HostState) -> Visit | None:
    """Return the first step of this epoch if its walk could tell nothing at any step."""
    visits = [visit for visit in state.path if visit.epoch == state.epoch]
    blind = all(is_blind(runbook, visit) for visit in visits)
    return visits[0] if visits and blind else None


def _somebody_acted(runbook: Runbook, state: HostState) -> bool:
    """Say whether a fix may have acted, or a person says they did."""
    return any(record.acted is not Acted.WITHHELD for record in state.fixes) or any(
        visit.result == "done" and isinstance(runbook.steps[visit.step], Manual)
        for visit in state.path
    )
