"""What the runs of a runbook add up to: causes, fixes, time to repair, and what keeps coming back."""

import math
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field

from runbook.driver.experience import Attempt, Experience, attempts, experience
from runbook.journal import Entry, RunSummary
from runbook.model.event import HostFinished, Mode
from runbook.model.slices import whole_of
from runbook.model.verdict import Verdict


@dataclass(frozen=True, kw_only=True, slots=True)
class Times:
    """How long something took, in seconds; `count` times; None where it never happened.

    `p90_s` is what nine of ten did not exceed.
    """

    count: int = 0
    median_s: float | None = None
    p90_s: float | None = None


@dataclass(frozen=True, kw_only=True, slots=True)
class Flapping:
    """A cause that was found on a host again within the window, `again` times; `last_at` is POSIX."""

    host: str
    cause: str
    again: int
    last_at: float


@dataclass(frozen=True, kw_only=True, slots=True)
class Figures:
    """All of it. A walk is one host in one run; it is a fault where a cause was found on it.

    Read-only runs are left out: whoever diagnoses first would count each fault twice. `past` is of
    each fix and cause, `fix_times` of the fixes that worked, `repair` of the hosts that a run
    resolved, from the run's start to the host's verdict.
    """

    runs: int = 0
    walks: int = 0
    faults: int = 0
    verdicts: Mapping[Verdict, int] = field(default_factory=dict)
    past: Experience = field(default_factory=Experience)
    fix_times: Mapping[str, Times] = field(default_factory=dict)
    repair: Times = field(default_factory=Times)
    flapping: tuple[Flapping, ...] = ()


def figures(runs: Iterable[RunSummary], milestones: Iterable[Entry], *, window_s: float) -> Figures:
    """Add up runs of one runbook; milestones of other runs are passed over.

    A cause flaps that comes back to a host within `window_s` seconds.
    """
    began = {run.id: run.started_at for run in runs if run.mode is Mode.RUN}
    entries = [entry for entry in milestones if entry.run in began]
    ends = _ends(entries)
    others = [entry for entry in entries if not isinstance(entry.event, HostFinished)]
    fixes: dict[str, list[Attempt]] = {}
    for attempt in attempts(others):
        fixes.setdefault(attempt.step, []).append(attempt)
    resolved = [
        max(0.0, entry.at - began.get(whole_of(entry.run) or "", began[entry.run]))
        for entry, event in ends
        if event.verdict is Verdict.RESOLVED
    ]
    return Figures(
        runs=sum(whole_of(run) is None for run in began),
        walks=len(ends),
        faults=sum(bool(event.causes) for _, event in ends),
        verdicts=Counter(event.verdict for _, event in ends),
        past=experience([*others, *(entry for entry, _ in ends)]),
        fix_times={
            step: times(item.took_s for item in tries if item.worked and item.took_s is not None)
            for step, tries in fixes.items()
        },
        repair=times(resolved),
        flapping=_flapping(ends, window_s),
    )


def times(seconds: Iterable[float]) -> Times:
    """Return median and 90th percentile: the least value that so many do not exceed."""
    ordered = sorted(seconds)
    if not ordered:
        return Times()
    middle = len(ordered) // 2
    median = ordered[middle] if len(ordered) % 2 else (ordered[middle - 1] + ordered[middle]) / 2
    p90 = ordered[math.ceil(0.9 * len(ordered)) - 1]
    return Times(count=len(ordered), median_s=median, p90_s=p90)


def _ends(entries: Iterable[Entry]) -> list[tuple[Entry, HostFinished]]:
    """Return how each walk ended, oldest first: a run that waited and went on says it twice."""
    ends: dict[tuple[str, str], tuple[Entry, HostFinished]] = {}
    for entry in sorted(entries, key=lambda entry: (entry.run, entry.seq)):
        if isinstance(entry.event, HostFinished):
            ends[entry.run, entry.event.host] = (entry, entry.event)
    return sorted(ends.values(), key=lambda end: end[0].at)


def _flapping(ends: Sequence[tuple[Entry, HostFinished]], window_s: float) -> tuple[Flapping, ...]:
    before: dict[tuple[str, str], float] = {}
    again: Counter[tuple[str, str]] = Counter()
    for entry, event in ends:
        for cause in event.causes:
            key = (event.host, cause)
            if key in before and entry.at - before[key] <= window_s:
                again[key] += 1
            before[key] = entry.at
    return tuple(
        Flapping(host=host, cause=cause, again=number, last_at=before[host, cause])
        for (host, cause), number in again.most_common()
    )
