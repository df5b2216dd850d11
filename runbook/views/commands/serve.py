"""`runbook serve`: runs that start by themselves."""

import json
import os
import signal
import sys
import threading
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import closing, contextmanager
from datetime import UTC, datetime
from functools import partial
from pathlib import Path
from types import FrameType
from typing import TYPE_CHECKING

import click

from runbook.errors import RunbookError
from runbook.views import options
from runbook.views.configured import settings_for, state_place
from runbook.views.notifying import notified, undelivered_in
from runbook.views.output import tell
from runbook.views.safe_text import printable
from runbook.views.tracing import check_traces

if TYPE_CHECKING:
    from runbook.schedule.intake import Intake
    from runbook.schedule.jobs import Crew
    from runbook.schedule.pages import Pages
    from runbook.schedule.reading import Timetable
    from runbook.schedule.requests import Kept
    from runbook.schedule.service import Service
    from runbook.schedule.standby import Standby
    from runbook.settings import Settings

_LONGEST_SLEEP_S = 1.0

PROGRAM = (sys.executable, "-m", "runbook")

Log = Callable[[str, Mapping[str, str]], None]


@click.command("serve")
@click.argument("path", metavar="[FILE]", type=click.Path(path_type=Path), required=False)
@click.option(
    "--demo",
    is_flag=True,
    help="Instead of a FILE: bring up the sandbox site, and heal it whenever somebody breaks it.",
)
@click.option(
    "--dry-run",
    is_flag=True,
    help="Do everything but act: runs only diagnose, and the log says what would have been done.",
)
@options.output
def serve_command(path: Path | None, demo: bool, dry_run: bool, output: options.Output) -> None:
    r"""Start runs by themselves, until stopped.

    FILE lists schedules and what may be told from outside; `runbook trigger` asks for runs as well. Each is a `runbook run` of its
    own, which nobody watches: what the policy (setting `policy`) does not call auto is declined,
    and without a policy everything destructive is. Ctrl-C lets runs under way end; a second one
    stops them, and the next service goes on with them, as it does with those of a service that
    died. The log goes to standard error, with --json as one JSON document a line.

    \b
    Examples:
      runbook serve schedules.yml
      runbook serve schedules.yml --dry-run
      runbook serve --demo
    """
    from runbook.journal.opening import open_journal  # noqa: PLC0415 -- which --help needs not
    from runbook.schedule.approvals import Approvals  # noqa: PLC0415
    from runbook.schedule.intake import Intake  # noqa: PLC0415
    from runbook.schedule.pages import Pages  # noqa: PLC0415
    from runbook.schedule.pause import Switch  # noqa: PLC0415
    from runbook.schedule.queue import Queue  # noqa: PLC0415
    from runbook.schedule.reading import load_timetable  # noqa: PLC0415
    from runbook.schedule.service import Service  # noqa: PLC0415
    from runbook.schedule.state import opened  # noqa: PLC0415
    from runbook.views.dry_run import FILE as DRY_RUN_FILE  # noqa: PLC0415
    from runbook.views.dry_run import DryRunLog  # noqa: PLC0415

    if (path is None) is not demo:
        raise click.UsageError("Name a FILE, or --demo instead of one.")
    if path is None:
        from runbook.views.serving_demo import prepared  # noqa: PLC0415 -- an extra

        path = prepared(silent=output.json)
    settings = settings_for()
    timetable = load_timetable(path)
    _check(timetable, settings)
    check_traces(os.environ)
    log: Log = ServiceLog(json=output.json)
    place = settings.home / DRY_RUN_FILE if dry_run else state_place(settings)
    with (
        opened(place) as state,
        closing(open_journal(settings.journal)) as journal,
        standing_by(settings.ansible_config) as standby,
    ):
        if dry_run:
            log = DryRunLog(log=log, settings=settings, journal=journal, queue=Queue(state))
        intake = Intake(state)
        service = Service(
            schedules=timetable.schedules,
            queue=Queue(state),
            intake=intake,
            approvals=Approvals(state),
            switch=Switch(state),
            journal=journal,
            command=partial(command_of, dry_run=dry_run, slice_hosts=timetable.slice_hosts),
            log=log,
            runs_at_once=timetable.runs_at_once,
            begin=standby.begin,
            lives=state.lives,
        )
        state.show(service.shown)
        pages = Pages(
            journal=journal,
            queue=service.queue,
            is_paused=lambda: service.switch.lasting(_now()) is not None,
            undelivered=undelivered_in(settings),
            clock=time.time,
        )
        with (
            notified(settings, log),
            _listening(timetable, intake, pages, log),
            called(service, place, log) as crew,
        ):
            keep_to(service, timetable.service, (pages.turned,), crew)


def _check(timetable: "Timetable", settings: "Settings") -> None:
    """Raise RunbookError where a route's runbook is not there, or the queue would keep a secret."""
    from runbook.spec.loading import load  # noqa: PLC0415 -- which --help needs not
    from runbook.spec.places import locate  # noqa: PLC0415
    from runbook.views.given import refuse_in_queue  # noqa: PLC0415

    routes = [route for hook in timetable.hooks for route in hook.routes]
    for route in routes:
        locate(route.runbook, settings.library)
    asked = [(each.runbook, each.given) for each in timetable.schedules]
    asked += [(route.runbook, tuple(map("=".join, route.given.items()))) for route in routes]
    for name, given in asked:
        if given:
            try:
                runbook = load(name, settings.library)
            except RunbookError:  # Its runs will tell.
                continue
            refuse_in_queue(given, runbook)


@contextmanager
def standing_by(config: Path | None) -> Iterator["Standby"]:
    """Have what each run begins with done once: Ansible's imports and our own."""
    from runbook.executor.runner import Starter  # noqa: PLC0415 -- which --help needs not
    from runbook.schedule.standby import Standby  # noqa: PLC0415

    with closing(Starter.start(config, stays=True)) as starter:
        program = [sys.executable, "-m", "runbook.views.forks"]
        program += [str(starter.workspace.folder), str(config or "")]
        with closing(Standby(program, PROGRAM)) as standby:
            yield standby


@contextmanager
def _listening(
    timetable: "Timetable",
    intake: "Intake",
    pages: "Pages",
    log: Log,
) -> Iterator[None]:
    """Take calls from outside, where the file says so; raise RunbookError."""
    if timetable.listen is None:
        yield
        return
    from runbook.schedule.listener import Listener  # noqa: PLC0415 -- where there are hooks
    from runbook.schedule.reception import receiving  # noqa: PLC0415

    host, port = timetable.listen
    try:
        receive = receiving(intake, log, _now)
        listener = Listener(host, port, timetable.hooks, receive, pages.page)
    except OSError as error:
        raise RunbookError.of(
            "cannot-listen",
            f"cannot listen at {host}:{port}: {error.strerror}",
            hint="`listen:` in the file of the service names another address.",
        ) from error
    log("listening", {"address": listener.address})
    try:
        yield
    finally:
        listener.close()


def command_of(
    kept: "Kept", again: bool, *, dry_run: bool = False, slice_hosts: int
) -> Sequence[str]:
    """Return the command line that begins a request's run, or goes on with it.

    In a dry run it diagnoses; gone on with, a diagnosis stays one. A run of more hosts than
    `slice_hosts` is cut into slices, but for a dry run, in which nothing is put into the queue.
    """
    slices = [] if kept.whole else ["--slice-hosts", str(slice_hosts)]
    if again:
        return [*PROGRAM, "resume", kept.run, "--unattended", *slices]
    request = kept.request
    given = [word for one in request.given for word in ("--set", one)]
    target = [request.runbook, "--host", request.pattern, "--id", kept.run]
    if dry_run:
        # Nobody is asked for the sake of what is not done.
        return [*PROGRAM, "diagnose", *target, *given]
    if request.diagnose:
        return [*PROGRAM, "diagnose", *target, "--source", request.source, *slices, *given]
    severity = ["--severity", request.severity] if request.severity else []
    return [*PROGRAM, "run", *target, "--source", request.source, *severity, *slices, *given]


class ServiceLog:
    """Writes what happens as lines, from any thread: for people, or as JSON."""

    def __init__(self, *, json: bool) -> None:
        self._json = json

    def __call__(self, what: str, details: Mapping[str, str]) -> None:
        """Take what happens, a word and its details."""
        now = datetime.now(tz=UTC).astimezone()
        if self._json:
            tell(json.dumps({"at": now.isoformat(), "event": what, **details}))
            return
        said = ", ".join(f"{name} {value}" for name, value in details.items())
        tell(printable(f"{now:%Y-%m-%d %H:%M:%S%z} {what}: {said}"))


@contextmanager
def called(service: "Service", place: Path | str, log: Log) -> Iterator["Crew | None"]:
    """Have the service see to what it is called for, where services share a database."""
    if not isinstance(place, str):
        yield None
        return
    from runbook.journal.postgres_upgrade import look_at  # noqa: PLC0415 -- an extra
    from runbook.schedule.jobs import Crew  # noqa: PLC0415

    if look_at(place).jobs.missing:
        raise RunbookError.of(
            "journal-unusable",
            "the tables of the jobs are older than this machine's Procrastinate",
            context="Nobody could be called for what is queued.",
            hint="runbook db upgrade",
        )

    def see_to(request: int) -> bool:
        return service.see_to(request, _now())

    with closing(Crew(place, see_to, service.runs_at_once, log)) as crew:
        yield crew


def keep_to(
    service: "Service",
    name: str,
    turned: Sequence[Callable[[], None]],
    crew: "Crew | None" = None,
) -> None:
    """Turn until told to stop, calling all of `turned` each time, then let the runs end."""
    if crew is not None:
        turned = (*turned, crew.check)
    signals = 0
    woken = threading.Event()

    def on_signal(number: int, frame: FrameType | None) -> None:  # noqa: ARG001 -- as signal calls
        nonlocal signals
        signals += 1
        if signals > 1:
            service.stop_runs()
        woken.set()

    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, on_signal)
    service.tidy(_now())
    service.log("serving", {"service": name, "pid": str(os.getpid())})
    while not signals:
        now = _now()
        service.turn(now)
        for call in turned:
            call()
        coming = service.next_due(now)
        away = _LONGEST_SLEEP_S if coming is None else (coming - _now()).total_seconds()
        woken.wait(max(0.0, min(away, _LONGEST_SLEEP_S)))
    service.leave()
    if crew is not None:
        crew.leave()
    service.log("stopping", {"service": name})
    while service.busy:
        service.see_out(_now())
        for call in turned:
            call()
        woken.wait(0.1)
    service.log("stopped", {"service": name})


def _now() -> datetime:
    return datetime.now(tz=UTC)
