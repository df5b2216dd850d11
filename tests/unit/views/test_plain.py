"""Lines for what happens in a run."""

import io
import re
from dataclasses import replace

import pytest

from runbook.model.definition import End
from runbook.model.event import HostEvent, Mode, RunResumed
from runbook.model.verdict import Verdict
from runbook.views.plain import PlainObserver
from runbook.views.summary import Finish, summary_text
from tests.engine_harness import branch, cases, check
from tests.unit.views.scenes import (
    SITE_PASSES,
    Play,
    approved,
    broken,
    looked,
    site_book,
    stopped,
    unreachable,
)


def tell(view: PlainObserver, play: Play, *events: HostEvent) -> None:
    """Have events happen before a view."""
    for event in play.on(*events):
        view.happened(event, play.states)


def test_lines_wait_while_somebody_else_writes() -> None:
    """What happens during a pause is written after it, in its order, and nothing is lost."""
    play = Play()
    stream = io.StringIO()
    view = PlainObserver(runbook=play.runbook, stream=stream)
    play.joined("web1")

    view.pause()
    tell(view, play, looked("web1", broken()))
    assert stream.getvalue() == ""

    view.resume()
    assert [line.split(" ")[1] for line in stream.getvalue().splitlines()] == ["✗", "✗", "!"]

    tell(view, play, approved("web1"))
    assert stream.getvalue().endswith("approved by ann\n")


def test_a_cause_found_by_a_branch_is_told_with_the_check_that_failed() -> None:
    """Which case held is no evidence: what the last failed check saw is."""
    which = branch("which", ["end:escalated"], "end:escalated")
    found = End(verdict=Verdict.ESCALATED, cause="backend_stopped")
    which = replace(which, cases=(replace(which.cases[0], next=found),))
    site = replace(check("site", failed="which"), passes=SITE_PASSES)
    play = Play(runbook=replace(site_book(), steps={"site": site, "which": which}))
    stream = io.StringIO()
    view = PlainObserver(runbook=play.runbook, stream=stream)
    play.joined("web1")

    tell(view, play, looked("web1", {"site": broken()["site"], "which": cases("true")}))

    assert "! cause: The backend service is not running — status 502\n" in stream.getvalue()
    assert "cases" not in stream.getvalue()
    finish = Finish(
        runbook=play.runbook, run="r1", mode=Mode.RUN, states=play.states, pattern="web1"
    )
    assert "The backend service is not running (status 502)" in summary_text(finish)


def test_what_to_do_about_a_host_depends_on_why_it_is_not_known() -> None:
    """Only of a host that was not reached it is said to see to that."""
    broke_off = "Ansible broke off: [ERROR]: couldn't resolve module/action"
    play = Play()
    play.joined("web1", "web2")
    list(play.on(looked("web1", unreachable())))
    list(play.on(looked("web2", unreachable(broke_off))))

    told = summary_text(
        Finish(runbook=play.runbook, run="r1", mode=Mode.RUN, states=play.states, pattern="all")
    )

    assert "see that the host can be reached, then try again with: runbook run fix-502" in told
    assert "once that is mended, try again with: runbook run fix-502 --host web2" in told


def test_an_error_loses_no_lines() -> None:
    """A run that stops with an error while a question is open still writes what had happened."""
    play = Play()
    stream = io.StringIO()
    play.joined("web1")

    def interrupted() -> None:
        with PlainObserver(runbook=play.runbook, stream=stream) as view:
            view.pause()
            tell(view, play, looked("web1", broken()))
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        interrupted()

    assert "The backend service is not running" in stream.getvalue()


def test_the_same_note_is_written_once() -> None:
    """What is noted again and again for the same hosts is one line, whoever else is noted."""
    stream = io.StringIO()
    view = PlainObserver(runbook=Play().runbook, stream=stream)

    for _ in range(3):
        view.working(("web1",), "waiting for the fix that was left running")
        view.working(("web2",), "waiting for the fix that was left running")
    view.working(("web1",), "looking again")

    assert stream.getvalue().splitlines() == [
        "web1: … waiting for the fix that was left running",
        "web2: … waiting for the fix that was left running",
        "web1: … looking again",
    ]


def test_causes_of_before_are_not_told_again() -> None:
    """A run that is taken up tells only the causes that are found from then on."""
    play = stopped("web1")
    stream = io.StringIO()
    view = PlainObserver(runbook=play.runbook, stream=stream)

    view.happened(RunResumed(operator="ann"), play.states)
    tell(view, play, approved("web1"))

    assert "cause" not in stream.getvalue()


def test_timestamps_are_local_times() -> None:
    """With timestamps every line begins with the time."""
    stream = io.StringIO()
    view = PlainObserver(
        runbook=Play().runbook, stream=stream, timestamps=True, clock=lambda: 1.8e9
    )

    view.working((), "looking")

    assert re.fullmatch(r"\d\d:\d0:00 … looking\n", stream.getvalue())
