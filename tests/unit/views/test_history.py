"""The history of runs."""

import json
import time
from dataclasses import replace
from datetime import UTC, timedelta, timezone
from pathlib import Path

import pytest

from runbook.errors import RunbookError
from runbook.journal import RunSummary
from runbook.model.event import Mode
from runbook.model.verdict import Verdict
from runbook.views.history import history_document, history_text, moment, state_of

GOLDEN = Path(__file__).parents[2] / "golden" / "report" / "history.txt"
RUN = RunSummary(
    id="20260215-031200-9f3a",
    runbook="fix-502",
    mode=Mode.RUN,
    pattern="prod",
    operator="anna",
    started_at=1771125120.0,
    ended_at=1771125305.5,
    verdict=Verdict.RESOLVED,
    hosts=("web1", "web2", "web3", "web4"),
    causes=("backend_stopped", "wrong_import"),
)
OPEN = replace(
    RUN,
    id="20260216-090000-0001",
    mode=Mode.DIAGNOSE,
    started_at=1771232400.0,
    ended_at=None,
    verdict=None,
    hosts=("web1",),
    causes=(),
)


def table() -> str:
    """Return the table of a run under way and one that ended."""
    return history_text([OPEN, RUN], living={OPEN.id: True}, zone=UTC)


def test_table_has_a_line_for_each_run() -> None:
    """Id, start, runbook, hosts, verdict, causes and duration stand in columns."""
    assert table() + "\n" == GOLDEN.read_text(encoding="utf-8")


@pytest.mark.parametrize("width", range(20, 140, 7))
def test_the_table_fits_a_terminal(width: int) -> None:
    """No row is wider than the terminal, and each begins with the whole id and has the verdict."""
    long = replace(RUN, runbook="certificate-renewal" * 3, causes=("a_long_cause",) * 9)

    head, *rows = history_text([OPEN, long], living={}, zone=UTC, width=width).splitlines()

    assert head.startswith("RUN  ")
    for row, run in zip(rows, (OPEN, long), strict=True):
        assert len(row) <= max(width, len(f"{run.id}  under way"))
        assert row.startswith(run.id)
        assert state_of(run, None) in row


def test_a_terminal_of_80_columns_shows_hosts_and_causes() -> None:
    """The start goes first, since the id begins with it; then long columns are shortened."""
    lines = history_text([OPEN, RUN], living={}, zone=UTC, width=80).splitlines()

    assert lines[0].split() == ["RUN", "RUNBOOK", "HOSTS", "VERDICT", "CAUSES", "TOOK"]
    assert "fix-502" in lines[2]
    assert "web1, w" in lines[2]
    assert "backend" in lines[2]
    assert "3 min 6 s" in lines[2]


def test_a_wide_terminal_shows_the_whole_table() -> None:
    """Where there is room nothing is left out."""
    assert history_text([OPEN, RUN], living={OPEN.id: True}, zone=UTC, width=200) == table()


def test_an_empty_history_says_so() -> None:
    """Nothing to list is said in words, not as a table without lines."""
    assert history_text([], living={}) == "No runs."


@pytest.mark.parametrize(
    ("run", "alive", "state"),
    [
        (RUN, None, "resolved"),
        (OPEN, True, "under way"),
        (OPEN, None, "under way"),
        (OPEN, False, "died"),
        (replace(OPEN, interrupted="SIGTERM"), False, "interrupted"),
    ],
)
def test_state_tells_how_a_run_stands(run: RunSummary, alive: bool | None, state: str) -> None:
    """A run has its verdict, or was interrupted, or its process is gone, or it goes on."""
    assert state_of(run, alive) == state


def test_document_is_plain_data() -> None:
    """The same as JSON, for other programs."""
    document = history_document([OPEN, RUN], living={OPEN.id: False}, slices={})

    assert json.loads(json.dumps(document)) == document
    assert document[0]["state"] == "died"
    assert document[1] == {
        "run_id": "20260215-031200-9f3a",
        "runbook": "fix-502",
        "mode": "run",
        "target": "prod",
        "operator": "anna",
        "hosts": ["web1", "web2", "web3", "web4"],
        "state": "resolved",
        "verdict": "resolved",
        "causes": ["backend_stopped", "wrong_import"],
        "started_at": "2026-02-15T03:12:00.000+00:00",
        "duration_s": 185.5,
    }


def test_names_cannot_steer_the_terminal() -> None:
    """Host names and causes are drawn printable, each run on its one line."""
    odd = replace(RUN, hosts=("web1\x1b[2J\nweb9",), causes=("a\u202eb",))

    text = history_text([odd], living={}, zone=UTC)

    assert len(text.splitlines()) == 2
    assert "web1\\x1b[2J\\nweb9" in text
    assert "a\\u202eb" in text


def test_a_clock_set_back_gives_no_negative_duration() -> None:
    """A run that ended before it began took no time."""
    assert (
        history_document([replace(RUN, ended_at=1.0)], living={}, slices={})[0]["duration_s"] == 0.0
    )


@pytest.mark.parametrize(
    ("text", "seconds"),
    [
        ("90s", 1_000_000 - 90),
        ("30m", 1_000_000 - 1800),
        ("1.5 h", 1_000_000 - 5400),
        ("7d", 1_000_000 - 604_800),
        (" 1w ", 1_000_000 - 604_800),
        ("1970-01-02", 86_400),
        ("1970-01-01T03:00", 10_800),
        ("1970-01-01 03:00+02:00", 3600),
        ("1970-01-01T03:00:00Z", 10_800),
    ],
)
def test_times_are_ages_or_dates(text: str, seconds: float) -> None:
    """An age counts back from now; a date without a zone is in the given one."""
    assert moment(text, now=1_000_000.0, zone=UTC) == seconds


def test_a_date_is_in_the_zone_of_whoever_asks() -> None:
    """The same words mean another moment elsewhere; without a zone they are local time."""
    assert moment("1970-01-02", now=0.0, zone=timezone(timedelta(hours=2))) == 86_400 - 7200
    local = time.mktime((2026, 7, 1, 0, 0, 0, 0, 0, -1))
    assert moment("2026-07-01", now=0.0) == local


@pytest.mark.parametrize("text", ["", "yesterday", "7x", "2026-13-01", "-3h"])
def test_other_words_are_no_time(text: str) -> None:
    """What means nothing is refused with examples of what does."""
    with pytest.raises(RunbookError) as caught:
        moment(text, now=0.0, zone=timezone(timedelta(hours=14)))

    assert caught.value.problems[0].reference == "unknown-time"
    assert "7d" in str(caught.value.problems[0].hint)
