"""Past runs, for commands that only look at them."""

from dataclasses import replace
from pathlib import Path

from runbook.errors import RunbookError
from runbook.journal import Journal, RunFilter, RunSummary
from runbook.settings import Settings

LAST = "last"
_RECENT = 500
_AWAY_S = 3.0

_ELSEWHERE = "`runbook settings` shows where state is kept; RUNBOOK_HOME says so."


def journal_to_read(settings: Settings, *, wait_s: float | None = None) -> Journal:
    """Return the journal, an empty one where nothing was ever run: looking leaves no file behind.

    Whoever only looks waits no longer than `wait_s` seconds; by default as long as others write to a
    file, but not for long where a server is away. Raises RunbookError `journal-unusable`.
    """
    if isinstance(settings.journal, Path) and not settings.journal.exists():
        from runbook.journal.memory import MemoryJournal  # noqa: PLC0415

        return MemoryJournal()
    if wait_s is None and isinstance(settings.journal, str):
        wait_s = _AWAY_S
    from runbook.journal.opening import open_journal  # noqa: PLC0415

    return open_journal(settings.journal, wait_s=wait_s)


def find_run(journal: Journal, name: str) -> RunSummary:
    """Return the run that a person means: its id, the beginning of one, or `last`.

    Raises RunbookError `unknown-run`, with the id that was meant where one is near.
    """
    if name != LAST:
        try:
            return journal.find(name)
        except RunbookError as error:
            raise _with_nearest(error, journal, name) from error
    newest = journal.runs(RunFilter(limit=1))
    if not newest:
        raise RunbookError.of(
            "unknown-run", "there is no last run: this journal has none", hint=_ELSEWHERE
        )
    from runbook.driver.whole import as_whole  # noqa: PLC0415 -- for this word only

    return as_whole(newest[0], journal)


def _with_nearest(error: RunbookError, journal: Journal, name: str) -> RunbookError:
    """Return the error with the recent run that is nearest to what was typed, if one is near."""
    from difflib import get_close_matches  # noqa: PLC0415  # for a mistake only

    recent = [run.id for run in journal.runs(RunFilter(limit=_RECENT))]
    problem = error.problems[0]
    if problem.reference != "unknown-run" or any(run.startswith(name) for run in recent):
        return error
    near = get_close_matches(name, recent, n=1)
    return RunbookError(replace(problem, hint=f'Did you mean "{near[0]}"?')) if near else error
