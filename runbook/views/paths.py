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
    Fix,
    FixResult,
    Goto,
    Manual,
    Step,
    StepKind,
    Target,
    Watch,
)
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


@dataclass(frozen=True, kw_only=True, slots=True)
class Way:
    """Where a step leads on any of some results, in words of the language."""

    results: tuple[str, ...]
    target: Target


def ways(step: Step) -> list[Way]:
    """Return where a step leads, in a fixed order: results with the same target together.

    Those of a branch stay apart, since the order of its cases decides.
    """
    if isinstance(step, Branch):
        return [Way(results=(result,), target=target) for result, target in _edges(step)]
    merged: dict[Target, list[str]] = {}
    for result, target in _edges(step):
        merged.setdefault(target, []).append(result)
    return [Way(results=tuple(results), target=target) for target, results in merged.items()]


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


def _edges(step: Step) -> Iterator[tuple[str, Target]]:
    match step:
        case Check():
            yield from ((result, step.next[result]) for result in CheckResult)
        case Watch():
            yield from ((result, step.next[result]) for result in CheckResult)
            # The walk never goes there, but what is looked at is often reached in no other way.
            yield "repeats", Goto(step=step.check)
        case Fix():
            yield from ((result, step.next[result]) for result in FixResult)
        case Branch():
            yield from ((case.when, case.next) for case in step.cases)
            yield "otherwise", step.otherwise
            yield "unknown", step.unknown
        case Ask():
            yield from ((choice.id, choice.next) for choice in step.choices)
            yield f"no answer in {say_duration(step.expires.after_s)}", step.expires.next
        case Manual():
            yield "done", step.done
            yield "not_done", step.not_done
            yield f"no answer in {say_duration(step.expires.after_s)}", step.expires.next
        case Collect():
            yield "then", step.next
        case _:
            assert_never(step)
