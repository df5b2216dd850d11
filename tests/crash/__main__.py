"""`python -m tests.crash [--seed N] [--runs N] [WORD…]`, behind `make crash`: kill it all, count what is lost.

Prints, for each part, how often something was killed or spoilt, in which stages, and what was wrong;
each play is a line of a table as well, which grows as it goes. Words choose the parts whose titles
contain one of them.
"""

import argparse
import sys
import time
from collections import Counter
from collections.abc import Iterator
from concurrent.futures import ProcessPoolExecutor, as_completed
from dataclasses import dataclass, field
from multiprocessing import get_context
from pathlib import Path

from tests.crash.matrix import Played
from tests.crash.plays import BESIDE, Play, parts, played

TABLE = Path("build/crash.tsv")


@dataclass(kw_only=True)
class Figures:
    """What a part came to."""

    title: str
    kills: Counter[str] = field(default_factory=Counter)
    wrong: list[str] = field(default_factory=list)

    def add(self, play: Play, what: Played) -> None:
        """Count a play, print what is wrong, and add it to the table."""
        kinds = [play.kind or _stage(passed) for passed in what.stages]
        self.kills.update(kinds)
        for text in what.wrong:
            print(f"  WRONG {play.name}: {text}", flush=True)
            self.wrong.append(f"{play.name}: {text}")
        stages = "; ".join(what.stages) or "too late, nothing was killed"
        wrong = " / ".join(" ".join(text.split()) for text in what.wrong)
        with TABLE.open("a") as table:
            table.write(f"{self.title}\t{play.name}\t{stages}\t{wrong or 'right'}\n")


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


def _figures(title: str, plays: Iterator[Play], pool: ProcessPoolExecutor) -> Figures:
    """Play a part, and print what it came to."""
    figures = Figures(title=title)
    began = time.monotonic()
    under_way = {pool.submit(played, play): play for play in plays}
    for future in as_completed(under_way):
        figures.add(under_way[future], future.result())
    took_s = time.monotonic() - began
    kills = figures.kills.total()
    print(f"{title}: {kills} times, {len(figures.wrong)} wrong, {took_s:.0f} s", flush=True)
    for stage, times in sorted(figures.kills.items()):
        print(f"  {times:4}  {stage}", flush=True)
    return figures


def main() -> int:
    """Play all of it; say whether anything was wrong."""
    parser = argparse.ArgumentParser(prog="python -m tests.crash", description=__doc__)
    parser.add_argument("--seed", type=int, default=int(time.time()), help="where seeds begin")
    parser.add_argument(
        "--runs", type=int, default=BESIDE, help="kills of each kind around Ansible"
    )
    parser.add_argument("words", nargs="*", metavar="WORD", help="parts whose titles contain it")
    given = parser.parse_args()
    print(f"seeds from {given.seed} on; every play is in {TABLE}", flush=True)
    TABLE.parent.mkdir(exist_ok=True)
    TABLE.write_text("part\tplay\tkilled\tfound\n")
    # Processes of their own, as each has its own children, and the last part its own host.
    with ProcessPoolExecutor(mp_context=get_context("spawn")) as pool:
        found = [
            _figures(title, plays, pool)
            for title, plays in parts(given.seed, given.runs)
            if not given.words or any(word in title for word in given.words)
        ]
    kills = sum(part.kills.total() for part in found)
    wrong = sum(len(part.wrong) for part in found)
    print(
        f"{kills} kills and failures in all: {wrong} entries lost, verdicts changed, fixes repeated or hosts left"
    )
    return 1 if wrong else 0


if __name__ == "__main__":
    sys.exit(main())
