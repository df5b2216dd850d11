"""Which steps to look at in one go."""

from runbook.engine.graph import Graph, graph_of
from runbook.model.definition import Branch, Check, Collect, Runbook
from runbook.model.state import HostState


def lookahead(runbook: Runbook, state: HostState) -> tuple[str, ...]:
    """Return the steps to look at from where the host stands, those whose results are used first.

    A check, branch or collect at the position is always among them, whatever its effect. With it go
    the checks and branches that can be reached from there, are free of effects and not known yet,
    and use only results that will be known by then; a result that can be had without an effect is
    brought along. Past a check that has an effect, nothing is looked at ahead of it.

    For any other position these are only the results that the step there uses and nobody has seen
    in this epoch. Empty where nothing is missing.
    """
    position = state.position
    if position is None:
        return ()
    graph = graph_of(runbook)
    choice = _Choice(graph, state)
    choice.bring_needs(position)
    if isinstance(runbook.steps[position], Check | Branch | Collect):
        choice.take(position)
        for step in graph.ahead(position):
            choice.settle(step)
    return tuple(choice.taken)


class _Choice:
    """The set as it grows; `_refused` are steps whose results will not be known."""

    def __init__(self, graph: Graph, state: HostState) -> None:
        self._graph = graph
        self._state = state
        self._refused: set[str] = set()
        self.taken: dict[str, None] = {}

    def bring_needs(self, step: str) -> bool:
        """Bring what a step uses, as far as possible; say whether all of it will be known."""
        known = [self.settle(need) for need in self._graph.needs(step)]
        return all(known)

    def settle(self, step: str) -> bool:
        """Take a step if it is not known and may be looked at; say whether it will be known."""
        if step in self.taken or step in self._state.known or step in self._state.answers:
            return True
        if step in self._refused or not self._graph.is_ahead_of_need(step):
            return False
        # Refused until proven otherwise: steps that use each other's results are never known.
        self._refused.add(step)
        if not self.bring_needs(step):
            return False
        self._refused.discard(step)
        self.take(step)
        return True

    def take(self, step: str) -> None:
        """Take a step whose needs have been brought."""
        self.taken[step] = None
