"""Many processes that aim at the same hosts: one works on them at a time, and the others know who."""

import os
import signal
import time
from collections.abc import Iterator
from contextlib import closing, contextmanager
from datetime import datetime
from multiprocessing.process import BaseProcess
from pathlib import Path

from runbook.journal import RunFilter
from runbook.journal.sqlite import open_journal
from runbook.model.event import RunInterrupted
from runbook.model.verdict import Verdict
from tests.acceptance.program import wait_until
from tests.crash.hosts import begun, lay_out, overlaps
from tests.crash.judging import judge, judge_record
from tests.crash.lives import KILLED, Build, Life, await_end, passed, spawn
from tests.crash.matrix import boundaries

FIXES = 3
"""How many there are to do on the hosts; a second run over them finds nothing to do."""


def contend(home: Path, contenders: int, **how: object) -> list[int]:
    """Have so many begin at once; return how each of them ended."""
    lay_out(Life(home=home).hosts)
    with closing(open_journal(Life(home=home).journal)):
        lives = [
            spawn(Life(home=home, contends=True, **how))  # type: ignore[arg-type]
            for _ in range(contenders)
        ]
        return [await_end(life) for life in lives]


def verdicts(home: Path) -> list[Verdict]:
    """Return the verdicts of all runs, in order."""
    with closing(open_journal(Life(home=home).journal)) as journal:
        return sorted(run.verdict for run in journal.runs(RunFilter(limit=None)) if run.verdict)


def test_of_fifty_at_once_one_runs_and_the_others_are_told_who(tmp_path: Path) -> None:
    """Every other one says which run holds the hosts, since when and by which process: exit code 2.

    They come all at once, to a journal that is not there yet. The one that runs is stopped with its
    intent written, until all others have come and left.
    """
    home = Life(home=tmp_path, contends=True, stops_at="FixIntended: written")
    lay_out(home.hosts)
    lives = {life.pid: life for life in (spawn(home) for _ in range(50))}
    wait_until(lambda: "FixIntended: written" in passed(tmp_path))
    with closing(open_journal(home.journal)) as journal:
        claim, *_ = journal.claims()
    pid = claim.holder.pid
    holder = lives.pop(pid)
    codes = [await_end(life) for life in lives.values()]
    said = home.said.read_text()
    os.kill(pid, signal.SIGCONT)

    assert codes == [2] * 49, said
    since = datetime.fromtimestamp(claim.since).astimezone().strftime("%Y-%m-%d %H:%M:%S")
    assert said.count("error: host-held") == said.count("error: ") == 49, said
    assert said.count(f"held by run {claim.run} (example) since {since}") == 49, said
    assert said.count(f"It is driven by process {pid} on") == 49, said
    assert await_end(holder) == 0
    assert not overlaps(home.hosts)
    assert len(begun(home.hosts)) == FIXES
    assert verdicts(tmp_path) == [Verdict.ABORTED] * 49 + [Verdict.RESOLVED]
    assert not judge_record(tmp_path)


def test_those_that_wait_run_one_after_the_other_and_look_anew(tmp_path: Path) -> None:
    """The first one repairs, and each that waited finds the hosts healthy; no two overlap."""
    codes = contend(tmp_path, 8, takes_s=0.3, wait_s=120.0)

    assert codes == [0] * 8
    assert not overlaps(Life(home=tmp_path).hosts)
    assert len(begun(Life(home=tmp_path).hosts)) == FIXES
    assert verdicts(tmp_path) == [Verdict.HEALTHY] * 7 + [Verdict.RESOLVED]
    assert not judge_record(tmp_path)


def test_an_overlap_would_be_seen(tmp_path: Path) -> None:
    """Where everybody is let in, the hosts tell of fixes that began while others were at work."""
    contend(tmp_path, 4, takes_s=1.0, build=Build.LETS_IN)

    assert overlaps(Life(home=tmp_path).hosts)
    assert len(begun(Life(home=tmp_path).hosts)) > FIXES


@contextmanager
def holding(home: Path, stage: str, *, dies: bool = False) -> Iterator[BaseProcess]:
    """Give a life that holds the hosts and is stopped, or killed, as it passes a stage."""
    lay_out(Life(home=home).hosts)
    dies_at = (
        boundaries(home.with_name("undisturbed" + home.name)).index(stage) + 1 if dies else None
    )
    stops_at = None if dies else stage
    holder = spawn(Life(home=home, takes_s=1.0, dies_at=dies_at, stops_at=stops_at))
    assert holder.pid is not None
    if dies:
        assert await_end(holder) == KILLED
    else:
        wait_until(lambda: stage in passed(home))
    yield holder
    await_end(holder, kill_after_s=0)


def test_a_holder_that_is_only_slow_keeps_its_hosts(tmp_path: Path) -> None:
    """Stopped in mid-fix for longer than its fix takes, it is not taken for dead; it ends its run."""
    with holding(tmp_path, "the fix at work") as holder:
        assert await_end(spawn(Life(home=tmp_path, contends=True))) == 2
        said = Life(home=tmp_path).said.read_text()
        assert f"which is stopped (`kill -CONT {holder.pid}` has it go on)" in said
        began = time.monotonic()
        assert await_end(spawn(Life(home=tmp_path, contends=True, wait_s=1.5))) == 2
        assert time.monotonic() - began > 1.5
        waits = spawn(Life(home=tmp_path, contends=True, wait_s=120.0))
        assert holder.pid is not None
        os.kill(holder.pid, signal.SIGCONT)

        assert await_end(holder) == 0
        assert await_end(waits) == 0

    assert not overlaps(Life(home=tmp_path).hosts)
    assert len(begun(Life(home=tmp_path).hosts)) == FIXES
    assert verdicts(tmp_path)[-2:] == [Verdict.HEALTHY, Verdict.RESOLVED]


def test_a_dead_holder_is_taken_over_unless_it_was_in_a_fix(tmp_path: Path) -> None:
    """Killed as it had its hosts it loses them; killed in a fix it keeps them until it is resumed."""
    looking, acting = tmp_path / "looking", tmp_path / "acting"
    with holding(looking, "HostJoined: written", dies=True):
        assert await_end(spawn(Life(home=looking, contends=True, wait_s=120.0))) == 0
    with holding(acting, "the fix at work", dies=True):
        assert await_end(spawn(Life(home=acting, contends=True, wait_s=120.0))) == 2

    with closing(open_journal(Life(home=looking).journal)) as journal:
        (dead,) = [run for run in journal.runs(RunFilter(limit=None)) if run.verdict is None]
        told = [entry.event for entry in journal.entries(dead.id)]
    assert told[-1] == RunInterrupted(reason="its process died")
    assert "died while a fix was under way" in Life(home=acting).said.read_text()
    assert await_end(spawn(Life(home=acting))) == 0
    assert not judge(acting)
