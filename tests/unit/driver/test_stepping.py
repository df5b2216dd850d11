"""A run that asks before each step: what the operator is asked, what is journaled, how it resumes."""

from dataclasses import replace

import pytest

from runbook.driver.operator import (
    AbsentOperator,
    ApprovingOperator,
    EndRun,
    GoOn,
    Jump,
    Skip,
    StepReply,
    StepRequest,
)
from runbook.driver.stopping import InterruptedRunError
from runbook.model.event import (
    FixApproved,
    FixDeclined,
    FixIntended,
    FixVerified,
    RunInterrupted,
    StepAllowed,
    StepJumped,
    SteppingSet,
    StepSkipped,
)
from runbook.model.verdict import Verdict
from tests.engine_harness import book, check, fix, to
from tests.unit.driver.stage import FAULTY, MENDED, ONE_FIX, Person, Stage, host


def stage(person: Person, **hosts: int) -> Stage:
    """Return a run with one fix that asks before each step, on one host or those named."""
    names = hosts or {"web1": 1}
    return Stage(
        runbook=ONE_FIX,
        hosts={name: host() for name in names},
        operator=person,
        stepping=True,
        gather_s=0.0,
    )


def test_nothing_is_looked_at_before_somebody_lets_it() -> None:
    """The first request only finds the hosts; the looks come once they were said and allowed."""
    person = Person()
    run = stage(person)

    assert run.play() is Verdict.RESOLVED

    assert [request.steps for request in run.looks] == [(), ()]
    assert run.looks[1].wants == {"web1": ("up",)}
    assert [(asked.step.id, asked.result) for asked in person.steps] == [
        ("up", ""),
        ("restart", ""),
    ]
    assert person.steps[0].looks == ("up is fine",)
    assert run.of(StepAllowed, SteppingSet) == [
        SteppingSet(host="web1", on=True, by="ann"),
        StepAllowed(host="web1", step="up", by="ann"),
        StepAllowed(host="web1", step="restart", by="ann"),
    ]


def test_hosts_at_the_same_step_are_asked_about_once() -> None:
    """Two hosts that stand at one step with one result make one question."""
    person = Person()

    stage(person, web1=1, web2=1).play()

    assert [asked.hosts for asked in person.steps if asked.step.id == "up"] == [("web1", "web2")]


def test_a_skipped_fix_is_declined() -> None:
    """By whom and why is journaled; it is not done."""

    def skips_fixes(request: StepRequest) -> StepReply:
        if request.step.id == "restart":
            return Skip(by="ann", result="declined", to=to("end:declined"), reason="not at night")
        return GoOn(by="ann")

    run = stage(Person(does=skips_fixes))

    assert run.play() is Verdict.DECLINED
    assert run.of(FixDeclined) == [
        FixDeclined(host="web1", step="restart", by="ann", reason="not at night")
    ]
    assert run.of(FixIntended) == []


def test_a_skipped_check_is_journaled_with_where_it_led() -> None:
    """Whoever reads the journal sees that nobody looked."""
    target = to("restart")

    def skips_looks(request: StepRequest) -> StepReply:
        if request.step.id == "up":
            return Skip(by="ann", result="failed", to=target)
        return GoOn(by="ann")

    run = stage(Person(does=skips_looks))
    run.play()

    assert run.of(StepSkipped) == [
        StepSkipped(host="web1", step="up", result="failed", next=target, by="ann")
    ]


def test_a_fix_that_was_jumped_to_is_asked_about_and_verified() -> None:
    """The jump is no approval, and what the fix did is looked at as ever."""

    def jumps(request: StepRequest) -> StepReply:
        if request.step.id == "up":
            return Jump(by="ann", to="restart", reason="seen it before")
        return GoOn(by="ann")

    person = Person(does=jumps)
    run = stage(person)

    assert run.play() is Verdict.RESOLVED
    assert run.of(StepJumped) == [
        StepJumped(host="web1", step="up", to="restart", by="ann", reason="seen it before")
    ]
    assert [type(event) for event in run.of(FixApproved, FixIntended, FixVerified)] == [
        FixApproved,
        FixIntended,
        FixVerified,
    ]
    assert len(person.asked) == 1


def test_who_stops_can_resume_and_is_asked_on() -> None:
    """The run is interrupted with who stopped it; resumed, it asks from where it stood."""
    stops = Person(does=lambda _: EndRun(by="ann", reason="lunch"))
    run = stage(stops)
    with pytest.raises(InterruptedRunError):
        run.play()
    assert run.of(RunInterrupted) == [RunInterrupted(reason="ended by ann: lunch")]

    goes_on = Person()
    run.operator = goes_on

    assert run.resume() is Verdict.RESOLVED
    assert [asked.step.id for asked in goes_on.steps] == ["up", "restart"]


def test_the_rest_is_run_without_asking() -> None:
    """One answer lets all that follows be done; the destructive fix is approved all the same."""
    person = Person(does=lambda _: GoOn(by="ann", rest=True))
    run = stage(person)

    assert run.play() is Verdict.RESOLVED
    assert [asked.step.id for asked in person.steps] == ["up"]
    assert len(person.asked) == 1


def test_without_anybody_to_ask_a_stepwise_run_stops() -> None:
    """Resumed without a terminal it does nothing; with --yes it goes on without asking."""
    stops = Person(does=lambda _: EndRun(by="ann"))
    run = stage(stops)
    with pytest.raises(InterruptedRunError):
        run.play()

    run.operator = AbsentOperator(name="nobody")
    with pytest.raises(InterruptedRunError, match="no terminal"):
        run.resume()
    run.operator = ApprovingOperator(name="ann")

    assert run.resume() is Verdict.RESOLVED


def test_a_harmless_fix_waits_for_its_step() -> None:
    """A fix that nobody has to approve is not done either before somebody lets it."""
    harmless = book(
        check("up", failed="clear"), fix("clear", symptom="up", cause="full", destructive=False)
    )
    asked: list[str] = []

    def counts(request: StepRequest) -> StepReply:
        asked.append(request.step.id)
        return GoOn(by="ann")

    run = stage(Person(does=counts))
    run = replace(
        run, runbook=harmless, hosts={"web1": host({"up": [FAULTY]}, {"clear": [MENDED]})}
    )

    assert run.play() is Verdict.RESOLVED
    assert asked == ["up", "clear"]
