"""`python -m tests.crash [--seed N] [--runs N]`, behind `make crash`: kill it all, count what is lost.

Prints, for each part, how often something was killed or spoilt, in which stages, and what was wrong.
"""

import argparse
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from pathlib import Path

from tests.crash.matrix import Played, anywhere, boundaries, everywhere, play_somewhere
from tests.crash.processes import Victim, play_seed

AT_RANDOM = 160
"""How many runs are killed up to four times each."""

BESIDE = 12
"""How often each of the processes around Ansible is killed; the program itself four times as often."""


@dataclass(kw_only=True)
class Figures:
    """What a part came to."""

    kills: Counter[str] = field(default_factory=Counter)
    wrong: list[str] = field(default_factory=list)

    def add(self, name: str, played: Played) -> None:
        """Count a play."""
        self.kills.update(map(_stage, played.stages))
        self.wrong += [f"{name}: {text}" for text in played.wrong]


def _stage(passed: str) -> str:
    """Return the stage a boundary belongs to: before, while or after something is written."""
    what, _, statement = passed.partition(": ")
    match statement:
        case "":
            return what
        case "BEGIN":
            return f"before {what}"
        case "written":
            return f"after {what}"
        case _:
            return f"while {what} is written"


def _part(title: str, plays: Iterable[tuple[str, Played]]) -> Figures:
    figures = Figures()
    began = time.monotonic()
    for name, played in plays:
        figures.add(name, played)
        for text in played.wrong:
            print(f"  WRONG {name}: {text}", flush=True)
    took_s = time.monotonic() - began
    kills = figures.kills.total()
    print(f"{title}: {kills} kills, {len(figures.wrong)} wrong, {took_s:.0f} s", flush=True)
    for stage, count in sorted(figures.kills.items()):
        print(f"  {count:4}  {stage}")
    return figures


def _everywhere() -> Iterator[tuple[str, Played]]:
    with tempfile.TemporaryDirectory() as folder:
        stages = boundaries(Path(folder))
    for deaths in everywhere(stages):
        yield str(deaths), play_somewhere(deaths)


def _anywhere(seed: int, runs: int) -> Iterator[tuple[str, Played]]:
    for number in range(seed, seed + runs):
        yield f"seed {number}", play_somewhere(anywhere(number))


def _beside(victim: Victim, seed: int, runs: int) -> Iterator[tuple[str, Played]]:
    for number in range(seed, seed + runs):
        yield f"{victim}, seed {number}", play_seed(victim, number)


def main() -> int:
    """Play all of it; say whether anything was wrong."""
    parser = argparse.ArgumentParser(prog="python -m tests.crash", description=__doc__)
    parser.add_argument("--seed", type=int, default=int(time.time()), help="where seeds begin")
    parser.add_argument("--runs", type=int, default=BESIDE, help="kills of each process of Ansible")
    given = parser.parse_args()
    seed, runs = given.seed, given.runs
    print(f"seeds from {seed} on", flush=True)
    parts = [
        _part("killed at every boundary of the journal and of fixes", _everywhere()),
        _part("killed at random, up to four times a run", _anywhere(seed, AT_RANDOM)),
    ]
    for victim in Victim:
        times = runs * 4 if victim is Victim.PROGRAM else runs
        parts.append(_part(f"real Ansible, killed: {victim}", _beside(victim, seed, times)))
    kills = sum(part.kills.total() for part in parts)
    wrong = sum(len(part.wrong) for part in parts)
    print(
        f"{kills} kills in all: {wrong} entries lost, verdicts changed, fixes repeated or hosts left"
    )
    return 1 if wrong else 0


if __name__ == "__main__":
    sys.exit(main())
