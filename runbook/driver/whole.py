"""A run that was cut into slices, as one: its slices' entries together, and what they come to."""

import heapq
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, replace

from runbook.driver.siblings import FELL_BACK
from runbook.errors import RunbookError
from runbook.journal import Entry, Journal, RunSummary
from runbook.journal.tally import UNDERTAKER
from runbook.model.definition import FixResult
from runbook.model.event import (
    FixRechecked,
    HostFinished,
    RunEvent,
    RunFinished,
    RunInterrupted,
    RunSliced,
    WaveLookBegun,
    WaveLookEnded,
)
from runbook.model.slices import Slice, number_of, whole_of
from runbook.model.verdict import Verdict, worst


@dataclass(frozen=True, kw_only=True, slots=True)
class Whole:
    """A run with its slices: `summary` and `entries` are as of a run that had all their hosts.

    What a slice says of itself is left out, but why one stopped. What a slice saw of a host of another
    one that fell back is told of that host. `slices` are those that have begun.
    """

    summary: RunSummary
    entries: tuple[Entry, ...]
    slices: tuple[RunSummary, ...]


def whole_run(run: RunSummary, journal: Journal) -> Whole:
    """Return a run with its slices, where it has any; raise RunbookError."""
    slices = slices_of(run, journal)
    own = tuple(journal.entries(run.id))
    if not slices:
        return Whole(summary=run, entries=own, slices=())
    chains = [_in_time(_told(one, journal.entries(one.id))) for one in slices]
    told = [entry for _, entry in heapq.merge(*chains, key=lambda pair: pair[0])]
    ends = [entry for entry in own if isinstance(entry.event, RunFinished)]
    begins = [entry for entry in own if not isinstance(entry.event, RunFinished)]
    return Whole(
        summary=summary_of(run, slices),
        entries=(*begins, *_fallen(told), *ends),
        slices=slices,
    )


def as_whole(run: RunSummary, journal: Journal) -> RunSummary:
    """Return the run that a run is a slice of; the run itself where it is none, or that is gone."""
    whole = whole_of(run.id)
    try:
        return run if whole is None else journal.find(whole)
    except RunbookError as error:
        if error.problems[0].reference != "unknown-run":
            raise
        return run


def slices_of(run: RunSummary, journal: Journal) -> tuple[RunSummary, ...]:
    """Return the slices of a run that have begun, in order of their numbers."""
    return tuple(map(journal.find, journal.slices(run.id)))


def summary_of(run: RunSummary, slices: Sequence[RunSummary]) -> RunSummary:
    """Return a run's summary with what its slices add to it; no process drives it as a whole."""
    waiting = {one.verdict for one in slices} == {Verdict.WAITING}
    return replace(
        run,
        hosts=tuple(dict.fromkeys(host for one in slices for host in one.hosts)),
        causes=tuple(dict.fromkeys(cause for one in slices for cause in one.causes)),
        verdict=Verdict.WAITING if waiting and run.verdict is None else run.verdict,
        interrupted=None,
        holder=None,
    )


def slice_of(run: str, journal: Journal) -> Slice | None:
    """Return what the run of that id is a slice of, None where it is none; raise RunbookError."""
    whole = whole_of(run)
    if whole is None:
        return None
    cut = [entry.event for entry in journal.entries(whole) if isinstance(entry.event, RunSliced)]
    return Slice(
        whole=whole,
        number=number_of(run),
        slices=len(cut[-1].hosts),
        size=sum(map(len, cut[-1].hosts)),
    )


def end_whole(journal: Journal, run: str, verdict: Verdict, *, at: float) -> None:
    """Write the end of a run whose slices are all over, unless that is written already."""

    def work() -> None:
        if journal.find(run).verdict is None:
            journal.append(run, (RunFinished(verdict=verdict),), at=at, who=UNDERTAKER)

    journal.alone(run, work)


def end_if_over(run: str, journal: Journal, *, at: float) -> None:
    """Write the end of a run if all of its slices have begun and come to theirs; `at` POSIX seconds."""
    told = whole_run(journal.find(run), journal)
    cut = [entry.event for entry in told.entries if isinstance(entry.event, RunSliced)]
    over = [one for one in told.slices if one.verdict not in (None, Verdict.WAITING)]
    if cut and len(over) == len(cut[-1].hosts):
        end_whole(journal, run, verdict_of(told, 0), at=at)


def verdict_of(told: Whole, unbegun: int) -> Verdict:
    """Return the verdict of a run whose slices are over; `unbegun` of them never began.

    Hosts of a slice that was given up have none; nobody knows of these.
    """
    verdicts: dict[str, Verdict] = dict.fromkeys(told.summary.hosts, Verdict.UNKNOWN)
    for entry in told.entries:
        if isinstance(entry.event, HostFinished):
            verdicts[entry.event.host] = entry.event.verdict
    given_up = [Verdict.UNKNOWN for one in told.slices if one.verdict is None]
    aborted = [one.verdict for one in told.slices if one.verdict is Verdict.ABORTED]
    never = [Verdict.ABORTED] if unbegun else []
    return worst([*verdicts.values(), *given_up, *aborted, *never])


def _told(run: RunSummary, entries: Iterable[Entry]) -> Iterator[Entry]:
    """Yield what a slice has to say of its hosts, and why it stopped where it goes on no more."""
    for entry in entries:
        match entry.event:
            case RunInterrupted() if run.verdict is None and run.interrupted is not None:
                yield entry
            case WaveLookBegun() | WaveLookEnded():
                yield entry
            case event if not isinstance(event, RunEvent):
                yield entry
            case _:
                pass


def _in_time(entries: Iterable[Entry]) -> Iterator[tuple[float, Entry]]:
    """Yield entries with a time that never goes back: a clock may, and what happened does not."""
    latest = 0.0
    for entry in entries:
        latest = max(latest, entry.at)
        yield latest, entry


def _fallen(entries: Iterable[Entry]) -> Iterator[Entry]:
    """Yield entries, with looks at the waves before told of the hosts that were looked at.

    By the clocks of two machines a look may seem to come before the end that it speaks of.
    """
    ends: dict[str, HostFinished] = {}
    fell: dict[tuple[str, str], Entry] = {}
    told: set[tuple[str, str]] = set()
    for entry in entries:
        match entry.event:
            case WaveLookEnded(step=step, seen=seen):
                yield entry
                for host, verification in seen.items():
                    if verification.result is FixResult.RECURRED:
                        again = FixRechecked(host=host, step=step, verification=verification)
                        fell.setdefault((host, step), replace(entry, event=again))
            case FixRechecked(host=host, step=step) if (host, step) in told:
                continue  # The slice itself has heard of it.
            case FixRechecked(host=host, step=step, verification=seen_there):
                yield entry
                if seen_there.result is FixResult.RECURRED:
                    told.add((host, step))
            case event:
                yield entry
                if isinstance(event, HostFinished):
                    ends[event.host] = event
        for key in [key for key in fell if key not in told and key[0] in ends]:
            told.add(key)
            yield fell[key]
            end = replace(ends[key[0]], verdict=Verdict.UNRESOLVED, reason=FELL_BACK)
            yield replace(fell[key], event=end)
