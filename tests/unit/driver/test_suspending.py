"""Runs that wait for people out of band: suspended, holding nothing, and gone on with later."""

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from zoneinfo import ZoneInfo

import pytest

from runbook.driver.launch import abandon
from runbook.driver.operator import (
    Answer,
    Answers,
    ApprovalReply,
    ApprovalRequest,
    ApprovingOperator,
    Question,
    UnwatchedOperator,
)
from runbook.driver.policing import PolicedOperator
from runbook.journal.memory import MemoryJournal
from runbook.model.definition import Runbook
from runbook.model.event import (
    Answered,
    FixApproved,
    FixDeclined,
    HostFinished,
    LookAgain,
    RunFinished,
)
from runbook.model.observation import Observation
from runbook.model.policy import (
    Blackout,
    Guards,
    Judgement,
    Permission,
    Policy,
    Rule,
    Source,
    Window,
)
from runbook.model.verdict import Verdict
from tests.engine_harness import ask, book, check, fix, manual
from tests.unit.driver.stage import FAULTY, FINE, MENDED, ONE_FIX, Stage, host

ASKS = Rule(name="two", permission=Permission.ASK, people=2)


@dataclass
class Colleagues:
    """Who is asked out of band; `said` is yes or no by host, `asked` what was asked so far."""

    said: dict[str, bool] = field(default_factory=dict)
    asked: list[ApprovalRequest] = field(default_factory=list)
    judged: dict[str, Judgement] = field(default_factory=dict)
    questions: list[Question] = field(default_factory=list)
    chosen: dict[str, str] = field(default_factory=dict)

    def answers(self, request: ApprovalRequest, judged: Mapping[str, Judgement]) -> ApprovalReply:
        """Answer for those hosts they have spoken of."""
        self.asked.append(request)
        self.judged.update(judged)
        spoken = self.said.keys() & set(request.hosts)
        return ApprovalReply(
            approved=frozenset(name for name in spoken if self.said[name]),
            by="nobody",
            names=dict.fromkeys(spoken, "ann, bob"),
            reasons=dict.fromkeys(spoken, "looked"),
            waiting={name: "waits for approval 1" for name in request.hosts if name not in spoken},
        )

    def choices(self, question: Question) -> Answers:
        """Answer for those hosts they have chosen for."""
        self.questions.append(question)
        given = {name: self.chosen[name] for name in question.hosts if name in self.chosen}
        return Answers(
            given={name: Answer(answer=one, by="ann", note="seen") for name, one in given.items()},
            waiting={name: "waits for approval 2" for name in question.hosts if name not in given},
        )


def stage_of(colleagues: Colleagues, policy: Policy, **hosts: object) -> Stage:
    """Return a run that an alert started, under a policy."""
    journal = MemoryJournal()
    operator = PolicedOperator(
        operator=ApprovingOperator(name="alert", because="policy p allows it"),
        policy=policy,
        runbook=ONE_FIX,
        journal=journal,
        source=Source.ALERT,
        attended=False,
        clock=lambda: 0.0,
        bench=colleagues,
    )
    chosen = hosts or {"web1": host()}
    return Stage(runbook=ONE_FIX, hosts=chosen, operator=operator, journal=journal)  # type: ignore[arg-type]  # scripted ones


def test_a_run_that_waits_holds_nothing_and_goes_on_after_a_yes() -> None:
    """It ends as waiting, free of its host; resumed, it looks again, is answered, and fixes."""
    colleagues = Colleagues()
    stage = stage_of(colleagues, Policy(name="p", rules=(ASKS,)))

    assert stage.play() is Verdict.WAITING

    assert stage.fixes == []
    assert not stage.journal.claims()
    [finished] = stage.of(HostFinished)
    assert isinstance(finished, HostFinished)
    assert (finished.verdict, finished.reason) == (Verdict.WAITING, "waits for approval 1")
    assert colleagues.judged["web1"].people == 2
    assert stage.journal.find(stage.run).verdict is Verdict.WAITING
    looks = len(stage.looks)

    colleagues.said["web1"] = True
    assert stage.resume() is Verdict.RESOLVED

    assert len(stage.looks) > looks
    assert len(stage.of(LookAgain)) == 1
    [approved] = stage.of(FixApproved)
    assert isinstance(approved, FixApproved)
    assert (approved.by, approved.reason) == ("ann, bob", "looked")
    first, second = colleagues.asked
    assert first.digests == second.digests
    assert not stage.journal.claims()
    assert [event.verdict for event in stage.of(RunFinished)] == [  # type: ignore[union-attr]
        Verdict.WAITING,
        Verdict.RESOLVED,
    ]


def test_after_a_no_the_fix_counts_as_declined() -> None:
    """The run goes on into the branch of a fix that was declined, with who said it and why."""
    colleagues = Colleagues()
    stage = stage_of(colleagues, Policy(name="p", rules=(ASKS,)))
    stage.play()
    colleagues.said["web1"] = False

    assert stage.resume() is Verdict.DECLINED

    [declined] = stage.of(FixDeclined)
    assert isinstance(declined, FixDeclined)
    assert (declined.by, declined.reason) == ("ann, bob", "looked")


def test_a_fault_that_went_away_meanwhile_is_not_fixed() -> None:
    """Whatever was approved: what is seen now counts, and nobody is asked again."""
    colleagues = Colleagues()
    stage = stage_of(
        colleagues,
        Policy(name="p", rules=(ASKS,)),
        web1=host({"up": [FAULTY, FINE]}, {"restart": [MENDED]}),
    )
    stage.play()
    colleagues.said["web1"] = True

    assert stage.resume() is Verdict.SELF_RECOVERED
    assert stage.fixes == []


def test_what_may_be_done_is_done_while_others_wait() -> None:
    """Two hosts, two rules: one is mended, one waits; the run waits, and going on asks for one."""
    colleagues = Colleagues()
    policy = Policy(
        name="p",
        rules=(Rule(name="free", permission=Permission.AUTO, groups=("test",)), ASKS),
    )
    stage = stage_of(
        colleagues,
        policy,
        web1=host(),
        test1=replace(host(), groups=("test",)),
    )

    assert stage.play() is Verdict.WAITING

    assert stage.verdicts == {"test1": Verdict.RESOLVED, "web1": Verdict.WAITING}
    [approved] = stage.of(FixApproved)
    assert isinstance(approved, FixApproved)
    assert (approved.host, approved.by) == ("test1", "alert")
    assert [request.hosts for request in colleagues.asked] == [("web1",)]
    colleagues.said["web1"] = True
    assert stage.resume() is Verdict.RESOLVED
    assert sorted(hosts for request in stage.fixes for hosts in request.hosts) == ["test1", "web1"]


def test_guards_hold_whatever_people_said() -> None:
    """Nobody is asked in a blackout; one that began meanwhile stands in the way of an approved fix."""
    whole_day = Window(start=0, end=0, zone=ZoneInfo("UTC"))
    dark = Guards(blackouts=(Blackout(name="dark", window=whole_day),))
    colleagues = Colleagues(said={"web1": True})
    policy = Policy(name="p", rules=(ASKS,), guards=dark)

    assert stage_of(colleagues, policy).play() is Verdict.DECLINED
    assert colleagues.asked == []

    waiting = stage_of(Colleagues(), replace(policy, guards=Guards()))
    waiting.play()
    assert isinstance(waiting.operator, PolicedOperator)
    waiting.operator = replace(waiting.operator, policy=policy, bench=colleagues)
    assert waiting.resume() is Verdict.DECLINED
    assert waiting.fixes == []


@pytest.mark.parametrize("answered", [False, True])
def test_a_run_that_waits_can_be_closed(answered: bool) -> None:
    """Its hosts are aborted then, and it cannot be gone on with; one that is over cannot be closed."""
    colleagues = Colleagues()
    stage = stage_of(colleagues, Policy(name="p", rules=(ASKS,)))
    stage.play()
    if answered:
        colleagues.said["web1"] = True
        stage.resume()
    summary = stage.journal.find(stage.run)

    if answered:
        with pytest.raises(Exception, match="has ended"):
            abandon(summary, stage.journal, who="ann", reason="", at_work=lambda _: False)
        return
    hosts = abandon(summary, stage.journal, who="ann", reason="resolved", at_work=lambda _: False)

    assert hosts == ("web1",)
    assert stage.journal.find(stage.run).verdict is Verdict.ABORTED
    stage.journal.verify(stage.run)


ASKING = book(
    check("up", failed="which", max_visits=2),
    ask("which", {"repair": "restart", "leave": "hand"}, expires="end:escalated"),
    manual("hand", "up", max_visits=2),
    fix("restart", symptom="up", cause="stopped", cause_removed="up"),
)


def asking(colleagues: Colleagues, runbook: Runbook = ASKING, **looks: object) -> Stage:
    """Return a run that nobody watches, of a runbook that asks on its way."""
    operator = UnwatchedOperator(
        operator=ApprovingOperator(name="alert", because="policy p allows it"), bench=colleagues
    )
    hosts = looks or {"web1": host(), "web2": host()}
    return Stage(runbook=runbook, hosts=hosts, operator=operator)  # type: ignore[arg-type]  # scripted ones


def test_a_question_holds_nothing_and_takes_the_way_of_its_answer() -> None:
    """Both hosts wait, free; one is answered for and is mended, after a new look; the other waits on."""
    colleagues = Colleagues()
    stage = asking(colleagues)

    assert stage.play() is Verdict.WAITING

    assert not stage.journal.claims()
    assert {one.reason for one in stage.of(HostFinished)} == {"waits for approval 2"}  # type: ignore[union-attr]
    [question] = colleagues.questions
    assert (question.hosts, question.step.id) == (("web1", "web2"), "which")
    assert question.evidence["web1"].reason == "it is down"
    looks = len(stage.looks)
    colleagues.chosen["web1"] = "repair"

    assert stage.resume() is Verdict.WAITING

    assert stage.verdicts == {"web1": Verdict.RESOLVED, "web2": Verdict.WAITING}
    assert len(stage.looks) > looks
    again = colleagues.questions[-1]
    assert again.digests["web2"] == question.digests["web2"]
    [answered] = stage.of(Answered)
    assert isinstance(answered, Answered)
    assert (answered.host, answered.answer, answered.by) == ("web1", "repair", "ann")
    assert [request.hosts for request in stage.fixes] == [("web1",)]


def test_what_was_answered_before_is_not_asked_again() -> None:
    """A question leads to an instruction, which waits in its turn, and whose answer comes first.

    Done, the host is seen to be well: resolved, since somebody acted.
    """
    colleagues = Colleagues(chosen={"web1": "leave"})
    stage = asking(colleagues, web1=host({"up": [FAULTY, FINE]}))

    def choose(question: Question) -> Answers:
        is_instruction = question.step.id == "hand"
        waits = dict.fromkeys(question.hosts, "waits") if is_instruction else {}
        return Answers(given={} if waits else given, waiting=waits)

    given = {"web1": Answer(answer="leave", by="ann")}
    colleagues.choices = choose  # type: ignore[method-assign]
    assert stage.play() is Verdict.WAITING
    assert stage.driver is not None
    assert stage.driver.states["web1"].position == "hand"

    colleagues.choices = lambda question: Answers(  # type: ignore[method-assign]
        given={"web1": Answer(answer="done", by="bob")}, waiting={}
    )

    assert stage.resume() is Verdict.RESOLVED
    assert [one.step for one in stage.of(Answered)] == ["which", "hand"]  # type: ignore[union-attr]


@pytest.mark.parametrize(
    ("look", "answer", "verdict"),
    [
        (FINE, "repair", Verdict.SELF_RECOVERED),
        (FAULTY, "expired", Verdict.ESCALATED),
    ],
)
def test_a_question_can_become_needless_or_expire(
    look: Observation, answer: str, verdict: Verdict
) -> None:
    """What is seen before the answer is taken counts; no answer in time takes the branch for that."""
    colleagues = Colleagues()
    stage = asking(colleagues, web1=host({"up": [FAULTY, look]}))
    stage.play()
    colleagues.chosen["web1"] = answer

    assert stage.resume() is verdict
    assert stage.fixes == []
