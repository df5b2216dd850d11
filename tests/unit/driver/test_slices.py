"""Slices of one run: however they are interleaved, ramp and guards are those of one run."""

import random
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field, replace
from typing import TypeVar

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from runbook.driver import siblings
from runbook.driver.policing import PolicedOperator
from runbook.driver.siblings import Siblings
from runbook.driver.stopping import SlicedRunError
from runbook.driver.whole import slice_of, verdict_of, whole_run
from runbook.executor import Deliver, Request, VerifyRequest
from runbook.executor.scripted import ScriptedFix, ScriptedHost, ScriptedInvocation
from runbook.journal import RunSummary
from runbook.journal.memory import MemoryJournal
from runbook.model.definition import FixResult
from runbook.model.event import (
    Event,
    FixConcluded,
    FixDeclined,
    FixIntended,
    FixRechecked,
    HostFinished,
    RunSliced,
    RunStarted,
    WaveLookBegun,
    WaveLookEnded,
)
from runbook.model.observation import Verification
from runbook.model.policy import Budget, Guards, Permission, Policy, Ramp, Rule, Scope, Source
from runbook.model.slices import Slice, number_of, slice_id, sliced, whole_of
from runbook.model.verdict import Verdict
from tests.contract.journals import dead
from tests.event_strategies import unhurried
from tests.unit.driver.stage import FAULTY, FINE, ONE_FIX, Cancellable, Person, Stage, host

NOW = 0.0
WHOLE = "20260102-030405-9f3a"
USELESS = ScriptedFix(verification=Verification(result=FixResult.NO_EFFECT))
ALL = Rule(name="all", permission=Permission.AUTO)
T = TypeVar("T")


@pytest.fixture(autouse=True)
def _impatient(monkeypatch: pytest.MonkeyPatch) -> None:
    """Have slices look often at what others have come to."""
    monkeypatch.setattr(siblings, "POLL_S", 0.005)


@dataclass
class Shuffling(MemoryJournal):
    """A journal whose callers are held up at random; `told` is all that was written, in order."""

    seed: int
    told: list[tuple[str, Event]] = field(default_factory=list)

    def __post_init__(self) -> None:
        super().__init__()
        self._random = random.Random(self.seed)

    def begin(self, run: RunSummary, events: Sequence[Event] = ()) -> None:
        """Create a run, some time later."""
        self._dawdle()
        with self._lock:
            super().begin(run, events)
            self.told += [(run.id, event) for event in events]

    def append(self, run: str, events: Sequence[Event], *, at: float, who: str) -> None:
        """Write events, some time later."""
        self._dawdle()
        with self._lock:
            super().append(run, events, at=at, who=who)
            self.told += [(run, event) for event in events]

    def alone(self, whole: str, work: Callable[[], T]) -> T:
        """Do something alone, some time later, and let nobody in while it takes its time."""
        self._dawdle()
        return super().alone(whole, work)

    def is_gone(self, run: str) -> None:
        """Have it look as if the process that drives a run were dead."""
        self._runs[run].holder = dead()

    def _dawdle(self) -> None:
        time.sleep(self._random.choice((0.0, 0.0, 0.001, 0.003)))


@dataclass(kw_only=True)
class Fleet:
    """A run of some hosts, cut into slices that are driven side by side."""

    hosts: dict[str, ScriptedHost]
    at_most: int
    ramp: Ramp | None = None
    guards: Guards = field(default_factory=Guards)
    seed: int = 0

    def __post_init__(self) -> None:
        self.journal = Shuffling(self.seed)
        whole = self._stage(WHOLE, "all")
        with pytest.raises(SlicedRunError):
            replace(whole, at_most=self.at_most).play()
        [cut] = [event for _, event in self.journal.told if isinstance(event, RunSliced)]
        self.stages = [
            self._stage(slice_id(WHOLE, number), ",".join(hosts))
            for number, hosts in enumerate(cut.hosts, start=1)
        ]

    def _stage(self, name: str, pattern: str) -> Stage:
        part = slice_of(name, self.journal)
        policed = PolicedOperator(
            operator=Person(),
            policy=Policy(name="all", rules=(ALL,), guards=self.guards),
            runbook=ONE_FIX,
            journal=self.journal,
            source=Source.SCHEDULE,
            attended=False,
            clock=lambda: NOW,
            size=0 if part is None else part.size,
        )
        return Stage(
            runbook=ONE_FIX,
            hosts=self.hosts,
            operator=policed,
            journal=self.journal,
            run=name,
            pattern=pattern,
            ramp=self.ramp,
            slice=part,
            guarding=policed.tripped,
            gather_s=0.001,
            now=NOW,
        )

    def play(self) -> None:
        """Drive all slices at once, each in a thread of its own, to their ends."""
        threads = [threading.Thread(target=stage.play, daemon=True) for stage in self.stages]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join(60)
            assert not thread.is_alive(), "a slice does not end"

    @property
    def events(self) -> Iterator[Event]:
        """What was written, by all of them, in order."""
        return (event for _, event in self.journal.told)

    @property
    def verdicts(self) -> dict[str, Verdict]:
        """Each host's last verdict."""
        ends = (event for event in self.events if isinstance(event, HostFinished))
        return {event.host: event.verdict for event in ends}

    def waves(self) -> list[int]:
        """Return how many hosts each wave had; fail where one began that might not."""
        waves: list[int] = []
        begun: set[str] = set()
        under_way: set[str] = set()
        before = 0
        for event in self.events:
            match event:
                case FixIntended(host=name):
                    assert not self._failed_by(event), f"{name} begins after a wave that failed"
                    if not waves or len(begun) == before:
                        assert not under_way, f"{name} begins while the wave before is under way"
                        waves.append(0)
                    else:
                        assert under_way, f"{name} joins a wave that is over"
                    begun.add(name)
                    under_way.add(name)
                    waves[-1] += 1
                    assert self.ramp is None or waves[-1] <= before + self.ramp.first, waves
                case FixConcluded(host=name):
                    under_way.discard(name)
                case WaveLookEnded(begun=seen):
                    assert not under_way, "the waves before are looked at before they are over"
                    assert seen == len(begun)
                    before = seen
                case _:
                    pass
        return waves

    def _failed_by(self, moment: Event) -> list[Event]:
        """Return what had failed before an event."""
        failed: list[Event] = []
        for event in self.events:
            if event is moment:
                break
            match event:
                case FixConcluded(result=result) if result in (
                    FixResult.NO_EFFECT,
                    FixResult.RECURRED,
                ):
                    failed.append(event)
                case FixRechecked(verification=seen) if seen.result is FixResult.RECURRED:
                    failed.append(event)
                case _:
                    pass
        return failed


def crowd(
    many: int, useless: Sequence[int] = (), well: Sequence[int] = ()
) -> dict[str, ScriptedHost]:
    """Return hosts that are down, but for those that are well; on some the fix is of no use."""
    hosts = {f"web{number}": host() for number in range(many)}
    hosts |= {f"web{n}": host(None, {"restart": [USELESS]}) for n in useless}
    return hosts | {f"web{n}": host({"up": [FINE]}) for n in well}


@given(many=st.integers(min_value=1, max_value=300), most=st.integers(min_value=1, max_value=300))
def test_hosts_are_dealt_out(many: int, most: int) -> None:
    """Every host is in one slice, none has too many, and they differ by one host at most."""
    hosts = [str(number) for number in range(many)]

    slices = sliced(hosts, most)

    assert sorted(host for part in slices for host in part) == sorted(hosts)
    assert max(map(len, slices)) <= most
    assert max(map(len, slices)) - min(map(len, slices)) <= 1
    assert len(slices) == -(-many // most)
    assert slices == sliced(hosts, most)


def test_neighbours_are_in_different_slices() -> None:
    """Of two racks, one after the other in the inventory, each slice has a half of both."""
    racks = [f"a{number}" for number in range(4)] + [f"b{number}" for number in range(4)]

    assert sliced(racks, 4) == (("a0", "a2", "b0", "b2"), ("a1", "a3", "b1", "b3"))


def test_an_id_tells_of_what_it_is_a_slice() -> None:
    """A slice's id names the whole and its number; that of any other run does not."""
    name = slice_id(WHOLE, 12)

    assert (whole_of(name), number_of(name)) == (WHOLE, 12)
    assert [(whole_of(other), number_of(other)) for other in (WHOLE, "r1", "a.b", "a.0")] == [
        (None, 0)
    ] * 4


def test_a_run_that_is_too_large_is_cut_before_anything_is_touched() -> None:
    """Its journal has the slices' hosts and no host: none was looked at, claimed or taken in."""
    fleet = Fleet(hosts=crowd(7), at_most=3)

    kinds = [type(event) for event in fleet.events]
    assert kinds == [RunStarted, RunSliced]
    assert [stage.slice for stage in fleet.stages] == [
        Slice(whole=WHOLE, number=number, slices=3, size=7) for number in (1, 2, 3)
    ]
    assert fleet.journal.claims() == []


@settings(unhurried, max_examples=15)
@given(
    many=st.integers(min_value=5, max_value=14),
    at_most=st.integers(min_value=1, max_value=6),
    first=st.integers(min_value=1, max_value=2),
    useless=st.lists(st.integers(min_value=0, max_value=13), max_size=2),
    well=st.lists(st.integers(min_value=0, max_value=13), max_size=3),
    failures=st.sampled_from((None, 1, 2)),
    budget=st.sampled_from((None, 4)),
    seed=st.integers(min_value=0),
)
def test_slices_are_no_more_than_one_run(
    *,
    many: int,
    at_most: int,
    first: int,
    useless: list[int],
    well: list[int],
    failures: int | None,
    budget: int | None,
    seed: int,
) -> None:
    """Waves, failures and budget count over all slices, in whatever order these get on.

    Each of them ends, each host has a verdict, no fix begins twice; what nobody stops is mended.
    """
    hosts = crowd(many, [n for n in useless if n < many], [n for n in well if n < many])
    budgets = () if budget is None else (Budget(fixes=budget, within_s=3600.0, scope=Scope.ALL),)
    fleet = Fleet(
        hosts=hosts,
        at_most=min(at_most, many - 1),
        ramp=Ramp(first=first),
        guards=Guards(failures=failures, budgets=budgets),
        seed=seed,
    )

    fleet.play()

    assert set(fleet.verdicts) == set(hosts)
    fleet.waves()
    begun = [event.host for event in fleet.events if isinstance(event, FixIntended)]
    assert len(begun) == len(set(begun))
    if budget is not None:
        assert len(begun) <= budget
    if not (useless or well or budget):
        assert sorted(begun) == sorted(hosts)
        assert set(fleet.verdicts.values()) == {Verdict.RESOLVED}
    told = whole_run(fleet.journal.find(WHOLE), fleet.journal)
    assert set(told.summary.hosts) == set(hosts)
    assert (
        verdict_of(told, 0) is max(fleet.verdicts.values(), key=[*Verdict].index)
        or verdict_of(told, 0) in fleet.verdicts.values()
    )


def test_what_others_do_is_what_holds_a_slice_back(monkeypatch: pytest.MonkeyPatch) -> None:
    """The control: slices that do not hear of each other begin a first wave each, and are caught."""
    monkeypatch.setattr(Siblings, "refresh", lambda _self: None)
    fleet = Fleet(hosts=crowd(8), at_most=4, ramp=Ramp())

    fleet.play()

    with pytest.raises(AssertionError):
        fleet.waves()


def test_waves_are_made_by_all_slices_together() -> None:
    """Fifteen hosts in three slices: 1, 2, 4 and 8, as of one run, one look before each but the first."""
    fleet = Fleet(hosts=crowd(15), at_most=5, ramp=Ramp(), seed=3)

    fleet.play()

    assert fleet.waves() == [1, 2, 4, 8]
    looks = [event for event in fleet.events if isinstance(event, WaveLookBegun)]
    assert [look.begun for look in looks] == [1, 3, 7]
    assert set(fleet.verdicts.values()) == {Verdict.RESOLVED}


def test_a_wave_that_fails_stops_all_slices() -> None:
    """The fix is of no use where it begins first: no slice begins it anywhere else."""
    fleet = Fleet(hosts=crowd(12, range(12)), at_most=4, ramp=Ramp())

    fleet.play()

    begun = [event.host for event in fleet.events if isinstance(event, FixIntended)]
    assert len(begun) == 1
    declined = [event for event in fleet.events if isinstance(event, FixDeclined)]
    assert {event.guard for event in declined} == {"ramp"}
    assert {event.reason for event in declined} == {
        f"ramp: the wave before did not help on {begun[0]}"
    }
    assert len(declined) == 11


@dataclass(kw_only=True)
class FallsBack(Cancellable):
    """Whatever was mended does well, until it is looked at before the next wave."""

    def start(self, request: Request, deliver: Deliver) -> ScriptedInvocation:
        """Have hosts fall back just before they are looked at again."""
        if isinstance(request, VerifyRequest):
            back = host({"up": [FAULTY]}, {"restart": [USELESS]})
            self.hosts = {**self.hosts, **dict.fromkeys(request.hosts, back)}
        return super().start(request, deliver)


@pytest.mark.parametrize("at_most", [1, 3])
def test_a_host_that_falls_back_ends_the_waves_of_all_slices(at_most: int) -> None:
    """Whichever slice sees it: none begins another fix, and the run is told of it as unresolved.

    A slice that is over by then says resolved; what another one saw of its host counts for the whole.
    """
    for seed in range(3):
        fleet = Fleet(hosts=crowd(6), at_most=at_most, ramp=Ramp(), seed=seed)
        for stage in fleet.stages:
            stage.executor = FallsBack(hosts=fleet.hosts)

        fleet.play()

        [begun] = [event.host for event in fleet.events if isinstance(event, FixIntended)]
        declined = {event.reason for event in fleet.events if isinstance(event, FixDeclined)}
        assert declined == {f"ramp: what a wave before did has not lasted on {begun}"}
        told = whole_run(fleet.journal.find(WHOLE), fleet.journal)
        ends = [entry.event for entry in told.entries if isinstance(entry.event, HostFinished)]
        last = {end.host: end for end in ends}
        assert last.pop(begun).verdict is Verdict.UNRESOLVED
        assert {end.verdict for end in last.values()} == {Verdict.DECLINED}
        assert verdict_of(told, 0) is Verdict.UNRESOLVED


def test_shares_count_over_all_slices() -> None:
    """Each slice has one host that is down of three, all of them six: half of which would be two.

    Where most hosts of all slices are down, none is mended, though a slice may be too small to tell.
    """
    few = Fleet(hosts=crowd(9, well=range(3, 9)), at_most=3, guards=Guards(shared_cause=0.5))
    few.play()
    assert list(few.verdicts.values()).count(Verdict.RESOLVED) == 3

    most = Fleet(hosts=crowd(9), at_most=3, guards=Guards(shared_cause=0.5))
    most.play()
    assert set(most.verdicts.values()) == {Verdict.DECLINED}
    guards = {event.guard for event in most.events if isinstance(event, FixDeclined)}
    assert guards == {"shared-cause"}


def test_a_slice_that_nobody_drives_does_not_hold_the_others_for_ever(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """Its process died in the first wave, and nobody goes on with it: the others decline their fixes."""
    monkeypatch.setattr(siblings, "STALLED_S", 0.05)
    hosts = crowd(6) | {"web0": host(None, None, "restart")}
    fleet = Fleet(hosts=hosts, at_most=3, ramp=Ramp())
    first, second = fleet.stages
    begun = threading.Event()
    first.on_event = lambda event: begun.set() if isinstance(event, FixIntended) else None
    driving = threading.Thread(target=first.play, daemon=True)
    driving.start()
    assert begun.wait(30)
    fleet.journal.is_gone(first.run)

    second.play()

    assert set(second.verdicts.values()) == {Verdict.DECLINED}
    reasons = {event.reason for event in second.of(FixDeclined) if isinstance(event, FixDeclined)}
    assert reasons == {"ramp: nobody knows what became of the wave before on web0"}
    while driving.is_alive():
        first.script.cancel_all()  # The fix, and the look that follows it.
        driving.join(0.05)
