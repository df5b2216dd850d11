"""Beginning a run, going on with one that stopped, and closing one that nobody goes on with."""

import secrets
import time
from collections.abc import Callable, Collection, Iterable
from contextlib import suppress
from dataclasses import dataclass
from datetime import datetime

from runbook.driver.acting import CHANGED_MEANWHILE, Guarding, changed_meanwhile
from runbook.driver.joining import held
from runbook.driver.loop import GATHER_S, Driver
from runbook.driver.observer import Observer
from runbook.driver.operator import Operator
from runbook.driver.stopping import InterruptedRunError
from runbook.engine.evolve import replay
from runbook.errors import Problem, RunbookError
from runbook.executor import Executor
from runbook.journal import Entry, Journal, RunSummary
from runbook.journal.holder import this_process
from runbook.model.definition import Runbook
from runbook.model.event import (
    Event,
    FixEnded,
    FixIntended,
    HostFinished,
    HostJoined,
    Mode,
    RunFinished,
    RunInterrupted,
    RunResumed,
    RunStarted,
    UndoEnded,
    UndoIntended,
)
from runbook.model.policy import Ramp
from runbook.model.slices import Slice
from runbook.model.verdict import Verdict

_OPEN = (None, Verdict.WAITING)


@dataclass(frozen=True, kw_only=True, slots=True)
class Setting:
    """What a run is driven with.

    `closure` computes the closure hash of what it would execute, `clock` gives POSIX seconds,
    `gather_s` is how long hosts wait for others that need the same answer. With `stepping` a run
    that begins asks before each step; one that is resumed does as it did. `wait_s` is how long a run
    that begins waits, in seconds, for hosts that another run holds. `blocking` are the kinds of what
    else goes on on a host that only a person may pass over. `paused` says why no fix may begin now,
    None where one may. A run of more than `at_most` hosts is cut into slices; a slice asks `guarding`
    once more before a fix.
    """

    runbook: Runbook
    executor: Executor
    journal: Journal
    operator: Operator
    observer: Observer
    closure: Callable[[], str]
    clock: Callable[[], float] = time.time
    gather_s: float = GATHER_S
    stepping: bool = False
    wait_s: float = 0.0
    blocking: Collection[str] = ()
    paused: Callable[[], str | None] = lambda: None
    ramp: Ramp | None = None
    at_most: int | None = None
    guarding: Guarding | None = None


def new_run_id(now: float) -> str:
    """Return an id that sorts by time and is short enough to read out: 20260102-030405-9f3a."""
    moment = datetime.fromtimestamp(now).astimezone()
    return f"{moment:%Y%m%d-%H%M%S}-{secrets.token_hex(2)}"


def begin_run(run: str, setting: Setting, started: RunStarted, part: Slice | None = None) -> Driver:
    """Write the run's beginning down, and what it is a slice of; its hosts are yet to be found.

    Raises RunbookError, or InterruptedRunError; the journal says then that the run is over, as
    nothing was touched.
    """
    setting.journal.begin(
        RunSummary(
            id=run,
            runbook=setting.runbook.name,
            mode=started.mode,
            pattern=started.pattern,
            operator=setting.operator.name,
            started_at=setting.clock(),
            holder=this_process(),
        ),
        (started,) if part is None else (started, part),
    )
    return _driver(run, setting, started, part)


def _driver(run: str, setting: Setting, started: RunStarted, part: Slice | None) -> Driver:
    return Driver(
        run=run,
        runbook=setting.runbook,
        mode=started.mode,
        executor=setting.executor,
        journal=setting.journal,
        operator=setting.operator,
        observer=setting.observer,
        closure=setting.closure,
        approved_closure=started.closure,
        clock=setting.clock,
        gather_s=setting.gather_s,
        stepping=setting.stepping,
        wait_s=setting.wait_s,
        blocking=setting.blocking,
        paused=setting.paused,
        ramp=setting.ramp,
        at_most=setting.at_most,
        slice=part,
        guarding=setting.guarding,
    )


def drive(driver: Driver, pattern: str) -> Verdict:
    """Drive a run to its end; `pattern` is its target set, unless it has its hosts already.

    However it ends, the journal says so, if it can be written. A run that raises RunbookError is
    aborted where it has no hosts yet, or could not be gone on with as what it executes has changed;
    any other one, and one that raises InterruptedRunError, can be resumed. Raises SlicedRunError for
    one that was too large; its slices are begun by others.
    """
    try:
        if not driver.states:
            driver.join_hosts(pattern)
        return driver.finish()
    except InterruptedRunError as stopped:
        driver.note(RunInterrupted(reason=str(stopped)))
        raise
    except RunbookError as error:
        if _is_over(driver, error):
            raise
        raise RunbookError(*error.problems, stopped_here(driver.run)) from error


def _is_over(driver: Driver, error: RunbookError) -> bool:
    """Write down what an error makes of a run; say whether that is its end."""
    over = not driver.states or error.problems[0].reference == CHANGED_MEANWHILE
    reason = error.problems[0].message
    with suppress(RunbookError):  # A journal that cannot be written has said so already.
        if over:
            _abort(driver, reason)
        else:
            driver.note(RunInterrupted(reason=reason))
    return over


def _abort(driver: Driver, reason: str) -> None:
    """Close a run without going on."""
    unfinished = [host for host, state in driver.states.items() if state.verdict is None]
    driver.ledger.tell(
        *(HostFinished(host=host, verdict=Verdict.ABORTED, reason=reason) for host in unfinished)
    )
    driver.note(RunFinished(verdict=Verdict.ABORTED))


def stopped_here(run: str) -> Problem:
    """Return what a person is to know of a run that stopped before its end."""
    return Problem(
        reference="run-stopped",
        message=f"run {run} stopped before its end",
        hint=f"once that is mended: runbook resume {run}; to close it as it stands: "
        f"runbook resume {run} --abandon",
    )


def started_event(entries: Iterable[Entry]) -> RunStarted:
    """Return how a run began; raise RunbookError `nothing-to-resume` where that is not written."""
    for entry in entries:
        if isinstance(entry.event, RunStarted):
            return entry.event
    raise RunbookError.of(
        "nothing-to-resume",
        "the run was stopped before its beginning was written down",
        hint="start it anew; nothing was touched (`runbook resume RUN --abandon` closes it)",
    )


def resume_run(summary: RunSummary, setting: Setting) -> Driver:
    """Take a stopped run up where it stands, after checking that it can be gone on with.

    Raises RunbookError: `run-finished`, `run-driven` (its process lives), `journal-broken`,
    `changed-meanwhile` (what it would execute is not what it began with), `host-held`.
    """
    journal = setting.journal
    events = _take_over(summary, journal)
    started = next(event for event in events if isinstance(event, RunStarted))
    if setting.closure() != started.closure:
        raise changed_meanwhile(summary.id)
    states = replay(setting.runbook, events)
    if started.mode is Mode.RUN:
        unfinished = [host for host, state in states.items() if state.verdict in _OPEN]
        conflict = journal.claim(summary.id, unfinished, at=setting.clock())
        if conflict is not None:
            raise held(conflict.claims)
    part = next((event for event in events if isinstance(event, Slice)), None)
    driver = _driver(summary.id, setting, started, part)
    driver.take_up(states, _last_invocations(events), events)
    driver.note(RunResumed(operator=setting.operator.name))
    driver.awaken()
    return driver


def abandon(
    summary: RunSummary,
    journal: Journal,
    *,
    who: str,
    reason: str,
    at_work: Callable[[str], bool],
) -> tuple[str, ...]:
    """Close a stopped run as it stands; return the hosts that had no verdict, now `aborted`.

    Needs neither the runbook nor the hosts. `at_work` says whether an invocation still runs.
    Raises RunbookError: `run-finished`, `run-driven` (its process lives), `journal-broken`,
    `fix-at-work` (what the run left running is still changing a host).
    """
    events = _take_over(summary, journal)
    left = left_open(events)
    working = sorted(host for host, invocation in left.items() if at_work(invocation))
    if working:
        raise RunbookError.of(
            "fix-at-work",
            f"the fix that run {summary.id} began is still under way on {', '.join(working)}",
            hint=f"wait for its end, or have it seen through: runbook resume {summary.id}",
        )
    verdicts = {event.host: event.verdict for event in events if isinstance(event, HostFinished)}
    joined = [event.host for event in events if isinstance(event, HostJoined)]
    hosts = tuple(host for host in joined if verdicts.get(host) in _OPEN)
    why = f"abandoned by {who}" + (f": {reason}" if reason else "")
    closing: list[Event] = [
        RunInterrupted(reason=why),
        *(HostFinished(host=host, verdict=Verdict.ABORTED, reason=why) for host in hosts),
        RunFinished(verdict=Verdict.ABORTED),
    ]
    journal.append(summary.id, closing, at=time.time(), who=who)
    return hosts


def left_open(events: Iterable[Event]) -> dict[str, str]:
    """Return, by host, the last invocation of a fix or an undo whose end is not written down."""
    acting: dict[str, str] = {}
    for event in events:
        match event:
            case FixIntended() | UndoIntended():
                acting[event.host] = event.invocation
            case FixEnded() | UndoEnded():
                acting.pop(event.host, None)
            case _:
                pass
    return acting


def _take_over(summary: RunSummary, journal: Journal) -> list[Event]:
    """Become the driver of a stopped run; return what happened in it, which nobody adds to now."""
    journal.verify(summary.id)
    if summary.verdict in _OPEN:
        journal.take_over(summary.id, this_process())
        summary = journal.find(summary.id)
    if summary.verdict not in _OPEN:
        raise RunbookError.of(
            "run-finished",
            f"run {summary.id} has ended: {summary.verdict}",
            hint=f"see it with `runbook report {summary.id}`, or start a new run",
        )
    return [entry.event for entry in journal.entries(summary.id)]


def _last_invocations(events: Iterable[Event]) -> dict[str, str]:
    return {event.host: event.invocation for event in events if isinstance(event, FixIntended)}
