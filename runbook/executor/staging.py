"""The order of looks: each after those whose results it uses, as many together as that allows."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from runbook.executor.plan import PlannedStep

HERE = "host"
"""The origin of what is looked at from the host itself or the controller: one task does both."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Phase:
    """Steps done by one kind of task: probes of one origin, or (`origin` is None) Ansible tasks."""

    origin: str | None
    steps: tuple[str, ...]


def stages(steps: Iterable[PlannedStep]) -> list[list[PlannedStep]]:
    """Group steps so that each comes after those whose results its arguments use.

    Conditions are judged when everything is in; only templates in arguments force an order.
    """
    waiting = {step.id: step for step in steps}
    ordered: list[list[PlannedStep]] = []
    while waiting:
        ready = [step for step in waiting.values() if _is_ready(step, waiting.keys())]
        # A circle of needs cannot be met; the templates will say what is undefined.
        ready = ready or list(waiting.values())
        ordered.append(ready)
        for step in ready:
            del waiting[step.id]
    return ordered


def phases(steps: Iterable[PlannedStep]) -> list[Phase]:
    """Return the phases of an observation; the first is always one of probes from here."""
    waiting = {step.id: step for step in steps if step.probes or step.register}
    found: list[Phase] = []
    origins: Sequence[str | None] = list(
        dict.fromkeys([HERE, *(origin_of(step) for step in waiting.values()), None])
    )
    while waiting or not found:
        before = len(waiting)
        for origin in sorted(origins, key=lambda each: (each is None, each != HERE)):
            chosen = _closure(origin, waiting)
            if chosen or not found:
                found.append(Phase(origin=origin, steps=chosen))
            for step in chosen:
                del waiting[step]
        if waiting and len(waiting) == before:
            for origin in origins:
                rest = tuple(step.id for step in waiting.values() if origin_of(step) == origin)
                if rest:
                    found.append(Phase(origin=origin, steps=rest))
            break
    return found


def _closure(origin: str | None, waiting: dict[str, PlannedStep]) -> tuple[str, ...]:
    """Return the steps of an origin that use nothing but what is done, or one another."""
    chosen: dict[str, None] = {}
    grown = True
    while grown:
        open_needs = waiting.keys() - chosen.keys()
        grown = False
        for step in waiting.values():
            fits = origin_of(step) == origin and step.id not in chosen
            if fits and _is_ready(step, open_needs):
                chosen[step.id] = None
                grown = True
    return tuple(chosen)


def origin_of(step: PlannedStep) -> str | None:
    """Return where a step is looked at from; None for an Ansible task."""
    if step.register is not None:
        return None
    origin = step.probes[0].origin if step.probes else HERE
    return HERE if origin == "controller" else origin


def _is_ready(step: PlannedStep, waiting: Iterable[str]) -> bool:
    open_needs = set(waiting) - {step.id}
    templates = step.register is not None or any(
        "{{" in str(probe.arguments) for probe in step.probes
    )
    return not templates or open_needs.isdisjoint(step.needs)
