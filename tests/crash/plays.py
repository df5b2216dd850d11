"""All that `make crash` plays, in parts: what is killed, how often, by which seeds."""

import tempfile
import traceback
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from functools import partial
from itertools import count, product
from pathlib import Path

from tests.crash.disks import FAULTS, play_on_disk
from tests.crash.matrix import Played, anywhere, boundaries, everywhere, play_somewhere
from tests.crash.on_hosts import play_on_host
from tests.crash.processes import During, Victim, play_seed
from tests.lab import obstacles

AT_RANDOM = 160
"""How many runs are killed up to four times each."""

BESIDE = 4
"""How often each of the processes around Ansible is killed; the program itself twice as often."""

DISK_STEP = 10
"""At every such boundary a disk fails, in each way."""

HERE = (
    *((During.RUN, victim) for victim in (Victim.STARTER, Victim.ANSIBLE, Victim.WORKER)),
    *((During.RESUME, victim) for victim in (Victim.PROGRAM, Victim.ANSIBLE)),
    *((During.UNDO, victim) for victim in (Victim.PROGRAM, Victim.ANSIBLE)),
    *[(During.RUN, Victim.PROGRAM)] * 2,
)
"""What is killed where Ansible needs no connection."""

ON_A_HOST = (
    *((During.RUN, victim) for victim in (Victim.CONNECTION, Victim.SSHD, Victim.HOST)),
    (During.RUN, Victim.ASLEEP),
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


def _everywhere() -> Iterator[Play]:
    with tempfile.TemporaryDirectory() as folder:
        stages = boundaries(Path(folder))
    for deaths in everywhere(stages):
        yield Play(name=f"boundary {deaths[0].boundary}", do=partial(play_somewhere, deaths))


def _on_disks() -> Iterator[Play]:
    with tempfile.TemporaryDirectory() as folder:
        places = range(1, len(boundaries(Path(folder))), DISK_STEP)
    for fault, place in product(FAULTS, places):
        yield Play(
            name=f"{fault.__name__} at boundary {place}",
            do=partial(play_on_disk, fault, place),
            kind=fault.__name__.replace("_", " "),
        )


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


def parts(seed: int, runs: int) -> Iterator[tuple[str, Iterator[Play]]]:
    """Yield titles of parts with what to play."""
    yield "killed at every boundary of the journal and of fixes", _everywhere()
    yield "killed at random, up to four times a run", _anywhere(range(seed, seed + AT_RANDOM))
    yield "real Ansible, without a connection", _beside(HERE * runs, play_seed, count(seed))
    obstacle = obstacles.find()
    if obstacle is None:
        yield "a journal's disk that fails in mid-run", _on_disks()
        yield "real Ansible, on a real host", _beside(ON_A_HOST * runs, play_on_host, count(seed))
    else:
        print(f"left out: disks that fail, and real hosts: {obstacle}")


def played(play: Play) -> Played:
    """Play; what goes wrong with that itself is wrong as well."""
    try:
        return play.do()
    except Exception:  # noqa: BLE001 -- one that cannot be judged leaves the others to be
        return Played(stages=(), wrong=(traceback.format_exc(),))
