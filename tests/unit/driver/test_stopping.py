"""Stopping a run gently and at once, at every stage, and going on with it."""

from contextlib import suppress
from dataclasses import dataclass, replace

import pytest

from runbook.driver.launch import drive
from runbook.driver.stopping import InterruptedRunError, Stop
from runbook.errors import RunbookError
from runbook.executor import Deliver, HostActed, HostVerified, Report, Request
from runbook.executor.scripted import ScriptedFix, ScriptedInvocation
from runbook.model.definition import FixResult
from runbook.model.event import (
    Acted,
    CauseFound,
    Event,
    FixApproved,
    FixEnded,
    FixIntended,
    FixVerified,
    HostJoined,
    Observed,
    RunInterrupted,
    RunStarted,
    StepConcluded,
)
from runbook.model.observation import Verification
from runbook.model.verdict import Verdict
from tests.unit.driver.stage import FAULTY, ONE_FIX, RUN, Cancellable, Person, Stage, host

STAGES = [HostJoined, Observed, StepConcluded, CauseFound, FixApproved, FixIntended, FixEnded]


def _stop_at(stage: Stage, kind: type[Event], *stops: Stop) -> None:
    """Stop the run when the first event of a kind has been written."""
    waiting = list(stops)

    def on_event(event: Event) -> None:
        if isinstance(event, kind):
            assert stage.driver is not None
            while waiting:
                stage.driver.stop(waiting.pop(0))

    stage.on_event = on_event


@pytest.mark.parametrize("kind", STAGES)
@pytest.mark.parametrize("now", [False, True], ids=["gently", "at once"])
def test_a_stopped_run_is_resumed_and_the_fix_done_once(kind: type[Event], now: bool) -> None:
    """Wherever it is stopped, the run says so or is over; resumed, it ends as it would have."""
    stage = Stage(runbook=ONE_FIX, hosts={"web1": host()})
    _stop_at(stage, kind, Stop(reason="enough", now=now))
    try:
        verdict = stage.play()
    except InterruptedRunError:
        assert isinstance(stage.events[-1], RunInterrupted)
        stage.journal.verify(RUN)
        verdict = stage.resume()

    assert verdict is Verdict.RESOLVED
    assert len(stage.fixes) == 1
    assert len(stage.of(FixIntended)) == 1
    stage.journal.verify(RUN)


def test_stopped_gently_the_fix_under_way_ends_and_is_looked_at() -> None:
    """The first stop waits for the fix's end and its verification; both are written."""
    stage = Stage(runbook=ONE_FIX, hosts={"web1": host()})
    _stop_at(stage, FixIntended, Stop(reason="enough"))
    with suppress(InterruptedRunError):  # It may have come to its end first.
        stage.play()

    (ended,) = stage.of(FixEnded)
    assert isinstance(ended, FixEnded)
    assert (ended.acted, ended.interrupted) == (Acted.CHANGED, False)
    assert len(stage.of(FixVerified)) == 1


def test_a_second_stop_gives_the_fix_up() -> None:
    """A fix that hangs is cancelled by the second stop; its end is unknown and said to be so."""
    stage = Stage(runbook=ONE_FIX, hosts={"web1": host(None, None, "restart")})
    _stop_at(stage, FixIntended, Stop(reason="enough"), Stop(reason="now", now=True))

    with pytest.raises(InterruptedRunError, match="now"):
        stage.play()

    (ended,) = stage.of(FixEnded)
    assert isinstance(ended, FixEnded)
    assert (ended.acted, ended.interrupted) == (Acted.UNKNOWN, True)
    assert stage.driver is not None
    assert stage.driver.states["web1"].verdict is None


@dataclass(kw_only=True)
class Unbegun(Cancellable):
    """Says of a fix that is cancelled that it had not begun yet."""

    def start(self, request: Request, deliver: Deliver) -> ScriptedInvocation:
        """Begin, and return at once."""

        def told(report: Report) -> None:
            if isinstance(report, HostActed) and report.acted is Acted.UNKNOWN:
                report = replace(report, acted=Acted.WITHHELD)
            deliver(report)

        return super().start(request, told)


def test_a_fix_given_up_before_it_began_ends_no_walk() -> None:
    """Stopped at once between the intent and the action: the host has no verdict, and can go on."""
    hosts = {"web1": host(None, None, "restart")}
    stage = Stage(runbook=ONE_FIX, hosts=hosts, executor=Unbegun(hosts=hosts))
    _stop_at(stage, FixIntended, Stop(reason="enough", now=True))

    with pytest.raises(InterruptedRunError):
        stage.play()

    assert stage.verdicts == {"web1": None}
    stage.executor, stage.hosts = None, {"web1": host()}
    stage.script = Cancellable(hosts=stage.hosts)
    assert stage.resume() is Verdict.RESOLVED


@dataclass(kw_only=True)
class CutOff(Cancellable):
    """Is stopped at once while it looks again after a fix, so that it can tell nothing."""

    stage: Stage | None = None

    def start(self, request: Request, deliver: Deliver) -> ScriptedInvocation:
        """Begin, and return at once."""

        def told(report: Report) -> None:
            if isinstance(report, HostVerified):
                assert self.stage is not None
                assert self.stage.driver is not None
                self.stage.driver.stop(Stop(reason="enough", now=True))
                nothing = Verification(result=FixResult.UNKNOWN, reason="it was stopped")
                report = replace(report, verification=nothing)
            deliver(report)

        return super().start(request, told)


def test_a_look_after_a_fix_that_was_cut_off_is_done_again() -> None:
    """It is no result of the fix: resumed, the host is looked at, and the fix not repeated."""
    hosts = {"web1": host()}
    executor = CutOff(hosts=hosts)
    stage = Stage(runbook=ONE_FIX, hosts=hosts, executor=executor)
    executor.stage = stage

    with pytest.raises(InterruptedRunError, match="enough"):
        stage.play()

    assert stage.verdicts == {"web1": None}
    assert not stage.of(FixVerified)
    stage.executor = None
    assert stage.resume() is Verdict.RESOLVED
    assert len(stage.of(FixIntended)) == len(stage.of(FixEnded)) == 1


def test_a_fix_that_was_given_up_is_asked_about_again() -> None:
    """Nobody knows what it did: resumed, the host is looked at, and the person asked anew."""
    person = Person()
    stage = Stage(
        runbook=ONE_FIX,
        hosts={"web1": host(fixes={"restart": [ScriptedFix(acted=Acted.UNKNOWN, reason="cut")]})},
        operator=person,
    )
    _stop_at(stage, FixIntended, Stop(reason="enough", now=True))
    with pytest.raises(InterruptedRunError):
        stage.play()
    stage.on_event = lambda _: None

    stage.resume()

    intents = len(stage.of(FixIntended))
    assert intents == len(stage.of(FixApproved)) == len(person.asked)


def test_stopped_while_hosts_hang_what_was_cut_off_is_no_finding() -> None:
    """A look that the stop itself cut off is not written down as unknown."""
    stage = Stage(runbook=ONE_FIX, hosts={"web1": host(), "web2": host(None, None, "up")})
    _stop_at(stage, Observed, Stop(reason="enough"))

    with pytest.raises(InterruptedRunError):
        stage.play()

    assert {event.host for event in stage.events if isinstance(event, Observed)} == {"web1"}


def test_stopped_before_any_host_joined_it_can_be_resumed() -> None:
    """A stop during the first look at the inventory leaves a run that begins when resumed."""
    stage = Stage(runbook=ONE_FIX, hosts={"web1": host()})
    driver = stage.begin()
    driver.stop(Stop(reason="enough"))
    with pytest.raises(InterruptedRunError):
        drive(driver, "all")
    assert [type(event) for event in stage.events] == [RunStarted, RunInterrupted]

    assert stage.resume() is Verdict.RESOLVED


def test_an_answer_given_after_the_stop_is_not_taken() -> None:
    """The yes that comes once the run stops starts nothing and is not written."""
    person = Person(says=lambda request: None)
    stage = Stage(runbook=ONE_FIX, hosts={"web1": host()}, operator=person)

    def says_late(request: object) -> frozenset[str]:
        assert stage.driver is not None
        stage.driver.stop(Stop(reason="enough"))
        return frozenset({"web1"})

    person.says = says_late

    with pytest.raises(InterruptedRunError):
        stage.play()
    assert not stage.of(FixApproved, FixIntended)
    assert not stage.fixes


def test_a_finished_run_is_not_resumed() -> None:
    """There is nothing to go on with."""
    stage = Stage(runbook=ONE_FIX, hosts={"web1": host({"up": [FAULTY]})})
    stage.play()

    with pytest.raises(RunbookError) as caught:
        stage.resume()
    assert caught.value.problems[0].reference == "run-finished"
