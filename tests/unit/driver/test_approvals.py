"""Who is asked what, when, and what a yes is good for."""

from dataclasses import replace

import pytest

from runbook.driver.desk import Desk
from runbook.driver.operator import AbsentOperator, ApprovalRequest, ApprovingOperator
from runbook.driver.stopping import InterruptedRunError, Stop
from runbook.errors import RunbookError
from runbook.executor import PreviewRequest
from runbook.model.definition import FixResult
from runbook.model.event import (
    Event,
    EvidenceExpired,
    FixApproved,
    FixDeclined,
    FixIntended,
    HostFinished,
    Mode,
    Reach,
    RunFinished,
)
from runbook.model.observation import Observation, TaskChange
from runbook.model.verdict import Verdict
from tests.engine_harness import book, check, fix
from tests.unit.driver.stage import FAULTY, FINE, MENDED, ONE_FIX, Late, Person, Stage, host


def test_twelve_hosts_with_one_fault_are_asked_about_once() -> None:
    """One question names all twelve, and one invocation fixes them."""
    person = Person()
    stage = Stage(runbook=ONE_FIX, hosts={f"web{n}": host() for n in range(1, 13)}, operator=person)

    assert stage.play() is Verdict.RESOLVED

    assert [len(request.hosts) for request in person.asked] == [12]
    assert person.asked[0].hosts[-1] == "web12"
    assert [len(request.hosts) for request in stage.fixes] == [12]


def test_a_cohort_can_be_split() -> None:
    """Hosts that were not approved are declined by name and left alone; the others are fixed."""
    person = Person(says=lambda request: frozenset({"web1"}))
    stage = Stage(runbook=ONE_FIX, hosts={"web1": host(), "web2": host()}, operator=person)

    assert stage.play() is Verdict.DECLINED

    assert stage.verdicts == {"web1": Verdict.RESOLVED, "web2": Verdict.DECLINED}
    assert [request.hosts for request in stage.fixes] == [("web1",)]
    kinds = [type(event).__name__ for event in stage.of(FixApproved, FixDeclined)]
    assert kinds == ["FixApproved", "FixDeclined"]


def test_yes_given_beforehand_does_not_reach_hosts_that_want_a_name_typed() -> None:
    """With --yes, a host that the inventory marks is declined, and says why; others are fixed."""
    marked = replace(host(), typed=True)
    stage = Stage(
        runbook=ONE_FIX,
        hosts={"web1": marked, "web2": host()},
        operator=ApprovingOperator(name="ann"),
    )

    assert stage.play() is Verdict.DECLINED

    assert stage.verdicts == {"web1": Verdict.DECLINED, "web2": Verdict.RESOLVED}
    (refusal,) = stage.of(FixDeclined)
    assert isinstance(refusal, FixDeclined)
    assert "wants a name typed" in refusal.reason


def test_a_declined_host_goes_on_where_the_runbook_says() -> None:
    """No to the first fix leads to the second, which is asked about for itself."""
    runbook = book(
        check("up", failed="restart"),
        fix("restart", symptom="up", declined="replace"),
        fix("replace", symptom="up"),
    )
    person = Person(
        says=lambda request: frozenset(request.hosts if request.fix.id == "replace" else ())
    )
    scripted = host(fixes={"restart": [MENDED], "replace": [MENDED]})
    stage = Stage(runbook=runbook, hosts={"web1": scripted}, operator=person)

    assert stage.play() is Verdict.RESOLVED

    assert [request.fix.id for request in person.asked] == ["restart", "replace"]
    assert [request.fix for request in stage.fixes] == ["replace"]


def test_a_host_goes_on_while_another_waits_for_an_answer() -> None:
    """With web1's question open, web2 takes its own way to its verdict."""
    runbook = book(
        check("up", failed="kind"),
        check("kind", passed="restart", failed="reload"),
        fix("restart", symptom="up"),
        fix("reload", symptom="up"),
    )
    order: list[str] = []

    def says(request: ApprovalRequest) -> frozenset[str] | None:
        return None if request.fix.id == "restart" else frozenset(request.hosts)

    stage = Stage(
        runbook=runbook,
        hosts={
            "web1": host({"up": [FAULTY], "kind": [FINE]}),
            "web2": host({"up": [FAULTY], "kind": [FAULTY]}, {"reload": [MENDED]}),
        },
    )
    person = Late(says=says)
    stage.operator = person

    def on_event(event: Event) -> None:
        if isinstance(event, HostFinished):
            order.append(event.host)
            if event.host == "web2":
                person.answer_now()

    stage.on_event = on_event

    assert stage.play() is Verdict.RESOLVED
    assert order == ["web2", "web1"]


def test_a_host_that_hangs_holds_no_other() -> None:
    """web2 never answers; web1 is asked about, fixed and finished all the same."""
    stage = Stage(
        runbook=ONE_FIX,
        hosts={"web1": host(), "web2": host(None, None, "up")},
        gather_s=0.0,
    )

    def on_event(event: Event) -> None:
        if isinstance(event, HostFinished) and event.host == "web1":
            stage.script.cancel_all()

    stage.on_event = on_event

    stage.play()
    assert stage.verdicts == {"web1": Verdict.RESOLVED, "web2": Verdict.UNKNOWN}


def test_without_anybody_to_ask_the_fix_is_declined_and_with_yes_it_is_done() -> None:
    """The absent operator declines with the reason; --yes approves, and the journal names who."""
    absent = Stage(runbook=ONE_FIX, hosts={"web1": host()}, operator=AbsentOperator(name="ann"))
    willing = Stage(runbook=ONE_FIX, hosts={"web1": host()}, operator=ApprovingOperator(name="ann"))

    assert absent.play() is Verdict.DECLINED
    assert not absent.fixes
    assert willing.play() is Verdict.RESOLVED

    (no,) = absent.of(FixDeclined)
    (yes,) = willing.of(FixApproved)
    assert isinstance(no, FixDeclined)
    assert "--yes" in no.reason
    assert isinstance(yes, FixApproved)
    assert yes.by == "ann"


def test_diagnosing_asks_nothing_and_does_nothing() -> None:
    """The read-only walk ends at the fix, and takes no host from anybody."""
    person = Person()
    stage = Stage(runbook=ONE_FIX, hosts={"web1": host()}, operator=person, mode=Mode.DIAGNOSE)

    assert stage.play() is Verdict.UNRESOLVED
    assert (person.asked, stage.fixes, stage.previews) == ([], [], [])


def test_a_person_is_shown_what_is_predicted_and_what_was_seen() -> None:
    """With previews wanted, the question comes after the prediction and carries the evidence."""
    change = TaskChange(name="Restart it", status="changed")
    scripted = replace(host(), previews={"restart": [change]})
    person = Person(wants_previews=True)
    stage = Stage(runbook=ONE_FIX, hosts={"web1": scripted}, operator=person)

    assert stage.play() is Verdict.RESOLVED

    (request,) = person.asked
    assert request.previews["web1"].changes == (change,)
    assert request.evidence["web1"] == FAULTY
    assert request.cause is not None
    kinds = [type(item) for item in stage.script.requests]
    assert kinds.index(PreviewRequest) == 1


def _old_by_the_time_it_is_approved(stage: Stage) -> None:
    """Let evidence grow old while the person thinks, the first time."""

    def on_event(event: Event) -> None:
        if isinstance(event, FixApproved) and not stage.of(EvidenceExpired):
            stage.now += 3600

    stage.on_event = on_event


def test_old_evidence_is_seen_again_before_acting_and_the_yes_stands() -> None:
    """After an hour's thought the host is looked at again; as nothing changed, nobody is asked."""
    person = Person()
    fresh = replace(FAULTY, seen_at=3600.0)
    scripted = host({"up": [FAULTY, fresh]})
    stage = Stage(runbook=ONE_FIX, hosts={"web1": scripted}, operator=person)
    _old_by_the_time_it_is_approved(stage)

    assert stage.play() is Verdict.RESOLVED

    kinds = [type(event) for event in stage.of(FixApproved, EvidenceExpired, FixIntended)]
    assert kinds == [FixApproved, EvidenceExpired, FixIntended]
    assert len(person.asked) == 1


def test_after_the_clock_was_set_back_evidence_is_seen_again() -> None:
    """Seen at a time that is yet to come, nobody knows how old it is: it is not acted upon."""
    scripted = host({"up": [replace(FAULTY, seen_at=3600.0), replace(FAULTY, seen_at=5.0)]})
    stage = Stage(runbook=ONE_FIX, hosts={"web1": scripted}, now=5.0)

    assert stage.play() is Verdict.RESOLVED

    (expired,) = stage.of(EvidenceExpired)
    assert isinstance(expired, EvidenceExpired)
    assert expired.age_s == -3595.0
    assert len(stage.fixes) == 1


def test_old_evidence_that_turns_out_otherwise_makes_the_yes_void() -> None:
    """The walk comes to the fix by another way now: the person is asked again, and may say no."""
    runbook = book(
        check("up", failed="kind"),
        check("kind", passed="restart", failed="restart"),
        fix("restart", symptom="up"),
    )

    def later(seen: Observation) -> Observation:
        return replace(seen, seen_at=3600.0)

    scripted = host({"up": [FAULTY, later(FAULTY)], "kind": [FINE, later(FAULTY)]})
    person = Person(says=lambda request: frozenset(request.hosts if len(person.asked) == 1 else ()))
    stage = Stage(runbook=runbook, hosts={"web1": scripted}, operator=person)
    _old_by_the_time_it_is_approved(stage)

    assert stage.play() is Verdict.DECLINED
    assert len(person.asked) == 2
    assert not stage.fixes


def test_a_fault_that_went_away_meanwhile_is_not_fixed() -> None:
    """Seen again after an hour, the host is healthy by itself: nothing is done."""
    scripted = host({"up": [FAULTY, replace(FINE, seen_at=3600.0)]})
    stage = Stage(runbook=ONE_FIX, hosts={"web1": scripted})
    _old_by_the_time_it_is_approved(stage)

    assert stage.play() is Verdict.SELF_RECOVERED
    assert not stage.fixes


def test_what_changed_after_the_yes_is_not_done() -> None:
    """The role is edited between the approval and the action: refused, aborted, hosts free."""
    stage = Stage(runbook=ONE_FIX, hosts={"web1": host(), "web2": host()})

    def on_event(event: Event) -> None:
        if isinstance(event, FixApproved):
            stage.closure = "another closure"

    stage.on_event = on_event

    with pytest.raises(RunbookError) as caught:
        stage.play()

    assert [problem.reference for problem in caught.value.problems] == ["changed-meanwhile"]
    assert not stage.fixes
    assert not stage.of(FixIntended)
    assert set(stage.verdicts.values()) == {Verdict.ABORTED}
    assert stage.events[-1] == RunFinished(verdict=Verdict.ABORTED)
    assert not stage.journal.claims()


def test_what_changed_lets_a_fix_under_way_come_to_its_end() -> None:
    """web1's fix is under way as web2's is refused: it is not killed, and its end is written."""
    runbook = book(
        check("up", failed="kind"),
        check("kind", passed="restart", failed="reload"),
        fix("restart", symptom="up"),
        fix("reload", symptom="up"),
    )
    stage = Stage(
        runbook=runbook,
        hosts={
            "web1": host({"up": [FAULTY], "kind": [FINE]}),
            "web2": host({"up": [FAULTY], "kind": [FAULTY]}, {"reload": [MENDED]}),
        },
    )

    def on_event(event: Event) -> None:
        if isinstance(event, FixIntended):
            stage.closure = "another closure"

    stage.on_event = on_event

    with pytest.raises(RunbookError, match="changed"):
        stage.play()

    assert [request.fix for request in stage.fixes] == ["restart"]
    assert stage.verdicts == {"web1": Verdict.RESOLVED, "web2": Verdict.ABORTED}


def test_hosts_with_the_same_fault_after_a_fix_are_asked_about_anew() -> None:
    """A yes is for one epoch: the second try of a fix needs its own."""
    runbook = book(
        check("up", failed="restart"),
        fix("restart", symptom="up", no_effect="up", max_visits=2),
    )
    useless = replace(MENDED, verification=replace(MENDED.verification, result=FixResult.NO_EFFECT))
    person = Person()
    stage = Stage(
        runbook=runbook, hosts={"web1": host(fixes={"restart": [useless]})}, operator=person
    )

    assert stage.play() is Verdict.ESCALATED
    assert len(person.asked) == len(stage.fixes) == 2


TWO_FIXES = book(
    check("up", failed="restart"),
    fix("restart", symptom="up", declined="reboot"),
    fix("reboot", symptom="up"),
)


@pytest.mark.parametrize(
    ("reach", "asked"), [(Reach.FIX, ["restart", "reboot"]), (Reach.RUN, ["restart"])]
)
def test_a_no_goes_as_far_as_it_was_meant_after_a_resume_too(
    reach: Reach, asked: list[str]
) -> None:
    """Who refuses all that comes is asked no more, not even once the run was stopped and resumed."""
    person = Person(says=lambda request: frozenset(), reach=reach)
    stage = Stage(runbook=TWO_FIXES, hosts={"web1": host()}, operator=person)

    def stop(event: Event) -> None:
        if isinstance(event, FixDeclined) and stage.driver is not None:
            stage.driver.stop(Stop(reason="enough"))

    stage.on_event = stop
    with pytest.raises(InterruptedRunError):
        stage.play()
    stage.on_event = lambda _: None
    assert person.left

    assert stage.resume() is Verdict.DECLINED
    assert [request.fix.id for request in person.asked] == asked
    assert [(event.step, event.by) for event in stage.events if isinstance(event, FixDeclined)] == [
        ("restart", "ann"),
        ("reboot", "ann"),
    ]


def test_a_fix_that_is_skipped_is_skipped_on_hosts_that_come_to_it_later() -> None:
    """The no holds for that fix under the name of who said it; what was said of one host does not."""
    desk = Desk(runbook=TWO_FIXES, operator=Person(), closure="", deliver=lambda _: None)
    no = FixDeclined(host="web1", step="restart", by="ann", reason="skipped", reach=Reach.FIX)

    desk.recall([replace(no, step="reboot", reach=Reach.HOST), no])

    assert desk.refused(["web2"], "restart") == [replace(no, host="web2")]
    assert desk.refused(["web2"], "reboot") == []
