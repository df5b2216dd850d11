"""How fixes did before, from the journal alone: what makes `ask` become `auto`, and `ask` again."""

from collections.abc import Iterator
from dataclasses import dataclass, field

from runbook.driver.experience import Attempt, attempts
from runbook.engine.autonomy import Standing, Try, on_group, standing
from runbook.journal import Journal, MilestoneFilter, RunSummary
from runbook.journal.holder import alive
from runbook.model.definition import FixResult
from runbook.model.event import (
    FixApproved,
    FixConcluded,
    FixRechecked,
    HostJoined,
    UndoIntended,
)
from runbook.model.policy import Judgement, Source

_MOST = 10_000
_NOBODY = frozenset({Source.SCHEDULE.value, Source.ALERT.value, Source.TRIGGER.value})
"""In whose names the policy itself approves, where no person is there."""


@dataclass(frozen=True, kw_only=True, slots=True)
class _Told:
    """What a run tells of its fixes."""

    summary: RunSummary
    groups: dict[str, frozenset[str]] = field(default_factory=dict)
    approved: dict[tuple[str, str], bool] = field(default_factory=dict)
    causes: dict[tuple[str, str], str] = field(default_factory=dict)
    spoilt: dict[tuple[str, str], str] = field(default_factory=dict)


def tries(journal: Journal, runbook: str | None = None, fix: str | None = None) -> Iterator[Try]:
    """Yield the fixes that were begun, newest first; raise RunbookError.

    What somebody took back again did not work, nor did what had not lasted until the next wave. What nobody
    saw the end of, in a run that is over, did not either. What only its fallback did is neither.
    """
    begun = MilestoneFilter(runbook=runbook, fixes=True, limit=_MOST)
    told: dict[str, _Told] = {}
    for attempt in reversed(attempts(journal.milestones(begun))):
        if fix not in (None, attempt.step):
            continue
        if attempt.run not in told:
            told[attempt.run] = _told(journal, attempt.run)
        yield _try(attempt, told[attempt.run])


class Record:
    """What a runbook's fixes have earned; each is looked up once."""

    def __init__(self, journal: Journal, runbook: str) -> None:
        self._journal = journal
        self._runbook = runbook
        self._known: dict[tuple[str, tuple[str, ...]], Standing] = {}

    def of(self, fix: str, judged: Judgement) -> Standing:
        """Return where a fix stands: of the groups that the rule counts by, on the worst."""
        key = fix, judged.counted
        if key not in self._known:
            found = [
                standing(
                    on_group(tries(self._journal, self._runbook, fix), group),
                    enough=judged.autonomy,
                )
                for group in judged.counted
            ]
            self._known[key] = min(found, key=lambda one: one.verified, default=Standing())
        return self._known[key]


def said_of(stands: Standing, judged: Judgement) -> str:
    """Say how far a fix is from what its rule wants of it, with the figure."""
    on = " and ".join(f"group {name}" for name in judged.counted if name) or "all hosts"
    text = f"{stands.verified} of {judged.autonomy} in a row approved and verified on {on}"
    if stands.failure is None:
        return text
    last = stands.failure
    return f"{text}, since {last.host} in run {last.run}: {last.why}"


def _try(attempt: Attempt, told: _Told) -> Try:
    key = attempt.host, attempt.step
    worked: bool | None = attempt.helped
    why = "" if attempt.result is None else attempt.result.replace("_", " ")
    if key in told.spoilt:
        worked, why = False, told.spoilt[key]
    elif attempt.result is None:
        worked = False if _is_over(told.summary) else None
        why = "its end was not seen"
    elif attempt.helped and attempt.fell_back:
        worked, why = None, "only its fallback helped"
    return Try(
        runbook=told.summary.runbook,
        fix=attempt.step,
        cause=told.causes.get(key, ""),
        host=attempt.host,
        groups=told.groups.get(attempt.host, frozenset()),
        run=attempt.run,
        at=attempt.at,
        approved=told.approved.get(key, False),
        worked=worked,
        why=why,
    )


def _is_over(run: RunSummary) -> bool:
    if run.verdict is not None or run.interrupted is not None:
        return True
    return run.holder is not None and alive(run.holder) is False


def _told(journal: Journal, run: str) -> _Told:
    told = _Told(summary=journal.find(run))
    for entry in journal.entries(run):
        match entry.event:
            case HostJoined(host=host, groups=groups):
                told.groups[host] = frozenset(groups)
            case FixApproved(host=host, step=step, by=by):
                told.approved[host, step] = by not in _NOBODY
            case FixConcluded(host=host, step=step, cause=str(cause)):
                told.causes[host, step] = cause
            case UndoIntended(host=host, step=step):
                told.spoilt[host, step] = "taken back"
            case FixRechecked(host=host, step=step, verification=seen):
                if seen.result is FixResult.RECURRED:
                    told.spoilt[host, step] = "did not last"
            case _:
                pass
    return told
