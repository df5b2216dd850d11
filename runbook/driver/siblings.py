"""What the other slices of a run have come to, as far as the journal tells: read once, as it comes."""

import time
from collections import ChainMap
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field

from runbook.engine.evolve import evolve, start
from runbook.engine.ramp import is_in_fix
from runbook.journal import Entry, Journal
from runbook.model.definition import Fix, FixResult, Runbook
from runbook.model.event import (
    Event,
    FixRechecked,
    HostEvent,
    HostFinished,
    HostJoined,
    RunFinished,
    RunInterrupted,
    WaveLookBegun,
    WaveLookEnded,
)
from runbook.model.slices import Slice
from runbook.model.state import HostState
from runbook.model.verdict import Verdict

POLL_S = 0.5
"""How often it is looked what others have come to, while hosts wait for that."""

STALLED_S = 300.0
"""A slice in a fix that nobody is seen to drive for so long, in seconds, is not waited for."""

FELL_BACK = "it was well, and was not when it was looked at before the next wave"

LOOK_S = 60.0
"""How much longer than its verification another slice's look at the waves before may take."""


@dataclass(kw_only=True, slots=True)
class _Look:
    run: str
    begun: int
    at: float


@dataclass(kw_only=True)
class Siblings:
    """The other slices of the run that `run` is a slice of. `clock` gives POSIX seconds.

    `own` are the states of this slice's hosts. Nothing here is written, but by who drives a slice.
    """

    run: str
    slice: Slice
    runbook: Runbook
    journal: Journal
    own: Callable[[], dict[str, HostState]]
    clock: Callable[[], float]
    states: dict[str, HostState] = field(default_factory=dict)
    _read: dict[str, int] = field(default_factory=dict)
    _run_of: dict[str, str] = field(default_factory=dict)
    _looks: dict[str, _Look] = field(default_factory=dict)
    _seen: dict[str, int] = field(default_factory=dict)
    _unseen: dict[str, str] = field(default_factory=dict)
    _fallen: dict[str, set[str]] = field(default_factory=dict)
    _silent_since: dict[str, float] = field(default_factory=dict)
    _news: list[WaveLookEnded] = field(default_factory=list)
    _next: float = 0.0

    # Reading

    def refresh(self) -> None:
        """Read what was written since, up to one moment for all slices; raise RunbookError."""
        self._next = time.monotonic() + POLL_S
        for run, last in self.journal.slices(self.slice.whole).items():
            if run == self.run or self._read.get(run, 0) >= last:
                continue
            for entry in self.journal.entries(run, after=self._read.get(run, 0)):
                if entry.seq > last:
                    break
                self._read[run] = entry.seq
                self._take(entry)

    def refresh_from_time_to_time(self) -> None:
        """Read what was written since, where that was not done just now."""
        if time.monotonic() >= self._next:
            self.refresh()
            self._look_at_drivers()

    def next_refresh_s(self) -> float:
        """Return the seconds until it is time to look again what others have come to."""
        return max(0.0, self._next - time.monotonic())

    def recall(self, events: Iterable[Event]) -> None:
        """Take in what this slice itself wrote of the waves before it stopped."""
        for event in events:
            if isinstance(event, WaveLookEnded):
                self.looked(event)

    def _take(self, entry: Entry) -> None:
        match entry.event:
            case WaveLookBegun(step=step, begun=begun):
                # Chains are read one after the other, so that what is older may come later.
                if begun > self.before(step):
                    self._looks[step] = _Look(run=entry.run, begun=begun, at=entry.at)
            case WaveLookEnded() as look:
                self.looked(look)
                self._news.append(look)
            case RunInterrupted() | RunFinished():
                for fix in [fix for fix, one in self._looks.items() if one.run == entry.run]:
                    del self._looks[fix]
            case event if isinstance(event, HostEvent):
                self._evolve(event, entry.run)
            case _:
                pass

    def _evolve(self, event: HostEvent, run: str) -> None:
        if isinstance(event, HostJoined) and event.host not in self.states:
            self.states[event.host] = start(self.runbook, event.host)
            self._run_of[event.host] = run
        self.states[event.host] = evolve(self.runbook, self.states[event.host], event)

    def _look_at_drivers(self) -> None:
        """Note since when nobody is seen to drive a slice that is in a fix."""
        acting = {self._run_of[host] for host, one in self.states.items() if is_in_fix(one)}
        claims = self.journal.claims() if acting else ()
        driven = {claim.run for claim in claims if claim.alive}
        now = time.monotonic()
        for run in self._silent_since.keys() - (acting - driven):
            del self._silent_since[run]
        for run in acting - driven:
            self._silent_since.setdefault(run, now)

    def of_own(self) -> list[HostEvent]:
        """Hand over what others saw of hosts of this slice that fell back, to be written down here."""
        news, self._news = self._news, []
        own = self.own()
        return [
            told
            for look in news
            for host, seen in look.seen.items()
            if seen.result is FixResult.RECURRED
            and host in own
            and own[host].verdict is not None
            and not _is_known(own[host], look.step)
            for told in fell_back(
                FixRechecked(host=host, step=look.step, verification=seen), own[host]
            )
        ]

    # What it comes to

    @property
    def everybody(self) -> Mapping[str, HostState]:
        """The states of the hosts of all slices that have begun."""
        return ChainMap(self.own(), self.states)

    @property
    def looked_at(self) -> Mapping[str, HostState]:
        """The states of this slice's hosts, and of those of others that were looked at by now."""
        others = {
            host: one
            for host, one in self.states.items()
            if one.known or one.path or one.verdict is not None
        }
        return ChainMap(self.own(), others)

    def fallen(self, fix: str) -> frozenset[str]:
        """Return the hosts where it is known that a fix did not last, or not what became of it."""
        now = time.monotonic()
        lost = {run for run, at in self._silent_since.items() if now - at >= STALLED_S}
        stuck = {
            host
            for host, one in self.states.items()
            if self._run_of[host] in lost and is_in_fix(one) and one.position == fix
        }
        return frozenset(self._fallen.get(fix, set()) | stuck)

    def before(self, fix: str) -> int:
        """Return how many hosts had a fix when the waves before were last seen to be well."""
        return self._seen.get(fix, 0)

    def unseen(self, fix: str) -> str:
        """Return a host of an earlier wave that nobody could see, "" where there is none."""
        return self._unseen.get(fix, "")

    def is_looking(self, fix: str, begun: int) -> bool:
        """Say whether another slice is just looking at the hosts of the waves before."""
        look = self._looks.get(fix)
        step = self.runbook.steps[fix]
        assert isinstance(step, Fix)  # noqa: S101 -- as who asks promises
        patience = LOOK_S + step.verify.within_s + step.verify.hold_s
        return look is not None and look.begun == begun and self.clock() - look.at < patience

    def looked(self, event: WaveLookEnded) -> None:
        """Take in what a look at the waves before came to, by whichever slice."""
        fix = event.step
        under_way = self._looks.get(fix)
        if under_way is not None and under_way.begun <= event.begun:
            del self._looks[fix]
        self._seen[fix] = max(event.begun, self._seen.get(fix, 0))
        if event.unseen:
            self._unseen[fix] = event.unseen
        for host, seen in event.seen.items():
            if seen.result is FixResult.RECURRED:
                self._fallen.setdefault(fix, set()).add(host)


def _is_known(state: HostState, fix: str) -> bool:
    """Say whether it is written already that a fix has not lasted on a host."""
    return any(one.step == fix and one.result == FixResult.RECURRED for one in state.fixes)


def fell_back(event: FixRechecked, state: HostState) -> tuple[FixRechecked, HostFinished]:
    """Return what is written of a host of an earlier wave that is not well any more."""
    return event, HostFinished(
        host=event.host,
        verdict=Verdict.UNRESOLVED,
        reason=FELL_BACK,
        causes=tuple(dict.fromkeys(found.cause for found in state.causes)),
    )
