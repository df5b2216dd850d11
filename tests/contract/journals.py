"""Journals under test, and what their tests need: runs, holders dead and alive, other processes."""

import subprocess
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path

import pytest

from runbook.errors import RunbookError
from runbook.journal import Holder, RunSummary
from runbook.journal.holder import this_process
from runbook.model.definition import CheckResult, End, FixResult, Goto
from runbook.model.event import (
    Acted,
    CauseFound,
    Event,
    FixConcluded,
    FixEnded,
    FixIntended,
    HostFinished,
    HostJoined,
    Mode,
    RunStarted,
    StepConcluded,
)
from runbook.model.observation import Observation
from runbook.model.verdict import Verdict

REPOSITORY = Path(__file__).parents[2]

STARTED = RunStarted(
    runbook="fix-502", closure="c0ffee", pattern="web*", mode=Mode.RUN, operator="anna"
)
WALK: tuple[Event, ...] = (
    STARTED,
    HostJoined(host="web2", params={"port": 8000}),
    HostJoined(host="web1"),
    StepConcluded(
        host="web1",
        step="site",
        result="failed",
        next=Goto(step="restart"),
        cause="stopped",
        evidence=Observation(result=CheckResult.FAILED, facts={"status": 502}, seen_at=1.5),
    ),
    CauseFound(host="web1", step="restart", cause="crashed"),
    FixIntended(host="web1", step="restart", attempt=1, invocation="i1"),
    FixEnded(host="web1", step="restart", acted=Acted.CHANGED),
    FixConcluded(
        host="web1",
        step="restart",
        result=FixResult.RESOLVED,
        next=End(verdict=Verdict.RESOLVED, cause="overloaded"),
    ),
    HostFinished(host="web1", verdict=Verdict.RESOLVED, causes=("stopped", "overloaded", "old")),
)


def run(name: str, **changes: object) -> RunSummary:
    """Return a run to begin."""
    summary = RunSummary(
        id=name,
        runbook="fix-502",
        mode=Mode.RUN,
        pattern="web*",
        operator="anna",
        started_at=1000.0,
    )
    return replace(summary, **changes)  # type: ignore[arg-type]


def holder_of(pid: int) -> Holder:
    """Return the holder that a process of this machine is."""
    stat = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    return replace(this_process(), pid=pid, started=int(stat[19]))


def reference(action: Callable[[], object]) -> str:
    """Return the reference of the error an action raises."""
    with pytest.raises(RunbookError) as caught:
        action()
    return caught.value.problems[0].reference


@contextmanager
def living() -> Iterator[Holder]:
    """Give the holder of another process that lives meanwhile."""
    with subprocess.Popen(["sleep", "60"]) as process:
        try:
            yield holder_of(process.pid)
        finally:
            process.kill()


def dead() -> Holder:
    """Return the holder of a process that is gone."""
    with living() as holder:
        return holder


def child(*arguments: str | Path) -> "subprocess.Popen[str]":
    """Start `journal_child` with arguments; it is spoken to by lines."""
    return subprocess.Popen(
        [sys.executable, "-m", "tests.contract.journal_child", *map(str, arguments)],
        cwd=REPOSITORY,
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    )


def line_of(process: "subprocess.Popen[str]") -> str:
    """Wait for the next line a child says."""
    assert process.stdout is not None
    return process.stdout.readline().rstrip("\n")


def tell(process: "subprocess.Popen[str]") -> None:
    """Let a child go on."""
    assert process.stdin is not None
    process.stdin.write("\n")
    process.stdin.flush()
