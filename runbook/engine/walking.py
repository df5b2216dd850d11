"""Going as far as a host's walk goes without anything being done."""

from runbook.engine.decide import decide
from runbook.engine.evolve import evolve
from runbook.model.decision import Decision, Record
from runbook.model.definition import Runbook
from runbook.model.event import HostEvent, Mode
from runbook.model.state import HostState


def walk(
    runbook: Runbook, state: HostState, mode: Mode
) -> tuple[list[HostEvent], HostState, Decision]:
    """Return what is to be written down, the state after it, and what has to be done then."""
    events: list[HostEvent] = []
    decision = decide(runbook, state, mode)
    while isinstance(decision, Record):
        events.append(decision.event)
        state = evolve(runbook, state, decision.event)
        decision = decide(runbook, state, mode)
    return events, state, decision
