"""`python -m tests.crash [--seed N] [--runs N] [WORD…]`, behind `make crash`: kill it all, count what is lost.

Prints, for each part, how often something was killed or spoilt, in which stages, and what was wrong;
each play is a line of a table as well, which grows as it goes. Words choose the parts whose titles
contain one of them.
"""

import argparse
import sys
import tempfile
import time
import traceback
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Sequence
from concurrent.futures import ProcessPoolExecutor, as_completed
from dataclasses import dataclass, field
from functools import partial
from itertools import count
from multiprocessing import get_context
from pathlib import Path

from tests.crash.matrix import Played, anywhere, boundaries, everywhere, play_somewhere
from tests.crash.on_hosts import play_on_host
from tests.crash.processes import During, Victim, play_seed
from tests.lab import obstacles

AT_RANDOM = 160
"""How many runs are killed up to four times each."""

BESIDE = 4
"""How often each of the processes around Ansible is killed; the program itself twice as often."""

TABLE = Path("build/crash.tsv")

HERE = (
    *((During.RUN, victim) for victim in (Victim.STARTER, Victim.ANSIBLE, Victim.WORKER)),
    *((During.RESUME, victim) for victim in (Victim.PROGRAM, Victim.ANSIBLE)),
    *((During.UNDO, victim) for victim in (Victim.PROGRAM, Victim.ANSIBLE)),
    *[(During.RUN, Victim.PROGRAM)] * 2,
)
"""What is killed where Ansible needs no connection."""

ON_A_HOST = (
    *((During.RUN, victim) for victim in (Victim.CONNECTION, Victim.SSHD, Victim.HOST)),
    *((During.RESUME, victim) for victim in (Victim.PROGRAM, Victim.CONNECTION)),
    *((During.UNDO, victim) for victim in (Victim.PROGRAM, Victim.CONNECTION, Victim.HOST)),
    *[(During.RUN, Victim.PROGRAM)] * 2,
)
"""What is killed where the host is a real one."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Play:
    """Something to play: its name, with its seed, and the kind of its kills, where all are of one."""

    name: str
    do: Callable[[], Played]
    kind: str | None = None


@dataclass(kw_only=True)
class Figures:
    """What a part came to."""

    title: str
    kills: Counter[str] = field(default_factory=Counter)
    wrong: list[str] = field(default_factory=list)

    def add(self, play: Play, played: Played) -> None:
        """Count a play, print what is wrong, and add it to the table."""
        kinds = [play.kind or _stage(passed) for passed in played.stages]
        self.kills.update(kinds)
        for text in played.wrong:
            print(f"  WRONG {play.name}: {text}", flush=True)
            self.wrong.append(f"{play.name}: {text}")
        stages = "; ".join(played.stages) or "too late, nothing was killed"
        wrong = " / ".join(" ".join(text.split()) for text in played.wrong)
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


def _everywhere() -> Iterator[Play]:
    with tempfile.TemporaryDirectory() as folder:
        stages = boundaries(Path(folder))
    for deaths in everywhere(stages):
        yield Play(name=f"boundary {deaths[0].boundary}", do=partial(play_somewhere, deaths))


def _anywhere(seeds: Iterable[int]) -> Iterator[Play]:
    for seed in seeds:
        yield Play(name=f"seed {seed}", do=partial(play_somewhere, anywhere(seed)))


def _beside(
    what: Sequence[tuple[During, Victim]],
    play: Callable[[Victim, int, During], Played],
    seeds: Iterator[int],
) -> Iterator[Play]:
    for seed, (during, victim) in zip(seeds, what, strict=False):
        yield Play(
            name=f"{victim} in its {during}, seed {seed}",
            do=partial(play, victim, seed, during),
            kind=f"{during}: {victim}",
        )


def _parts(seed: int, runs: int) -> Iterator[tuple[str, Iterator[Play]]]:
    """Yield titles of parts with what to play."""
    yield "killed at every boundary of the journal and of fixes", _everywhere()
    yield "killed at random, up to four times a run", _anywhere(range(seed, seed + AT_RANDOM))
    yield "real Ansible, without a connection", _beside(HERE * runs, play_seed, count(seed))
    obstacle = obstacles.find()
    if obstacle is None:
        yield "real Ansible, on a real host", _beside(ON_A_HOST * runs, play_on_host, count(seed))
    else:
        print(f"left out: kills around real hosts: {obstacle}")


def _played(play: Play) -> Played:
    try:
        return play.do()
    except Exception:  # noqa: BLE001 -- one that cannot be judged leaves the others to be
        return Played(stages=(), wrong=(traceback.format_exc(),))


def _figures(title: str, plays: Iterator[Play], pool: ProcessPoolExecutor) -> Figures:
    """Play a part, and print what it came to."""
    figures = Figures(title=title)
    began = time.monotonic()
    under_way = {pool.submit(_played, play): play for play in plays}
    for future in as_completed(under_way):
        figures.add(under_way[future], future.result())
    took_s = time.monotonic() - began
    kills = figures.kills.total()
    print(f"{title}: {kills} kills, {len(figures.wrong)} wrong, {took_s:.0f} s", flush=True)
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
        parts = [
            _figures(title, plays, pool)
            for title, plays in _parts(given.seed, given.runs)
            if not given.words or any(word in title for word in given.words)
        ]
    kills = sum(part.kills.total() for part in parts)
    wrong = sum(len(part.wrong) for part in parts)
    print(
        f"{kills} kills in all: {wrong} entries lost, verdicts changed, fixes repeated or hosts left"
    )
    return 1 if wrong else 0


if __name__ == "__main__":
    sys.exit(main())
