"""Ctrl-C, SIGTERM and kill -9 at any moment: the journal holds, and the run can be gone on with."""

import random
import signal
import time
from contextlib import closing
from pathlib import Path

import pytest

from runbook.journal import RunFilter
from runbook.journal.sqlite import open_journal
from runbook.model.event import FixApproved
from tests.acceptance.program import PATIENCE_S, Finished, Program

RUN = ("run", "counted-fix", "-i", "inventory.yml", "--host", "alive", "--yes", "--json")

MOMENTS = [
    (1, signal.SIGTERM, 1),
    (2, signal.SIGINT, 1),
    (3, signal.SIGTERM, 2),
    (4, signal.SIGINT, 2),
    (5, signal.SIGKILL, 1),
    (6, signal.SIGTERM, 1),
    (6, signal.SIGKILL, 1),
    (7, signal.SIGINT, 2),
    (7, signal.SIGTERM, 1),
    (8, signal.SIGINT, 1),
]
"""After how many lines of news which signal comes, and how often."""


@pytest.mark.parametrize(("lines", "number", "times"), MOMENTS)
def test_a_signal_at_any_moment_loses_nothing(
    program: Program, tmp_path: Path, lines: int, number: signal.Signals, times: int
) -> None:
    """The chain is whole, resuming ends the run, and no fix begins twice on one approval."""
    seed = lines * 100 + number
    print(f"seed {seed}")
    moments = random.Random(seed)
    with program.started(*RUN, "--set", "takes=1") as running:
        assert running.stderr is not None
        for _ in range(lines):
            running.stderr.readline()
        for _ in range(times):
            time.sleep(moments.uniform(0, 0.3))
            running.send_signal(number)
        said, told = running.communicate(timeout=PATIENCE_S)

    done = Finished(code=running.returncode, stdout=said, stderr=told)
    assert "Traceback" not in told
    assert done.code in (0, 130, -number), told
    if done.code in (0, 130):
        assert done.document
    _hold_and_resume(program, tmp_path)


def _hold_and_resume(program: Program, tmp_path: Path) -> None:
    """Hold what is written to its promises, before and after going on."""
    with closing(open_journal(program.home / "journal.sqlite")) as journal:
        runs = journal.runs(RunFilter())
        for run in runs:
            journal.verify(run.id)
    if runs and runs[0].verdict is None:
        resumed = program("resume", "last", "--yes", "--json")
        assert resumed.code == 0, resumed.stderr
        assert resumed.document["hosts"]["alive"]["verdict"] in ("resolved", "self_recovered")
        assert (tmp_path / "alive.flag").exists()
    with closing(open_journal(program.home / "journal.sqlite")) as journal:
        events = [entry.event for run in runs for entry in journal.entries(run.id)]
        for run in runs:
            journal.verify(run.id)
    approvals = sum(isinstance(event, FixApproved) for event in events)
    counter = tmp_path / "alive.counter"
    begun = len(counter.read_text()) if counter.exists() else 0
    assert begun <= approvals
