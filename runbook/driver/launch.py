"""Beginning a run, and going on with one that stopped."""

import secrets
import time
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from datetime import datetime

from runbook.driver.joining import held
from runbook.driver.loop import Driver, InterruptedRunError, changed_meanwhile
from runbook.driver.observer import Observer
from runbook.driver.operator import Operator
from runbook.engine.evolve import replay
from runbook.errors import RunbookError
from runbook.executor import Executor
from runbook.journal import Entry, Journal, RunSummary
from runbook.journal.holder import this_process
from runbook.model.definition import Runbook
from runbook.model.event import (
    Event,
    FixIntended,
    HostFinished,
    Mode,
    RunFinished,
    RunInterrupted,
    RunResumed,
    RunStarted,
)
from runbook.model.verdict import Verdict


@dataclass(frozen=True, kw_only=True, slots=True)
class Setting:
    """What a run is driven with. `closure` computes the closure hash of what it would execute."""

    runbook: Runbook
    executor: Executor
    journal: Journal
    operator: Operator
    observer: Observer
    closure: Callable[[], str]


def new_run_id(now: float) -> str:
    """Return an id that sorts by time and is short enough to read out: 20260102-030405-9f3a."""
    moment = datetime.fromtimestamp(now).astimezone()
    return f"{moment:%Y%m%d-%H%M%S}-{secrets.token_hex(2)}"


def begin_run(run: str, setting: Setting, started: RunStarted) -> Driver:
    """Write the run's beginning down, find its hosts and start looking at them.

    Raises RunbookError, or InterruptedRunError; the journal says then that the run is over, as
    nothing was touched.
    """
    now = time.time()
    setting.journal.begin(
        RunSummary(
            id=run,
            runbook=setting.runbook.name,
            mode=started.mode,
            pattern=started.pattern,
            operator=setting.operator.name,
            started_at=now,
            holder=this_process(),
        )
    )
    setting.journal.append(run, (started,), at=now, who=setting.operator.name)
    return _driver(run, setting, started)


def _driver(run: str, setting: Setting, started: RunStarted) -> Driver:
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
    )


def drive(driver: Driver, pattern: str) -> Verdict:
    """Drive a run to its end; `pattern` is its target set, unless it has its hosts already.

    However it ends, the journal says so: a run that raises RunbookError is aborted, one that raises
    InterruptedRunError can be resumed.
    """
    try:
        if not driver.states:
            driver.join_hosts(pattern)
        return driver.finish()
    except InterruptedRunError as stopped:
        driver.note(RunInterrupted(reason=str(stopped)))
        raise
    except RunbookError as error:
        if not any(state.acting for state in driver.states.values()):
            abort(driver, error.problems[0].message)
        raise


def abort(driver: Driver, reason: str) -> None:
    """Close a run without going on; a journal that cannot be written has said so already."""
    unfinished = [host for host, state in driver.states.items() if state.verdict is None]
    events: list[Event] = [
        *(HostFinished(host=host, verdict=Verdict.ABORTED, reason=reason) for host in unfinished),
        RunFinished(verdict=Verdict.ABORTED),
    ]
    try:
        driver.journal.append(driver.run, events, at=time.time(), who=driver.operator.name)
        driver.journal.release(driver.run, driver.states)
    except RunbookError:
        return


def started_event(entries: Iterable[Entry]) -> RunStarted:
    """Return how a run began; raise RunbookError `nothing-to-resume` where that is not written."""
    for entry in entries:
        if isinstance(entry.event, RunStarted):
            return entry.event
    raise RunbookError.of(
        "nothing-to-resume",
        "the run was stopped before its beginning was written down",
        hint="start it anew; nothing was touched",
    )


def resume_run(summary: RunSummary, setting: Setting) -> Driver:
    """Take a stopped run up where it stands, after checking that it can be gone on with.

    Raises RunbookError: `run-finished`, `run-driven` (its process lives), `journal-broken`,
    `changed-meanwhile` (what it would execute is not what it began with).
    """
    if summary.verdict is not None:
        raise RunbookError.of(
            "run-finished",
            f"run {summary.id} has ended: {summary.verdict}",
            hint=f"see it with `runbook report {summary.id}`, or start a new run",
        )
    journal = setting.journal
    journal.verify(summary.id)
    events = [entry.event for entry in journal.entries(summary.id)]
    started = next(event for event in events if isinstance(event, RunStarted))
    if setting.closure() != started.closure:
        raise changed_meanwhile(summary.id)
    states = replay(setting.runbook, events)
    journal.take_over(summary.id, this_process())
    if started.mode is Mode.RUN:
        unfinished = [host for host, state in states.items() if state.verdict is None]
        conflict = journal.claim(summary.id, unfinished, at=time.time())
        if conflict is not None:
            raise held(conflict.claims)
    driver = _driver(summary.id, setting, started)
    driver.take_up(states, _last_invocations(events))
    driver.note(RunResumed(operator=setting.operator.name))
    return driver


def _last_invocations(events: Iterable[Event]) -> dict[str, str]:
    return {event.host: event.invocation for event in events if isinstance(event, FixIntended)}
