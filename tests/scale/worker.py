"""A service as a process: `python -m tests.scale.worker URL FOLDER MANNER RUNS_AT_ONCE NAME`.

It is served as `runbook worker` is; each run is a fork. With a NAME it is on a machine of that name, so
that the others cannot see its processes, only what it shows in the database. MANNER is guarded, or
unguarded for a control; with scheduled (or `scheduled unguarded`) it keeps to `SCHEDULES` too.
"""

import socket
import sys
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import closing, contextmanager, nullcontext
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import Any
from unittest.mock import patch
from uuid import uuid4

from runbook.errors import RunbookError
from runbook.journal.postgres import open_journal
from runbook.schedule import jobs, shared_state
from runbook.schedule import service as service_module
from runbook.schedule.approvals import Approvals
from runbook.schedule.intake import Intake
from runbook.schedule.pause import Switch
from runbook.schedule.process import Going
from runbook.schedule.queue import Queue
from runbook.schedule.requests import Kept, Request, firing_request
from runbook.schedule.service import Service
from runbook.schedule.state import opened
from runbook.schedule.timetable import Every, Firing, Overlap, Schedule
from runbook.views.commands.serve import called, keep_to
from tests.scale.forks import Forker
from tests.scale.play import play
from tests.scale.sliced import play_sliced

GONE_S = 3.0
BEAT_S = 2.0
SCHEDULES = tuple(
    Schedule(
        name=f"every{number}",
        runbook="example",
        pattern=f"web{number}",
        rhythm=Every(seconds=BEAT_S),
        jitter_s=1.0,
        overlap=Overlap.QUEUE,
    )
    for number in range(8)
)
"""Eight hosts, each looked at every two seconds."""


def serve(url: str, folder: Path, forker: Forker, *, scheduled: bool, runs_at_once: int) -> None:
    """Serve the queue until told to stop, then see the runs out."""

    def command(kept: Kept, again: bool) -> Sequence[str]:
        return [kept.run, kept.request.pattern, "again" if again else ""]

    def begin(words: Sequence[str], environment: Mapping[str, str] | None) -> Going:
        return forker.begin(words)

    def log(what: str, details: Mapping[str, str]) -> None:
        with (folder / "log").open("a") as file:
            file.write(f"{time.time():.2f} {socket.gethostname()} {what} {dict(details)}\n")

    with opened(url) as state, closing(open_journal(url)) as journal:
        service = Service(
            schedules=SCHEDULES if scheduled else (),
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
        with called(service, url, log) as crew:
            keep_to(service, "scale", (), crew)


@contextmanager
def unguarded_queue() -> Iterator[None]:
    """Have the queue give out requests that aim at one host at once."""
    take = Queue.take

    def taken(self: Queue, number: int, **given: Any) -> bool:
        return take(self, number, **{**given, "apart": frozenset()})

    def named(request: Request) -> frozenset[str]:
        return frozenset()

    with (
        patch.object(Queue, "take", taken),
        patch.object(service_module, "named", named),
        patch.object(jobs, "named", named),
    ):
        yield


@contextmanager
def unguarded_firings() -> Iterator[None]:
    """Have each service put firings under a name of its own."""

    def asked(schedule: Schedule, firing: Firing) -> Request:
        return replace(firing_request(schedule, firing), key=uuid4().hex)

    with patch.object(service_module, "firing_request", asked):
        yield


def main() -> None:
    """Be a worker, one that is started again where it ended for want of the database."""
    url, folder, manner, runs_at_once, name = sys.argv[1:]
    if name:
        socket.sethostname(name)
    shared_state.GONE_S = GONE_S
    jobs.HEARTBEAT_S, jobs.STALLED_S = GONE_S / 3, 2 * GONE_S
    unguarded = {"unguarded": unguarded_queue, "scheduled unguarded": unguarded_firings}

    def be(words: Sequence[str]) -> int:
        run, host, again = words
        if manner == "sliced":
            return play_sliced(url, Path(folder), run, host, again=bool(again))
        return play(url, Path(folder), run, host, again=bool(again), guarded=manner != "unguarded")

    forker = Forker(be)
    serving = partial(serve, url, Path(folder), forker, scheduled=manner.startswith("scheduled"))
    while True:
        try:
            with unguarded.get(manner, nullcontext)():
                serving(runs_at_once=int(runs_at_once))
        except RunbookError as error:
            with (Path(folder) / "errors").open("a") as file:
                file.write(f"service: {error.problems[0].message}\n")
        else:
            return


if __name__ == "__main__":
    main()
