"""`history` and `report` on a journal with runs in it."""

import json
from collections.abc import Sequence

import pytest

from runbook.journal import RunSummary
from runbook.journal.opening import open_journal
from runbook.model.definition import End
from runbook.model.event import (
    Event,
    HostFinished,
    HostJoined,
    Mode,
    RunFinished,
    RunInterrupted,
    RunStarted,
    StepConcluded,
)
from runbook.model.verdict import Verdict
from runbook.settings import load_settings
from tests.acceptance.program import Program
from tests.unit.views.terminals import at_terminal

BEGAN = 1769900000.0  # 2026-01-31 22:53:20 UTC


def record(program: Program, run: str, host: str, at: float, last: Sequence[Event]) -> None:
    """Write a run of one host into the program's journal."""
    settings = load_settings(environ={"RUNBOOK_HOME": str(program.home)}, cwd=program.folder)
    journal = open_journal(settings.journal)
    runbook = "loop" if host == "web1" else "other"
    journal.begin(
        RunSummary(
            id=run,
            runbook=runbook,
            mode=Mode.RUN,
            pattern=host,
            operator="someone",
            started_at=at,
        )
    )
    started = RunStarted(
        runbook=runbook,
        closure="0",
        pattern=host,
        mode=Mode.RUN,
        title="A title of then",
        operator="someone",
    )
    journal.append(run, [started, HostJoined(host=host)], at=at, who="engine")
    journal.append(run, last, at=at + 2, who="engine")
    journal.close()


@pytest.fixture
def past(program: Program) -> Program:
    """Give the program with three runs: healthy, escalated, interrupted."""
    record(
        program,
        "aaa1",
        "web1",
        BEGAN,
        [HostFinished(host="web1", verdict=Verdict.HEALTHY), RunFinished(verdict=Verdict.HEALTHY)],
    )
    record(
        program,
        "aaa2",
        "web2",
        BEGAN + 86400,
        [
            StepConcluded(
                host="web2", step="site", result="failed", next=End(verdict=Verdict.ESCALATED)
            ),
            HostFinished(
                host="web2",
                verdict=Verdict.ESCALATED,
                reason="nobody knows",
                causes=("stopped",),
            ),
            RunFinished(verdict=Verdict.ESCALATED),
        ],
    )
    record(program, "bbb3", "web1", BEGAN + 2 * 86400, [RunInterrupted(reason="SIGINT")])
    return program


def listed(program: Program, *arguments: str) -> list[str]:
    """Return the ids of the runs that history lists."""
    done = program("history", "--json", *arguments)
    assert done.code == 0, done.stderr
    return [run["run_id"] for run in done.document["runs"]]


def test_history_is_newest_first_and_chooses(past: Program) -> None:
    """Each filter keeps the runs it names; together they all hold."""
    assert listed(past) == ["bbb3", "aaa2", "aaa1"]
    assert listed(past, "--limit", "1") == ["bbb3"]
    assert listed(past, "--limit", "0") == ["bbb3", "aaa2", "aaa1"]
    assert listed(past, "--host", "web1") == ["bbb3", "aaa1"]
    assert listed(past, "--runbook", "other") == ["aaa2"]
    assert listed(past, "--verdict", "healthy") == ["aaa1"]
    assert listed(past, "--since", "2026-02-02T00:00+00:00") == ["bbb3"]
    assert listed(past, "--since", "100000h", "--host", "web2") == ["aaa2"]
    assert listed(past, "--until", "2026-02-02T00:00+00:00", "--who", "someone") == ["aaa2", "aaa1"]
    assert listed(past, "--who", "nobody") == []
    assert listed(past, "--cause", "stopped") == ["aaa2"]
    assert listed(past, "--host", "web9") == []
    assert listed(past, "--runbook", "elsewhere") == []
    unknown = past("history", "--runbook", "lop")
    assert unknown.code == 2
    assert 'Did you mean "loop"?' in unknown.stderr


def test_history_as_a_table(past: Program) -> None:
    """A line for each run, with how it stands."""
    lines = past("history").stdout.splitlines()

    assert [line.split()[0] for line in lines] == ["RUN", "bbb3", "aaa2", "aaa1"]
    assert "interrupted" in lines[1]
    assert "escalated" in lines[2]


def test_the_table_fits_the_terminal(past: Program) -> None:
    """Columns are left out where the terminal is narrow; a pipe takes the whole table."""
    with at_terminal("runbook", "history", columns=50, RUNBOOK_HOME=str(past.home)) as terminal:
        terminal.expect("RUN .*VERDICT.*aaa1 .*healthy")

    assert "STARTED" not in str(terminal.after)
    assert "STARTED" in past("history").stdout


def test_a_run_is_found_by_its_beginning_or_as_the_last(past: Program) -> None:
    """An id, the beginning of only one, or `last` name a run; anything else is told."""
    assert past("report", "last", "--json").document["run_id"] == "bbb3"
    assert past("report", "b", "--json").document["run_id"] == "bbb3"
    assert past("report", "aaa2", "--json").document["run_id"] == "aaa2"
    several = past("report", "aaa")
    assert several.code == 2
    assert "aaa1, aaa2" in several.stderr


def test_a_report_has_four_forms(past: Program) -> None:
    """Text, Markdown and page tell the same; JSON is the document that `run --json` writes."""
    text = past("report", "aaa2").stdout
    markdown = past("report", "aaa2", "--format", "markdown").stdout
    page = past("report", "aaa2", "--format", "html").stdout
    document = past("report", "aaa2", "--format", "json").stdout

    assert "A title of then" in text
    assert "nobody knows" in text
    assert markdown.startswith("# Run ")
    assert "nobody knows" in markdown
    assert page.startswith("<!DOCTYPE html>\n")
    assert "nobody knows" in page
    assert json.loads(document)["hosts"]["web2"]["verdict"] == "escalated"
    assert past("report", "aaa2", "--json").stdout == document


def test_a_run_is_drawn_with_the_ways_it_took(past: Program) -> None:
    """`graph --run` needs no runbook; a host or runbook that the run is not of is told."""
    drawn = past("graph", "--run", "aaa2")
    assert drawn.stdout == "check site\n└─ ● failed → end(escalated)\n"
    assert past("graph", "other", "--run", "aaa2", "--host", "web2").stdout == drawn.stdout
    for form in ("mermaid", "dot", "svg"):
        assert "escalated" in past("graph", "--run", "aaa2", "--format", form).stdout
    for call, words in (
        ("loop --run aaa2", 'run aaa2 is one of other, not of "loop"'),
        ("--run aaa2 --host web3", 'Did you mean "web2"?'),
        ("--run aaa1", "run aaa1 came to no step"),
        ("--run aaa9", 'Did you mean "aaa'),
    ):
        refused = past("graph", *call.split())
        assert refused.code == 2
        assert words in refused.stderr


def test_history_is_plotted(past: Program) -> None:
    """A bar for each day or week, of the runs that the filters leave, in each form."""
    weeks = past("history", "--plot", "week", "--json", "--host", "web1").document["periods"]
    assert [week["runs"] for week in weeks] == [1, 1]
    assert len(past("history", "--plot", "day").stdout.splitlines()) == 6
    assert past("history", "--plot", "day", "--svg").stdout.startswith("<svg ")
    refused = past("history", "--svg")
    assert refused.code == 2
    assert "--plot" in refused.stderr


def test_stats_tell_of_what_ran_whatever_became_of_its_file(past: Program) -> None:
    """A runbook whose file is gone has figures of its runs; one that never was is told."""
    told = past("stats", "other", "--json").document
    assert (told["runs"], told["hosts_walked"], told["verdicts"]) == (1, 1, {"escalated": 1})
    assert told["causes"][0]["id"] == "stopped"
    assert past("stats", "other", "--since", "2030-01-01", "--json").document["runs"] == 0
    assert "STOPPED" not in past("stats", "other").stdout
    assert "escalated" in past("stats", "other").stdout
    assert "1 healthy" in past("stats", "loop").stdout
    for call, words in (("lop", 'Did you mean "loop"?'), ("loop --within soon", "length of time")):
        refused = past("stats", *call.split())
        assert refused.code == 2
        assert words in refused.stderr


def test_a_journal_that_cannot_be_read_is_told(program: Program) -> None:
    """What is not a journal is an error with a hint, exit code 2."""
    program.home.mkdir()
    (program.home / "journal.sqlite").write_text("not a journal at all, not by far")

    for call in ("history", "report last"):
        done = program(*call.split())
        assert done.code == 2
        assert "error: journal-unusable" in done.stderr
        assert "hint: " in done.stderr
