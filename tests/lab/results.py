"""What became of the cells of the fault matrix: lines to read, a file to go on from, the page's table."""

import json
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Self

from runbook.model.verdict import Verdict
from tests.lab.cells import Cell
from tests.lab.playing import Seen
from tests.lab.site import Manager

HEAD = f"{'':6}{'fault':58}{'host':11}{'before':9}{'verdict':15}{'after':9}{'s':>5}  causes named"


@dataclass(frozen=True, kw_only=True, slots=True)
class Result:
    """A cell that was played.

    `before` and `after` are what nginx answered; `seconds` those of the run over all hosts of its wave;
    `wrong` is empty if all was as it has to be. `times` says how often it was played by then.
    """

    fault: str
    manager: str
    before: str = "-"
    verdict: str = "-"
    after: str = "-"
    seconds: float = 0.0
    causes: tuple[str, ...] = ()
    wrong: tuple[str, ...] = ()
    times: int = 1

    @classmethod
    def of(cls, seen: Seen) -> Self:
        """Return what was seen of a cell."""
        return cls(
            fault=seen.cell.fault.name,
            manager=str(seen.cell.manager),
            before=seen.before,
            verdict=seen.verdict,
            after=seen.after,
            seconds=seen.seconds,
            causes=tuple(seen.causes),
            wrong=tuple(seen.wrong),
        )

    @classmethod
    def lost(cls, cell: Cell, why: str) -> Self:
        """Return that a cell could not be played."""
        return cls(fault=cell.fault.name, manager=str(cell.manager), wrong=(why,))

    @property
    def says_nothing(self) -> bool:
        """Whether it is wrong, and its run came to no verdict but that it could not look."""
        return bool(self.wrong) and self.verdict in ("-", Verdict.UNKNOWN)

    def lines(self) -> Iterator[str]:
        """Return its line of the table, and below it what is wrong."""
        mark = "WRONG" if self.wrong else "right"
        again = f"  (played {self.times} times)" if self.times > 1 else ""
        yield (
            f"{mark:6}{self.fault:58}{self.manager:11}{self.before:9}{self.verdict:15}"
            f"{self.after:9}{self.seconds:5.1f}  {', '.join(self.causes) or '-'}{again}"
        )
        yield from (f"      {text}" for text in self.wrong)


def append(path: Path, result: Result) -> None:
    """Add a result to a file of results, one on a line."""
    with path.open("a") as file:
        file.write(json.dumps(asdict(result)) + "\n")


def read(path: Path) -> list[Result]:
    """Return the results of a file, the last one of each cell; none if there is no such file."""
    if not path.exists():
        return []
    last: dict[tuple[str, str], Result] = {}
    for line in path.read_text().splitlines():
        told = json.loads(line)
        told.update(causes=tuple(told["causes"]), wrong=tuple(told["wrong"]))
        last[told["fault"], told["manager"]] = Result(**told)
    return list(last.values())


def page(results: Iterable[Result]) -> Iterator[str]:
    """Return the lines of the table as the page of the fault matrix has it: a fault on each."""
    yield (
        "| fault | causes named | before | verdict | after | "
        + " | ".join(str(manager) for manager in Manager)
        + " |"
    )
    yield "|---|---|---|---|---|" + "--:|" * len(Manager)
    faults: dict[tuple[str, ...], dict[str, Result]] = {}
    for one in results:
        causes = ", ".join(f"`{cause}`" for cause in one.causes) or "none"
        told = (one.fault, causes, one.before, one.verdict.replace("_", " "), one.after)
        faults.setdefault(told, {})[one.manager] = one
    for shown, cells in faults.items():
        yield f"| {' | '.join((*shown, *(_seconds(cells, manager) for manager in Manager)))} |"


def _seconds(cells: Mapping[str, Result], manager: Manager) -> str:
    one = cells.get(str(manager))
    if one is None:
        return "-"
    return "**wrong**" if one.wrong else f"{one.seconds:.0f}"
