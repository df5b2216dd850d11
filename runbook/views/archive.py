"""Past runs, for commands that only look at them."""

from runbook.errors import RunbookError
from runbook.journal import Journal, RunFilter, RunSummary
from runbook.settings import Settings

LAST = "last"

_ELSEWHERE = "`runbook settings` shows where state is kept; RUNBOOK_HOME says so."


def journal_to_read(settings: Settings, *, busy_timeout_s: float = 10.0) -> Journal:
    """Return the journal, an empty one where nothing was ever run: looking leaves no file behind.

    Raises RunbookError `journal-unusable`.
    """
    if not settings.journal.exists():
        from runbook.journal.memory import MemoryJournal  # noqa: PLC0415

        return MemoryJournal()
    from runbook.journal.sqlite import open_journal  # noqa: PLC0415

    return open_journal(settings.journal, busy_timeout_s=busy_timeout_s)


def find_run(journal: Journal, name: str) -> RunSummary:
    """Return the run that a person means: its id, the beginning of one, or `last`.

    Raises RunbookError `unknown-run`.
    """
    if name != LAST:
        return journal.find(name)
    newest = journal.runs(RunFilter(limit=1))
    if not newest:
        raise RunbookError.of(
            "unknown-run", "there is no last run: this journal has none", hint=_ELSEWHERE
        )
    return newest[0]
