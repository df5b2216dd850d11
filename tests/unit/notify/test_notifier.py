"""From a run's journal to messages: told once, retried, never in the run's way."""

import time
from collections.abc import Iterator
from dataclasses import dataclass, field, replace
from pathlib import Path
from zoneinfo import ZoneInfo

import pytest

from runbook.driver.policing import PolicedOperator
from runbook.executor.scripted import ScriptedFix
from runbook.journal.memory import MemoryJournal
from runbook.model.definition import FixResult
from runbook.model.event import (
    Event,
    FixIntended,
    HostFinished,
    HostJoined,
    Mode,
    RunFinished,
    RunResumed,
    RunStarted,
)
from runbook.model.observation import Verification
from runbook.model.policy import Blackout, Guards, Permission, Policy, Rule, Source, Window
from runbook.model.verdict import Verdict
from runbook.notify.notifier import GIVE_UP_S, Notifier, retry_after_s
from runbook.notify.outbox import FILE, Outbox
from runbook.notify.plan import Kind, Plan, Target, Tier
from runbook.notify.sender import DeliveryError
from runbook.notify.wording import Wording
from runbook.views.notifying import told_of
from runbook.views.report import report_text
from runbook.views.safe_text import printable
from tests.engine_harness import seen
from tests.unit.driver.stage import FAULTY, ONE_FIX, Person, Stage, host

CHAT = Target(name="chat", variable="CHAT_URL")
PLAN = Plan(
    name="on call",
    targets={"chat": CHAT},
    tiers=(Tier(name="first", targets=("chat",), about=frozenset(Kind)),),
)
USELESS = ScriptedFix(verification=Verification(result=FixResult.NO_EFFECT))
TIMELESS = replace(ONE_FIX, evidence_max_age_s=1e12)


@dataclass
class World:
    """A journal, and somebody who is told of it; `down` is what the receiver fails with."""

    folder: Path
    plan: Plan = PLAN
    journal: MemoryJournal = field(default_factory=MemoryJournal)
    got: list[Wording] = field(default_factory=list)
    log: list[tuple[str, str]] = field(default_factory=list)
    down: str = ""
    now: float = 1000.0

    def __post_init__(self) -> None:
        self.open()
        self.notifier.turn()  # From now on it is told.

    def open(self) -> None:
        """Begin to tell, as after a restart."""
        self.outbox = Outbox(self.folder / FILE)
        self.notifier = Notifier(
            plan=self.plan,
            journal=self.journal,
            outbox=self.outbox,
            log=lambda what, details: self.log.append((what, details.get("next", ""))),
            clean=printable,
            clock=lambda: self.now,
            deliver=self._deliver,
        )

    def _deliver(self, target: Target, wording: Wording) -> None:
        if self.down:
            raise DeliveryError(self.down)
        self.got.append(wording)

    def run(self, run: str, **stage: object) -> None:
        """Have a run end, at the time that it is."""
        given: dict[str, object] = {"runbook": TIMELESS, "hosts": {"web1": host()}}
        Stage(journal=self.journal, run=run, now=self.now, **(given | stage)).play()  # type: ignore[arg-type]

    def tell(self) -> list[str]:
        """Take a turn and send what is due; return the texts of what came."""
        before = len(self.got)
        self.notifier.turn()
        for target in self.plan.targets.values():
            while self.notifier.send_due(target):
                pass
        return [wording.body for wording in self.got[before:]]


@pytest.fixture
def world(tmp_path: Path) -> Iterator[World]:
    """Give a world."""
    world = World(tmp_path)
    yield world
    world.outbox.close()


def test_a_run_is_told_in_one_thread(world: World) -> None:
    """It begins to fix, it is resolved: two messages of one title, each with what a person needs."""
    world.run("run-1")

    started, resolved = world.tell()

    assert started.splitlines() == [
        "Being fixed on 1 host",
        "web1: “restart” begins",
        "runbook report run-1",
    ]
    assert resolved.splitlines() == [
        "Resolved on 1 host",
        "web1: resolved: stopped",
        "runbook report run-1",
    ]
    assert {wording.title for wording in world.got} == {"[run-1] example"}
    assert world.tell() == []


def test_what_is_told_survives_a_restart(world: World) -> None:
    """A failure is told before it, its end after it, in the same thread; nothing twice."""
    world.run("run-1", hosts={"web1": host(fixes={"restart": [USELESS]})})
    assert [body.splitlines()[0] for body in world.tell()] == [
        "Being fixed on 1 host",
        "Failed on 1 host",
    ]
    world.outbox.close()
    world.open()
    assert world.tell() == []

    world.now += 900
    world.run("run-2")

    assert [body.splitlines() for body in world.tell()] == [
        ["Resolved on 1 host", "web1: resolved: stopped", "runbook report run-2"]
    ]
    assert {wording.title for wording in world.got} == {"[run-1] example"}


def test_a_guard_is_named_with_its_figure(world: World) -> None:
    """The message says which limit stood in the way; that the walk was declined is not told again."""
    always = Window(start=0, end=0, zone=ZoneInfo("UTC"))
    night = Blackout(name="the books are closed", window=always)
    policy = Policy(
        name="prod",
        rules=(Rule(name="all", permission=Permission.AUTO),),
        guards=Guards(blackouts=(night,)),
    )
    operator = PolicedOperator(
        operator=Person(),
        policy=policy,
        runbook=TIMELESS,
        journal=world.journal,
        source=Source.SCHEDULE,
        attended=False,
        clock=lambda: world.now,
    )
    world.run("run-1", operator=operator)

    [message] = world.tell()

    assert message.splitlines()[0] == "Held back by a guard on 1 host"
    assert "blackout: Thu 00:16 UTC is within “the books are closed”" in message


def test_a_receiver_that_is_down_gets_it_all_in_the_end(world: World) -> None:
    """Tried again ever later; what happens meanwhile joins it; once it is back all comes, in order."""
    world.down = "no route"
    world.run("run-1", hosts={"web1": host(fixes={"restart": [USELESS]})})
    assert world.tell() == []
    world.now += 1
    world.run("run-2")
    assert world.tell() == []
    waits = []
    for _ in range(8):
        world.now += 600
        world.tell()
        waits.append(world.log[-1][1])
    assert waits[-1] == "in 600 s"
    *_, oldest = world.outbox.messages(10)
    assert (oldest.state, oldest.told) == ("pending", "no route")

    world.down = ""
    world.now += 600
    world.tell()
    world.now += 600
    world.tell()

    said = "\n".join(wording.body for wording in world.got)
    positions = [said.index(word) for word in ("Being fixed", "Failed", "Resolved")]
    assert positions == sorted(positions)
    assert {one.state for one in world.outbox.messages(10)} == {"delivered"}


def test_a_report_says_who_was_told_of_its_run(world: World) -> None:
    """What was delivered, and what was not, with the reason: of this run, and of no other one."""
    world.run("run-1")
    world.tell()
    world.down = "HTTP 500"
    world.now += 900
    world.run("run-2", hosts={"web1": host(fixes={"restart": [USELESS]})})
    world.tell()

    first, second = (told_of(world.folder, run) for run in ("run-1", "run-2"))

    assert [said for _, said in first] == [
        "chat: delivered: Being fixed on 1 host",
        "chat: delivered: Resolved on 1 host",
    ]
    assert [said for _, said in second] == [
        "chat: pending (1 try: HTTP 500): Being fixed on 1 host",
        "chat: pending: Failed on 1 host",
    ]
    summary = world.journal.find("run-2")
    report = report_text(summary, world.journal.entries("run-2"), told=second)
    assert "chat: pending (1 try: HTTP 500): Being fixed on 1 host" in report


def test_it_is_given_up_after_a_day(world: World) -> None:
    """What could not be told for a day is old news; that is recorded, too."""
    world.down = "refused"
    world.run("run-1")
    world.tell()

    world.now += GIVE_UP_S
    world.tell()

    assert world.log[-1] == ("not notified", "none: given up")
    assert {one.state for one in world.outbox.messages(10)} >= {"given_up"}
    assert [retry_after_s(tries) for tries in (1, 2, 3, 99)] == [5.0, 10.0, 20.0, 600.0]


def test_what_hosts_print_is_data(tmp_path: Path) -> None:
    """A template in it is not rendered, nobody is called by it, and no control gets through."""
    plan = replace(PLAN, body="{% for one in notices %}{{ one.text }}{% endfor %}")
    world = World(tmp_path, plan=plan)
    hostile = "{{ 7 * 7 }} @all <!channel> \x1b[2J"
    looks = {"up": [replace(FAULTY, reason=hostile)]}
    failed = replace(USELESS, verification=Verification(result=FixResult.NO_EFFECT, reason=hostile))
    world.run("run-1", hosts={"web1": host(looks, fixes={"restart": [failed]})})
    world.tell()
    world.outbox.close()

    said = " ".join(wording.body for wording in world.got)
    assert "49" not in said
    assert "@all" not in said
    assert "<!" not in said
    assert "\x1b" not in said


def test_a_run_that_waits_is_followed_until_it_is_over(world: World) -> None:
    """A person has to decide: that is told, and an hour and other runs later what came of it."""
    world.run("run-1", hosts={"web1": host({"up": [seen("passed")]})})
    begun = replace(world.journal.find("run-1"), id="run-2", started_at=world.now)
    started = RunStarted(runbook="example", closure="c", pattern="all", mode=Mode.RUN)
    waits = HostFinished(host="web1", verdict=Verdict.WAITING, reason="approval 7")
    intent = FixIntended(host="web1", step="restart", attempt=1, invocation="i")

    def write(*events: Event) -> None:
        world.journal.append("run-2", events, at=world.now, who="schedule")

    world.journal.begin(begun)
    write(started, HostJoined(host="web1"), waits, RunFinished(verdict=Verdict.WAITING))
    waiting, *others = world.tell()
    assert others == []
    world.now += 3600
    world.run("run-3", hosts={"web2": host({"up": [seen("passed")]})})
    assert world.tell() == []
    world.now += 60
    well = HostFinished(host="web1", verdict=Verdict.RESOLVED)
    write(RunResumed(), intent, well, RunFinished(verdict=Verdict.RESOLVED))

    after = world.tell()

    assert waiting.splitlines()[:2] == [
        "Waiting for a person on 1 host",
        "web1: waiting (approval 7)",
    ]
    assert [body.splitlines()[0] for body in after] == [
        "Being fixed on 1 host",
        "Resolved on 1 host",
    ]
    assert {wording.title for wording in world.got} == {"[run-2] example"}


def test_threads_tell_and_end(world: World) -> None:
    """What happened before the order to stop is told; a receiver that raises keeps nobody."""
    world.notifier.clock = time.time
    world.now = time.time()
    world.notifier.start()
    world.run("run-1")

    world.notifier.stop(20.0)

    assert [wording.body.splitlines()[0] for wording in world.got] == [
        "Being fixed on 1 host",
        "Resolved on 1 host",
    ]
