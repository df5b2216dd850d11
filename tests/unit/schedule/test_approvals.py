"""What people are asked out of band, how they answer, and what a run makes of it."""

from collections.abc import Iterator
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from runbook.driver.operator import Answer, Answers, ApprovalReply, ApprovalRequest, Question
from runbook.engine.evolve import start
from runbook.errors import RunbookError
from runbook.model.definition import Cause, Fix
from runbook.model.observation import Observation
from runbook.model.policy import Judgement, Permission
from runbook.schedule.approvals import Approval, Approvals, Stand, Vote
from runbook.schedule.bench import StateBench
from runbook.schedule.state import State, opened
from tests.engine_harness import ask, manual, seen
from tests.unit.driver.stage import ONE_FIX

NOON = datetime(2026, 6, 1, 12, tzinfo=UTC)
TWO = Judgement(permission=Permission.ASK, rule="two people", people=2, expires_s=3600)


@dataclass
class Room:
    """A run and the people who are asked about it; the clock stands where the test puts it."""

    place: Path | str
    state: State
    now: datetime = NOON
    digests: dict[str, str] = field(default_factory=lambda: {"web1": "d1", "web2": "d2"})

    def __post_init__(self) -> None:
        self.approvals = Approvals(self.state)
        self.bench = StateBench(
            place=self.place,
            run="r1",
            runbook="fix-502",
            say=_say,
            clock=self.clock,
        )

    def clock(self) -> float:
        """Say what time it is."""
        return self.now.timestamp()

    def asks(self, *hosts: str) -> ApprovalReply:
        """Have the run ask about hosts."""
        fix = ONE_FIX.steps["restart"]
        assert isinstance(fix, Fix)
        request = ApprovalRequest(
            fix=fix,
            hosts=hosts,
            title="Restart it",
            impact="2 s",
            cause=Cause(id="stopped", title="It is stopped", likelihood=1.0),
            states={host: start(ONE_FIX, host) for host in hosts},
            evidence={host: seen("failed", reason=f"{host} is down") for host in hosts},
            blocked={"web2": "ann is logged in"} if "web2" in hosts else {},
            digests=self.digests,
        )
        return self.bench.answers(request, dict.fromkeys(hosts, TWO))

    def questions(self, *hosts: str) -> Answers:
        """Have the run put a question about hosts."""
        return self.bench.choices(
            Question(
                step=ask("which", {"move": "end:escalated", "stay": "end:unresolved"}),
                hosts=hosts,
                title="Where to?",
                states={host: start(ONE_FIX, host) for host in hosts},
                evidence={host: seen("failed", reason=f"{host} is down") for host in hosts},
                digests=self.digests,
            )
        )

    def says(self, who: str, *, yes: bool = True, reason: str = "") -> Approval:
        """Have somebody answer the first approval that waits."""
        [approval, *_] = self.approvals.open()
        return self.approvals.vote(approval.id, Vote(who=who, yes=yes, reason=reason), self.now)


def _say(observation: Observation) -> str:
    return observation.reason or ""


@pytest.fixture
def room(place: Path | str) -> Iterator[Room]:
    """Give a run with people."""
    with opened(place) as state:
        yield Room(place, state)


def test_what_is_asked_has_all_that_a_person_needs(room: Room) -> None:
    """One approval for the hosts of one fix, asked once however often the run looks."""
    first, again = room.asks("web1", "web2"), room.asks("web1", "web2")

    assert first.waiting == again.waiting == dict.fromkeys(("web1", "web2"), "waits for approval 1")
    [approval] = room.approvals.open()
    ask = approval.ask
    assert (ask.run, ask.runbook, ask.fix, ask.title, ask.impact, ask.cause) == (
        "r1", "fix-502", "restart", "Restart it", "2 s", "It is stopped",
    )  # fmt: skip
    assert (ask.rule, ask.people, ask.expires) == ("two people", 2, NOON + timedelta(hours=1))
    assert ask.hosts["web1"].evidence == "web1 is down"
    assert ask.hosts["web2"].also_here == "ann is logged in"


def test_two_people_are_two_people(room: Room) -> None:
    """The same one twice is one; with the second one it is approved, and the run may go on once."""
    room.asks("web1")
    assert room.says("ann", reason="graphs").stand is Stand.OPEN
    with pytest.raises(RunbookError, match="ann has approved 1 already"):
        room.says("ann")
    assert room.approvals.answered() == []

    assert room.says("bob").told == "approved by ann, bob"

    assert room.approvals.answered() == ["r1"]
    room.approvals.take_up("r1")
    assert room.approvals.answered() == []
    reply = room.asks("web1")
    assert reply.approved == {"web1"}
    assert (reply.names, reply.reasons) == ({"web1": "ann, bob"}, {"web1": "graphs"})
    with pytest.raises(RunbookError, match="approval 1 is approved"):
        room.approvals.vote(1, Vote(who="cid", yes=False, reason="late"), room.now)


def test_one_no_is_enough_and_a_yes_can_become_one(room: Room) -> None:
    """Who said yes may think again while it is open; the run hears who said no, and why."""
    room.asks("web1")
    room.says("ann")
    assert room.says("ann", yes=False, reason="moving it").told == "denied by ann: moving it"

    reply = room.asks("web1")

    assert (reply.approved, reply.waiting) == (frozenset(), {})
    assert (reply.names, reply.reasons) == ({"web1": "ann"}, {"web1": "moving it"})


def test_nobody_in_time_is_a_no(room: Room) -> None:
    """After the hour that the policy gives nobody's yes counts; the run is to go on."""
    room.asks("web1")
    room.now += timedelta(minutes=61)
    with pytest.raises(RunbookError, match="approval 1 is expired"):
        room.approvals.vote(1, Vote(who="ann", yes=True, reason=""), room.now)

    assert room.approvals.answered() == ["r1"]
    reply = room.asks("web1")
    assert reply.approved == frozenset()
    assert reply.reasons == {"web1": "nobody answered within 60 min"}


def test_an_answer_is_good_for_what_was_seen_then(room: Room) -> None:
    """Something else is seen on the host: it is asked anew, and the old question is void."""
    room.asks("web1")
    room.says("ann")
    room.digests = {"web1": "other"}

    assert room.asks("web1").waiting == {"web1": "waits for approval 2"}

    [old, new] = sorted(room.approvals.of_run("r1"), key=lambda one: one.id)
    assert (old.stand, old.told) == (Stand.WITHDRAWN, "what was seen has changed")
    assert (new.stand, new.votes) == (Stand.OPEN, ())


def test_what_does_not_exist_cannot_be_answered(room: Room) -> None:
    """A wrong number is said to be one."""
    with pytest.raises(RunbookError, match="there is no approval 7"):
        room.approvals.vote(7, Vote(who="ann", yes=True, reason=""), NOON)


def test_a_question_takes_one_of_its_choices(room: Room) -> None:
    """The first answer settles it, for all its hosts; a yes, or another word, is none."""
    assert room.questions("web1", "web2").waiting == dict.fromkeys(
        ("web1", "web2"), "waits for approval 1"
    )
    [asked] = room.approvals.open()
    assert (asked.ask.title, asked.ask.choices) == ("Where to?", {"move": "move", "stay": "stay"})
    assert asked.ask.expires == NOON + timedelta(seconds=60)
    for wrong, said in (("", "1 is a question"), ("back", '"back" is no answer to 1')):
        with pytest.raises(RunbookError, match=said):
            room.approvals.vote(1, Vote(who="ann", yes=True, reason="", answer=wrong), NOON)

    answered = room.approvals.vote(1, Vote(who="ann", yes=True, reason="", answer="stay"), NOON)

    assert (answered.stand, answered.told) == (Stand.ANSWERED, "stay, says ann")
    assert room.approvals.answered() == ["r1"]
    stay = Answer(answer="stay", by="ann")
    assert room.questions("web1", "web2") == Answers(given={"web1": stay, "web2": stay}, waiting={})
    room.asks("web1")
    with pytest.raises(RunbookError, match="2 asks whether a fix may be done"):
        room.approvals.vote(2, Vote(who="ann", yes=True, reason="", answer="stay"), NOON)


def test_nobodys_answer_in_time_is_one(room: Room) -> None:
    """After the time that the runbook gives, its question has expired, and the run is to go on."""
    room.questions("web1")
    room.now += timedelta(seconds=61)

    assert room.questions("web1").given == {
        "web1": Answer(answer="expired", by="nobody", note="nobody answered within 1 min")
    }
    assert room.approvals.answered() == ["r1"]


def test_an_instruction_is_asked_about_with_what_is_to_be_done(room: Room) -> None:
    """Its commands stand with it, and it is answered by done or not_done."""
    step = replace(manual("hand", "end:resolved"), commands=("swapoff -a",))
    room.bench.choices(
        Question(step=step, hosts=("web1",), title="By hand", states={}, digests=room.digests)
    )

    [asked] = room.approvals.open()
    assert asked.ask.impact == "Turn it off and on\nswapoff -a"
    assert list(asked.ask.choices) == ["done", "not_done"]
