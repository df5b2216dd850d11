"""When schedules fire. Pure: the clock is an argument.

The nominal time of a firing is what the schedule says; it fires later by the schedule's jitter,
which is the same every time, so that the distance between two firings is what was asked for.
"""

import hashlib
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from enum import StrEnum
from itertools import takewhile
from zoneinfo import ZoneInfo

from runbook.schedule.cron import times_after

HORIZON = timedelta(days=31)
"""What was missed longer ago is forgotten."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Cron:
    """At the times of a cron expression, by the clock of `zone`."""

    expression: str
    zone: ZoneInfo


@dataclass(frozen=True, kw_only=True, slots=True)
class Every:
    """Each time so many seconds have passed since 1970-01-01, whatever the clock on the wall says."""

    seconds: float


class Missed(StrEnum):
    """What becomes of firings that nobody was there for."""

    NEWEST = "newest"
    ALL = "all"
    NONE = "none"


class Overlap(StrEnum):
    """What becomes of a firing while the run of an earlier one goes on."""

    SKIP = "skip"
    QUEUE = "queue"
    CANCEL = "cancel"


@dataclass(frozen=True, kw_only=True, slots=True)
class Schedule:
    """A runbook that runs by the clock.

    A firing that is more than `grace_s` seconds late is a missed one. `jitter_s` is the longest
    delay. `given` are values of params as for --set.
    """

    name: str
    runbook: str
    pattern: str
    rhythm: Cron | Every
    diagnose: bool = False
    given: tuple[str, ...] = ()
    jitter_s: float = 0.0
    missed: Missed = Missed.NEWEST
    grace_s: float = 60.0
    overlap: Overlap = Overlap.SKIP
    paused: bool = False


@dataclass(frozen=True, kw_only=True, slots=True)
class Firing:
    """One time a schedule is to start a run: schedule and nominal time name it for good."""

    schedule: str
    nominal: datetime
    due: datetime


@dataclass(frozen=True, kw_only=True, slots=True)
class Due:
    """What is to be done now: firings in order, and those that are left out, with the reason."""

    fire: tuple[Firing, ...] = ()
    left_out: tuple[tuple[Firing, str], ...] = ()


def delay(schedule: Schedule) -> timedelta:
    """Return a schedule's jitter: from 0 up to `jitter_s`, drawn from its name once and for all."""
    drawn = int.from_bytes(hashlib.sha256(schedule.name.encode()).digest()[:8]) / 2**64
    return timedelta(seconds=drawn * schedule.jitter_s)


def firings(schedule: Schedule, after: datetime) -> Iterator[Firing]:
    """Yield the firings whose nominal time is after a moment, in order, without end."""
    late = delay(schedule)
    for nominal in _nominal(schedule.rhythm, after):
        yield Firing(schedule=schedule.name, nominal=nominal, due=nominal + late)


def next_firing(schedule: Schedule, after: datetime) -> Firing | None:
    """Return the first firing that is due after a moment; None if there never is one."""
    found = firings(schedule, after - delay(schedule))
    return next((one for one in found if one.due > after), None)


def due(schedule: Schedule, last: datetime, now: datetime) -> Due:
    """Return what is to be done of the firings whose nominal time is after `last`.

    `last` is the nominal time of the last one that was dealt with, or the moment since which the
    schedule is kept. Every firing is in one of the two lists, unless it is older than `HORIZON`.
    """
    start = max(last, now - HORIZON)
    open_ones = list(takewhile(lambda one: one.due <= now, firings(schedule, start)))
    if schedule.paused:
        return Due(left_out=tuple((one, "the schedule is paused") for one in open_ones))
    grace = timedelta(seconds=schedule.grace_s)
    missed = [one for one in open_ones if now - one.due > grace]
    punctual = open_ones[len(missed) :]
    kept = _kept(schedule.missed, missed, punctual)
    dropped = [one for one in missed if one not in kept]
    return Due(
        fire=(*kept, *punctual),
        left_out=tuple((one, _why(schedule, one, now)) for one in dropped),
    )


def _kept(rule: Missed, missed: Sequence[Firing], punctual: Sequence[Firing]) -> list[Firing]:
    match rule:
        case Missed.ALL:
            return list(missed)
        case Missed.NEWEST if not punctual:
            return list(missed[-1:])
        case _:
            return []


def _why(schedule: Schedule, firing: Firing, now: datetime) -> str:
    late = (now - firing.due).total_seconds()
    return f"missed by {late:.0f} s, and missed ones are: {schedule.missed}"


def _nominal(rhythm: Cron | Every, after: datetime) -> Iterator[datetime]:
    match rhythm:
        case Cron():
            for moment in times_after(rhythm.expression, after.astimezone(rhythm.zone)):
                yield moment.astimezone(UTC)
        case Every():
            beat = int(after.timestamp() // rhythm.seconds) + 1
            while True:
                yield datetime.fromtimestamp(beat * rhythm.seconds, tz=UTC)
                beat += 1
