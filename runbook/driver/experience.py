"""What fixes and causes of a runbook came to in earlier runs, from the journal's milestones."""

from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass, field, replace
from statistics import median

from runbook.journal import Entry, Journal, MilestoneFilter
from runbook.model.definition import FixResult
from runbook.model.event import (
    Acted,
    FixConcluded,
    FixEnded,
    FixIntended,
    FixRechecked,
    HostFinished,
    Milestone,
    UndoEnded,
)
from runbook.model.verdict import Verdict

_HELPED = frozenset({FixResult.RESOLVED, FixResult.CAUSE_REMOVED})


@dataclass(frozen=True, kw_only=True, slots=True)
class Attempt:
    """One fix that was begun on one host, `at` POSIX seconds.

    `took_s` is from its intent to its verified result; both are None while that is not recorded,
    as after a crash nobody resumed from. `fell_back` says that a task of its action failed and that
    what its author wrote for that case (`rescue`) took its place; `undone` that it was taken back later.
    """

    run: str
    step: str
    host: str
    at: float
    result: FixResult | None = None
    took_s: float | None = None
    reason: str | None = None
    fell_back: bool = False
    undone: bool = False

    @property
    def helped(self) -> bool:
        """Whether the cause was seen to be gone afterwards, by whatever way, and stayed so."""
        return self.result in _HELPED and not self.undone

    @property
    def worked(self) -> bool:
        """Whether it helped by doing what it is there to do."""
        return self.helped and not self.fell_back


@dataclass(frozen=True, kw_only=True, slots=True)
class FixExperience:
    """How one fix did: `median_s` of the times it worked, `last_failure` the newest that did not help.

    `fell_back` counts the times it helped only by its fallback, which are not among those it worked;
    nor are those it was taken back after. An attempt whose result is unknown counts as tried and not
    as worked; one that is not over, or whose end nobody recorded, does not count.
    """

    tried: int = 0
    worked: int = 0
    fell_back: int = 0
    median_s: float | None = None
    last_failure: Attempt | None = None


@dataclass(frozen=True, kw_only=True, slots=True)
class CauseExperience:
    """How often a cause was found on a host, and how often it went away before anybody acted."""

    found: int = 0
    cleared: int = 0


@dataclass(frozen=True, kw_only=True, slots=True)
class Experience:
    """What is known of a runbook's fixes (by step) and causes (by id); what is absent is new.

    `elsewhere` are fixes on any host, where it was looked for as one was new on those in question.
    """

    fixes: Mapping[str, FixExperience] = field(default_factory=dict)
    causes: Mapping[str, CauseExperience] = field(default_factory=dict)
    elsewhere: Mapping[str, FixExperience] = field(default_factory=dict)


def look_back(journal: Journal, runbook: str, hosts: Collection[str], fix: str) -> Experience:
    """Return what earlier runs came to on these hosts, or with a fix that is new there, on any.

    Raises RunbookError where the journal cannot be read.
    """
    here = experience(journal.milestones(MilestoneFilter(runbook=runbook, hosts=hosts)))
    if fix in here.fixes:
        return here
    anywhere = experience(journal.milestones(MilestoneFilter(runbook=runbook)))
    return replace(here, elsewhere=anywhere.fixes)


def experience(milestones: Iterable[Entry]) -> Experience:
    """Add up milestones of one runbook, given in any order; see `Journal.milestones`."""
    entries = list(milestones)
    by_step: dict[str, list[Attempt]] = {}
    for attempt in attempts(entries):
        by_step.setdefault(attempt.step, []).append(attempt)
    causes: dict[str, CauseExperience] = {}
    for event in (entry.event for entry in entries):
        # Who waits for an approval comes to an end later.
        if isinstance(event, HostFinished) and event.verdict is not Verdict.WAITING:
            cleared = event.verdict is Verdict.SELF_RECOVERED
            for cause in event.causes:
                so_far = causes.get(cause, CauseExperience())
                causes[cause] = CauseExperience(
                    found=so_far.found + 1, cleared=so_far.cleared + cleared
                )
    return Experience(
        fixes={step: _added_up(tries) for step, tries in by_step.items()}, causes=causes
    )


def attempts(milestones: Iterable[Entry]) -> list[Attempt]:
    """Return the fixes that were begun, oldest first; those withheld never began."""
    begun: dict[tuple[str, str, str], Attempt] = {}
    over: list[Attempt] = []
    last: dict[tuple[str, str, str], int] = {}
    for entry in sorted(milestones, key=lambda entry: (entry.run, entry.seq)):
        event = entry.event
        if isinstance(event, HostFinished) or not isinstance(event, Milestone):
            continue
        key = (entry.run, event.host, event.step)
        match event:
            case FixIntended():
                begun[key] = Attempt(run=entry.run, step=event.step, host=event.host, at=entry.at)
            case FixEnded(acted=Acted.WITHHELD):
                begun.pop(key, None)
            case FixEnded() if key in begun:
                begun[key] = replace(begun[key], fell_back=_fell_back(event))
            case FixConcluded() if key in begun:
                attempt = begun.pop(key)
                last[key] = len(over)
                over.append(
                    replace(
                        attempt,
                        result=event.result,
                        took_s=max(0.0, entry.at - attempt.at),
                        reason=event.reason,
                    )
                )
            case FixRechecked(verification=seen) if key in last:
                if seen.result is FixResult.RECURRED:
                    over[last[key]] = replace(over[last[key]], result=FixResult.RECURRED)
            case UndoEnded(acted=Acted.CHANGED) if key in last:
                over[last[key]] = replace(over[last[key]], undone=True)
            case _:
                pass
    return sorted([*over, *begun.values()], key=lambda attempt: attempt.at)


def _fell_back(end: FixEnded) -> bool:
    """Say whether a task failed in an action that came to its end all the same."""
    came_to_its_end = end.acted in (Acted.CHANGED, Acted.UNCHANGED)
    return came_to_its_end and any(change.status == "failed" for change in end.changes)


def _added_up(tries: list[Attempt]) -> FixExperience:
    over = [item for item in tries if item.result is not None]
    times = [item.took_s for item in over if item.worked and item.took_s is not None]
    failures = [item for item in over if not item.helped]
    return FixExperience(
        tried=len(over),
        worked=len(times),
        fell_back=sum(item.helped and item.fell_back for item in over),
        median_s=median(times) if times else None,
        last_failure=failures[-1] if failures else None,
    )
