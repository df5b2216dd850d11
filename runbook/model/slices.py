"""A run over many hosts, cut into slices: each of them a run of its own, all of them one to people."""

import re
from collections.abc import Sequence
from dataclasses import dataclass

_OF_A_WHOLE = re.compile(r"(.+)\.([1-9][0-9]*)")


@dataclass(frozen=True, kw_only=True, slots=True)
class Slice:
    """Which part of a larger run a run is: an event, right after the run's beginning.

    `whole` is the id of that one, `number` counts from 1 up to `slices`, and `size` is how many
    hosts all slices have together.
    """

    whole: str
    number: int
    slices: int
    size: int


def slice_id(whole: str, number: int) -> str:
    """Return the id of a slice's run, which tells the whole's."""
    return f"{whole}.{number}"


def whole_of(run: str) -> str | None:
    """Return the id of the run that a run is a slice of; None where it is none."""
    found = _OF_A_WHOLE.fullmatch(run)
    return found[1] if found else None


def number_of(run: str) -> int:
    """Return a slice's number, 0 for a run that is none."""
    found = _OF_A_WHOLE.fullmatch(run)
    return int(found[2]) if found else 0


def sliced(hosts: Sequence[str], most: int) -> tuple[tuple[str, ...], ...]:
    """Deal hosts out to as few slices as hold at most so many each, as cards are dealt.

    In the inventory's order neighbours are alike: of one group, rack or site. Dealt out, each slice
    has some of all of them, so that the shares guards count are right from the first slice on, and
    a fault of one rack is not all that a slice sees. The same hosts always come to the same slices.
    """
    many = -(-len(hosts) // most)
    return tuple(tuple(hosts[first::many]) for first in range(many))
