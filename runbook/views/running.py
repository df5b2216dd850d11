"""Putting a run together: settings, runbook, journal, executor, operator and observer."""

import os
import pwd
import signal
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from types import FrameType
from typing import TYPE_CHECKING, Protocol

from runbook.driver.acting import Guarding, changed_meanwhile
from runbook.driver.closure import closure_of, installation_key
from runbook.driver.launch import (
    Setting,
    begin_run,
    drive,
    resume_run,
    started_event,
)
from runbook.driver.loop import Driver
from runbook.driver.observer import Observer
from runbook.driver.operator import Operator
from runbook.driver.stopping import InterruptedRunError, SlicedRunError, Stop
from runbook.errors import RunbookError
from runbook.executor.ansible import AnsibleExecutor
from runbook.executor.leftovers import sweep
from runbook.executor.process import Forking
from runbook.executor.target import Target
from runbook.journal import Journal, RunSummary
from runbook.model.definition import Json, Runbook
from runbook.model.event import Mode, RunStarted
from runbook.model.masking import MASK
from runbook.model.policy import Ramp, Source
from runbook.model.slices import Slice
from runbook.model.state import HostState
from runbook.model.verdict import Verdict
from runbook.views.paths import sketched, titles_of
from runbook.views.starting import ansible_started

if TYPE_CHECKING:
    from runbook.driver.undo import Undoing


@dataclass(frozen=True, kw_only=True, slots=True)
class Order:
    """What a person asks for: this runbook, on these hosts, in this way.

    With `stepping` they are asked before each step. `wait_s` is how long to wait, in seconds, for
    hosts that another run holds. `blocking` are the kinds of what else goes on on a host that only a
    person may pass over. `paused` says why no fix may begin now; with a `ramp` one begins in waves.
    `source` is what started the run, with the alert's `severity`; `run` is the run's id. More hosts
    than `at_most` are cut into slices; a `slice` asks `guarding` once more before a fix.
    """

    runbook: Runbook
    mode: Mode
    pattern: str
    target: Target
    home: Path
    run: str
    stepping: bool = False
    wait_s: float = 0.0
    blocking: tuple[str, ...] = ()
    paused: Callable[[], str | None] = lambda: None
    ramp: Ramp | None = None
    source: Source = Source.PERSON
    severity: str = ""
    at_most: int | None = None
    slice: Slice | None = None
    guarding: Guarding | None = None


@dataclass(frozen=True, kw_only=True, slots=True)
class Result:
    """How driving a run came out; `verdict` is None where it was interrupted.

    So it is where the run was cut into `slices`, of these hosts each, before anything was done.
    """

    run: str
    verdict: Verdict | None
    states: Mapping[str, HostState]
    interrupted: str | None = None
    slices: tuple[tuple[str, ...], ...] = ()


def operator_name() -> str:
    """Return the name of whoever runs this, the person behind sudo where there is one."""
    try:
        return os.environ.get("SUDO_USER") or pwd.getpwuid(os.getuid()).pw_name
    except KeyError:
        return f"uid {os.getuid()}"


def carry_out(
    order: Order, starter: Forking, journal: Journal, operator: Operator, observer: Observer
) -> Result:
    """Begin a run and drive it as far as it goes; raise RunbookError."""
    executor = _executor(order, order.run, operator, starter)
    with _signals() as drivers, executor.begun_ahead():
        sweep()
        setting = _setting(order, executor, journal, operator, observer)
        closure = setting.closure()
        if order.slice is not None:
            _fit(order.slice, closure, journal)
        started = RunStarted(
            runbook=order.runbook.name,
            title=order.runbook.title,
            causes={cause.id: cause.title for cause in order.runbook.causes.values()},
            steps=titles_of(order.runbook),
            tree=sketched(order.runbook),
            closure=closure,
            pattern=order.pattern,
            mode=order.mode,
            inventories=order.target.inventories,
            settings=recorded(order),
            operator=operator.name,
        )
        driver = begin_run(order.run, setting, started, order.slice)
        drivers.append(driver)
        return _driven(driver, order.pattern)


def _fit(part: Slice, closure: str, journal: Journal) -> None:
    """Raise RunbookError where a slice's run is closed, or what it executes is not what it began with."""
    whole = journal.find(part.whole)
    if whole.verdict is not None:
        raise RunbookError.of(
            "run-finished",
            f"run {whole.id}, of which this is a slice, has ended: {whole.verdict}",
            hint=f"see it with `runbook report {whole.id}`, or start a new run",
        )
    if started_event(journal.entries(whole.id)).closure != closure:
        raise changed_meanwhile(whole.id)


def go_on(
    order: Order, summary: RunSummary, journal: Journal, operator: Operator, observer: Observer
) -> Result:
    """Resume a run and drive it as far as it goes; raise RunbookError."""
    with _signals() as drivers, ansible_started(order.target.config) as starter:
        sweep()
        executor = _executor(order, summary.id, operator, starter)
        setting = _setting(order, executor, journal, operator, observer)
        driver = resume_run(summary, setting)
        drivers.append(driver)
        return _driven(driver, order.pattern)


def take_back(
    order: Order, summary: RunSummary, journal: Journal, operator: Operator, observer: Observer
) -> "Undoing":
    """Undo what a run did; raise RunbookError."""
    from runbook.driver.undo import Undoing  # noqa: PLC0415 -- for this command only

    with _signals() as drivers, ansible_started(order.target.config) as starter:
        sweep()
        executor = _executor(order, summary.id, operator, starter)
        setting = _setting(order, executor, journal, operator, observer)
        undoing = Undoing(summary=summary, setting=setting)
        drivers.append(undoing)
        undoing.perform()
        return undoing


def _executor(order: Order, run: str, operator: Operator, starter: Forking) -> AnsibleExecutor:
    return AnsibleExecutor(
        runbook=order.runbook, target=order.target, run=run, operator=operator.name, starter=starter
    )


def _setting(
    order: Order,
    executor: AnsibleExecutor,
    journal: Journal,
    operator: Operator,
    observer: Observer,
) -> Setting:
    key = installation_key(order.home)
    return Setting(
        runbook=order.runbook,
        executor=executor,
        journal=journal,
        operator=operator,
        observer=observer,
        blocking=order.blocking,
        paused=order.paused,
        ramp=order.ramp,
        at_most=order.at_most,
        guarding=order.guarding,
        closure=lambda: closure_of(
            order.runbook, order.target.roles, order.target.inventories, order.target.given, key
        ),
        stepping=order.stepping,
        wait_s=order.wait_s,
    )


def _driven(driver: Driver, pattern: str) -> Result:
    try:
        verdict = drive(driver, pattern)
    except InterruptedRunError as stopped:
        return Result(run=driver.run, verdict=None, states=driver.states, interrupted=str(stopped))
    except SlicedRunError as cut:
        return Result(run=driver.run, verdict=None, states={}, slices=cut.slices)
    return Result(run=driver.run, verdict=verdict, states=driver.states)


class _Stoppable(Protocol):
    """What drives something that can be told to stop."""

    def stop(self, stop: Stop) -> None:
        """Take the order; called from a signal handler."""


@contextmanager
def _signals() -> Iterator[list[_Stoppable]]:
    """Turn signals into orders to stop: the first gently, the next ones at once.

    They go to the driver in the list; before there is one nothing is under way, and they raise
    KeyboardInterrupt.
    """
    received = 0
    drivers: list[_Stoppable] = []

    def on_signal(number: int, frame: FrameType | None) -> None:  # noqa: ARG001 -- as signal calls
        nonlocal received
        received += 1
        if not drivers:
            raise KeyboardInterrupt
        reason = f"interrupted by {signal.Signals(number).name}"
        drivers[0].stop(Stop(reason=reason, now=received > 1))

    previous: dict[signal.Signals, Callable[[int, FrameType | None], object] | int | None] = {}
    for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
        previous[number] = signal.signal(number, on_signal)
    try:
        yield drivers
    finally:
        for number, handler in previous.items():
            signal.signal(number, handler)


def recorded(order: Order) -> dict[str, Json]:
    """Return what a resume needs to know of how a run was started, without values of secret params.

    An argument of `-e` that names one is hidden whole: only Ansible knows how to read it.
    """
    target = order.target
    secret = {name for name, param in order.runbook.params.items() if param.secret}
    return {
        "source": order.runbook.sources[0] if order.runbook.sources else "",
        "given": {name: MASK if name in secret else value for name, value in target.given.items()},
        "extra_vars": [
            MASK if not text.startswith("@") and any(name in text for name in secret) else text
            for text in target.extra_vars
        ],
        "vault_ids": list(target.vault_ids),
        "vault_password_files": list(target.vault_password_files),
        "roles": [str(path) for path in target.roles],
        "config": None if target.config is None else str(target.config),
        "forks": target.forks,
        "directory": str(Path.cwd()),
        "started_by": order.source.value,
        "severity": order.severity,
    }


def recorded_start(journal: Journal, summary: RunSummary) -> RunStarted:
    """Return how a run began; raise RunbookError `nothing-to-resume` where that is not written."""
    return started_event(journal.entries(summary.id))


def target_of(
    started: RunStarted, given: Mapping[str, Json], extra_vars: Sequence[str] = ()
) -> Target:
    """Rebuild a run's target from its beginning; raise RunbookError `secrets-needed`.

    Values the journal does not hold, since they are secret, have to be given again: those of `-e`
    by any argument of `-e`, as it cannot be told which they were.
    """
    settings = started.settings
    values = {**settings["given"], **given}
    missing = [name for name, value in values.items() if MASK in str(value)]
    known = [value for value in settings["extra_vars"] if MASK not in value]
    if len(known) < len(settings["extra_vars"]) and not extra_vars:
        missing.append("values of -e")
    if missing:
        raise RunbookError.of(
            "secrets-needed",
            "the run was started with values that are secret, so the journal does not hold them",
            context="missing: " + ", ".join(missing),
            hint="give them again: runbook resume RUN --set NAME=VALUE (or -e NAME=VALUE)",
        )
    return Target(
        inventories=tuple(started.inventories),
        given=values,
        extra_vars=(*known, *extra_vars),
        vault_ids=tuple(settings["vault_ids"]),
        vault_password_files=tuple(settings["vault_password_files"]),
        roles=tuple(Path(path) for path in settings["roles"]),
        config=None if settings["config"] is None else Path(settings["config"]),
        forks=int(settings["forks"]),
    )
