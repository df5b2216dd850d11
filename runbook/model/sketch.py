"""A runbook's decision tree as a drawing needs it, small enough to be kept with every run.

A report is read when the file has long changed, so what it draws is what was walked.
"""

from dataclasses import dataclass

from runbook.model.definition import StepKind


@dataclass(frozen=True, kw_only=True, slots=True)
class SketchedWay:
    """Where a step leads on any of some results.

    `results` are in the words of `StepConcluded` and `FixConcluded`; `target` is a step's id, or an
    end as the language writes it. `words` say the results where a reader knows them by others: a
    branch's condition, how long a question waits.
    """

    results: tuple[str, ...]
    target: str
    words: str = ""


@dataclass(frozen=True, kw_only=True, slots=True)
class SketchedStep:
    """A step: its kind, and its ways in the order in which they count."""

    id: str
    kind: StepKind
    ways: tuple[SketchedWay, ...] = ()
    destructive: bool = False
