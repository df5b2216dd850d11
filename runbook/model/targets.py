"""Where a step can lead."""

from typing import assert_never

from runbook.model.definition import (
    Ask,
    Branch,
    Check,
    CheckResult,
    Collect,
    Fix,
    FixResult,
    Manual,
    Step,
    Target,
    Watch,
)


def targets(step: Step) -> tuple[Target, ...]:
    """Return every target of a step in a fixed order, repetitions included."""
    return tuple(target for _, target in outcomes(step))


def outcomes(step: Step) -> tuple[tuple[str, Target], ...]:
    """Return each result of a step, in the words of events, with where it leads."""
    match step:
        case Check() | Watch():
            return tuple((result.value, step.next[result]) for result in CheckResult)
        case Fix():
            return tuple((result.value, step.next[result]) for result in FixResult)
        case Branch():
            cases = ((f"case {number}", case.next) for number, case in enumerate(step.cases, 1))
            return (*cases, ("otherwise", step.otherwise), ("unknown", step.unknown))
        case Ask():
            choices = ((choice.id, choice.next) for choice in step.choices)
            return (*choices, ("expired", step.expires.next))
        case Manual():
            return (
                ("done", step.done),
                ("not_done", step.not_done),
                ("expired", step.expires.next),
            )
        case Collect():
            return (("passed", step.next),)
    assert_never(step)
