"""Cycles of a runbook's graph, and what bounds them."""

from collections.abc import Iterable, Mapping

from runbook.model.definition import Fix, Goto
from runbook.spec.draft import Draft, edges

Graph = Mapping[str, Iterable[str]]
"""For each step's id, the ids it leads to; ids that are no keys lead nowhere."""


def successors(draft: Draft) -> dict[str, tuple[str, ...]]:
    """Return for each step's id the ids it may lead to directly."""
    return {
        written.id: tuple(
            dict.fromkeys(e.target.step for e in edges(written) if isinstance(e.target, Goto))
        )
        for written in draft.steps
        if written.id is not None
    }


def reachable(graph: Graph, starts: Iterable[str]) -> set[str]:
    """Return all steps that can be reached from some of them, these included."""
    found: set[str] = set()
    pending = list(starts)
    while pending:
        name = pending.pop()
        if name in graph and name not in found:
            found.add(name)
            pending += graph[name]
    return found


def reversed_graph(graph: Graph) -> dict[str, list[str]]:
    """Return for each step the steps that lead to it directly."""
    result: dict[str, list[str]] = {name: [] for name in graph}
    for name, following in graph.items():
        for child in following:
            if child in result:
                result[child].append(name)
    return result


def cycles(graph: Graph) -> list[tuple[str, ...]]:
    """Return the groups of steps that can all reach each other, in the graph's order."""
    rest = _core(graph)
    found: list[tuple[str, ...]] = []
    grouped: set[str] = set()
    backwards = reversed_graph(rest)
    for name, following in rest.items():
        if name not in grouped:
            after = reachable(rest, following)
            if name in after:
                group = after & reachable(backwards, [name])
                grouped |= group
                found.append(tuple(member for member in rest if member in group))
    return found


def _core(graph: Graph) -> dict[str, list[str]]:
    """Return the graph without steps that lead nowhere, which most do and no cycle has."""
    leaving = {name: sum(child in graph for child in graph[name]) for name in graph}
    backwards = reversed_graph(graph)
    gone = [name for name, count in leaving.items() if count == 0]
    for name in gone:
        for before in backwards[name]:
            leaving[before] -= 1
            if leaving[before] == 0:
                gone.append(before)
    return without(graph, gone)


def without(graph: Graph, names: Iterable[str]) -> dict[str, list[str]]:
    """Return the graph without some of its steps."""
    gone = set(names)
    return {
        name: [child for child in children if child not in gone]
        for name, children in graph.items()
        if name not in gone
    }


def visit_bounds(draft: Draft) -> dict[str, int]:
    """Return how often a walk may arrive at steps of loops whose author bounded only others.

    Between two arrivals at bounded steps of a loop each other step is passed at most once, so the
    sum of the bounds, and one more, never stops a walk that the bounded steps allow.
    """
    graph = successors(draft)
    fixes = [step.id for _, step in draft.sound if isinstance(step, Fix)]
    explicit = {step.id: step.max_visits for written, step in draft.sound if written.bounded}
    result: dict[str, int] = {}
    for group in cycles(without(graph, fixes)):
        total = sum(explicit.get(name, 0) for name in group)
        result |= {name: total + 1 for name in group if name not in explicit}
    return result
