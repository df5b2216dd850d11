"""Walking past steps that change nothing."""

import pytest

from runbook.engine import decide, evolve, start
from runbook.model.decision import AskOperator, Decision, Done, Observe, Record, WatchCheck
from runbook.model.definition import Step
from runbook.model.event import Mode, StepConcluded
from runbook.model.observation import Observation
from runbook.model.verdict import Verdict
from tests.engine_harness import (
    HOST,
    after,
    answered,
    ask,
    book,
    branch,
    cases,
    check,
    collect,
    manual,
    observed,
    seen,
    to,
    watch,
)

START: list[tuple[Step, Decision]] = [
    (check("a"), Observe(steps=("a",))),
    (branch("a", ["end:healthy"], "end:unresolved"), Observe(steps=("a",))),
    (collect("a", "end:unresolved"), Observe(steps=("a",))),
    (watch("a", "a"), WatchCheck(step="a")),
    (ask("a", {"yes": "end:healthy"}), AskOperator(step="a")),
    (manual("a", "end:healthy"), AskOperator(step="a")),
]


@pytest.mark.parametrize(("step", "decision"), START, ids=lambda value: type(value).__name__)
def test_each_kind_of_step_wants_its_own_thing(step: Step, decision: Decision) -> None:
    """At a step without a result, the engine asks for what gives one."""
    runbook = book(step)

    assert decide(runbook, after(runbook), Mode.RUN) == decision


LOOKED: list[tuple[Step, Observation, str, str]] = [
    (check("a", "p", "f", "u"), seen("passed"), "passed", "p"),
    (check("a", "p", "f", "u"), seen("failed"), "failed", "f"),
    (check("a", "p", "f", "u"), seen("unknown"), "unknown", "u"),
    (watch("a", "p", "p", "f", "u"), seen("passed"), "passed", "p"),
    (watch("a", "p", "p", "f", "u"), seen("failed"), "failed", "f"),
    (watch("a", "p", "p", "f", "u"), seen("unknown"), "unknown", "u"),
    (collect("a", "p"), seen("passed"), "passed", "p"),
    (collect("a", "p"), seen("unknown"), "unknown", "p"),
    (branch("a", ["p", "f"], "o", "u"), cases("true", "true"), "case 1", "p"),
    (branch("a", ["p", "f"], "o", "u"), cases("false", "true"), "case 2", "f"),
    (branch("a", ["p", "f"], "o", "u"), cases("false", "false"), "otherwise", "o"),
    (branch("a", ["p", "f"], "o", "u"), cases("true", "unknown"), "case 1", "p"),
    (branch("a", ["p", "f"], "o", "u"), cases("unknown", "true"), "unknown", "u"),
    (branch("a", ["p", "f"], "o", "u"), cases("false", "unknown"), "unknown", "u"),
    (branch("a", ["p", "f"], "o", "u"), cases("false"), "unknown", "u"),
    (branch("a", ["p", "f"], "o", "u"), seen("unknown"), "unknown", "u"),
    (branch("a", ["p"], "o", "u"), seen("unknown", cases=["true"]), "unknown", "u"),
    (branch("a", ["p", "f"], "o", "u"), cases("perhaps", "true"), "unknown", "u"),
]


@pytest.mark.parametrize(("step", "observation", "result", "target"), LOOKED)
def test_what_was_seen_leads_on(
    step: Step, observation: Observation, result: str, target: str
) -> None:
    """A result leads to its own target; unknown is neither passed nor failed, true nor false."""
    ends = [ask(name, {"yes": "end:healthy"}) for name in "pfou"]
    runbook = book(step, *ends)

    state = after(runbook, observed(a=observation))

    assert state.position == target
    assert [(visit.step, visit.result) for visit in state.path] == [("a", result)]


ANSWERS = [
    (ask("a", {"yes": "p", "no": "f"}, "u"), "no", "no", "f"),
    (ask("a", {"yes": "p", "no": "f"}, "u"), "expired", "expired", "u"),
    (ask("a", {"yes": "p", "no": "f"}, "u"), "perhaps", "expired", "u"),
    (manual("a", "p", "f", "u"), "done", "done", "p"),
    (manual("a", "p", "f", "u"), "not_done", "not_done", "f"),
    (manual("a", "p", "f", "u"), "expired", "expired", "u"),
]


@pytest.mark.parametrize(("step", "answer", "result", "target"), ANSWERS)
def test_an_answer_leads_on(step: Step, answer: str, result: str, target: str) -> None:
    """An answer leads to its own target; none, or one the step does not have, to the expiry's."""
    runbook = book(step, *(check(name) for name in "pfu"))

    state = after(runbook, answered("a", answer))

    assert state.position == target
    assert [visit.result for visit in state.path] == [result]


def test_a_failed_check_concludes_its_cause() -> None:
    """The cause that a check names is found when it fails, with what was seen as evidence."""
    runbook = book(check("a", cause="disk_full", failed="end:unresolved"))
    look = seen("failed", used_percent=100)

    state = after(runbook, observed(a=look))

    assert [(found.cause, found.step, found.evidence) for found in state.causes] == [
        ("disk_full", "a", look)
    ]


@pytest.mark.parametrize("result", ["passed", "unknown"])
def test_a_check_that_did_not_fail_concludes_nothing(result: str) -> None:
    """Neither a passed check nor one that could not look finds a cause or a fault."""
    runbook = book(check("a", cause="disk_full"))

    state = after(runbook, observed(a=result))

    assert state.causes == ()
    assert not state.fault_seen


def test_an_end_concludes_the_cause_it_names() -> None:
    """`end(unresolved, CAUSE)` finds the cause at the step that leads there."""
    runbook = book(check("a", failed="end:unresolved:quota"))

    state = after(runbook, observed(a="failed"))

    assert [(found.cause, found.step) for found in state.causes] == [("quota", "a")]
    assert state.verdict is Verdict.UNRESOLVED


def test_a_cause_is_found_once_by_one_look() -> None:
    """A check and the end behind it may name the same cause; it is found once."""
    runbook = book(check("a", cause="disk_full", failed="end:unresolved:disk_full"))

    state = after(runbook, observed(a="failed"))

    assert [found.cause for found in state.causes] == ["disk_full"]


def test_an_event_says_what_the_walk_did() -> None:
    """The record of a step has its result, where it goes and what was seen."""
    runbook = book(check("a", failed="b"), check("b"))
    look = seen("failed", status=502)
    state = evolve(runbook, start(runbook, HOST), observed(a=look))

    assert decide(runbook, state, Mode.RUN) == Record(
        event=StepConcluded(
            host=HOST, step="a", result="failed", next=to("b"), cause=None, evidence=look
        )
    )


def test_a_host_with_a_verdict_is_done() -> None:
    """Nothing is decided for a host whose walk is over."""
    runbook = book(check("a"))

    assert decide(runbook, after(runbook, observed(a="passed")), Mode.RUN) == Done()


def test_a_step_revisited_is_looked_at_anew() -> None:
    """A second arrival in one epoch drops what was seen, and what was concluded from it."""
    runbook = book(
        check("a", failed="b", max_visits=2),
        check("b", passed="w", needs=["a"]),
        watch("w", "a", passed="a"),
    )

    state = after(runbook, observed(a="failed", b="passed"), observed(w="passed"))

    assert state.position == "a"
    assert decide(runbook, state, Mode.RUN) == Observe(steps=("a", "b"))


def test_a_question_revisited_is_asked_anew() -> None:
    """A second arrival at a question in one epoch drops its answer."""
    runbook = book(ask("q", {"again": "q"}, max_visits=2))

    state = after(runbook, answered("q", "again"))

    assert decide(runbook, state, Mode.RUN) == AskOperator(step="q")


def test_too_many_visits_escalate() -> None:
    """Arriving more than `max_visits` times in an epoch ends the walk with the reason."""
    runbook = book(ask("q", {"again": "q"}, max_visits=2))

    state = after(runbook, answered("q", "again"), answered("q", "again"))

    assert state.verdict is Verdict.ESCALATED
    assert state.reason == "Asks q: passed 2 times, and the walk came here again"


PAUSES: list[tuple[Step, str]] = [
    (ask("pause", {"yes": "b"}), "yes"),
    (manual("pause", done="end:healthy", not_done="b"), "not_done"),
]


@pytest.mark.parametrize(("pause", "answer"), PAUSES)
def test_a_pause_makes_what_was_seen_ahead_of_need_old(pause: Step, answer: str) -> None:
    """After waiting for a person, a step seen before but not passed is looked at again."""
    runbook = book(check("a", failed="pause", passed="b"), pause, check("b", needs=["a"]))

    state = after(runbook, observed(a="failed", b="failed"), answered("pause", answer))

    assert state.position == "b"
    assert decide(runbook, state, Mode.RUN) == Observe(steps=("b",))


def test_a_watch_makes_what_was_seen_ahead_of_need_old() -> None:
    """After watching through a period, a step seen before but not passed is looked at again."""
    runbook = book(
        check("a", failed="pause", passed="b"), watch("pause", "a", failed="b"), check("b")
    )

    state = after(runbook, observed(a="failed", b="failed"), observed(pause="failed"))

    assert decide(runbook, state, Mode.RUN) == Observe(steps=("b",))


def test_nothing_seen_before_a_manual_counts_after_it() -> None:
    """A person who did as told changed the host: what a later step uses is looked at again."""
    runbook = book(
        check("a", failed="by_hand"),
        manual("by_hand", done="which"),
        branch("which", ["end:healthy"], "end:unresolved", needs=["a"]),
    )

    state = after(runbook, observed(a="failed"), answered("by_hand", "done"))

    assert decide(runbook, state, Mode.RUN) == Observe(steps=("a", "which"))
