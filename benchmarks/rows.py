"""A row of results."""

from dataclasses import dataclass


@dataclass(frozen=True, kw_only=True, slots=True)
class Row:
    """One comparison: `ratio` is our figure by theirs; `target` is the most it may be, if any."""

    work: str
    against: str
    ours: str
    theirs: str
    ratio: float
    target: float | None
    met: bool | None


def row(  # noqa: PLR0917 -- in the order of a table
    work: str, against: str, ours: float, theirs: float, target: float | None, unit: str
) -> Row:
    """Compare two figures of one unit."""
    ratio = ours / theirs
    return Row(
        work=work,
        against=against,
        ours=f"{ours:.2f} {unit}" if ours < 100 else f"{ours:.0f} {unit}",
        theirs=f"{theirs:.2f} {unit}" if theirs < 100 else f"{theirs:.0f} {unit}",
        ratio=round(ratio, 3),
        target=target,
        met=None if target is None else ratio <= target,
    )
