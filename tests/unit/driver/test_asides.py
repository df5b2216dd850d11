"""What an operator can have before they answer: looks, notes, a second look, the end of the run."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace

import pytest

from runbook.driver.operator import (
    ApprovalReply,
    ApprovalRequest,
    Aside,
    EndRun,
    Note,
    OwnCheck,
    Recheck,
)
from runbook.driver.stopping import InterruptedRunError
from runbook.executor import OWN_LOOK, LookRequest
from runbook.model.definition import CheckResult, Probe
from runbook.model.event import (
    FixApproved,
    FixIntended,
    LookAgain,
    Noted,
    OwnLook,
    RunInterrupted,
)
from runbook.model.observation import Observation
from runbook.model.verdict import Verdict
from tests.unit.driver.stage import FAULTY, FINE, ONE_FIX, Person, Stage, host

PORT = Probe(type="port", arguments={"port": 8000})


@dataclass(kw_only=True)
class Curious(Person):
    """Somebody who wants some things first, one at each question, and then says yes."""

    wants: list[Callable[[ApprovalRequest], Aside]] = field(default_factory=list)
    answers: bool = True

    def approve(self, request: ApprovalRequest, reply: Callable[[ApprovalReply], None]) -> None:
        """Say what is wanted before the answer."""
        assert request.aside is not None
        wanted = self.wants.pop(0)(request) if self.wants else None
        if wanted is not None:
            request.aside(wanted)
        if isinstance(wanted, Recheck | EndRun):
            self.asked.append(request)
        else:
            super().approve(request, reply)


def test_a_look_of_ones_own_is_told_and_journaled_and_decides_nothing() -> None:
    """Each host's answer reaches whoever asked and the journal; the walk does not know of it."""
    told: list[Mapping[str, Observation]] = []
    check = OwnCheck(probe=PORT, text="port: 8000", by="ann", told=told.append)
    answer = Observation(result=CheckResult.PASSED, facts={"listening": True})
    blind = Observation(result=CheckResult.UNKNOWN, reason="no rights")
    hosts = {
        name: replace(host(), looks={"up": [FAULTY], OWN_LOOK: [look]})
        for name, look in (("web1", answer), ("web2", blind))
    }
    stage = Stage(runbook=ONE_FIX, hosts=hosts, operator=Curious(wants=[lambda _: check]))

    assert stage.play() is Verdict.RESOLVED

    (request,) = (item for item in stage.script.requests if isinstance(item, LookRequest))
    assert (request.probe, request.hosts) == (PORT, ("web1", "web2"))
    assert told == [{"web1": answer, "web2": blind}]
    assert stage.of(OwnLook) == [
        OwnLook(host=name, step="restart", probe="port: 8000", seen=told[0][name], by="ann")
        for name in ("web1", "web2")
    ]
    assert stage.driver is not None
    assert OWN_LOOK not in stage.driver.states["web1"].known


def test_a_note_is_journaled_with_its_hosts() -> None:
    """What somebody writes down stands before what they decide."""
    person = Curious(wants=[lambda _: Note(text="the database is slow", by="ann")])
    stage = Stage(runbook=ONE_FIX, hosts={"web1": host(), "web2": host()}, operator=person)

    stage.play()

    noted, *decided = stage.of(Noted, FixApproved)
    assert noted == Noted(
        hosts=("web1", "web2"), step="restart", text="the database is slow", by="ann"
    )
    assert len(decided) == 2


def test_a_second_look_comes_before_the_decision() -> None:
    """The hosts are observed anew: one is well by now, the other is asked about again."""
    person = Curious(wants=[lambda request: Recheck(by="ann")])
    hosts = {"web1": host({"up": [FAULTY, FINE]}), "web2": host()}
    stage = Stage(runbook=ONE_FIX, hosts=hosts, operator=person)

    assert stage.play() is Verdict.RESOLVED

    assert stage.verdicts == {"web1": Verdict.SELF_RECOVERED, "web2": Verdict.RESOLVED}
    assert [request.hosts for request in person.asked] == [("web1", "web2"), ("web2",)]
    assert stage.of(LookAgain) == [
        LookAgain(host=name, step="restart", by="ann") for name in ("web1", "web2")
    ]


def test_the_run_can_be_ended_at_the_question_and_resumed() -> None:
    """Nothing is done after that; the journal says who ended it and why, and it goes on later."""
    person = Curious(wants=[lambda request: EndRun(by="ann", reason="wrong site")])
    stage = Stage(runbook=ONE_FIX, hosts={"web1": host()}, operator=person)

    with pytest.raises(InterruptedRunError):
        stage.play()

    assert stage.of(RunInterrupted) == [RunInterrupted(reason="ended by ann: wrong site")]
    assert not stage.of(FixIntended)
    assert stage.resume() is Verdict.RESOLVED


def test_what_is_wanted_after_the_answer_comes_to_nothing() -> None:
    """A question that was answered is closed: notes and looks to it are passed over."""
    late: list[Aside] = []
    told: list[Mapping[str, Observation]] = []

    @dataclass(kw_only=True)
    class TooLate(Person):
        def approve(self, request: ApprovalRequest, reply: Callable[[ApprovalReply], None]) -> None:
            super().approve(request, reply)
            assert request.aside is not None
            for aside in late:
                request.aside(aside)

    late += [
        Note(text="too late", by="ann"),
        OwnCheck(probe=PORT, text="port: 8000", by="ann", told=told.append),
        Recheck(by="ann"),
        EndRun(by="ann"),
    ]
    stage = Stage(runbook=ONE_FIX, hosts={"web1": host()}, operator=TooLate())

    assert stage.play() is Verdict.RESOLVED

    assert stage.of(Noted, OwnLook, LookAgain, RunInterrupted) == []
    assert told == [{}]


def test_what_earlier_runs_came_to_is_known_at_the_question() -> None:
    """A person who is asked is told how the fix did; nobody else has the journal looked through."""
    first = Stage(runbook=ONE_FIX, hosts={"web1": host()}, operator=Person(wants_previews=True))
    first.play()
    assert isinstance(first.operator, Person)
    (before,) = first.operator.asked
    person = Person(wants_previews=True)
    stage = Stage(runbook=ONE_FIX, hosts={"web1": host()}, operator=person)
    stage.journal = first.journal
    stage.run = "20260102-040000-0000"

    stage.play()

    assert before.experience is not None
    assert before.experience.fixes == {}
    (after,) = person.asked
    assert after.experience is not None
    assert after.experience.fixes["restart"].worked == 1
    assert after.experience.causes["stopped"].found == 1
    assert after.experience.elsewhere == {}


def test_a_fix_that_is_new_on_a_host_is_told_of_from_others() -> None:
    """Where a fix was never done on the hosts in question, what it did on others is known."""
    first = Stage(runbook=ONE_FIX, hosts={"web1": host()})
    first.play()
    person = Person(wants_previews=True)
    stage = Stage(runbook=ONE_FIX, hosts={"web2": host()}, operator=person, journal=first.journal)
    stage.run = "20260102-040000-0000"

    stage.play()

    (request,) = person.asked
    assert request.experience is not None
    assert request.experience.fixes == {}
    assert request.experience.elsewhere["restart"].worked == 1
