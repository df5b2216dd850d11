"""Which fault is made on which host: the cells of the fault matrix, and the waves they come in."""

from collections.abc import Collection, Iterable, Sequence
from dataclasses import dataclass, replace
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
    return waves(
        Cell(fault=fault, manager=manager) for manager, ones in cells.items() for fault in ones
    )


def cells_of(faults: Iterable[Fault]) -> list[Cell]:
    """Return each fault under each of its managers."""
    return [Cell(fault=fault, manager=one) for fault in faults for one in fault.managers]


def everywhere(faults: Iterable[Fault]) -> list[Wave]:
    """Return waves with each fault under each of its managers."""
    return waves(cells_of(faults))


def waves(cells: Iterable[Cell]) -> list[Wave]:
    """Return the cells in waves: of each wave, some on hosts with each of the managers."""
    by_manager: dict[Manager, list[Cell]] = {manager: [] for manager in Manager}
    for cell in cells:
        by_manager[cell.manager].append(cell)
    rows = [
        [
            [
                replace(cell, number=number)
                for number, cell in enumerate(ones[start : start + ABREAST], start=1)
            ]
            for start in range(0, len(ones), ABREAST)
        ]
        for ones in by_manager.values()
    ]
    none: Sequence[Cell] = ()
    return [
        tuple(cell for part in parts for cell in part)
        for parts in zip_longest(*rows, fillvalue=none)
    ]
