"""Pressing Tab, in a real shell and as the other shells ask."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

from runbook.journal import RunSummary
from runbook.journal.opening import open_journal
from runbook.model.event import HostJoined, Mode, RunStarted
from runbook.settings import load_settings
from tests.acceptance.program import Program

BIN = Path(sys.executable).parent


def tab(program: Program, *words: str) -> list[str]:
    """Return what bash offers for the last of the words."""
    line = " ".join(f"'{word}'" for word in words)
    script = (
        'eval "$(runbook completion bash)"\n'
        f"COMP_WORDS=({line}) COMP_CWORD={len(words) - 1}\n"
        '_runbook_completion runbook\nprintf "%s\\n" "${COMPREPLY[@]}"\n'
    )
    done = subprocess.run(
        ["bash", "--norc", "-c", script],
        cwd=program.folder,
        env={
            **os.environ,
            **program.environment,
            "RUNBOOK_HOME": str(program.home),
            "PATH": f"{BIN}:{os.environ['PATH']}",
        },
        capture_output=True,
        text=True,
        check=True,
    )
    assert done.stderr == ""
    return done.stdout.split()


@pytest.fixture
def with_runs(program: Program) -> Program:
    """Give the program with a journal of two runs."""
    settings = load_settings(environ={"RUNBOOK_HOME": str(program.home)}, cwd=program.folder)
    journal = open_journal(settings.journal)
    for number, host in enumerate(("web1", "db1")):
        run = f"2026013{number}-abcd"
        journal.begin(
            RunSummary(
                id=run,
                runbook="loop",
                mode=Mode.RUN,
                pattern=host,
                operator="someone",
                started_at=1769900000.0 + number,
            )
        )
        started = RunStarted(runbook="loop", closure="0", pattern=host, mode=Mode.RUN)
        journal.append(run, [started, HostJoined(host=host)], at=1769900001.0, who="engine")
    journal.close()
    return program


def test_names_of_everything_are_completed(with_runs: Program) -> None:
    """Commands, options, runbooks, hosts of inventories and of the past, and runs."""
    (with_runs.folder / "inventory").write_text("[prod]\nweb[1:2]\n")
    (with_runs.folder / "other").write_text("cache1\n")

    assert tab(with_runs, "runbook", "re") == ["resume", "report", "rehearse"]
    assert tab(with_runs, "runbook", "show", "lo") == ["loop"]
    assert tab(with_runs, "runbook", "show", "loop", "--js") == ["--json"]
    assert tab(with_runs, "runbook", "run", "loop", "--host", "") == ["db1", "prod", "web1", "web2"]
    assert tab(with_runs, "runbook", "run", "loop", "--host", "db1,we") == ["db1,web1", "db1,web2"]
    assert "cache1" in tab(with_runs, "runbook", "run", "x", "-i", "other", "--host", "")
    assert tab(with_runs, "runbook", "report", "") == ["last", "20260131-abcd", "20260130-abcd"]
    assert tab(with_runs, "runbook", "report", "20260130") == ["20260130-abcd"]
    assert tab(with_runs, "runbook", "history", "--host", "w") == ["web1", "web2"]


def test_where_nothing_is_nothing_is_offered(program: Program) -> None:
    """No journal, no inventory: no offer, no error, and nothing is left behind."""
    assert tab(program, "runbook", "report", "") == []
    assert tab(program, "runbook", "run", "loop", "--host", "web") == []
    assert not program.home.exists()


def test_what_is_wrong_elsewhere_does_not_disturb(program: Program) -> None:
    """A broken settings file or journal offers nothing, without a word."""
    program.home.mkdir()
    (program.home / "journal.sqlite").write_text("not a journal at all, not by far")
    assert tab(program, "runbook", "report", "") == []
    (program.folder / "runbook.toml").write_text("nonsense")
    assert tab(program, "runbook", "show", "") == []
    assert tab(program, "runbook", "run", "loop", "--host", "") == []


@pytest.mark.parametrize("shell", ["bash", "zsh", "fish"])
def test_each_shell_has_its_script(shell: str, program: Program) -> None:
    """The script binds the program's name to a call of the program in that shell's manner."""
    done = program("completion", shell)

    assert done.code == 0
    assert f"_RUNBOOK_COMPLETE={shell}_complete" in done.stdout
    assert "_runbook_completion" in done.stdout
