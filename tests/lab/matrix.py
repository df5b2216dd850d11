"""`python -m tests.lab.matrix [--out FILE] [WORD…]`, behind `make matrix`: break real hosts in every way.

Prints a table as it goes: the fault, its host, what nginx answered before and after, the verdict, the
seconds of the run that repaired it (with the other hosts of its wave), and the causes that were named.

A cell of which nothing was learnt is played again, after all others: on a machine that has no time, a
run says `unknown`, or does not begin.
"""

import os
import subprocess
import sys
import tempfile
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import replace
from itertools import count
from pathlib import Path
from types import TracebackType
from typing import Self

import click

from runbook.errors import RunbookError
from tests.lab.breaking import Fault
from tests.lab.cells import Cell, Wave, cells_of, waves
from tests.lab.faults import FAULTS, NOT_RUN
from tests.lab.lab import Lab
from tests.lab.playing import play
from tests.lab.results import HEAD, Result, append, page, read

AT_MOST = 3
"""So often a cell is played of which nothing is learnt."""

Player = Callable[[Wave], Sequence[Result]]


class Stage:
    """Where waves are played: a lab, and another one once something went wrong with it."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._numbers = count(1)
        self._lab: Lab | None = None

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self._close()

    def play(self, wave: Wave) -> list[Result]:
        """Play a wave; where it cannot be, say so of each of its cells."""
        try:
            if self._lab is None:
                name = f"matrix-{os.getpid()}-{next(self._numbers)}"
                self._lab = Lab.create(name, self._folder / name)
            return [Result.of(seen) for seen in play(self._lab, wave)]
        except RunbookError as error:
            why = error.render()
        except (OSError, subprocess.TimeoutExpired) as error:
            why = str(error)
        self._close()
        return [Result.lost(cell, why) for cell in wave]

    def _close(self) -> None:
        if self._lab is not None:
            self._lab.close()
            self._lab = None


def played(play_wave: Player, cells: Iterable[Cell]) -> Iterator[Result]:
    """Play cells, wave by wave, and those of which nothing was learnt again, after all others."""
    left = list(cells)
    for times in range(1, AT_MOST + 1):
        again = []
        for wave in waves(left):
            for cell, result in zip(wave, play_wave(wave), strict=True):
                yield replace(result, times=times)
                if result.says_nothing:
                    again.append(cell)
        left = again


def chosen(words: Sequence[str]) -> list[Fault]:
    """Return the faults whose names contain one of the words; all of them without a word."""
    return [fault for fault in FAULTS if not words or any(word in fault.name for word in words)]


@click.command()
@click.argument("words", metavar="[WORD]…", nargs=-1)
@click.option(
    "--out",
    type=click.Path(dir_okay=False, path_type=Path),
    help="Add each result to this file. Cells that were right there are not played again.",
)
def main(words: Sequence[str], out: Path | None) -> None:
    """Play the whole matrix, or the faults whose names contain one of the words."""
    cells = cells_of(chosen(words))
    if not cells:
        raise click.UsageError(f"no fault has {' or '.join(map(repr, words))} in its name")
    before = [one for one in read(out) if not one.wrong] if out else []
    results = {(one.fault, one.manager): one for one in before}
    keys = [(cell.fault.name, str(cell.manager)) for cell in cells]
    left = [cell for cell, key in zip(cells, keys, strict=True) if key not in results]
    if len(left) < len(cells):
        click.echo(f"{len(cells) - len(left)} of {len(cells)} cells were right before: {out}")
    click.echo(HEAD)
    with tempfile.TemporaryDirectory() as folder, Stage(Path(folder)) as stage:
        for result in played(stage.play, left):
            results[result.fault, result.manager] = result
            if out:
                append(out, result)
            for line in result.lines():
                click.echo(line)
            if result.says_nothing and result.times < AT_MOST:
                click.echo("      nothing was learnt: it is played again")
    click.echo()
    told = [results[key] for key in keys]
    for line in page(told):
        click.echo(line)
    click.echo()
    for what, reason in NOT_RUN.items():
        click.echo(f"not run: {what}: {reason}")
    right = sum(not one.wrong for one in told)
    often = sum(one.times > 1 for one in told)
    click.echo(f"{right} of {len(told)} right; {often} were played more than once")
    sys.exit(0 if right == len(told) else 1)


if __name__ == "__main__":
    main()
