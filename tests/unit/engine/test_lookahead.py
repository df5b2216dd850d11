"""Which steps are looked at in one go."""

import pytest

from runbook.engine import decide
from runbook.model.decision import Observe
from runbook.model.definition import FixResult, Step
from runbook.model.event import HostEvent, Mode
from tests.engine_harness import (
    after,
    answered,
    ask,
    book,
    branch,
    check,
    collect,
    ended,
    fix,
    intended,
    manual,
    observed,
    verified,
    watch,
)

TABLE: dict[str, tuple[list[Step], list[HostEvent], tuple[str, ...]]] = {
    "everything reachable goes along, by whatever result": (
        [
            check("a", passed="b", failed="c", unknown="d"),
            check("b"),
            check("c"),
            branch("d", ["e"], "f", "g"),
            check("e"),
            check("f"),
            check("g"),
        ],
        [],
        ("a", "b", "c", "d", "e", "f", "g"),
    ),
    "what cannot be reached stays away": (
        [check("a", failed="end:unresolved"), check("b")],
        [],
        ("a",),
    ),
    "a fix is a border": (
        [check("a", failed="f"), fix("f", symptom="a", no_effect="b"), check("b")],
        [],
        ("a",),
    ),
    "a question is a border": (
        [check("a", failed="q"), ask("q", {"yes": "b"}), check("b")],
        [],
        ("a",),
    ),
    "an instruction is a border": (
        [check("a", failed="m"), manual("m", done="b"), check("b")],
        [],
        ("a",),
    ),
    "a watch is a border": (
        [check("a", failed="w"), watch("w", "a", failed="b"), check("b")],
        [],
        ("a",),
    ),
    "a bundle is a border": (
        [check("a", failed="c"), collect("c", "b"), check("b")],
        [],
        ("a",),
    ),
    "a bundle at the position goes alone": (
        [collect("c", "b"), check("b")],
        [],
        ("c",),
    ),
    "a lazy check ahead is passed through": (
        [check("a", failed="l"), check("l", failed="b", lazy=True), check("b")],
        [],
        ("a", "b"),
    ),
    "a check with an effect ahead is a border": (
        [check("a", failed="e"), check("e", failed="b", effect="logs in"), check("b")],
        [],
        ("a",),
    ),
    "a lazy check at the position is looked at with what follows": (
        [check("l", failed="b", lazy=True), check("b", needs=["l"])],
        [],
        ("l", "b"),
    ),
    "a check with an effect at the position goes alone": (
        [check("e", failed="b", effect="logs in"), check("b")],
        [],
        ("e",),
    ),
    "what uses a lazy result waits": (
        [
            check("a", failed="l"),
            check("l", failed="b", lazy=True),
            check("b", failed="c", needs=["l"]),
            branch("c", ["d"], "d", needs=["b"]),
            check("d"),
        ],
        [],
        ("a", "d"),
    ),
    "what uses a lazy result goes once that is known": (
        [
            check("a", failed="l"),
            check("l", failed="b", lazy=True),
            check("b", needs=["l"]),
        ],
        [observed(a="failed")],
        ("l", "b"),
    ),
    "what uses an answer nobody gave waits": (
        [
            check("a", passed="b", failed="q"),
            ask("q", {"yes": "b"}),
            check("b", needs=["q"]),
        ],
        [],
        ("a",),
    ),
    "what uses an answer goes once it is given": (
        [
            check("a", failed="q"),
            ask("q", {"yes": "c"}),
            check("c", passed="b", failed="b"),
            check("b", needs=["q"]),
        ],
        [observed(a="failed"), answered("q", "yes")],
        ("c", "b"),
    ),
    "users come after what they use": (
        [
            check("a", failed="late"),
            check("late", failed="early", needs=["early"]),
            check("early"),
        ],
        [],
        ("a", "early", "late"),
    ),
    "a result not seen in this epoch is brought along": (
        [
            check("a", failed="f", passed="b"),
            fix("f", symptom="a", destructive=False, failed="b"),
            check("b", failed="c"),
            check("c", needs=["a"]),
        ],
        [],
        ("a", "b", "c"),
    ),
    "what is known is not looked at again": (
        [
            check("a", failed="l"),
            check("b"),
            check("l", failed="b", passed="c", lazy=True),
            check("c", needs=["l"]),
        ],
        [observed(a="failed", b="failed")],
        ("l", "c"),
    ),
    "a watch has what its check uses": (
        [watch("w", "b"), check("a", failed="b"), check("b", needs=["a"])],
        [],
        ("a",),
    ),
    "a fix has what its verification uses": (
        [
            fix("f", symptom="b", verify_cause="d"),
            check("a", failed="b"),
            check("b", needs=["a"]),
            check("c"),
            check("d", needs=["c"]),
        ],
        [],
        ("a", "c"),
    ),
    "steps that use each other's results wait": (
        [
            check("a", failed="b"),
            check("b", failed="c", needs=["c"]),
            check("c", needs=["b"]),
        ],
        [],
        ("a",),
    ),
}


@pytest.mark.parametrize("name", TABLE)
def test_the_set_looked_at(name: str) -> None:
    """One go takes what the walk may need before anything that acts, asks or waits."""
    steps, events, expected = TABLE[name]
    runbook = book(*steps)

    assert decide(runbook, after(runbook, *events), Mode.RUN) == Observe(steps=expected)


def test_a_position_in_a_new_epoch_has_what_it_uses() -> None:
    """A check reached behind a fix is looked at together with the earlier result it uses."""
    runbook = book(
        check("a", failed="f"),
        fix("f", symptom="a", destructive=False, no_effect="b"),
        check("b", needs=["a"]),
    )

    state = after(
        runbook,
        observed(a="failed"),
        intended("f"),
        ended("f"),
        verified("f", FixResult.NO_EFFECT),
    )

    assert decide(runbook, state, Mode.RUN) == Observe(steps=("a", "b"))


def test_a_position_that_uses_what_cannot_be_had_is_looked_at_all_the_same() -> None:
    """The host says what comes of it (unknown); the walk does not stall."""
    runbook = book(
        check("b", needs=["e"], failed="e"),
        check("e", effect="logs in"),
    )

    assert decide(runbook, after(runbook), Mode.RUN) == Observe(steps=("b",))
