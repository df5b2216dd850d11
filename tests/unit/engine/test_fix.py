"""Approaching a fix, doing it, and going on from it."""

from dataclasses import replace

import pytest

from runbook.engine import decide, evolve
from runbook.engine.decide import MAX_EXPIRIES
from runbook.errors import RunbookError
from runbook.model.decision import (
    AskOperator,
    AwaitFix,
    Decision,
    Observe,
    RequestApproval,
    StartFix,
    VerifyFix,
)
from runbook.model.definition import FixResult, Runbook
from runbook.model.event import (
    Acted,
    EvidenceExpired,
    FixEnded,
    FixVerified,
    HostEvent,
    HostFinished,
    LookAgain,
    Mode,
)
from runbook.model.state import FixPhase, FixRecord, HostState
from runbook.model.verdict import Verdict
from tests.engine_harness import (
    HOST,
    Walk,
    World,
    after,
    after_more,
    answered,
    approved,
    ask,
    book,
    branch,
    cases,
    check,
    declined,
    ended,
    fix,
    intended,
    observed,
    seen,
    verified,
)

TARGETS = {
    "resolved": "resolved",
    "cause_removed": "cause_removed",
    "recurred": "recurred",
    "no_effect": "no_effect",
    "failed": "failed",
    "unknown": "unknown",
    "declined": "declined",
}


def one_fix(*, destructive: bool = True, max_visits: int = 1) -> Runbook:
    """Return site -> backend -> restart; each result of the fix leads to a question of its name."""
    restart = fix(
        "restart",
        symptom="site",
        verify_cause="backend",
        cause="stopped",
        destructive=destructive,
        max_visits=max_visits,
        **TARGETS,
    )
    ways = [ask(name, {"again": "site"}) for name in TARGETS]
    return book(check("site", failed="backend"), check("backend", failed="restart"), restart, *ways)


def at_fix(runbook: Runbook, *events: HostEvent) -> HostState:
    """Return the state at the fix, then after events."""
    return after(runbook, observed(site="failed", backend="failed"), *events)


def expired(step: str = "restart") -> EvidenceExpired:
    """Build the event of evidence grown old."""
    return EvidenceExpired(host=HOST, step=step, age_s=61.0)


APPROACH: list[tuple[bool, list[HostEvent], Decision]] = [
    (True, [], RequestApproval(fix="restart")),
    (False, [], StartFix(fix="restart", attempt=1)),
    (True, [approved("restart")], StartFix(fix="restart", attempt=1)),
    (True, [approved("restart"), intended("restart")], AwaitFix(fix="restart")),
    (
        True,
        [approved("restart"), intended("restart"), ended("restart")],
        VerifyFix(fix="restart"),
    ),
    (
        True,
        [approved("restart"), intended("restart"), ended("restart", Acted.UNCHANGED)],
        VerifyFix(fix="restart"),
    ),
    (
        True,
        [approved("restart"), intended("restart"), ended("restart", Acted.UNKNOWN)],
        VerifyFix(fix="restart"),
    ),
]


@pytest.mark.parametrize(("destructive", "events", "decision"), APPROACH)
def test_a_fix_goes_through_its_phases(
    destructive: bool, events: list[HostEvent], decision: Decision
) -> None:
    """A destructive fix waits for a yes; then it is begun, awaited and looked at, in this order."""
    runbook = one_fix(destructive=destructive)

    assert decide(runbook, at_fix(runbook, *events), Mode.RUN) == decision


V = FixResult
CONCLUDED = [
    # (acted, interrupted, looked like), (position, result, attempts that count)
    ((Acted.CHANGED, False, V.RESOLVED), ("resolved", V.RESOLVED, 1)),
    ((Acted.CHANGED, False, V.CAUSE_REMOVED), ("cause_removed", V.CAUSE_REMOVED, 1)),
    ((Acted.CHANGED, False, V.RECURRED), ("recurred", V.RECURRED, 1)),
    ((Acted.CHANGED, False, V.NO_EFFECT), ("no_effect", V.NO_EFFECT, 1)),
    ((Acted.CHANGED, False, V.UNKNOWN), ("unknown", V.UNKNOWN, 1)),
    ((Acted.UNCHANGED, False, V.RESOLVED), ("resolved", V.RESOLVED, 1)),
    ((Acted.FAILED, False, None), ("failed", V.FAILED, 1)),
    ((Acted.WITHHELD, False, None), ("unknown", V.UNKNOWN, 0)),
    ((Acted.UNKNOWN, False, V.RESOLVED), ("resolved", V.RESOLVED, 1)),
    ((Acted.UNKNOWN, False, V.CAUSE_REMOVED), ("cause_removed", V.CAUSE_REMOVED, 1)),
    ((Acted.UNKNOWN, False, V.NO_EFFECT), ("unknown", V.UNKNOWN, 1)),
    ((Acted.UNKNOWN, False, V.RECURRED), ("unknown", V.UNKNOWN, 1)),
    ((Acted.UNKNOWN, False, V.UNKNOWN), ("unknown", V.UNKNOWN, 1)),
    ((Acted.UNKNOWN, True, V.RESOLVED), ("resolved", V.RESOLVED, 0)),
    ((Acted.UNKNOWN, True, V.CAUSE_REMOVED), ("cause_removed", V.CAUSE_REMOVED, 0)),
    ((Acted.UNKNOWN, True, V.NO_EFFECT), ("site", V.UNKNOWN, 0)),
    ((Acted.UNKNOWN, True, V.UNKNOWN), ("site", V.UNKNOWN, 0)),
    ((Acted.CHANGED, True, V.NO_EFFECT), ("no_effect", V.NO_EFFECT, 1)),
]


@pytest.mark.parametrize(("given", "expected"), CONCLUDED)
def test_a_fix_is_concluded_by_looking_again(
    given: tuple[Acted, bool, FixResult | None], expected: tuple[str, FixResult, int]
) -> None:
    """The looks after a fix give its result; nobody's end leads back to look, and does not count."""
    acted, interrupted, looked = given
    position, result, attempts = expected
    runbook = one_fix()
    events: list[HostEvent] = [
        approved("restart"),
        intended("restart"),
        ended("restart", acted, interrupted=interrupted),
    ]
    if looked is not None:
        events.append(verified("restart", looked))

    state = at_fix(runbook, *events)

    assert state.position == position
    assert (state.path[-1].step, state.path[-1].result) == ("restart", result.value)
    assert state.attempts.get("restart", 0) == attempts
    assert state.fixes == (
        FixRecord(
            step="restart",
            attempt=1,
            result=result.value,
            verified=looked is result and result is not FixResult.UNKNOWN,
            acted=acted,
        ),
    )


def test_a_concluded_fix_ends_the_epoch() -> None:
    """After a fix, nothing that was seen, answered or approved before counts."""
    runbook = one_fix()

    state = at_fix(
        runbook,
        approved("restart"),
        intended("restart"),
        ended("restart"),
        verified("restart", FixResult.NO_EFFECT),
    )

    assert state.epoch == 1
    assert (state.known, state.answers, state.approval) == ({}, {}, None)
    assert state.visits == {"no_effect": 1}
    assert state.origin == "no_effect"


@pytest.mark.parametrize(
    "events",
    [
        [declined("restart")],
        [approved("restart"), intended("restart"), ended("restart", Acted.WITHHELD)],
    ],
    ids=["declined", "withheld"],
)
def test_a_fix_that_never_began_leaves_the_epoch(events: list[HostEvent]) -> None:
    """What was seen still counts after a fix was declined or withheld."""
    runbook = one_fix()

    state = at_fix(runbook, *events)

    assert state.epoch == 0
    assert set(state.known) == {"site", "backend"}
    assert state.visits["site"] == 1


def test_an_interrupted_fix_goes_back_to_the_start_of_its_scope() -> None:
    """In a called runbook, the walk goes back to the first step of that runbook."""
    runbook = book(
        check("site", failed="deploy/imports"),
        check("deploy/imports", failed="deploy/redeploy", scope="deploy"),
        fix("deploy/redeploy", symptom="site", scope="deploy", destructive=False),
    )

    state = after(
        runbook,
        observed(site="failed", **{"deploy/imports": "failed"}),
        intended("deploy/redeploy"),
        ended("deploy/redeploy", Acted.UNKNOWN, interrupted=True),
        verified("deploy/redeploy", FixResult.NO_EFFECT),
    )

    assert state.position == "deploy/imports"
    assert state.epoch == 1


def test_an_interrupted_fix_is_asked_about_again() -> None:
    """The yes to an interrupted fix does not cover doing it once more."""
    runbook = one_fix()

    state = at_fix(
        runbook,
        approved("restart"),
        intended("restart"),
        ended("restart", Acted.UNKNOWN, interrupted=True),
        verified("restart", FixResult.NO_EFFECT),
        observed(site="failed", backend="failed"),
    )

    assert decide(runbook, state, Mode.RUN) == RequestApproval(fix="restart")
    again = evolve(runbook, state, approved("restart"))
    assert decide(runbook, again, Mode.RUN) == StartFix(fix="restart", attempt=2)


def test_a_declined_fix_says_who_and_why() -> None:
    """A no leads to the `declined` target, with its reason on the path."""
    runbook = one_fix()

    state = at_fix(runbook, declined("restart"))

    assert state.position == "declined"
    assert (state.path[-1].result, state.path[-1].reason) == ("declined", "not now")
    assert state.fixes == ()


def test_a_fix_is_done_at_most_as_often_as_it_says() -> None:
    """Coming to a fix after its tries are used up escalates."""
    runbook = book(
        check("site", failed="restart"),
        fix("restart", symptom="site", destructive=False, cause_removed="site"),
    )

    state = after(
        runbook,
        observed(site="failed"),
        intended("restart"),
        ended("restart"),
        verified("restart", FixResult.CAUSE_REMOVED),
        observed(site="failed"),
    )

    assert state.verdict is Verdict.ESCALATED
    assert state.reason == "Do restart: done once, and the walk came here again"


def test_a_diagnosis_stops_at_a_fix() -> None:
    """Read-only, a fix ends the walk: it says what it would do, and the cause it found."""
    for destructive in (True, False):
        runbook = one_fix(destructive=destructive)

        state = after(runbook, observed(site="failed", backend="failed"), mode=Mode.DIAGNOSE)

        assert state.verdict is Verdict.UNRESOLVED
        assert state.reason == "would do: Do restart"
        assert [found.cause for found in state.causes] == ["stopped"]


def test_the_cause_of_a_fix_has_the_look_that_found_it() -> None:
    """The evidence is the failed look of the fix's cause check."""
    runbook = one_fix()
    look = seen("failed", running=False)

    state = after(runbook, observed(site="failed", backend=look))

    assert [(found.cause, found.step, found.evidence) for found in state.causes] == [
        ("stopped", "restart", look)
    ]


def test_without_a_cause_check_the_last_failed_look_is_evidence() -> None:
    """A fix without a cause check of its own rests on the last check that failed."""
    runbook = book(
        check("site", failed="log"),
        check("log", failed="kind"),
        branch("kind", ["clean"], "end:unresolved"),
        fix("clean", symptom="site", cause="full"),
    )
    look = seen("failed", matches=3)

    state = after(runbook, observed(site="failed", log=look, kind=cases("true")))

    assert [found.evidence for found in state.causes] == [look]


def test_a_passed_look_is_no_evidence() -> None:
    """Where nothing failed on the way, a cause has no evidence rather than a wrong one."""
    runbook = book(
        check("site", passed="clean"), fix("clean", symptom="site", verify_cause="site", cause="x")
    )

    state = after(runbook, observed(site="passed"))

    assert [(found.cause, found.evidence) for found in state.causes] == [("x", None)]


def test_coming_to_a_fix_blind_finds_no_cause() -> None:
    """A fix reached because a check could not look does not say that its cause was found."""
    runbook = book(
        check("site", unknown="restart"), fix("restart", symptom="site", cause="stopped")
    )

    state = after(runbook, observed(site="unknown"))

    assert state.position == "restart"
    assert state.causes == ()
    assert decide(runbook, state, Mode.RUN) == RequestApproval(fix="restart")


def test_a_yes_stands_while_the_walk_finds_the_same() -> None:
    """Evidence grown old is looked at again; the same results need no second yes."""
    runbook = one_fix()

    state = at_fix(runbook, approved("restart"), expired())

    assert (state.position, state.epoch) == ("site", 1)
    assert decide(runbook, state, Mode.RUN) == Observe(steps=("site", "backend"))
    state = at_fix(
        runbook, approved("restart"), expired(), observed(site="failed", backend="failed")
    )
    assert decide(runbook, state, Mode.RUN) == StartFix(fix="restart", attempt=1)


def test_a_yes_falls_when_the_walk_finds_something_else() -> None:
    """The same fix reached in another way needs a yes of its own."""
    runbook = book(
        check("site", failed="backend"),
        check("backend", failed="restart", passed="restart"),
        fix("restart", symptom="site"),
    )

    state = after(
        runbook,
        observed(site="failed", backend="failed"),
        approved("restart"),
        expired(),
        observed(site="failed", backend="passed"),
    )

    assert state.position == "restart"
    assert decide(runbook, state, Mode.RUN) == RequestApproval(fix="restart")


def test_whoever_is_asked_can_have_it_looked_at_again_and_again() -> None:
    """A second look that a person wants ends the epoch as an expiry does, however often it is."""
    runbook = one_fix()
    again = LookAgain(host=HOST, step="restart", by="ann")
    faulty = observed(site="failed", backend="failed")
    repeated: list[HostEvent] = [again, faulty]

    state = at_fix(runbook, expired(), faulty, *repeated * 5)

    assert (state.position, state.epoch, state.expiries) == ("restart", 6, 0)
    assert decide(runbook, state, Mode.RUN) == RequestApproval(fix="restart")
    assert evolve(runbook, state, again).position == "site"
    assert evolve(runbook, state, replace(again, step="site")) == state


def test_a_fault_gone_before_the_fix_has_recovered_by_itself() -> None:
    """When the second look finds the site well, nothing is done."""
    runbook = one_fix()

    state = at_fix(runbook, approved("restart"), expired(), observed(site="passed"))

    assert state.verdict is Verdict.SELF_RECOVERED


def test_old_evidence_is_looked_at_from_where_the_epoch_began() -> None:
    """After a first fix, the walk does not go back before it."""
    runbook = book(
        check("site", failed="first"),
        fix("first", symptom="site", destructive=False, no_effect="log"),
        check("log", failed="second"),
        fix("second", symptom="site"),
    )

    state = after(
        runbook,
        observed(site="failed"),
        intended("first"),
        ended("first"),
        verified("first", FixResult.NO_EFFECT),
        observed(log="failed"),
        approved("second"),
        expired("second"),
    )

    assert state.position == "log"
    again = after_more(runbook, state, observed(log="failed"))
    assert decide(runbook, again, Mode.RUN) == StartFix(fix="second", attempt=1)


def test_looking_that_takes_too_long_escalates() -> None:
    """Where evidence is too old each time the walk comes to the fix, the walk ends."""
    walk = Walk(
        runbook=one_fix(destructive=False),
        world=World(look=lambda _: seen("failed"), expires=lambda _: True),
    )

    state = walk.run()

    assert state.verdict is Verdict.ESCALATED
    assert state.reason is not None
    assert "too old" in state.reason
    assert state.fixes == ()


def test_old_evidence_behind_a_slow_answer_is_no_slow_look() -> None:
    """Each answer of a person starts the count anew."""
    runbook = one_fix()
    state = at_fix(runbook)

    for _ in range(2 * MAX_EXPIRIES):
        state = after_more(runbook, state, approved("restart"), expired())
        state = after_more(runbook, state, observed(site="failed", backend="failed"))

    assert state.verdict is None
    assert decide(runbook, state, Mode.RUN) == StartFix(fix="restart", attempt=1)


def test_an_answer_outlives_old_evidence() -> None:
    """A person is not asked the same again only because the host has to be looked at again."""
    runbook = book(
        check("site", failed="sure"),
        ask("sure", {"yes": "restart"}),
        fix("restart", symptom="site"),
    )

    state = after(
        runbook,
        observed(site="failed"),
        answered("sure", "yes"),
        approved("restart"),
        expired(),
        observed(site="failed"),
    )

    assert decide(runbook, state, Mode.RUN) == StartFix(fix="restart", attempt=1)


def test_a_no_outlives_old_evidence() -> None:
    """A fix declined on the way is not offered again by looking again."""
    runbook = book(
        check("site", failed="first"),
        fix("first", symptom="site", cause="stopped", declined="second"),
        fix("second", symptom="site", cause="full"),
    )

    state = after(
        runbook,
        observed(site="failed"),
        declined("first"),
        approved("second"),
        expired("second"),
        observed(site="failed"),
    )

    assert decide(runbook, state, Mode.RUN) == StartFix(fix="second", attempt=1)


def test_a_no_falls_when_the_walk_finds_something_else() -> None:
    """A fix declined for what was seen then is offered for what is seen now."""
    runbook = book(
        check("site", failed="first", passed="first"),
        fix("first", symptom="site", declined="second"),
        fix("second", symptom="site"),
    )

    state = after(
        runbook,
        observed(site="failed"),
        declined("first"),
        approved("second"),
        expired("second"),
        observed(site="passed"),
    )

    assert decide(runbook, state, Mode.RUN) == RequestApproval(fix="first")


def test_a_yes_to_a_way_left_behind_is_gone() -> None:
    """A walk that went elsewhere meanwhile needs a new yes, even if it comes back."""
    runbook = book(
        check("site", failed="first", passed="second"),
        fix("first", symptom="site"),
        fix("second", symptom="site", destructive=False),
    )

    state = after(
        runbook,
        observed(site="failed"),
        approved("first"),
        expired("first"),
        observed(site="passed"),
        expired("second"),
        observed(site="failed"),
    )

    assert decide(runbook, state, Mode.RUN) == RequestApproval(fix="first")


def test_after_a_fix_people_are_asked_anew() -> None:
    """A question, and a fix declined before, come up again once something was changed."""
    runbook = book(
        check("site", failed="sure"),
        ask("sure", {"yes": "first"}),
        fix("first", symptom="site", declined="second", max_visits=2),
        fix("second", symptom="site", destructive=False, cause_removed="site"),
    )
    state = after(
        runbook,
        observed(site="failed"),
        answered("sure", "yes"),
        declined("first"),
        intended("second"),
        ended("second"),
        verified("second", FixResult.CAUSE_REMOVED),
        observed(site="failed"),
    )

    assert decide(runbook, state, Mode.RUN) == AskOperator(step="sure")
    state = after_more(runbook, state, answered("sure", "yes"))
    assert decide(runbook, state, Mode.RUN) == RequestApproval(fix="first")


def test_a_cause_found_again_after_a_fix_is_found_anew() -> None:
    """Each epoch has its own findings, with its own evidence."""
    runbook = book(
        check("site", failed="restart"),
        fix(
            "restart",
            symptom="site",
            cause="stopped",
            destructive=False,
            cause_removed="site",
            max_visits=2,
        ),
    )

    state = after(
        runbook,
        observed(site="failed"),
        intended("restart"),
        ended("restart"),
        verified("restart", FixResult.CAUSE_REMOVED),
        observed(site="failed"),
    )

    assert [(found.cause, found.epoch) for found in state.causes] == [
        ("stopped", 0),
        ("stopped", 1),
    ]


def test_a_yes_does_not_lift_a_verdict() -> None:
    """Only a host that waits goes on; one that was given up stays so."""
    runbook = one_fix()
    state = at_fix(runbook, HostFinished(host=HOST, verdict=Verdict.ABORTED))

    assert evolve(runbook, state, approved("restart")) == state


def test_a_fix_has_the_results_it_uses() -> None:
    """Results that a fix uses and nobody has seen in this epoch are looked at before it is offered."""
    runbook = book(
        check("site", failed="first"),
        check("log"),
        fix("first", symptom="site", destructive=False, no_effect="second"),
        fix("second", symptom="site", needs=["log"]),
    )

    state = after(
        runbook,
        observed(site="failed"),
        intended("first"),
        ended("first"),
        verified("first", FixResult.NO_EFFECT),
    )

    assert decide(runbook, state, Mode.RUN) == Observe(steps=("log",))
    assert decide(runbook, after_more(runbook, state, observed(log="failed")), Mode.RUN) == (
        RequestApproval(fix="second")
    )


def test_a_waiting_host_goes_on_when_somebody_answers() -> None:
    """A verdict of `waiting` is lifted by the yes that was waited for."""
    runbook = one_fix()
    waiting = HostFinished(host=HOST, verdict=Verdict.WAITING, reason="nobody to ask")

    state = at_fix(runbook, waiting, approved("restart"))

    assert state.verdict is None
    assert decide(runbook, state, Mode.RUN) == StartFix(fix="restart", attempt=1)


LATE: list[HostEvent] = [
    approved("site"),
    declined("elsewhere"),
    answered("restart", "yes"),
    expired("backend"),
]


@pytest.mark.parametrize("event", LATE, ids=lambda event: type(event).__name__)
def test_what_comes_too_late_changes_nothing(event: HostEvent) -> None:
    """A yes, a no, an answer or an expiry for another step than the host's is passed over."""
    runbook = one_fix()
    state = at_fix(runbook)

    assert evolve(runbook, state, event) == state


def test_a_yes_during_the_fix_changes_nothing() -> None:
    """A second answer to the same question, while the fix runs, is passed over."""
    runbook = one_fix()
    state = at_fix(runbook, approved("restart"), intended("restart"))

    assert evolve(runbook, state, declined("restart")) == state
    assert evolve(runbook, state, expired()) == state


REFUSED: list[tuple[list[HostEvent], HostEvent]] = [
    ([], intended("restart")),
    ([declined("restart")], intended("restart")),
    ([], FixEnded(host=HOST, step="restart", acted=Acted.CHANGED)),
    ([approved("restart")], FixEnded(host=HOST, step="restart", acted=Acted.CHANGED)),
    ([approved("restart"), intended("restart")], intended("restart")),
    ([approved("restart"), intended("restart")], verified("restart", FixResult.RESOLVED)),
    ([approved("restart")], intended("site")),
]


@pytest.mark.parametrize(("before", "event"), REFUSED)
def test_an_intent_that_does_not_fit_is_refused(before: list[HostEvent], event: HostEvent) -> None:
    """No fix begins without its yes, and none ends that did not begin."""
    runbook = one_fix()

    with pytest.raises(RunbookError, match="event-out-of-place"):
        evolve(runbook, at_fix(runbook, *before), event)


def test_an_approved_fix_is_marked() -> None:
    """The state shows the yes that stands."""
    runbook = one_fix()

    state = at_fix(runbook, approved("restart"))

    assert state.fix.phase is FixPhase.APPROVED
    assert state.approval is not None
    assert state.approval.walked == (("site", "failed"), ("backend", "failed"))


def test_a_verification_may_be_repeated() -> None:
    """After a crash between two looks, the later one counts."""
    runbook = one_fix()
    state = at_fix(runbook, approved("restart"), intended("restart"), ended("restart"))
    first = evolve(runbook, state, verified("restart", FixResult.UNKNOWN))

    second = evolve(runbook, first, verified("restart", FixResult.RESOLVED))

    assert isinstance(second.fix.verified, FixVerified)
    assert second.fix.verified.verification.result is FixResult.RESOLVED
