"""Cycles of a runbook's graph, and what bounds them."""

from collections.abc import Iterable, Mapping

from runbook.model.definition import Fix, Goto
from runbook.spec.draft import Draft, edges


def successors(draft: Draft) -> dict[str, tuple[str, ...]]:
    """Return for each step's id the ids it may lead to directly."""
    return {
        written.id: tuple(
            dict.fromkeys(e.target.step for e in edges(written) if isinstance(e.target, Goto))
        )
        for written in draft.steps
        if written.id is not None
    }


def cycles(graph: Mapping[str, Iterable[str]]) -> list[tuple[str, ...]]:
    """Return the groups of steps that can all reach each other, in the graph's order (Tarjan)."""
    index: dict[str, int] = {}
    low: dict[str, int] = {}
    stack: list[str] = []
    found: list[tuple[str, ...]] = []
    for root in graph:
        if root in index:
            continue
        work = [(root, iter(graph[root]))]
        index[root] = low[root] = len(index)
        stack.append(root)
        while work:
            node, following = work[-1]
            for child in following:
                if child not in graph:
                    continue
                if child not in index:
                    index[child] = low[child] = len(index)
                    stack.append(child)
                    work.append((child, iter(graph[child])))
                    break
                if child in stack:
                    low[node] = min(low[node], index[child])
            else:
                work.pop()
                if work:
                    parent = work[-1][0]
                    low[parent] = min(low[parent], low[node])
                if low[node] == index[node]:
                    group = set(stack[stack.index(node) :])
                    del stack[stack.index(node) :]
                    if len(group) > 1 or node in graph[node]:
                        found.append(tuple(name for name in graph if name in group))
    return found


def without(graph: Mapping[str, Iterable[str]], names: Iterable[str]) -> dict[str, list[str]]:
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
