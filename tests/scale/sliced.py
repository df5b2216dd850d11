"""A run over many hosts, cut into slices that workers share; hosts are names, and a fix a process of its own.

A fix outlives the driver that began it, as Ansible does: `HOST.begun` has a line for each that began,
`HOST.at-work` its process, `HOST.done` is there once it has come to its end.
"""

import os
import subprocess
import time
from collections.abc import Iterable
from contextlib import closing, suppress
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

from runbook.driver.launch import Setting, begin_run, drive, resume_run
from runbook.driver.observer import Silent
from runbook.driver.operator import ApprovingOperator
from runbook.driver.stopping import SlicedRunError
from runbook.driver.whole import slice_of
from runbook.errors import RunbookError
from runbook.executor import Deliver, FixRequest, Request
from runbook.executor.scripted import (
    ScriptedExecutor,
    ScriptedFix,
    ScriptedHost,
    ScriptedInvocation,
)
from runbook.journal import Entry, Journal
from runbook.journal.postgres import open_journal
from runbook.model.definition import FixResult
from runbook.model.event import FixConcluded, FixIntended, Mode, RunStarted, WaveLookEnded
from runbook.model.observation import Verification
from runbook.model.policy import Ramp
from runbook.schedule.queue import Queue
from runbook.schedule.state import opened
from tests.engine_harness import book, check, fix, seen

HOSTS = 100
SLICE_HOSTS = 10
FIX_S = 2.0
_CLOSURE = "the closure"
_BOOK = book(
    check("up", failed="restart", max_visits=9),
    fix("restart", symptom="up", cause="stopped", cause_removed="up", max_visits=9),
)


@dataclass(kw_only=True)
class Names(ScriptedExecutor):
    """Plays hosts whose state is in `folder`; fixes go on whatever becomes of this process."""

    folder: Path
    run: str

    def start(self, request: Request, deliver: Deliver) -> ScriptedInvocation:
        """Do a fix while the caller waits; answer as the files say."""
        if isinstance(request, FixRequest):
            at_work = [self._mend(host) for host in request.hosts]
            for process in at_work:
                process.wait()
        self.hosts = {host: self._script(host) for host in self.hosts}
        return super().start(request, deliver)

    def orphan(self, invocation: str) -> bool:
        """Say whether a fix is still at work anywhere."""
        return any(map(_is_at_work, self.folder.glob("*.at-work")))

    def _mend(self, host: str) -> "subprocess.Popen[bytes]":
        with (self.folder / f"{host}.begun").open("a") as file:
            file.write(f"{self.run}\n")
        process = subprocess.Popen(
            ["sh", "-c", f"sleep {FIX_S}; touch '{self.folder}/{host}.done'"],
            start_new_session=True,
        )
        (self.folder / f"{host}.at-work").write_text(str(process.pid))
        return process

    def _script(self, host: str) -> ScriptedHost:
        done = (self.folder / f"{host}.done").exists()
        result = FixResult.RESOLVED if done else FixResult.NO_EFFECT
        look = seen(
            "passed" if done else "failed", reason=None if done else "it is down", at=time.time()
        )
        return ScriptedHost(
            looks={"up": [look]},
            fixes={"restart": [ScriptedFix(verification=Verification(result=result))]},
        )


def _is_at_work(path: Path) -> bool:
    with suppress(OSError, ValueError):
        os.kill(int(path.read_text()), 0)
        state = Path(f"/proc/{path.read_text()}/stat").read_text().rpartition(")")[2].split()[0]
        return state != "Z"
    return False


def play_sliced(url: str, folder: Path, run: str, pattern: str, *, again: bool) -> int:
    """Drive a run of the names, a slice of one, or go on with it; return the exit code."""
    with closing(open_journal(url)) as journal:
        setting = Setting(
            runbook=_BOOK,
            executor=Names(
                hosts={f"web{number}": ScriptedHost() for number in range(HOSTS)},
                folder=folder,
                run=run,
            ),
            journal=journal,
            operator=ApprovingOperator(name="policy"),
            observer=Silent(),
            closure=lambda: _CLOSURE,
            gather_s=0.0,
            ramp=Ramp(),
            at_most=SLICE_HOSTS,
        )
        try:
            if again:
                driver = resume_run(journal.find(run), setting)
            else:
                started = RunStarted(
                    runbook=_BOOK.name,
                    closure=_CLOSURE,
                    pattern=pattern,
                    mode=Mode.RUN,
                    operator="policy",
                )
                driver = begin_run(run, setting, started, slice_of(run, journal))
            drive(driver, pattern)
        except SlicedRunError as cut:
            with opened(url) as state:
                Queue(state).slice(run, cut.slices, datetime.now(tz=UTC))
        except RunbookError as error:
            with (folder / "errors").open("a") as file:
                problem = error.problems[0]
                file.write(f"{run} {problem.reference}: {problem.message}\n")
            return 2
    return 0


def waves_of(journal: Journal, whole: str) -> list[int]:
    """Return how many hosts the waves had that all slices made together, by the clock."""
    entries = [entry for run in journal.slices(whole) for entry in journal.entries(run)]
    return _waves(sorted(entries, key=lambda entry: entry.at))


def _waves(entries: Iterable[Entry]) -> list[int]:
    waves = [0]
    begun: set[str] = set()
    under_way: set[str] = set()
    for entry in entries:
        match entry.event:
            case FixIntended(host=host):
                begun.add(host)
                under_way.add(host)
                waves[-1] += 1
            case FixConcluded(host=host):
                under_way.discard(host)
            case WaveLookEnded(begun=seen):
                if under_way or seen != len(begun):
                    return [-1]  # It began before the wave was over.
                waves.append(0)
            case _:
                pass
    return waves
