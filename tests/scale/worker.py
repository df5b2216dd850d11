"""A service as a process: `python -m tests.scale.worker URL FOLDER MANNER RUNS_AT_ONCE NAME`.

Each run is a fork of it. With a NAME it is on a machine of that name, so that the others cannot see
its processes, only what it shows in the database. MANNER is guarded, or unguarded for a control.
"""

import os
import signal
import socket
import sys
import time
from collections.abc import Mapping, Sequence
from contextlib import closing
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

from runbook.errors import RunbookError
from runbook.journal.postgres import open_journal
from runbook.schedule import service as service_module
from runbook.schedule import shared_state
from runbook.schedule.approvals import Approvals
from runbook.schedule.intake import Intake
from runbook.schedule.pause import Switch
from runbook.schedule.process import Going
from runbook.schedule.queue import Queue
from runbook.schedule.requests import Kept
from runbook.schedule.service import Service
from runbook.schedule.state import opened
from tests.scale.play import play

GONE_S = 3.0
_TURN_S = 0.05


@dataclass(kw_only=True)
class Forked:
    """A run in a fork of this process; one thread, so that a child is whole."""

    pid: int
    last_words: str = ""
    _code: int | None = None

    @property
    def code(self) -> int | None:
        """Its exit code; None while it runs."""
        if self._code is None:
            ended, status = os.waitpid(self.pid, os.WNOHANG)
            if ended:
                self._code = os.waitstatus_to_exitcode(status)
        return self._code

    def stop(self) -> None:
        """Ask it to end."""
        os.kill(self.pid, signal.SIGTERM)


def serve(url: str, folder: Path, *, guarded: bool, runs_at_once: int) -> None:
    """Serve the queue until told to stop, then see the runs out."""
    told: list[int] = []
    signal.signal(signal.SIGTERM, lambda number, _frame: told.append(number))

    def command(kept: Kept, again: bool) -> Sequence[str]:
        return [kept.run, kept.request.pattern, "again" if again else ""]

    def begin(words: Sequence[str], environment: Mapping[str, str] | None) -> Going:
        pid = os.fork()
        if pid == 0:
            code = 1
            try:
                signal.signal(signal.SIGTERM, signal.SIG_DFL)
                run, host, again = words
                code = play(url, folder, run, host, again=bool(again), guarded=guarded)
            finally:
                os._exit(code)
        return Forked(pid=pid)

    def log(what: str, details: Mapping[str, str]) -> None:
        with (folder / "log").open("a") as file:
            file.write(f"{time.time():.2f} {socket.gethostname()} {what} {dict(details)}\n")

    with opened(url) as state, closing(open_journal(url)) as journal:
        service = Service(
            schedules=(),
            queue=Queue(state),
            intake=Intake(state),
            approvals=Approvals(state),
            switch=Switch(state),
            journal=journal,
            command=command,
            log=log,
            runs_at_once=runs_at_once,
            begin=begin,
            lives=state.lives,
        )
        state.show(service.shown)
        while not told:
            service.turn(datetime.now(tz=UTC))
            time.sleep(_TURN_S)
        while service.busy:
            service.see_out(datetime.now(tz=UTC))
            time.sleep(_TURN_S)


def unguard() -> None:
    """Have the queue give out requests that aim at one host at once."""
    take = Queue.take

    def taken(self: Queue, number: int, **given: object) -> bool:
        return take(self, number, **{**given, "apart": frozenset()})  # type: ignore[arg-type]

    Queue.take = taken  # type: ignore[method-assign]
    service_module.named = lambda request: frozenset()  # type: ignore[attr-defined]


def main() -> None:
    """Be a worker, one that is started again where it ended for want of the database."""
    url, folder, guarded, runs_at_once, name = sys.argv[1:]
    if name:
        socket.sethostname(name)
    shared_state.GONE_S = GONE_S
    if guarded != "guarded":
        unguard()
    while True:
        try:
            serve(url, Path(folder), guarded=guarded == "guarded", runs_at_once=int(runs_at_once))
        except RunbookError as error:
            with (Path(folder) / "errors").open("a") as file:
                file.write(f"service: {error.problems[0].message}\n")
        else:
            return


if __name__ == "__main__":
    main()
