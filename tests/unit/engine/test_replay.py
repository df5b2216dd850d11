"""Folding a run's events into states."""

import pytest

from runbook.engine import decide, evidence_seen_at, replay
from runbook.errors import RunbookError
from runbook.model.decision import Done
from runbook.model.definition import FixResult
from runbook.model.event import (
    Acted,
    Event,
    FixConcluded,
    FixVerified,
    HostFinished,
    HostJoined,
    Mode,
    RunFinished,
    RunInterrupted,
    RunResumed,
    RunStarted,
    StepConcluded,
    UndoEnded,
    UndoIntended,
)
from runbook.model.observation import Texts, Verification
from runbook.model.verdict import Verdict
from tests.engine_harness import (
    HOST,
    Walk,
    World,
    after,
    book,
    check,
    fix,
    observed,
    seen,
    to,
    watch,
)

RUNBOOK = book(check("site", failed="log"), check("log"))


def test_replay_gives_every_host_its_state() -> None:
    """Each host's state is the fold of its own events; those of the whole run, or after it, change none."""
    events: list[Event] = [
        RunStarted(runbook="example", closure="c", pattern="all", mode=Mode.RUN),
        HostJoined(host="b.example", params={"port": 80}),
        HostJoined(host="a.example"),
        observed("b.example", site="failed", log="passed"),
        RunInterrupted(reason="SIGTERM"),
        RunResumed(),
        StepConcluded(host="b.example", step="site", result="failed", next=to("log")),
        RunFinished(verdict=Verdict.HEALTHY),
        UndoIntended(host="b.example", step="log", invocation="u", by="ann"),
        UndoEnded(host="b.example", step="log", acted=Acted.CHANGED),
    ]

    states = replay(RUNBOOK, events)

    assert list(states) == ["b.example", "a.example"]
    assert (states["b.example"].position, states["a.example"].position) == ("log", "site")
    assert states["b.example"].params == {"port": 80}
    assert states["a.example"].known == {}


def concluded(step: str, target: str) -> StepConcluded:
    """Build the record of a passed step."""
    return StepConcluded(host=HOST, step=step, result="passed", next=to(target))


OUT_OF_PLACE: dict[str, tuple[list[Event], str]] = {
    "a host that has not joined": ([observed(site="passed")], "the host has not joined"),
    "a step elsewhere": (
        [HostJoined(host=HOST), concluded("log", "end:healthy")],
        'the walk stands at "site"',
    ),
    "a step after the end": (
        [HostJoined(host=HOST), concluded("site", "end:healthy"), concluded("log", "site")],
        "the walk is at its end",
    ),
    "a step after the verdict": (
        [
            HostJoined(host=HOST),
            HostFinished(host=HOST, verdict=Verdict.ABORTED),
            concluded("site", "log"),
        ],
        "the host has its verdict",
    ),
    "a way to a step that is not there": (
        [HostJoined(host=HOST), concluded("site", "gone")],
        'there is no step "gone"',
    ),
    "the end of a fix that never began": (
        [
            HostJoined(host=HOST),
            FixVerified(
                host=HOST, step="site", verification=Verification(result=FixResult.RESOLVED)
            ),
        ],
        "the fix there is none",
    ),
    "a conclusion of a fix that never began": (
        [
            HostJoined(host=HOST),
            FixConcluded(host=HOST, step="site", result=FixResult.RESOLVED, next=to("log")),
        ],
        "the fix there is none",
    ),
}


@pytest.mark.parametrize("name", OUT_OF_PLACE)
def test_events_of_another_walk_are_refused(name: str) -> None:
    """A journal that does not fit the runbook gives an error that says where, never a state."""
    events, reason = OUT_OF_PLACE[name]

    with pytest.raises(RunbookError) as caught:
        replay(RUNBOOK, events)

    problem = caught.value.problems[0]
    assert problem.reference == "event-out-of-place"
    assert problem.message.endswith(reason)


def test_a_fix_cannot_be_passed_like_a_check() -> None:
    """A step's record at a fix is refused: only the conclusion of a fix leads on from it."""
    runbook = book(check("site", failed="f"), fix("f", symptom="site"))
    walk = Walk(runbook=runbook, world=World(look=lambda _: seen("failed")))
    while walk.state.position != "f":
        walk.advance()

    with pytest.raises(RunbookError, match="it is a fix"):
        walk.take(concluded("f", "end:healthy"))


def test_late_results_do_not_lift_a_verdict() -> None:
    """What arrives after the verdict is kept and decides nothing."""
    state = after(
        RUNBOOK, HostFinished(host=HOST, verdict=Verdict.ABORTED), observed(site="passed")
    )

    assert decide(RUNBOOK, state, Mode.RUN) == Done()
    assert state.verdict is Verdict.ABORTED


def test_rendered_texts_are_kept() -> None:
    """Texts of steps accumulate as they are rendered."""
    walk = Walk(runbook=RUNBOOK, world=World(title=lambda step: f"{step} of web1"))

    assert walk.run().texts["log"] == Texts(title="log of web1")


def test_evidence_is_as_old_as_the_oldest_look_of_the_walk() -> None:
    """What was seen at the steps passed counts; what was seen ahead and not passed does not."""
    runbook = book(
        check("a", failed="b"),
        check("b", failed="f", passed="c"),
        check("c"),
        fix("f", symptom="a"),
    )

    state = after(
        runbook,
        observed(a=seen("failed", at=20.0), b=seen("failed", at=10.0), c=seen("passed", at=1.0)),
    )

    assert evidence_seen_at(runbook, state) == 10.0


def test_evidence_after_a_watch_is_as_old_as_the_watch() -> None:
    """What was seen before a watch is not counted, or no fix behind a long one could ever begin."""
    runbook = book(check("a", failed="w"), watch("w", "a", failed="f"), fix("f", symptom="a"))

    state = after(runbook, observed(a=seen("failed", at=10.0)), observed(w=seen("failed", at=90.0)))

    assert evidence_seen_at(runbook, state) == 90.0


def test_a_fresh_epoch_has_no_evidence() -> None:
    """Before anything is passed there is nothing whose age could be told."""
    assert evidence_seen_at(RUNBOOK, after(RUNBOOK)) is None
