"""Which fault is made on which host: the cells of the fault matrix, and the waves they come in."""

from collections.abc import Collection, Iterable, Sequence
from dataclasses import dataclass
from itertools import zip_longest

from runbook.model.verdict import Verdict
from tests.lab.breaking import Fault
from tests.lab.host import HostPlan
from tests.lab.site import Manager, Site

ABREAST = 2
"""So many hosts with the same manager are broken at once: the more, the less a fault costs."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Cell:
    """A fault to make on the host with this manager; of several such hosts, on the `number`th."""

    fault: Fault
    manager: Manager
    number: int = 1

    @property
    def host(self) -> str:
        """The name of the host."""
        return f"{self.manager}{self.number}"

    @property
    def plan(self) -> HostPlan:
        """What the host is to be."""
        has_all = self.manager is Manager.SUPERVISOR
        site = Site(manager=self.manager, redis=has_all, celery=has_all)
        return HostPlan(name=self.host, site=site)


Wave = tuple[Cell, ...]
"""Cells that are made at once, each on another host."""


def once(faults: Iterable[Fault], *, but: Collection[str] = ()) -> list[Wave]:
    """Return waves with each cause once, `but` some, under whichever manager has fewest cells so far.

    Of the faults that have a cause, those that are repaired come first.
    """
    cells: dict[Manager, list[Fault]] = {manager: [] for manager in Manager}
    made = set(but)
    chosen = []
    for fault in sorted(faults, key=lambda one: one.verdict is not Verdict.RESOLVED):
        if not made.issuperset(fault.causes):
            chosen.append(fault)
            made.update(fault.causes)
    for fault in sorted(chosen, key=lambda one: len(one.managers)):
        cells[min(fault.managers, key=lambda one: len(cells[one]))].append(fault)
    return _waves(cells)


def everywhere(faults: Iterable[Fault]) -> list[Wave]:
    """Return waves with each fault under each of its managers."""
    return _waves(
        {manager: [one for one in faults if manager in one.managers] for manager in Manager}
    )


def _waves(faults: dict[Manager, list[Fault]]) -> list[Wave]:
    rows = [
        [
            [
                Cell(fault=fault, manager=manager, number=number)
                for number, fault in enumerate(ones[start : start + ABREAST], start=1)
            ]
            for start in range(0, len(ones), ABREAST)
        ]
        for manager, ones in faults.items()
    ]
    none: Sequence[Cell] = ()
    return [
        tuple(cell for part in parts for cell in part)
        for parts in zip_longest(*rows, fillvalue=none)
    ]
