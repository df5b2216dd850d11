"""Reading what is written to the journal, as it comes, whoever writes it."""

from collections.abc import Mapping
from dataclasses import dataclass

from runbook.errors import RunbookError
from runbook.journal import Entry, Journal, RunFilter, RunSummary
from runbook.model.verdict import Verdict

OVERLAP_S = 60.0
"""How much later than a younger run an older one may have reached the journal."""

PATIENCE_S = 30 * 86400.0
"""For how long a run that stopped before its end is looked at."""


@dataclass(frozen=True, kw_only=True, slots=True)
class News:
    """What was added to one run, in order; never empty."""

    run: RunSummary
    entries: tuple[Entry, ...]


class Follower:
    """Follows the runs that began at `since` (POSIX seconds) or later.

    `read` says of runs up to which sequence they have been read before; give it and `since` back to
    another follower, and it goes on from there.
    """

    def __init__(
        self, journal: Journal, *, since: float, read: Mapping[str, int] | None = None
    ) -> None:
        self._journal = journal
        self.since = since
        self.read = dict(read or {})
        self._newest = since

    def news(self) -> list[News]:
        """Return what was written since it was last asked, run by run, the oldest first."""
        runs = {run.id: run for run in self._journal.runs(RunFilter(since=self.since, limit=None))}
        runs |= {run.id: run for name in self.read if name not in runs for run in self._find(name)}
        found = []
        for run in sorted(runs.values(), key=lambda run: (run.started_at, run.id)):
            after = self.read.get(run.id, 0)
            entries = tuple(self._journal.entries(run.id, after=after))
            if entries:
                self.read[run.id] = entries[-1].seq
                found.append(News(run=run, entries=entries))
            self._newest = max(self._newest, run.started_at)
        self._forget(runs)
        return found

    def _find(self, name: str) -> list[RunSummary]:
        """Return a run that is still there: one whose time was up may have been taken out."""
        try:
            return [self._journal.find(name)]
        except RunbookError as error:
            if error.problems[0].reference != "unknown-run":
                raise
            return []

    def _forget(self, runs: Mapping[str, RunSummary]) -> None:
        """Let go of what is over and would not be listed again."""
        self.since = max(self.since, self._newest - OVERLAP_S)
        for name in list(self.read):
            run = runs.get(name)
            if run is None or (
                run.started_at < self.since
                and (_is_over(run) or run.started_at < self._newest - PATIENCE_S)
            ):
                del self.read[name]


def _is_over(run: RunSummary) -> bool:
    return run.verdict not in (None, Verdict.WAITING)
