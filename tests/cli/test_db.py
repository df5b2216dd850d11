"""`runbook db`, and what other commands say where the journal is in a database."""

from dataclasses import replace

import pytest

from runbook.journal.postgres import open_journal
from tests.acceptance.program import Program
from tests.contract.journals import WALK, run
from tests.postgres import Server


@pytest.fixture
def url(postgres_server: Server) -> str:
    """Give the URL of a database of nothing."""
    return postgres_server.empty()


def test_a_journal_in_a_file_needs_no_upgrade(program: Program) -> None:
    """Both commands say so, and make no file."""
    for command in ("status", "upgrade"):
        done = program("db", command)
        assert done.code == 0
        assert "journal.sqlite, which is upgraded by itself" in done.stdout
    assert program("db", "status", "--json").document == {
        "file": str(program.home / "journal.sqlite")
    }
    assert not program.home.exists()


def test_tables_are_made_and_then_worked_with(program: Program, url: str) -> None:
    """First every command names the remedy, with exit code 2; after it runs, queue and pause are there.

    Another machine, with a state folder of its own, finds the same.
    """
    program = replace(program, environment={**program.environment, "RUNBOOK_JOURNAL": url})

    elsewhere = replace(program, home=program.folder / "another")
    before = program("db", "status")
    refused = program("history")
    upgraded = program("db", "upgrade", "--json")
    journal = open_journal(url)
    journal.begin(run("aaa1"))
    journal.append("aaa1", WALK, at=1.0, who="anna")
    journal.close()

    assert (before.code, before.stdout) == (
        1,
        "The tables are not there yet; this version of runbook needs step 4: runbook db upgrade\n",
    )
    assert refused.code == 2
    assert "hint: runbook db upgrade" in refused.stderr
    assert upgraded.document["steps_before"] == 0
    assert upgraded.document["fit"] is True
    assert "aaa1" in program("history").stdout
    assert "web1" in program("report", "last").stdout
    assert program("pause", "--for", "1h", "--reason", "moving").code == 0
    assert "moving" in elsewhere("pause").stdout
    assert program("trigger", "loop", "--host", "localhost").code == 0
    assert "loop" in program("queue").stdout
    assert not (program.home / "service.sqlite").exists()
    assert program("settings", "--json").document["journal"]["value"] == url


def test_a_password_in_the_url_is_refused_and_not_shown(program: Program) -> None:
    """Not even the error has it."""
    for url in (
        "postgresql://runbook:hunter2@db.example/runbook",
        "postgresql://db.example/runbook?password=hunter2",
        "mysql://runbook:hunter2@db.example/runbook",
    ):
        done = replace(program, environment={**program.environment, "RUNBOOK_JOURNAL": url})(
            "settings"
        )
        assert done.code == 2
        assert "error: bad-setting" in done.stderr
        assert "hunter2" not in done.stdout + done.stderr


def test_a_server_that_is_not_there_ends_in_words(program: Program) -> None:
    """A command that only looks gives up in time, and says what cannot be reached."""
    away = "postgresql://127.0.0.1:1/runbook"
    done = replace(program, environment={**program.environment, "RUNBOOK_JOURNAL": away})(
        "db", "status"
    )

    assert done.code == 2
    assert "error: journal-unusable" in done.stderr
    assert "127.0.0.1" in done.stderr
    assert "Traceback" not in done.stderr
