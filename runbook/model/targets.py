"""Where a step can lead."""

from typing import assert_never

from runbook.model.definition import (
    Ask,
    Branch,
    Check,
    Collect,
    Fix,
    Manual,
    Step,
    Target,
    Watch,
)


def targets(step: Step) -> tuple[Target, ...]:
    """Return every target of a step in the order of its definition, repetitions included."""
    match step:
        case Check() | Watch() | Fix():
            return tuple(step.next.values())
        case Branch():
            return (*(case.next for case in step.cases), step.otherwise, step.unknown)
        case Ask():
            return (*(choice.next for choice in step.choices), step.expires.next)
        case Manual():
            return (step.done, step.not_done, step.expires.next)
        case Collect():
            return (step.next,)
    assert_never(step)
