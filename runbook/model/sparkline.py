"""Values over time in one short line."""

from collections.abc import Sequence
from itertools import pairwise

_BARS = "▁▂▃▄▅▆▇█"
UNSEEN = "?"


def sparkline(values: Sequence[float | None], *, most: int = 20) -> str:
    """Return a bar for each value, low to high; None, which nobody saw, is a question mark.

    Of more than `most` values neighbours share a bar, the highest of them. Equal values are low.
    """
    told = _thinned(values, most)
    known = [value for value in told if value is not None]
    if not known:
        return UNSEEN * len(told)
    low, span = min(known), max(known) - min(known)
    return "".join(
        UNSEEN if value is None else _BARS[round((value - low) / span * 7) if span else 0]
        for value in told
    )


def _thinned(values: Sequence[float | None], most: int) -> list[float | None]:
    if len(values) <= most:
        return list(values)
    bounds = [round(number * len(values) / most) for number in range(most + 1)]
    groups = [values[first:last] for first, last in pairwise(bounds)]
    return [max((value for value in group if value is not None), default=None) for group in groups]
