"""Kill lives at every boundary and at random instants, and judge what is left each time."""

import random
import tempfile
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from tests.crash.hosts import lay_out
from tests.crash.judging import judge, judge_record
from tests.crash.lives import KILLED, Build, Life, await_end, passed, spawn

UNDISTURBED_S = 0.15
"""About how long a life takes that nothing ends; deaths at random instants fall within."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Death:
    """How a life ends: at a boundary, counted from 1, or after some seconds."""

    boundary: int | None = None
    after_s: float | None = None


@dataclass(frozen=True, kw_only=True, slots=True)
class Played:
    """What became of a home: the stages its lives were killed in, and what is wrong, if anything."""

    stages: tuple[str, ...]
    wrong: tuple[str, ...]


def play(folder: Path, deaths: Sequence[Death], build: Build = Build.SOUND) -> Played:
    """Live as often as there are deaths, each life from where the last one was killed, then once more.

    A death counts only where it came before the life's own end.
    """
    lay_out(Life(home=folder).hosts)
    stages: list[str] = []
    wrong: list[str] = []
    for death in deaths:
        life = Life(home=folder, build=build, dies_at=death.boundary)
        if await_end(spawn(life), kill_after_s=death.after_s) == KILLED:
            stages.append((passed(folder) or ["starting"])[-1])
        wrong += judge_record(folder)
    code = await_end(spawn(Life(home=folder, build=build)))
    if code != 0:
        said = Life(home=folder).said.read_text()
        wrong.append(f"the last life ended with {code}: {said[-2000:]}")
    return Played(stages=tuple(stages), wrong=(*wrong, *judge(folder)))


def boundaries(folder: Path) -> list[str]:
    """Return what a life passes that nothing ends."""
    lay_out(Life(home=folder).hosts)
    code = await_end(spawn(Life(home=folder)))
    assert (code, judge(folder)) == (0, [])
    return passed(folder)


def everywhere(stages: Sequence[str], *, step: int = 1, first: int = 0) -> Iterator[list[Death]]:
    """Yield a death at each boundary, or at each `step`-th one from `first` on."""
    for number in range(first, len(stages), step):
        yield [Death(boundary=number + 1)]


def anywhere(seed: int) -> list[Death]:
    """Return one to four deaths, each at some boundary or instant, which the seed chooses."""
    chosen = random.Random(seed)
    return [
        Death(boundary=chosen.randrange(1, 120))
        if chosen.random() < 0.5
        else Death(after_s=chosen.uniform(0, UNDISTURBED_S))
        for _ in range(chosen.randint(1, 4))
    ]


def play_somewhere(deaths: Sequence[Death]) -> Played:
    """Play in a folder that is gone afterwards."""
    with tempfile.TemporaryDirectory() as folder:
        return play(Path(folder), deaths)
