"""The service: what it starts and when, with real processes and a clock that the tests hold."""

import sys
from collections.abc import Iterator, Mapping, Sequence
from contextlib import ExitStack
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta
from functools import partial
from pathlib import Path

import psycopg
import pytest

from runbook.journal import Holder, Journal, RunSummary
from runbook.journal.holder import this_process
from runbook.journal.memory import MemoryJournal
from runbook.model.codec import canonical, plain
from runbook.model.event import (
    Event,
    HostFinished,
    HostJoined,
    Mode,
    RunFinished,
    RunInterrupted,
    RunStarted,
)
from runbook.model.policy import Source
from runbook.model.verdict import Verdict
from runbook.schedule.approvals import AboutHost, Approvals, Ask, Vote
from runbook.schedule.intake import Intake
from runbook.schedule.pause import Pause, Switch
from runbook.schedule.process import Process
from runbook.schedule.queue import Queue
from runbook.schedule.requests import Kept, Request, Stage
from runbook.schedule.service import Service
from runbook.schedule.state import FileState, State, opened
from runbook.schedule.timetable import Every, Missed, Overlap, Schedule
from runbook.views.commands.serve import command_of
from tests.acceptance.program import wait_until

NOON = datetime(2026, 6, 1, 12, tzinfo=UTC)
DEAD = replace(this_process(), started=1)
"""A process that has this one's number and was there before it."""
DEAD_SHOWN = canonical(plain(DEAD))
HOURLY = Schedule(name="hourly", runbook="disk-full", pattern="web", rhythm=Every(seconds=3600))


@dataclass
class World:
    """A service whose runs are processes that end when the test says so."""

    folder: Path
    place: Path | str
    log: list[tuple[str, Mapping[str, str]]] = field(default_factory=list)
    journal: Journal = field(default_factory=MemoryJournal)
    resumed: list[str] = field(default_factory=list)
    opened: ExitStack = field(default_factory=ExitStack)

    def state(self) -> State:
        """Open what all services of this world share."""
        return self.opened.enter_context(opened(self.place))

    def service(
        self,
        *schedules: Schedule,
        state: State,
        runs_at_once: int = 4,
        since: datetime = NOON,
        me: Holder | None = None,
    ) -> Service:
        """Return a service that keeps its schedules, from noon on unless told otherwise."""
        service = Service(
            schedules=schedules,
            queue=Queue(state),
            intake=Intake(state),
            approvals=Approvals(state),
            switch=Switch(state),
            journal=self.journal,
            command=self.command,
            log=lambda what, details: self.log.append((what, details)),
            runs_at_once=runs_at_once,
            me=me or this_process(),
        )
        self.turn(service, since)
        return service

    def turn(self, service: Service, now: datetime) -> None:
        """Have a service do what is due, and what it is called for."""
        service.turn(now)
        self.see_to_calls(service, now)

    def see_to_calls(self, service: Service, now: datetime) -> None:
        """Have a service do what it is called for, where services are called."""
        if isinstance(self.place, str):
            with psycopg.connect(self.place, options="-c search_path=runbook") as connection:
                called = connection.execute(
                    "DELETE FROM procrastinate_jobs RETURNING id, args->>'request'"
                ).fetchall()
            for _, request in sorted(called):
                service.see_to(int(request), now)

    def command(self, kept: Kept, again: bool) -> Sequence[str]:
        """Say that it began, and go on until the file `end` is there."""
        if again:
            self.resumed.append(kept.run)
        code = (
            "import pathlib, time\n"
            f"here = pathlib.Path({str(self.folder)!r})\n"
            f"with open(here / {kept.request.asker + '.begun'!r}, 'a') as begun: begun.write('x')\n"
            "while not (here / 'end').exists(): time.sleep(0.01)"
        )
        return [sys.executable, "-S", "-c", code]

    def begun(self, name: str) -> int:
        """Return how many runs of a schedule have begun."""
        path = self.folder / f"{name}.begun"
        return len(path.read_text()) if path.exists() else 0

    def told(self) -> list[str]:
        """Return what the log was told, without the details."""
        return [what for what, _ in self.log]

    def is_over(self, service: Service, now: datetime) -> bool:
        """Have the service look whether its runs have ended."""
        service.see_out(now)
        return not service.busy

    def let_end(self, service: Service, now: datetime) -> None:
        """Let all runs end, and the service see it."""
        (self.folder / "end").touch()
        wait_until(lambda: self.is_over(service, now))
        (self.folder / "end").unlink()


@pytest.fixture
def world(tmp_path: Path, place: Path | str) -> Iterator[World]:
    """Give a world, and end what it leaves."""
    world = World(tmp_path, place)
    with world.opened:
        yield world
    (tmp_path / "end").touch()


def _has_begun(world: World, name: str) -> bool:
    return world.begun(name) == 1


def hours(count: float) -> datetime:
    """Return so many hours after noon."""
    return NOON + timedelta(hours=count)


def test_a_firing_starts_one_run(world: World) -> None:
    """Nothing before its time, once at its time, and nothing more however often one looks."""
    state = world.state()
    queue, service = Queue(state), world.service(HOURLY, state=state)
    world.turn(service, hours(0.9))
    assert world.told() == []

    for _ in range(3):
        world.turn(service, hours(1))

    wait_until(lambda: world.begun("hourly") == 1)
    world.let_end(service, hours(1.1))
    assert world.told() == ["started", "over"]
    assert world.log[0][1]["schedule"] == "hourly"
    [kept] = queue.requests(*Stage)
    assert (kept.stage, kept.told) == (Stage.OVER, "exit code 0")


def test_two_services_with_one_store_fire_once(world: World) -> None:
    """Whoever writes the firing down first has it; the other one leaves it alone."""
    one, two = world.state(), world.state()
    first, second = (
        world.service(HOURLY, state=one),
        world.service(HOURLY, state=two, me=replace(this_process(), controller="another")),
    )

    for hour in range(1, 6):
        world.turn(first if hour % 2 else second, hours(hour))
        world.turn(second if hour % 2 else first, hours(hour))
        world.let_end(first, hours(hour))
        world.let_end(second, hours(hour))

    assert world.begun("hourly") == 5
    assert len(Queue(one).requests(Stage.OVER)) == 5


@pytest.mark.parametrize(
    ("overlap", "stages", "begun"),
    [
        (Overlap.SKIP, [Stage.OVER, Stage.LEFT_OUT], 1),
        (Overlap.QUEUE, [Stage.OVER, Stage.OVER], 2),
        (Overlap.CANCEL, [Stage.OVER, Stage.OVER], 2),
    ],
)
def test_a_firing_while_an_earlier_run_goes_on(
    world: World, overlap: Overlap, stages: list[Stage], begun: int
) -> None:
    """It is left out, or waits for the end, or ends that run; never do two go on at once."""
    state = world.state()
    queue, service = Queue(state), world.service(replace(HOURLY, overlap=overlap), state=state)
    world.turn(service, hours(1))
    wait_until(lambda: world.begun("hourly") == 1)

    world.turn(service, hours(2))

    assert world.begun("hourly") == 1
    if overlap is Overlap.CANCEL:
        wait_until(lambda: world.is_over(service, hours(2)))
        assert queue.requests(Stage.OVER)[0].told == "cancelled"
    else:
        world.let_end(service, hours(2))
    world.turn(service, hours(2.1))
    if service.busy:
        wait_until(lambda: world.begun("hourly") == 2)
        world.let_end(service, hours(2.2))
    assert [kept.stage for kept in queue.requests(*Stage)] == stages
    assert world.begun("hourly") == begun


def test_what_there_is_no_room_for_waits(world: World) -> None:
    """Three are due and one may run: the others begin one after the other."""
    names = ("a", "b", "c")
    state = world.state()
    queue, service = (
        Queue(state),
        world.service(*(replace(HOURLY, name=name) for name in names), state=state, runs_at_once=1),
    )

    world.turn(service, hours(1))
    assert [len(queue.requests(stage)) for stage in (Stage.RUNNING, Stage.QUEUED)] == [1, 2]
    for name in names:
        wait_until(partial(_has_begun, world, name))
        world.let_end(service, hours(1.1))
        world.turn(service, hours(1.1))

    assert len(queue.requests(Stage.OVER)) == 3


def asked(name: str) -> Request:
    """Return what a person asks for."""
    return Request(
        key=name,
        source=Source.TRIGGER,
        asker=name,
        runbook="disk-full",
        pattern="web",
        line=name,
        due=NOON,
    )


def begun(journal: Journal, run: str, holder: Holder) -> None:
    """Write into the journal that a run began, driven by some process."""
    journal.begin(
        RunSummary(
            id=run,
            runbook="disk-full",
            mode=Mode.RUN,
            pattern="web",
            operator="trigger",
            started_at=NOON.timestamp(),
            holder=holder,
        )
    )
    started = RunStarted(runbook="disk-full", closure="c", pattern="web", mode=Mode.RUN)
    journal.append(run, [started], at=NOON.timestamp(), who="trigger")


def test_a_request_is_taken_once_and_kept_once(world: World) -> None:
    """Two with one key are one; whoever takes it first has it."""
    one, two = Queue(world.state()), Queue(world.state())

    number = one.put(asked("a"), NOON)

    assert number is not None
    assert two.put(asked("a"), NOON) is None
    assert two.take(number, run="r1", holder="", now=NOON)
    assert not one.take(number, run="r2", holder="", now=NOON)
    [kept] = one.requests(Stage.RUNNING)
    assert (kept.request, kept.run, kept.tries) == (asked("a"), "r1", 1)


def test_what_a_service_that_died_left_is_seen_to(world: World) -> None:
    """Never begun: begun now. Stopped half-way: gone on with. Over: known. Alive: left alone."""
    state = world.state()
    queue = Queue(state)
    dead = world.service(state=state, me=DEAD)
    for name in ("unbegun", "stopped", "over", "alive"):
        queue.put(asked(name), NOON)
        [kept] = queue.requests(Stage.QUEUED)
        queue.take(kept.id, run=name, holder=dead.shown, now=NOON)
    begun(world.journal, "stopped", DEAD)
    begun(world.journal, "alive", this_process())
    begun(world.journal, "over", DEAD)
    world.journal.append("over", [RunFinished(verdict=Verdict.RESOLVED)], at=1.0, who="trigger")

    later = world.service(state=state)

    stages = {kept.request.asker: (kept.stage, kept.told) for kept in queue.requests(*Stage)}
    assert stages == {
        "unbegun": (Stage.RUNNING, ""),
        "stopped": (Stage.RUNNING, ""),
        "over": (Stage.OVER, "resolved"),
        "alive": (Stage.RUNNING, ""),
    }
    assert world.resumed == ["stopped"]
    assert sorted(world.told()) == ["goes on", "lost", "lost", "over", "started"]
    wait_until(lambda: world.begun("stopped") == 1)
    world.journal.append("stopped", [RunInterrupted(reason="SIGTERM")], at=2.0, who="trigger")
    world.let_end(later, NOON)
    ends = {kept.request.asker: kept.told for kept in queue.requests(Stage.OVER)}
    assert ends == {"over": "resolved", "unbegun": "exit code 0", "stopped": "stopped: SIGTERM"}


def test_a_run_whose_process_dies_again_and_again_is_given_up(world: World) -> None:
    """It is gone on with three times; then it is lost, and said to be."""
    state = world.state()
    queue, service = Queue(state), world.service(state=state)
    queue.put(asked("a"), NOON)
    for tries in range(1, 5):
        world.turn(service, NOON)
        [kept] = queue.requests(Stage.RUNNING)
        assert kept.tries == tries
        process = service._running[kept.id].process
        assert isinstance(process, Process)
        process._process.kill()
        wait_until(lambda: world.is_over(service, NOON))
    world.turn(service, NOON)

    assert world.told() == ["started", "lost"] * 3 + ["started", "given up"]
    [kept] = queue.requests(*Stage)
    assert (kept.stage, kept.told) == (Stage.LOST, "its process died 4 times")


def cut(world: World, service: Service, *slices: Sequence[str]) -> str:
    """Have a run begin and be cut into slices, as its process does it; return its id."""
    queue = service.queue
    world.turn(service, NOON)
    [kept] = queue.requests(Stage.RUNNING)
    begun(world.journal, kept.run, this_process())
    assert queue.slice(kept.run, slices, NOON)
    world.let_end(service, NOON)
    return kept.run


def ended_slice(world: World, run: str, host: str, verdict: Verdict) -> None:
    """Write into the journal how a slice came out."""
    begun(world.journal, run, this_process())
    ends: list[Event] = [
        HostJoined(host=host),
        HostFinished(host=host, verdict=verdict),
        RunFinished(verdict=verdict),
    ]
    world.journal.append(run, ends, at=NOON.timestamp(), who="trigger")


def test_a_run_that_was_cut_is_over_with_its_slices(world: World) -> None:
    """Each slice is a request with hosts of its own; the worst of what they came to is the run's."""
    state = world.state()
    queue, service = Queue(state), world.service(state=state)
    queue.put(replace(asked("a"), severity="high", given=("x=1",)), NOON)

    run = cut(world, service, ("web1", "web3"), ("web2",))

    assert queue.slice(run, [["web1"]], NOON), "it is done once"
    assert [kept.told for kept in queue.requests(Stage.SLICED)] == ["in 2 slices"]
    slices = queue.slices(run)
    assert [(one.run, one.request.pattern) for one in slices] == [
        (f"{run}.1", "web1,web3"),
        (f"{run}.2", "web2"),
    ]
    assert {(one.request.severity, one.request.given) for one in slices} == {("high", ("x=1",))}
    world.turn(service, NOON)
    assert [one.stage for one in queue.slices(run)] == [Stage.RUNNING, Stage.RUNNING]
    ended_slice(world, f"{run}.1", "web1", Verdict.RESOLVED)
    ended_slice(world, f"{run}.2", "web2", Verdict.ESCALATED)
    assert world.journal.find(run).verdict is None
    world.let_end(service, NOON)
    world.turn(service, NOON)

    assert world.journal.find(run).verdict is Verdict.ESCALATED
    assert {one.stage for one in queue.requests(*Stage)} == {Stage.OVER}
    assert world.log[-1] == (
        "over",
        {
            "request": "1",
            "trigger": "a",
            "run": run,
            "runbook": "disk-full",
            "host": "web",
            "outcome": "escalated in 2 slices",
        },
    )


def test_what_nobody_asked_for_is_not_cut(world: World) -> None:
    """A run that no request is for, and one that does not go on, get no slices."""
    queue = Queue(world.state())
    number = queue.put(asked("a"), NOON)
    assert number is not None
    assert queue.take(number, run="r1", holder="", now=NOON)
    [kept] = queue.requests(Stage.RUNNING)
    queue.move(kept, Stage.OVER, "cancelled", NOON)

    assert not queue.slice("r1", [["web1"], ["web2"]], NOON)
    assert not queue.slice("r2", [["web1"], ["web2"]], NOON)
    assert len(queue.requests(*Stage)) == 1


def test_others_wait_for_a_run_that_was_cut(world: World) -> None:
    """Another request for the group waits until the last slice is over, though none names the group."""
    state = world.state()
    queue, service = Queue(state), world.service(state=state)
    queue.put(asked("a"), NOON)
    run = cut(world, service, ("web1",), ("web2",))
    queue.put(asked("b"), NOON)
    world.turn(service, NOON)

    assert [one.run for one in queue.requests(Stage.RUNNING)] == [f"{run}.1", f"{run}.2"]
    [waits] = queue.requests(Stage.QUEUED)
    assert waits.request.asker == "b"
    for name, host in ((f"{run}.1", "web1"), (f"{run}.2", "web2")):
        ended_slice(world, name, host, Verdict.HEALTHY)
    world.let_end(service, NOON)
    world.turn(service, NOON)
    assert [one.request.asker for one in queue.requests(Stage.RUNNING)] == ["b"]
    world.let_end(service, NOON)


def test_a_slice_that_was_lost_is_gone_on_with_though_there_is_no_room(world: World) -> None:
    """The others, which have all the room, may wait for what it began."""
    state = world.state()
    queue, service = Queue(state), world.service(state=state, runs_at_once=1)
    queue.put(asked("a"), NOON)
    run = cut(world, service, ("web1",), ("web2",))
    world.turn(service, NOON)
    [first] = queue.requests(Stage.RUNNING)
    assert first.run == f"{run}.1"
    queue.take(queue.slices(run)[1].id, run=f"{run}.2", holder=DEAD_SHOWN, now=NOON)

    world.turn(service, NOON)

    assert {one.run for one in queue.requests(Stage.RUNNING)} == {f"{run}.1", f"{run}.2"}
    assert {one.tries for one in queue.slices(run)} == {1, 2}
    world.let_end(service, NOON)


def test_a_later_request_takes_the_place_of_all_slices(world: World) -> None:
    """Those that wait are left out, those under way are stopped, and the run is closed."""
    state = world.state()
    queue, service = Queue(state), world.service(state=state, runs_at_once=1)
    queue.put(asked("a"), NOON)
    run = cut(world, service, ("web1",), ("web2",))
    world.turn(service, NOON)
    wait_until(lambda: world.begun("a") == 2)
    queue.put(replace(asked("b"), line="a", overlap=Overlap.CANCEL), NOON)

    world.turn(service, NOON)

    assert [one.stage for one in queue.slices(run)] == [Stage.RUNNING, Stage.LEFT_OUT]
    wait_until(lambda: world.is_over(service, NOON))
    world.turn(service, NOON)
    assert world.journal.find(run).verdict is Verdict.ABORTED
    [over] = [one for one in queue.requests(Stage.OVER) if one.run == run]
    assert over.told == "aborted"
    world.let_end(service, NOON)


def test_a_run_that_waits_for_an_answer_goes_on_once_there_is_one(world: World) -> None:
    """It holds neither a worker nor its host meanwhile, and is gone on with once.

    Where services are called, the answer itself calls one; else the next turn hears of it.
    """
    state = world.state()
    queue, service = Queue(state), world.service(state=state, runs_at_once=1)
    queue.put(asked("a"), NOON)
    world.turn(service, NOON)
    [kept] = queue.requests(Stage.RUNNING)
    begun(world.journal, kept.run, this_process())
    world.journal.append(kept.run, [RunFinished(verdict=Verdict.WAITING)], at=1.0, who="trigger")
    world.let_end(service, NOON)
    assert [one.told for one in queue.requests(Stage.WAITING)] == ["waits for a person"]
    ask = Ask(
        run=kept.run,
        runbook="disk-full",
        fix="clean",
        title="Clean up",
        impact="",
        cause="full",
        rule="",
        people=1,
        hosts={"web": AboutHost(digest="d")},
        asked=NOON,
        expires=hours(1),
    )
    number = Approvals(state).put(ask).id

    world.turn(service, NOON)
    assert not service.busy
    queue.put(asked("b"), NOON)
    world.turn(service, NOON)
    wait_until(partial(_has_begun, world, "b"))
    world.let_end(service, NOON)
    Approvals(state).vote(number, Vote(who="ann", yes=True, reason=""), NOON)
    world.see_to_calls(service, NOON)
    assert service.busy is isinstance(world.place, str)
    for _ in range(2):
        world.turn(service, NOON)

    assert world.resumed == [kept.run]
    assert world.told() == ["started", "waiting", "started", "over", "answered", "goes on"]
    wait_until(lambda: world.begun("a") == 2)
    world.let_end(service, NOON)


def test_what_a_run_that_never_began_says_is_kept(world: World) -> None:
    """A runbook that is not there: exit code 2, and the words of standard error."""
    state = world.state()
    service = world.service(state=state)
    words = "import sys; sys.exit('error: unknown-runbook\\n\\nthere is none')"
    service.command = lambda kept, again: [sys.executable, "-S", "-c", words]
    Queue(state).put(asked("a"), NOON)
    world.turn(service, NOON)
    wait_until(lambda: world.is_over(service, NOON))

    [kept] = Queue(state).requests(Stage.OVER)
    assert kept.told == "exit code 1: error: unknown-runbook there is none"


def test_missed_firings_are_made_up_for_by_the_newest(world: World) -> None:
    """Nobody was there for four hours: three firings are left out, with the reason, one fires."""
    first = world.state()
    world.service(HOURLY, state=first)
    first.close()

    state = world.state()
    later = world.service(replace(HOURLY, missed=Missed.NEWEST), state=state, since=hours(4.5))

    wait_until(lambda: world.begun("hourly") == 1)
    world.let_end(later, hours(4.6))
    assert world.told() == ["left out"] * 3 + ["started", "over"]
    assert [kept.stage for kept in Queue(state).requests(*Stage)] == [
        *[Stage.LEFT_OUT] * 3,
        Stage.OVER,
    ]


def test_a_pause_holds_everything_until_it_ends(world: World) -> None:
    """Firings meanwhile are left out with the reason; it outlasts the service, but not its time."""
    state = world.state()
    service = world.service(HOURLY, state=state)
    until = hours(2.5)
    Switch(state).pause(Pause(since=NOON, until=until, by="ann", reason="moving house"))

    world.turn(service, hours(1))
    state.close()
    state = world.state()
    later = world.service(HOURLY, state=state, since=hours(2))
    assert world.begun("hourly") == 0
    world.turn(later, hours(3))

    wait_until(lambda: world.begun("hourly") == 1)
    world.let_end(later, hours(3.1))
    assert world.told() == ["paused", "left out"] * 2 + ["unpaused", "started", "over"]
    assert "paused by ann until" in world.log[1][1]["reason"]
    assert world.log[1][1]["reason"].endswith("moving house")


def test_the_latest_pause_counts_until_it_is_lifted(world: World) -> None:
    """A second pause replaces the first, shorter or longer; lifting it says which one it was."""
    switch = Switch(world.state())
    long = Pause(since=NOON, until=hours(8), by="ann", reason="a")
    short = Pause(since=NOON, until=hours(1), by="bob", reason="b")
    switch.pause(long)
    switch.pause(short)

    assert switch.lasting(hours(0.5)) == short
    assert switch.lasting(hours(1)) is None
    assert switch.lift("cid", hours(0.5)) == short
    assert switch.lasting(hours(0.5)) is None
    assert switch.lift("cid", hours(0.6)) is None


def test_the_file_is_for_its_owner_only(tmp_path: Path) -> None:
    """0600: what runs where, and what came of it, is nobody else's."""
    FileState(tmp_path / "service.sqlite").close()

    assert (tmp_path / "service.sqlite").stat().st_mode & 0o777 == 0o600


def test_only_whole_runs_are_cut(world: World) -> None:
    """The command of a run says from how many hosts on it is cut, that of a slice or a dry run not."""
    queue = Queue(world.state())
    queue.put(asked("whole"), NOON)
    queue.put(asked("slice"), NOON, run="r1.2")
    whole, part = queue.requests(Stage.QUEUED)

    def cut_from(kept: Kept, again: bool, **how: bool) -> list[str]:
        words = list(command_of(kept, again, slice_hosts=30, **how))
        return words[words.index("--slice-hosts") + 1 :][:1] if "--slice-hosts" in words else []

    assert [cut_from(whole, again) for again in (False, True)] == [["30"], ["30"]]
    assert [cut_from(part, again) for again in (False, True)] == [[], []]
    assert cut_from(whole, again=False, dry_run=True) == []
    diagnosis = replace(whole, request=replace(whole.request, diagnose=True))
    assert cut_from(diagnosis, again=False) == ["30"]
