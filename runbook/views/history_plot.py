"""Runs over time: a bar for each day or week, for a terminal or as a picture."""

from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from datetime import UTC, date, datetime, timedelta, tzinfo
from enum import StrEnum
from html import escape

from runbook.driver.figures import Times, times
from runbook.journal import RunSummary
from runbook.model.definition import Json
from runbook.model.verdict import Verdict, exit_code
from runbook.views.safe_text import printable
from runbook.views.words import say_duration, shorten

_MOST = 60
"""How many periods are drawn at most, the newest."""
_BAR = 24
_WIDTH, _ROW, _LEFT, _SCALE = 900, 24, 110, 300


class Per(StrEnum):
    """How long a period is."""

    DAY = "day"
    WEEK = "week"


@dataclass(frozen=True, kw_only=True, slots=True)
class Period:
    """The runs begun in a day, or in a week from its Monday.

    `well` counts those that ended without anything left to do, `repair` is from start to end of
    those that resolved a fault, `causes` counts the runs that found each.
    """

    first_day: date
    runs: int = 0
    well: int = 0
    causes: Counter[str] = field(default_factory=Counter)
    repair: Times = field(default_factory=Times)


def periods(runs: Iterable[RunSummary], per: Per, *, zone: tzinfo | None = None) -> list[Period]:
    """Return the periods from the first run to the last, oldest first, those without runs too.

    Days are those of `zone`, None for the local one. Of very many the newest are returned.
    """
    by_day: dict[date, list[RunSummary]] = {}
    for run in runs:
        day = datetime.fromtimestamp(run.started_at, UTC).astimezone(zone).date()
        first = day - timedelta(days=day.weekday()) if per is Per.WEEK else day
        by_day.setdefault(first, []).append(run)
    if not by_day:
        return []
    step = timedelta(weeks=1) if per is Per.WEEK else timedelta(days=1)
    days = [max(by_day)]
    while days[-1] > min(by_day) and len(days) < _MOST:
        days.append(days[-1] - step)
    return [_period(day, by_day.get(day, [])) for day in reversed(days)]


def plot_text(found: Sequence[Period], per: Per, *, width: int | None = None) -> str:
    """Return a line for each period: a bar of its runs, time to repair, and causes.

    `█` are runs that ended well, `░` the others. Lines are at most `width` characters, None for
    however many.
    """
    if not found:
        return "No runs."
    most = max(period.runs for period in found)
    figures = max(len("RUNS"), len(str(most)))
    lines = [
        f"{per.upper():<10}  {'':<{_BAR}}  {'RUNS':>{figures}}  {'REPAIRED IN':<11}  CAUSES",
        *(_text_row(period, most, figures) for period in found),
    ]
    lines = lines if width is None else [shorten(line.rstrip(), width) for line in lines]
    key = "█ ended well, ░ did not; repaired in: the median from start to end"
    return "\n".join([*(line.rstrip() for line in lines), "", key])


def plot_document(found: Sequence[Period]) -> list[dict[str, Json]]:
    """Return the periods as plain data; times in seconds."""
    return [
        {
            "first_day": period.first_day.isoformat(),
            "runs": period.runs,
            "ended_well": period.well,
            "causes": dict(period.causes.most_common()),
            "repaired": period.repair.count,
            "repair_median_s": period.repair.median_s,
            "repair_p90_s": period.repair.p90_s,
        }
        for period in found
    ]


def plot_svg(found: Sequence[Period], per: Per) -> str:
    """Return the same as a picture in one piece: nothing is loaded, all text is escaped."""
    return "\n".join(_svg(found, per))


def _period(day: date, runs: Sequence[RunSummary]) -> Period:
    return Period(
        first_day=day,
        runs=len(runs),
        well=sum(run.verdict is not None and exit_code(run.verdict) == 0 for run in runs),
        causes=Counter(cause for run in runs for cause in run.causes),
        repair=times(
            max(0.0, run.ended_at - run.started_at)
            for run in runs
            if run.verdict is Verdict.RESOLVED and run.ended_at is not None
        ),
    )


def _text_row(period: Period, most: int, figures: int) -> str:
    well = _scaled(period.well, most, _BAR)
    bar = "█" * well + "░" * (_scaled(period.runs, most, _BAR) - well)
    return (
        f"{period.first_day}  {bar:<{_BAR}}  {period.runs:>{figures}}"
        f"  {_repair(period):<11}  {_causes(period)}"
    )


def _scaled(number: int, most: int, length: int) -> int:
    """Return how long a bar is; what there is at all can be seen."""
    return max(round(number * length / most), 1) if number else 0


def _repair(period: Period) -> str:
    return "-" if period.repair.median_s is None else say_duration(period.repair.median_s)


def _causes(period: Period) -> str:
    return ", ".join(
        f"{printable(cause)} {number}" for cause, number in period.causes.most_common()
    )


_STYLE = """\
.plot { --paper: #fff; --ink: #1f2328; --well: #1a7f37; --other: #9a6700; background: var(--paper);
  font: 12px ui-monospace, 'DejaVu Sans Mono', Menlo, Consolas, monospace; }
.plot text { fill: var(--ink); white-space: pre; }
.plot .well { fill: var(--well); }
.plot .other { fill: var(--paper); stroke: var(--other); stroke-width: 2; }
@media (prefers-color-scheme: dark) { .plot { --paper: #0d1117; --ink: #f0f6fc; --well: #3fb950;
  --other: #d29922; } }
"""


def _svg(found: Sequence[Period], per: Per) -> Iterator[str]:
    most = max((period.runs for period in found), default=1)
    height = _ROW * (len(found) + 3)
    yield (
        f'<svg xmlns="http://www.w3.org/2000/svg" class="plot" width="{_WIDTH}" height="{height}"'
        f' viewBox="0 0 {_WIDTH} {height}">'
    )
    yield f"<title>Runs per {per}</title>"
    yield f"<style>\n{_STYLE}</style>"
    right = _LEFT + _SCALE
    for x, word in (
        (10, per.value),
        (_LEFT, "runs"),
        (right + 60, "repaired in"),
        (right + 160, "causes"),
    ):
        yield _text(x, _ROW, word)
    for number, period in enumerate(found, 2):
        y = _ROW * number
        well = _scaled(period.well, most, _SCALE)
        whole = _scaled(period.runs, most, _SCALE)
        yield _text(10, y, str(period.first_day))
        for kind, x, length in (("well", _LEFT, well), ("other", _LEFT + well, whole - well)):
            if length:
                yield (f'<rect class="{kind}" x="{x}" y="{y - 12}" width="{length}" height="14"/>')
        yield _text(right + 10, y, str(period.runs))
        yield _text(right + 60, y, _repair(period))
        yield _text(right + 160, y, shorten(_causes(period), 44))
    yield _text(
        10,
        height - 10,
        "filled: ended well; hollow: did not; repaired in: the median from start to end",
    )
    yield "</svg>"


def _text(x: int, y: int, text: str) -> str:
    return f'<text x="{x}" y="{y}">{escape(text)}</text>'
