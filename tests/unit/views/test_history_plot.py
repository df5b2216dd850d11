"""Runs over time, as bars in a terminal and as a picture."""

import json
from dataclasses import replace
from datetime import UTC, date, timedelta, timezone
from pathlib import Path
from xml.etree import ElementTree

import pytest

from runbook.driver.figures import Times
from runbook.journal import RunSummary
from runbook.model.verdict import Verdict
from runbook.views.history_plot import (
    Per,
    Period,
    periods,
    plot_document,
    plot_svg,
    plot_text,
)
from tests.unit.views.test_history import RUN

GOLDEN = Path(__file__).parents[2] / "golden" / "report"
DAY = 86400.0


def ran(days: float, verdict: Verdict | None, took_s: float, *causes: str) -> RunSummary:
    """Return a run begun so many days after the one of the table, 2026-02-15 03:12 UTC, a Sunday."""
    at = RUN.started_at + days * DAY
    ended = None if verdict is None else at + took_s
    return replace(RUN, started_at=at, ended_at=ended, verdict=verdict, causes=causes)


RUNS = [
    ran(9, None, 0),
    *(ran(8 + number / 100, Verdict.HEALTHY, 2) for number in range(30)),
    ran(8, Verdict.ESCALATED, 400, "full"),
    ran(1, Verdict.RESOLVED, 41, "stopped"),
    ran(1, Verdict.RESOLVED, 45, "stopped", "<b>\x1b[2J"),
    ran(0, Verdict.UNRESOLVED, 90, "full"),
]


def drawn(suffix: str, per: Per = Per.DAY) -> str:
    """Return the plot as the golden file with this suffix has it."""
    found = periods(RUNS, per, zone=UTC)
    return plot_svg(found, per) if suffix == "svg" else plot_text(found, per)


@pytest.mark.parametrize("suffix", ["txt", "svg"])
def test_plots_look_as_written_down(suffix: str) -> None:
    """The golden files have a bar for each day, those without runs too."""
    golden = (GOLDEN / f"history-plot.{suffix}").read_text(encoding="utf-8")

    assert drawn(suffix) + "\n" == golden


def test_runs_are_counted_by_day_and_by_week() -> None:
    """A period has its runs, those that ended well, its causes, and the time to repair."""
    by_day = periods(RUNS, Per.DAY, zone=UTC)
    by_week = periods(RUNS, Per.WEEK, zone=UTC)

    assert [period.first_day.day for period in by_day] == list(range(15, 25))
    assert [period.runs for period in by_day] == [1, 2, 0, 0, 0, 0, 0, 0, 31, 1]
    assert [period.well for period in by_day] == [0, 2, 0, 0, 0, 0, 0, 0, 30, 0]
    assert by_day[1].repair == Times(count=2, median_s=43.0, p90_s=45.0)
    assert by_day[1].causes["stopped"] == 2
    assert by_day[8].repair == Times()
    assert [(period.first_day, period.runs) for period in by_week] == [
        (date(2026, 2, 9), 1),
        (date(2026, 2, 16), 2),
        (date(2026, 2, 23), 32),
    ]


def test_a_day_is_one_of_whoever_asks() -> None:
    """What began at 03:12 in UTC began the day before further west."""
    (period,) = periods([RUN], Per.DAY, zone=timezone(timedelta(hours=-5)))

    assert period.first_day == date(2026, 2, 14)


def test_of_very_many_days_the_newest_are_drawn() -> None:
    """An old journal does not make a plot that scrolls away."""
    found = periods([ran(0, Verdict.HEALTHY, 1), ran(4000, Verdict.HEALTHY, 1)], Per.DAY, zone=UTC)

    assert len(found) == 60
    assert (found[0].runs, found[-1].runs) == (0, 1)


@pytest.mark.parametrize("width", [60, 80])
def test_a_plot_fits_the_terminal(width: int) -> None:
    """Causes are cut first; no bar and no figure is."""
    many = Period(first_day=date(2026, 2, 15), runs=3, well=1)
    many.causes.update({f"a_rather_long_cause_{number}": 1 for number in range(9)})

    lines = plot_text([many], Per.DAY, width=width).splitlines()

    assert width - 2 <= max(map(len, lines[:2])) <= width
    assert "████████░░░░░░░░░░░░░░░░     3" in lines[1]


def test_a_plot_of_nothing_says_so() -> None:
    """Without runs there is nothing to draw, in any form."""
    assert periods([], Per.WEEK) == []
    assert plot_text([], Per.WEEK) == "No runs."
    assert plot_document([]) == []
    ElementTree.fromstring(plot_svg([], Per.WEEK))


def test_a_picture_is_one_piece_and_inert() -> None:
    """It is well-formed, loads nothing, and names of causes are text."""
    root = ElementTree.fromstring(drawn("svg"))

    kinds = {element.tag.rpartition("}")[2] for element in root.iter()}
    assert kinds == {"svg", "title", "style", "text", "rect"}
    assert "<b>\\x1b[2J 1" in "".join(root.itertext())


def test_document_is_plain_data() -> None:
    """The same as JSON, for other programs."""
    document = plot_document(periods(RUNS, Per.DAY, zone=UTC))

    assert json.loads(json.dumps(document)) == document
    assert document[1] == {
        "first_day": "2026-02-16",
        "runs": 2,
        "ended_well": 2,
        "causes": {"stopped": 2, "<b>\x1b[2J": 1},
        "repaired": 2,
        "repair_median_s": 43.0,
        "repair_p90_s": 45.0,
    }
