"""One run of the real driver on one host of a script, whose only state are files in a folder."""

import os
import time
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

from runbook.driver.launch import Setting, begin_run, drive, resume_run
from runbook.driver.observer import Silent
from runbook.driver.operator import ApprovingOperator
from runbook.errors import RunbookError
from runbook.executor import Deliver, FixRequest, Request
from runbook.executor.scripted import (
    ScriptedExecutor,
    ScriptedFix,
    ScriptedHost,
    ScriptedInvocation,
)
from runbook.journal import Conflict, Journal
from runbook.journal.postgres import PostgresJournal
from runbook.model.definition import FixResult
from runbook.model.event import Mode, RunStarted
from runbook.model.masking import mask_value
from runbook.model.observation import Verification
from tests.engine_harness import book, check, fix, seen

FIX_S = 0.4
CLOSURE = "the closure"
BOOK = book(
    check("up", failed="restart", max_visits=9),
    fix("restart", symptom="up", cause="stopped", cause_removed="up", no_effect="up", max_visits=9),
)


class Unguarded(PostgresJournal):
    """A journal that lets everybody have every host: what the others are compared with."""

    def claim(self, run: str, hosts: Iterable[str], *, at: float) -> Conflict | None:
        """Say that nobody holds the hosts."""
        return None


@dataclass(kw_only=True)
class Files(ScriptedExecutor):
    """Plays hosts whose state is in `folder`, and notes there when a fix begins and ends.

    `HOST.begun` has a line for each fix begun, `overlaps` one for each that met another on its host.
    """

    folder: Path
    run: str

    def start(self, request: Request, deliver: Deliver) -> ScriptedInvocation:
        """Do a fix while the caller waits; answer as the files say."""
        if isinstance(request, FixRequest):
            for host in request.hosts:
                self._mend(host)
        self.hosts = {host: self._script(host) for host in self.hosts}
        return super().start(request, deliver)

    def _mend(self, host: str) -> None:
        at_work = self.folder / f"{host}.at-work"
        try:
            other = int(at_work.read_text() or "0")
        except FileNotFoundError:
            other = 0
        if other and Path(f"/proc/{other}").exists():
            _add(self.folder / "overlaps", f"{host} {self.run}")
        at_work.write_text(str(os.getpid()))
        _add(self.folder / f"{host}.begun", self.run)
        time.sleep(FIX_S)
        (self.folder / f"{host}.{self.run}.done").touch()
        at_work.unlink(missing_ok=True)

    def _script(self, host: str) -> ScriptedHost:
        done = (self.folder / f"{host}.{self.run}.done").exists()
        result = FixResult.RESOLVED if done else FixResult.NO_EFFECT
        look = seen(
            "passed" if done else "failed", reason=None if done else "it is down", at=time.time()
        )
        return ScriptedHost(
            looks={"up": [look]},
            fixes={"restart": [ScriptedFix(verification=Verification(result=result))]},
        )


def play(url: str, folder: Path, run: str, host: str, *, again: bool, guarded: bool) -> int:
    """Drive a run, or go on with it; return the exit code."""
    journal: Journal = (
        PostgresJournal(url, mask_value, 30.0) if guarded else Unguarded(url, mask_value, 30.0)
    )
    setting = Setting(
        runbook=BOOK,
        executor=Files(hosts={host: ScriptedHost()}, folder=folder, run=run),
        journal=journal,
        operator=ApprovingOperator(name="policy"),
        observer=Silent(),
        closure=lambda: CLOSURE,
        gather_s=0.0,
    )
    try:
        if again:
            driver = resume_run(journal.find(run), setting)
        else:
            started = RunStarted(
                runbook=BOOK.name, closure=CLOSURE, pattern=host, mode=Mode.RUN, operator="policy"
            )
            driver = begin_run(run, setting, started)
        drive(driver, host)
    except RunbookError as error:
        _add(folder / "errors", f"{run} {error.problems[0].reference}: {error.problems[0].message}")
        return 2
    finally:
        journal.close()
    return 0


def _add(path: Path, line: str) -> None:
    with path.open("a") as file:
        file.write(line + "\n")
