"""A run that is cut into slices, at the command line: handed over, and listed as one."""

from collections.abc import Sequence
from dataclasses import replace
from datetime import UTC, datetime

from runbook.driver.whole import as_whole, end_whole, slices_of, summary_of
from runbook.errors import RunbookError
from runbook.journal import Journal, RunFilter, RunSummary
from runbook.model.verdict import Verdict
from runbook.settings import Settings
from runbook.views import output
from runbook.views.configured import state_place


def put_slices(
    run: str, slices: Sequence[Sequence[str]], settings: Settings, journal: Journal
) -> int:
    """Have the slices of a run seen to by whoever serves the queue; return the exit code.

    Raise RunbookError where nobody has asked for the run by way of the queue, or not any more.
    """
    from runbook.schedule.queue import Queue  # noqa: PLC0415 -- where there is a service
    from runbook.schedule.state import opened  # noqa: PLC0415

    now = datetime.now(tz=UTC)
    with opened(state_place(settings)) as state:
        put = Queue(state).slice(run, slices, now)
    if not put:
        end_whole(journal, run, Verdict.ABORTED, at=now.timestamp())
        raise RunbookError.of(
            "not-asked-for",
            f"run {run} is too large for one process, and no request in the queue is for it",
            hint="runs are cut into slices where they come through the queue: `runbook trigger`",
        )
    hosts = sum(map(len, slices))
    output.tell(f"Run {run} is cut into {len(slices)} slices of its {hosts} hosts.")
    return 0


def runs_as_one(
    journal: Journal, which: RunFilter
) -> list[tuple[RunSummary, tuple[RunSummary, ...]]]:
    """Return runs, newest first, each with its slices, whichever of these was found."""
    limit = which.limit
    while True:
        runs = journal.runs(replace(which, limit=limit))
        found = _as_one(journal, runs, which)
        # Slices of one run may be all that was found so far.
        if which.limit is None or len(found) >= which.limit or len(runs) < (limit or 0):
            return found[: which.limit]
        limit = 4 * (limit or 1)


def _as_one(
    journal: Journal, runs: Sequence[RunSummary], which: RunFilter
) -> list[tuple[RunSummary, tuple[RunSummary, ...]]]:
    wholes = {whole.id: whole for whole in (as_whole(run, journal) for run in runs)}
    found = []
    for run in wholes.values():
        # A run that took hosts in is none that was cut into slices.
        slices = () if run.hosts else slices_of(run, journal)
        told = summary_of(run, slices) if slices else run
        if which.verdict in (None, told.verdict):
            found.append((told, slices))
    return sorted(found, key=lambda one: one[0].started_at, reverse=True)
