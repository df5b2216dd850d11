"""The ways through a runbook: labelled edges between steps, as drawings and listings need them."""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import assert_never

from runbook.model.definition import (
    Ask,
    Branch,
    Check,
    CheckResult,
    Collect,
    End,
    Expiry,
    Fix,
    FixResult,
    Goto,
    Manual,
    Runbook,
    Step,
    StepKind,
    Target,
    Watch,
)
from runbook.model.sketch import SketchedStep, SketchedWay
from runbook.views.words import say_duration

KINDS: dict[type[Step], StepKind] = {
    Check: StepKind.CHECK,
    Fix: StepKind.FIX,
    Branch: StepKind.BRANCH,
    Ask: StepKind.ASK,
    Manual: StepKind.MANUAL,
    Watch: StepKind.WATCH,
    Collect: StepKind.COLLECT,
}
"""What the language calls each kind of step."""


REPEATS = "repeats"
"""What a watch does with its check: no result, and no way that a walk takes."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Way:
    """Where a step leads on any of some results, in words of the language."""

    results: tuple[str, ...]
    target: Target


def ways(step: Step) -> list[Way]:
    """Return where a step leads, in a fixed order: results with the same target together.

    Those of a branch stay apart, since the order of its cases decides.
    """
    return [
        Way(results=tuple(edge.words for edge in edges), target=target)
        for target, edges in _grouped(step)
    ]


def sketched(runbook: Runbook) -> tuple[SketchedStep, ...]:
    """Return a runbook's decision tree for a drawing, its first step first."""
    first = runbook.steps[runbook.start]
    others = (step for step in runbook.steps.values() if step.id != first.id)
    return tuple(
        SketchedStep(
            id=step.id,
            kind=KINDS[type(step)],
            ways=tuple(
                SketchedWay(
                    results=tuple(edge.result for edge in edges),
                    target=say_target(target),
                    words="" if all(map(_is_plain, edges)) else ", ".join(e.words for e in edges),
                )
                for target, edges in _grouped(step)
            ),
            destructive=isinstance(step, Fix) and step.destructive,
        )
        for step in (first, *others)
    )


def titles_of(runbook: Runbook) -> dict[str, str]:
    """Return the titles of a runbook's steps as written, by id."""
    return {step.id: step.title for step in runbook.steps.values()}


def say_target(target: Target) -> str:
    """Return a target as the language writes it."""
    match target:
        case Goto():
            return target.step
        case End(cause=None):
            return f"end({target.verdict})"
        case End():
            return f"end({target.verdict}, {target.cause})"
    assert_never(target)


@dataclass(frozen=True, kw_only=True, slots=True)
class _Edge:
    """One result of a step, as an event has it and in words of the language, and its target."""

    result: str
    words: str
    target: Target


def _is_plain(edge: _Edge) -> bool:
    return edge.words == edge.result


def _grouped(step: Step) -> list[tuple[Target, list[_Edge]]]:
    edges = list(_edges(step))
    if isinstance(step, Branch):
        return [(edge.target, [edge]) for edge in edges]
    merged: dict[Target, list[_Edge]] = {}
    for edge in edges:
        merged.setdefault(edge.target, []).append(edge)
    return list(merged.items())


def _edge(result: str, target: Target, words: str = "") -> _Edge:
    return _Edge(result=result, words=words or result, target=target)


def _edges(step: Step) -> Iterator[_Edge]:
    match step:
        case Check():
            yield from (_edge(result.value, step.next[result]) for result in CheckResult)
        case Watch():
            yield from (_edge(result.value, step.next[result]) for result in CheckResult)
            # The walk never goes there, but what is looked at is often reached in no other way.
            yield _edge(REPEATS, Goto(step=step.check))
        case Fix():
            yield from (_edge(result.value, step.next[result]) for result in FixResult)
        case Branch():
            for number, case in enumerate(step.cases, 1):
                yield _edge(f"case {number}", case.next, case.when)
            yield _edge("otherwise", step.otherwise)
            yield _edge("unknown", step.unknown)
        case Ask():
            yield from (_edge(choice.id, choice.next) for choice in step.choices)
            yield _expiry(step.expires)
        case Manual():
            yield _edge("done", step.done)
            yield _edge("not_done", step.not_done)
            yield _expiry(step.expires)
        case Collect():
            yield _edge("passed", step.next, "then")
        case _:
            assert_never(step)


def _expiry(expires: Expiry) -> _Edge:
    return _edge("expired", expires.next, f"no answer in {say_duration(expires.after_s)}")
