"""Runs forked from a process that stands by."""

import os
import signal
import sys
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import pytest

from runbook.schedule.process import Going
from runbook.schedule.standby import Standby
from tests.acceptance.program import wait_until

SCHEDULES = """
service: here
schedules: [{schedule: never, runbook: disk-full, host: web, every: 1h, paused: true}]
"""
PROGRAM = (sys.executable, "-m", "runbook")


@pytest.fixture
def standby(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Standby]:
    """Give one that has no starter to lend."""
    monkeypatch.setenv("RUNBOOK_HOME", str(tmp_path / "home"))
    program = [sys.executable, "-m", "runbook.views.forks", str(tmp_path / "none"), ""]
    with closing(Standby(program, PROGRAM)) as standing:
        yield standing


def came_to(going: Going) -> tuple[int | None, str]:
    """Wait for a run's end; return its exit code and its last words."""
    wait_until(lambda: going.code is not None)
    return going.code, going.last_words


def test_a_run_is_what_the_program_is(standby: Standby, tmp_path: Path) -> None:
    """Exit codes and words are the program's own; one that is told to stop ends as it would."""
    (tmp_path / "schedules.yml").write_text(SCHEDULES)
    serving = standby.begin((*PROGRAM, "serve", str(tmp_path / "schedules.yml")), None)
    fine = standby.begin((*PROGRAM, "schema"), None)
    wrong = standby.begin((*PROGRAM, "hsitory"), None)

    assert came_to(fine) == (0, "")
    code, said = came_to(wrong)
    assert code == 2
    assert 'Did you mean "history"?' in said
    assert serving.code is None
    wait_until((tmp_path / "home" / "service.sqlite").exists)
    serving.stop()
    assert came_to(serving)[0] in {0, -signal.SIGTERM}


def test_runs_do_without_it(standby: Standby) -> None:
    """Where it is gone, or the run's environment is another one, a run is started like any program."""
    other = standby.begin((*PROGRAM, "--version"), {**os.environ, "LC_ALL": "C"})
    assert came_to(other)[0] == 0

    os.kill(standby.pid, signal.SIGKILL)
    wait_until(lambda: not standby.is_there())
    assert came_to(standby.begin((*PROGRAM, "nonsense"), None))[0] == 2


def test_one_that_does_not_end_holds_nobody_up(monkeypatch: pytest.MonkeyPatch) -> None:
    """It should end with its input; where it does not, it is killed."""
    monkeypatch.setattr("runbook.schedule.standby._CLOSING_S", 0.1)
    standing = Standby([sys.executable, "-c", "import time; time.sleep(600)"], PROGRAM)

    standing.close()

    assert not standing.is_there()
