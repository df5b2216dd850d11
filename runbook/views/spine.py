"""How a decision tree is laid out for the eye: straight ways on, and branches off to the side.

Each step is drawn once, where the fewest deviations lead to it; a way to a step that is drawn
elsewhere only names it.
"""

from collections import deque
from collections.abc import Container, Mapping, Sequence
from dataclasses import dataclass

from runbook.model.sketch import SketchedStep, SketchedWay
from runbook.views.paths import REPEATS


@dataclass(frozen=True, kw_only=True, slots=True)
class Placed:
    """A step in its place.

    `column` counts deviations from the main way; `above` is the step that leads here, None for the
    first. `straight` says that the walk goes straight on from there. `sides` are the ways that
    branch off here, each with the step drawn there; `onward` is the one that goes straight on.
    """

    step: SketchedStep
    column: int = 0
    above: str | None = None
    straight: bool = False
    sides: tuple[SketchedWay, ...] = ()
    onward: SketchedWay | None = None


def placed(steps: Sequence[SketchedStep]) -> Mapping[str, Placed]:
    """Return every step that can be reached from the first, in the order in which a reader meets it.

    What branches off comes before what goes straight on.
    """
    by_id = {step.id: step for step in steps}
    found = _fewest_deviations(by_id, steps[0].id) if steps else {}
    children: dict[str, dict[SketchedWay, str]] = {}
    for name, (above, way) in found.items():
        if above is not None and way is not None:
            children.setdefault(above, {})[way] = name
    order: dict[str, Placed] = {}
    pending = [steps[0].id] if steps else []
    while pending:
        step = by_id[pending.pop()]
        above, way = found[step.id]
        below = children.get(step.id, {})
        onward = _main(step, by_id)
        onward = onward if onward in below else None
        sides = tuple(way for way in step.ways if way in below and way != onward)
        straight = above is not None and order[above].onward == way
        column = 0 if above is None else order[above].column + (not straight)
        order[step.id] = Placed(
            step=step, column=column, above=above, straight=straight, sides=sides, onward=onward
        )
        # A stack: what is to come first is pushed last.
        pending += [below[onward]] if onward is not None else []
        pending += [below[way] for way in reversed(sides)]
    return order


def _main(step: SketchedStep, drawn: Container[str]) -> SketchedWay | None:
    """Return the way that goes straight on: the first that leads to a step which is drawn."""
    return next(
        (way for way in step.ways if way.target in drawn and way.results != (REPEATS,)), None
    )


def is_end(way: SketchedWay) -> bool:
    """Say whether a way closes the path; no step's id has a bracket."""
    return way.target.startswith("end(")


def _fewest_deviations(
    by_id: Mapping[str, SketchedStep], start: str
) -> dict[str, tuple[str | None, SketchedWay | None]]:
    """Return for each step the one above it and the way from there."""
    found: dict[str, tuple[str | None, SketchedWay | None]] = {}
    pending: deque[tuple[str, str | None, SketchedWay | None]] = deque([(start, None, None)])
    while pending:
        name, above, way = pending.popleft()
        if name in found:
            continue
        found[name] = (above, way)
        step = by_id[name]
        main = _main(step, by_id)
        for branch in step.ways:
            if branch.target in by_id and branch is not main:
                pending.append((branch.target, name, branch))
        if main is not None:
            pending.appendleft((main.target, name, main))
    return found
