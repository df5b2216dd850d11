"""From a run's journal to messages: told once, retried, never in the run's way."""

import sqlite3
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing
from dataclasses import dataclass, field, replace
from pathlib import Path
from zoneinfo import ZoneInfo

import pytest

from runbook.driver.policing import PolicedOperator
from runbook.errors import RunbookError
from runbook.executor.scripted import ScriptedFix
from runbook.journal import Journal
from runbook.journal.memory import MemoryJournal
from runbook.journal.postgres import open_journal
from runbook.journal.sqlite import open_journal as open_file
from runbook.model.definition import FixResult
from runbook.model.event import (
    Event,
    FixIntended,
    HostFinished,
    HostJoined,
    Mode,
    Notified,
    RunFinished,
    RunResumed,
    RunStarted,
)
from runbook.model.observation import Verification
from runbook.model.policy import Blackout, Guards, Permission, Policy, Rule, Source, Window
from runbook.model.verdict import Verdict
from runbook.notify.notice_file import FILE, NoticeFile, Store
from runbook.notify.notifier import GIVE_UP_S, Notifier, retry_after_s
from runbook.notify.outbox import Outbox
from runbook.notify.plan import Kind, Plan, Target, Tier
from runbook.notify.sender import DeliveryError
from runbook.notify.wording import Wording
from runbook.schedule.shared_state import TELLING, SharedState
from runbook.views.report import report_markdown, report_text
from runbook.views.report_document import run_document
from runbook.views.report_html import report_html
from runbook.views.safe_text import printable
from tests.engine_harness import seen
from tests.postgres import Server
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
    journal: Journal = field(default_factory=MemoryJournal)
    store: Store | None = None
    got: list[Wording] = field(default_factory=list)
    log: list[tuple[str, str]] = field(default_factory=list)
    down: str = ""
    now: float = 1000.0

    def __post_init__(self) -> None:
        self.open()
        self.notifier.turn()  # From now on it is told.

    def open(self) -> None:
        """Begin to tell, as after a restart."""
        self.outbox = Outbox(self.store or NoticeFile(self.folder / FILE))
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


def deliveries(world: World, run: str) -> list[tuple[str, str, int, str]]:
    """Return what the journal says of who was told of a run; its chain holds."""
    world.journal.verify(run)
    return [
        (event.text, event.delivery.value, event.attempts, event.reason)
        for event in (entry.event for entry in world.journal.entries(run))
        if isinstance(event, Notified)
    ]


def test_a_run_s_record_says_who_was_told_of_it(world: World) -> None:
    """What was delivered and what was not, also after the run's end; a further try is no news."""
    world.run("run-1")
    world.tell()
    world.down = "HTTP 500"
    world.now += 900
    world.run("run-2", hosts={"web1": host(fixes={"restart": [USELESS]})})
    for _ in range(3):
        world.tell()
        world.now += 60

    assert deliveries(world, "run-1") == [
        ("Being fixed on 1 host", "delivered", 1, ""),
        ("Resolved on 1 host", "delivered", 1, ""),
    ]
    assert deliveries(world, "run-2") == [("Being fixed on 1 host", "failed", 1, "HTTP 500")]

    world.down = ""
    world.now += 600
    world.tell()
    world.tell()
    assert deliveries(world, "run-2")[1:] == [
        ("Being fixed on 1 host", "delivered", 4, ""),
        ("Failed on 1 host", "delivered", 1, ""),
    ]
    assert world.tell() == []  # Nothing is told of the telling.


def test_it_is_written_into_runs_that_go_on(tmp_path: Path) -> None:
    """Another process drives the run: its entries and those of who tells are one chain, in order."""
    path = tmp_path / "journal.sqlite"
    world = World(tmp_path, journal=open_file(path))
    driving = open_file(path)
    stage = Stage(
        runbook=TIMELESS, hosts={"web1": host()}, journal=driving, run="run-1", now=world.now
    )

    def tell(_: Event) -> None:
        world.tell()

    stage.on_event = tell

    assert stage.play() is Verdict.RESOLVED
    world.tell()

    kinds = [type(entry.event) for entry in world.journal.entries("run-1")]
    assert kinds.count(Notified) == 2
    assert kinds.index(Notified) < kinds.index(HostFinished)
    assert len(deliveries(world, "run-1")) == 2
    world.outbox.close()
    world.journal.close()
    driving.close()


def test_what_an_earlier_version_told_is_not_written_down_later(world: World) -> None:
    """Its file is taken over as it is; runs that ended long ago get no entries for old messages."""
    world.run("run-1")
    world.down = "HTTP 500"
    world.notifier.turn()
    before = world.outbox.messages(10)
    world.outbox.close()
    with closing(sqlite3.connect(world.folder / FILE)) as old, old:
        old.execute(
            "UPDATE messages SET state = 'delivered' WHERE id = (SELECT min(id) FROM messages)"
        )
        old.execute("DROP TABLE journaled")
        old.execute("PRAGMA user_version = 0")

    world.open()
    world.down = ""
    world.tell()

    assert len(before) == 2
    assert [text for text, *_ in deliveries(world, "run-1")] == ["Resolved on 1 host"]


def test_every_report_says_who_was_told(world: World) -> None:
    """As text, Markdown, page and JSON: each message once, as what became of it; took counts the run."""
    world.down = "HTTP 500"
    world.run("run-1")
    world.tell()
    of = world.journal.find("run-1"), list(world.journal.entries("run-1"))
    world.now += 600
    world.down = ""
    world.tell()
    run = world.journal.find("run-1"), list(world.journal.entries("run-1"))

    said = "chat could not be told yet (1 try: HTTP 500): Being fixed on 1 host"
    for form in (report_text, report_markdown, report_html):
        assert said in form(*of)
        assert "chat was told after 2 tries: Being fixed on 1 host" in form(*run)
        assert form(*run).count(said) == 1  # In the timeline, where it belongs.
    document = run_document(*run)
    assert document["duration_s"] == run_document(*of)["duration_s"]
    first, second = document["told"]
    assert first == {
        "target": "chat",
        "at": "1970-01-01T00:26:40.000+00:00",
        "text": "Being fixed on 1 host",
        "delivery": "delivered",
        "attempts": 2,
        "reason": None,
    }
    assert second["text"] == "Resolved on 1 host"


def test_what_cannot_be_written_down_is_written_later(world: World) -> None:
    """A journal that is full keeps nobody from being told, nor has them told twice."""
    world.run("run-1")
    append = world.journal.append

    def full(*_: object, **__: object) -> None:
        raise RunbookError.of("journal-unusable", "the disk is full")

    world.notifier.turn()
    world.journal.append = full  # type: ignore[method-assign]
    with pytest.raises(RunbookError, match="disk is full"):
        world.tell()
    world.journal.append = append  # type: ignore[method-assign]
    world.tell()

    assert [wording.body.splitlines()[0] for wording in world.got] == [
        "Being fixed on 1 host",
        "Resolved on 1 host",
    ]
    assert [text for text, *_ in deliveries(world, "run-1")] == [
        "Being fixed on 1 host",
        "Resolved on 1 host",
    ]


@pytest.mark.parametrize("together", [True, False], ids=["one database", "each its file"])
def test_two_machines_tell_once(postgres_server: Server, tmp_path: Path, together: bool) -> None:
    """Services of one database tell each thing once between them; with a file each they would not."""
    url = postgres_server.journal()
    worlds = []
    for name in ("first", "second"):
        store = SharedState(url, writing=TELLING) if together else NoticeFile(tmp_path / name)
        world = World(tmp_path, store=store, journal=open_journal(url))
        worlds.append(world)
    for number in range(5):
        worlds[0].run(f"run-{number}", hosts={f"web{number}": host()})
    with ThreadPoolExecutor(max_workers=2) as pool:
        list(pool.map(World.tell, worlds))
    told = [(wording.title, wording.body) for world in worlds for wording in world.got]

    # Of the storm some are told together.
    assert len(set(told)) == 5
    assert len(told) == 5 * (1 if together else 2)
    for number in range(5):
        written = deliveries(worlds[1], f"run-{number}")
        assert len(written) == len(set(written)) * (1 if together else 2)
        assert {delivery for _, delivery, *_ in written} == {"delivered"}
    for world in worlds:
        world.outbox.close()
        world.journal.close()


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
