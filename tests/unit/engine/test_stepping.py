"""A walk that asks before each step: going on, skipping, jumping, and what none of that can do."""

import pytest

from runbook.engine import decide, evolve
from runbook.errors import RunbookError
from runbook.model.decision import AskStep, Done, Observe, RequestApproval, StartFix, VerifyFix
from runbook.model.definition import FixResult, Runbook
from runbook.model.event import (
    EvidenceExpired,
    HostEvent,
    Mode,
    StepAllowed,
    StepJumped,
    SteppingSet,
    StepSkipped,
)
from runbook.model.state import HostState
from runbook.model.verdict import Verdict
from tests.engine_harness import (
    HOST,
    after,
    after_more,
    approved,
    ask,
    book,
    check,
    ended,
    fix,
    intended,
    observed,
    to,
    verified,
)

STEPPING = SteppingSet(host=HOST, on=True, by="ann")
SITE = book(
    check("up", failed="state"),
    check("state", failed="restart", passed="end:escalated", cause="stopped"),
    fix("restart", symptom="up", verify_cause="state", cause="stopped", cause_removed="up"),
)


def allow(step: str) -> StepAllowed:
    """Let a step be done."""
    return StepAllowed(host=HOST, step=step, by="ann")


def skip(step: str, result: str, target: str, reason: str = "") -> StepSkipped:
    """Skip a step."""
    return StepSkipped(
        host=HOST, step=step, result=result, next=to(target), by="ann", reason=reason
    )


def jump(step: str, target: str) -> StepJumped:
    """Jump from a step to another."""
    return StepJumped(host=HOST, step=step, to=target, by="ann")


def stepped(*events: HostEvent, runbook: Runbook = SITE, mode: Mode = Mode.RUN) -> HostState:
    """Return the state after events of a walk that asks before each step."""
    return after(runbook, STEPPING, *events, mode=mode)


def test_before_the_first_look_it_says_what_would_be_looked_at() -> None:
    """The looks are still one batch; nothing is looked at before somebody lets it."""
    assert decide(SITE, stepped(), Mode.RUN) == AskStep(step="up", looks=("up", "state"))
    assert decide(SITE, stepped(allow("up")), Mode.RUN) == Observe(steps=("up", "state"))


def test_each_step_is_asked_about_though_it_was_seen_ahead_of_need() -> None:
    """What is known already is told with the question, and the walk waits there all the same."""
    state = stepped(allow("up"), observed(up="failed", state="failed"))

    assert state.position == "state"
    assert decide(SITE, state, Mode.RUN) == AskStep(step="state", result="failed")


def test_the_rest_runs_without_asking() -> None:
    """Once somebody says so, only the fix is asked about."""
    rest = SteppingSet(host=HOST, on=False, by="ann")

    state = stepped(allow("up"), observed(up="failed", state="failed"), rest)

    assert decide(SITE, state, Mode.RUN) == RequestApproval(fix="restart")


def test_a_fix_is_asked_about_as_a_step_and_then_approved() -> None:
    """Going on with a destructive fix is no approval of it."""
    state = stepped(allow("up"), observed(up="failed", state="failed"), allow("state"))

    assert decide(SITE, state, Mode.RUN) == AskStep(step="restart")
    going_on = after(
        SITE,
        STEPPING,
        allow("up"),
        observed(up="failed", state="failed"),
        allow("state"),
        allow("restart"),
    )
    assert decide(SITE, going_on, Mode.RUN) == RequestApproval(fix="restart")


def test_a_skipped_step_leads_on_and_counts_as_unseen() -> None:
    """The walk goes where the person says; nothing is concluded from what nobody saw."""
    state = stepped(skip("up", "failed", "state"), skip("state", "failed", "restart", "slow"))

    assert state.position == "restart"
    assert state.causes == ()
    assert not state.fault_seen
    assert [(visit.step, visit.by_hand, visit.reason) for visit in state.path] == [
        ("up", True, "skipped by ann as failed"),
        ("state", True, "skipped by ann as failed (slow)"),
    ]


def test_a_good_end_that_a_skip_leads_to_is_unknown() -> None:
    """Nobody saw that the host is healthy, so nobody says it."""
    state = stepped(skip("up", "passed", "end:healthy"))

    assert state.verdict is Verdict.UNKNOWN
    assert state.reason is not None
    assert "skipped by ann as passed" in state.reason


def test_a_skip_has_to_lead_where_the_step_leads() -> None:
    """A target that the runbook does not have is out of place, and so is skipping a fix."""
    at_fix = stepped(skip("up", "failed", "state"), skip("state", "failed", "restart"))

    with pytest.raises(RunbookError, match="does not lead there"):
        evolve(SITE, stepped(), skip("up", "failed", "restart"))
    with pytest.raises(RunbookError, match="does not lead there"):
        evolve(SITE, at_fix, skip("restart", "resolved", "end:resolved"))


def test_a_jump_begins_anew_where_it_leads() -> None:
    """What was seen counts no more, and steps may be passed again as often as before."""
    state = stepped(allow("up"), observed(up="failed", state="failed"), jump("state", "up"))

    assert (state.position, state.origin, dict(state.known)) == ("up", "up", {})
    assert state.visits == {"up": 1}
    assert decide(SITE, state, Mode.RUN) == AskStep(step="up", looks=("up", "state"))


def test_jumping_to_a_fix_finds_no_cause_and_still_asks_and_verifies() -> None:
    """A destructive fix that was jumped to needs its yes, and its own looks afterwards."""
    at_fix = stepped(jump("up", "restart"))
    assert decide(SITE, at_fix, Mode.RUN) == AskStep(step="restart")
    allowed = stepped(jump("up", "restart"), allow("restart"))

    assert decide(SITE, allowed, Mode.RUN) == RequestApproval(fix="restart")
    assert allowed.causes == ()
    with pytest.raises(RunbookError, match="nobody approved it"):
        evolve(SITE, allowed, intended("restart"))
    yes = evolve(SITE, allowed, approved("restart"))
    assert decide(SITE, yes, Mode.RUN) == StartFix(fix="restart", attempt=1)
    acted = after_more(SITE, yes, intended("restart"), ended("restart"))
    assert decide(SITE, acted, Mode.RUN) == VerifyFix(fix="restart")
    done = after_more(SITE, acted, verified("restart", FixResult.RESOLVED))
    assert done.verdict is Verdict.RESOLVED


def test_a_jump_to_nowhere_is_out_of_place() -> None:
    """A step that the runbook does not have cannot be jumped to."""
    with pytest.raises(RunbookError, match="no step"):
        evolve(SITE, stepped(), jump("up", "nowhere"))


def test_steps_are_not_asked_about_again_when_evidence_grew_old() -> None:
    """Who thinks for a minute at a fix is not led through all its steps again; new ones are asked."""
    walked = stepped(
        allow("up"),
        observed(up="failed", state="failed"),
        allow("state"),
        allow("restart"),
        approved("restart"),
        EvidenceExpired(host=HOST, step="restart", age_s=90.0),
    )
    assert decide(SITE, walked, Mode.RUN) == Observe(steps=("up", "state"))

    again = after_more(SITE, walked, observed(up="failed", state="failed"))
    other = after_more(SITE, walked, observed(up="failed", state="passed"))

    assert decide(SITE, again, Mode.RUN) == StartFix(fix="restart", attempt=1)
    assert other.verdict is Verdict.ESCALATED


def test_after_a_fix_every_step_is_asked_about_again() -> None:
    """The host is another one then."""
    state = stepped(
        allow("up"),
        observed(up="failed", state="failed"),
        allow("state"),
        allow("restart"),
        approved("restart"),
        intended("restart"),
        ended("restart"),
        verified("restart", FixResult.CAUSE_REMOVED),
    )

    assert decide(SITE, state, Mode.RUN) == AskStep(step="up", looks=("up", "state"))


def test_a_diagnosis_ends_at_the_fix_without_asking() -> None:
    """There is nothing to be done, so nothing to be asked."""
    state = stepped(
        allow("up"), observed(up="failed", state="failed"), allow("state"), mode=Mode.DIAGNOSE
    )

    assert state.verdict is Verdict.UNRESOLVED
    assert isinstance(decide(SITE, state, Mode.DIAGNOSE), Done)


def test_what_is_said_too_late_changes_nothing() -> None:
    """A word about a step that the walk has left, or to a host with its verdict, is passed over."""
    state = stepped(allow("up"), observed(up="failed", state="failed"))
    over = stepped(skip("up", "unknown", "end:escalated"))

    for late in (allow("up"), skip("up", "failed", "state"), jump("up", "restart")):
        assert evolve(SITE, state, late) == state
        assert evolve(SITE, over, late) == over


def test_a_question_can_be_skipped_as_any_of_its_answers() -> None:
    """Also as its expiry; the result stands in the path as said by hand."""
    runbook = book(ask("which", {"a": "end:declined"}, "up"), check("up"))

    state = after(runbook, STEPPING, skip("which", "expired", "up"))

    assert state.position == "up"
    assert state.path[0].by_hand


def test_targets_of_skips_keep_their_verdict_without_their_cause() -> None:
    """An end that names a cause ends there, and concludes nothing."""
    runbook = book(check("up", failed="room"), check("room", failed="end:unresolved:full"))

    state = after(
        runbook,
        STEPPING,
        allow("up"),
        observed(up="failed", room="passed"),
        skip("room", "failed", "end:unresolved:full"),
    )

    assert (state.verdict, state.causes) == (Verdict.UNRESOLVED, ())
