"""The picker: what is asked, what the answers come to, and how to leave."""

import os
from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path

import pytest

from runbook.journal import RunSummary
from runbook.journal.holder import this_process
from runbook.journal.opening import open_journal
from runbook.model.event import Event, Mode, RunInterrupted, RunStarted
from runbook.settings import Settings, load_settings
from runbook.views.picking import pick, somebody_is_there

NOW = 1_771_125_120.0


@dataclass
class Typist:
    """Types these lines, then ends the input; keeps the questions and what could be completed."""

    lines: list[str]
    asked: list[str] = field(default_factory=list)
    offered: list[list[str]] = field(default_factory=list)

    def __call__(self, question: str, words: Sequence[str]) -> str | None:
        """Type the next line."""
        self.asked.append(question)
        self.offered.append(list(words))
        return self.lines.pop(0) if self.lines else None


@pytest.fixture
def settings(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Settings:
    """Give settings with a library of two runbooks and an inventory of two hosts."""
    library = tmp_path / "library"
    library.mkdir()
    for name, symptom in (("fix-site", "502"), ("fix-disk", "no space left")):
        (library / f"{name}.yml").write_text(
            f"runbook: {name}\ntitle: About {name}\nsymptoms: ['{symptom}', slow]\nsteps: []\n"
        )
    (tmp_path / "hosts.ini").write_text("[prod]\nweb1\nweb2\n")
    for name in [name for name in os.environ if name.startswith("RUNBOOK_")]:
        monkeypatch.delenv(name)
    monkeypatch.setenv("RUNBOOK_HOME", str(tmp_path / "home"))
    monkeypatch.setenv("RUNBOOK_INVENTORY", str(tmp_path / "hosts.ini"))
    monkeypatch.chdir(tmp_path)
    return replace(load_settings(), library=(library,))


@pytest.mark.parametrize(
    ("lines", "picked"),
    [
        (["fix-site", "web1", ""], ["run", "fix-site", "--host", "web1"]),
        (["502", "prod", "d"], ["diagnose", "fix-site", "--host", "prod"]),
        (["space", "'prod:!web2'", "s"], ["run", "fix-disk", "--host", "prod:!web2", "--step"]),
        (["nonsense", "", "fix-site", "", "web1", "x", "r"], ["run", "fix-site", "--host", "web1"]),
        (["t", "prod"], ["triage", "--host", "prod"]),
        (["slow", "t", "prod"], ["triage", "--host", "prod", "slow"]),
        (["q"], None),
        (["fix-site", "q"], None),
        (["fix-site", "web1", "quit"], None),
        (["fix-site"], None),
    ],
)
def test_what_the_answers_come_to(
    settings: Settings, lines: list[str], picked: list[str] | None
) -> None:
    """A name, a symptom or a number picks a runbook; q and the end of input leave with nothing."""
    assert pick(settings, Typist(lines=lines), NOW) == picked


def test_numbers_are_those_of_the_list_as_it_is_shown(
    settings: Settings, capsys: pytest.CaptureFixture[str]
) -> None:
    """After a search the numbers are those of what was found; the command is shown."""
    everything = pick(settings, Typist(lines=["2", "web1", ""]), NOW)
    narrowed = pick(settings, Typist(lines=["slow", "1", "web1", ""]), NOW)

    assert everything == ["run", "fix-site", "--host", "web1"]
    assert narrowed == ["run", "fix-disk", "--host", "web1"]
    shown = capsys.readouterr().out
    assert "  runbook run fix-disk --host web1\n" in shown
    assert max(map(len, shown.splitlines())) <= 79


def test_hosts_and_groups_are_shown_and_completed(
    settings: Settings, capsys: pytest.CaptureFixture[str]
) -> None:
    """Those of the inventory, by name."""
    typist = Typist(lines=["fix-site", "web1", ""])

    pick(settings, typist, NOW)

    assert typist.offered[:2] == [["fix-disk", "fix-site"], ["prod", "web1", "web2"]]
    assert "Hosts and groups: prod, web1, web2" in capsys.readouterr().out


def test_without_an_inventory_one_is_asked_for(
    settings: Settings, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Its hosts are completed; Enter means this machine, by its name."""
    monkeypatch.delenv("RUNBOOK_INVENTORY")
    bare = replace(load_settings(), library=settings.library)
    path = str(tmp_path / "hosts.ini")
    typist = Typist(lines=["fix-site", path, "web2", ""])

    assert pick(bare, typist, NOW) == ["run", "fix-site", "--host", "web2", "-i", path]
    assert typist.offered[2] == ["prod", "web1", "web2"]
    assert pick(bare, Typist(lines=["fix-site", "", ""]), NOW) == [
        "run",
        "fix-site",
        "--host",
        "localhost",
    ]


def test_unfinished_runs_come_first(settings: Settings, capsys: pytest.CaptureFixture[str]) -> None:
    """A run that stopped is offered before anything new; Enter passes it by."""
    run = RunSummary(
        id="20260215-031000-9f3a",
        runbook="fix-site",
        mode=Mode.RUN,
        pattern="prod",
        operator="ann",
        started_at=NOW - 600,
        holder=replace(this_process(), started=1),  # Another one had this id once, and is gone.
    )
    journal = open_journal(settings.journal)
    journal.begin(run)
    events: list[Event] = [
        RunStarted(runbook="fix-site", closure="c", pattern="prod", mode=Mode.RUN),
        RunInterrupted(reason="ended by ann: lunch"),
    ]
    journal.append(run.id, events, at=NOW - 600, who="ann")
    journal.close()

    resumed = pick(settings, Typist(lines=["7", "1"]), NOW)
    passed_by = pick(settings, Typist(lines=["", "fix-site", "web1", ""]), NOW)

    assert resumed == ["resume", run.id]
    assert passed_by == ["run", "fix-site", "--host", "web1"]
    shown = capsys.readouterr().out
    assert f"  1  fix-site on prod, began 10 min ago, {run.id}: ended by ann" in shown


def test_an_empty_library_is_said_and_left(
    settings: Settings, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """There is nothing to pick, so nothing is asked."""
    typist = Typist(lines=["x"])

    assert pick(replace(settings, library=(tmp_path / "none",)), typist, NOW) is None
    assert typist.asked == []
    assert "There are no runbooks" in capsys.readouterr().out


def test_nobody_is_there_without_a_terminal_or_in_a_pipeline() -> None:
    """Tests have no terminal; a CI that has one has nobody at it."""
    assert not somebody_is_there({})
    assert not somebody_is_there({"CI": "true"})
