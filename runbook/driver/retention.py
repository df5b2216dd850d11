"""Which past runs may be forgotten."""

from collections.abc import Callable, Iterator

from runbook.driver.undo import undoable
from runbook.errors import RunbookError
from runbook.journal import Journal, RunFilter, RunSummary
from runbook.model.definition import Runbook
from runbook.model.event import FixIntended, RunStarted
from runbook.model.verdict import Verdict


def forgettable(
    journal: Journal, before: float, load: Callable[[str], Runbook]
) -> Iterator[RunSummary]:
    """Yield the runs that ended before a moment (POSIX seconds) and that nobody can take back.

    `load` returns the runbook that lies at a place, and raises RunbookError where none does: what it
    did cannot be undone any more.
    """
    for run in journal.runs(RunFilter(until=before, limit=None)):
        over = run.verdict not in (None, Verdict.WAITING)
        if over and (run.ended_at or before) < before and not _can_be_undone(journal, run, load):
            yield run


def _can_be_undone(journal: Journal, run: RunSummary, load: Callable[[str], Runbook]) -> bool:
    events = [entry.event for entry in journal.entries(run.id)]
    if not any(isinstance(event, FixIntended) for event in events):
        return False
    started = next((event for event in events if isinstance(event, RunStarted)), None)
    source = "" if started is None else str(started.settings.get("source", ""))
    try:
        return bool(undoable(load(source), events))
    except RunbookError:
        return False
