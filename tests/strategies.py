"""Random runbooks and random worlds for the engine."""

from random import Random

from hypothesis import strategies as st

from runbook.model.definition import Branch, CheckResult, Fix, FixResult, Runbook, Step
from runbook.model.event import Acted, HostEvent, StepJumped, SteppingSet, StepSkipped
from runbook.model.observation import Observation
from runbook.model.targets import outcomes
from tests.engine_harness import (
    HOST,
    World,
    ask,
    book,
    branch,
    cases,
    check,
    collect,
    declined,
    fix,
    manual,
    seen,
    watch,
)

CHOICES = ("yes", "no")
ENDS = (
    "end:healthy",
    "end:resolved",
    "end:unresolved",
    "end:unresolved:quota",
    "end:escalated",
    "end:declined",
    "end:unknown",
)
MOST_MISHAPS = 3
"""How many interruptions, and how many expiries of evidence, one random world has at most."""


@st.composite
def runbooks(draw: st.DrawFn, most: int = 7) -> Runbook:
    """Draw a runbook whose steps lead anywhere, back too: `max_visits` bounds every walk.

    Its first step is a check, so that fixes and watches have one to repeat.
    """
    kinds = draw(
        st.lists(
            st.sampled_from(
                ["check", "check", "fix", "fix", "branch", "ask", "manual", "watch", "collect"]
            ),
            max_size=most - 1,
        )
    )
    kinds = ["check", *kinds]
    names = [f"{kind}{number}" for number, kind in enumerate(kinds)]
    checks = [name for name in names if name.startswith("check")]
    # Where few targets are ends, walks are long.
    targets = st.sampled_from([*names * draw(st.sampled_from([1, 3, 9])), *ENDS])
    steps = [draw(_steps(name, names, checks, targets)) for name in names]
    return book(*steps)


@st.composite
def _steps(
    draw: st.DrawFn,
    name: str,
    names: list[str],
    checks: list[str],
    targets: st.SearchStrategy[str],
) -> Step:
    """Draw one step of the kind that its name begins with."""
    visits = draw(st.sampled_from([1, 2, 3, 3]))
    needs = draw(st.lists(st.sampled_from(names), max_size=2, unique=True))

    def target() -> str:
        return draw(targets)

    match name.rstrip("0123456789"):
        case "check":
            return check(
                name,
                target(),
                target(),
                target(),
                needs=needs,
                lazy=draw(st.booleans()),
                effect=draw(st.sampled_from([None, None, "logs in"])),
                cause=draw(st.sampled_from([None, "quota"])),
                max_visits=visits,
            )
        case "branch":
            ways = [target() for _ in range(draw(st.integers(1, 2)))]
            return branch(name, ways, target(), target(), needs=needs, max_visits=visits)
        case "fix":
            return fix(
                name,
                symptom=draw(st.sampled_from(checks)),
                verify_cause=draw(st.sampled_from([None, *checks])),
                cause=draw(st.sampled_from([None, "quota", "stopped"])),
                destructive=draw(st.booleans()),
                max_visits=visits,
                needs=needs,
                **{result.value: target() for result in FixResult},
            )
        case "ask":
            return ask(name, {way: target() for way in CHOICES}, target(), max_visits=visits)
        case "manual":
            return manual(name, target(), target(), target(), max_visits=visits)
        case "watch":
            of = draw(st.sampled_from(checks))
            return watch(name, of, target(), target(), target(), max_visits=visits)
        case _:
            return collect(name, target(), needs=needs, max_visits=visits)


def worlds(runbook: Runbook) -> st.SearchStrategy[World]:
    """Draw a world that answers at random, and interrupts and dawdles only so often."""
    return st.randoms(use_true_random=False).map(lambda chance: world_of(runbook, chance))


def world_of(runbook: Runbook, chance: Random) -> World:
    """Return a world that answers by chance."""
    mishaps = {"interrupted": MOST_MISHAPS, "expired": MOST_MISHAPS, "jumped": MOST_MISHAPS}

    def happens(mishap: str) -> bool:
        if mishaps[mishap] == 0 or not chance.choice([False, False, True]):
            return False
        mishaps[mishap] -= 1
        return True

    def act(_fix: str) -> tuple[Acted, bool]:
        if happens("interrupted"):
            return Acted.UNKNOWN, True
        return chance.choice(list(Acted)), False

    def by_hand(step: str) -> HostEvent | None:
        """Let the step be done, or skip it, jump, or run the rest."""
        if happens("jumped"):
            to = chance.choice(list(runbook.steps))
            return StepJumped(host=HOST, step=step, to=to, by="ann")
        match chance.choice(["do", "do", "do", "skip", "rest"]):
            case "skip" if not isinstance(runbook.steps[step], Fix):
                result, target = chance.choice(outcomes(runbook.steps[step]))
                return StepSkipped(host=HOST, step=step, result=result, next=target, by="ann")
            case "skip":
                return declined(step)
            case "rest":
                return SteppingSet(host=HOST, on=False, by="ann")
            case _:
                return None

    return World(
        by_hand=by_hand,
        look=lambda step: _look(runbook, step, chance),
        approves=lambda _fix: chance.choice([True, True, False]),
        expires=lambda _fix: happens("expired"),
        acts=act,
        verifies=lambda _fix: chance.choice(_LOOKED_AGAIN),
        answers=lambda _step: chance.choice([*CHOICES, "done", "not_done", "expired"]),
    )


def _look(runbook: Runbook, step: str, chance: Random) -> Observation:
    """Draw what is seen at a step."""
    found = runbook.steps[step]
    if isinstance(found, Branch):
        values = ["true", "false", "unknown"]
        return cases(*(chance.choice(values) for _ in found.cases))
    return seen(chance.choice(list(CheckResult)), reason="so it is")


_LOOKED_AGAIN = (
    FixResult.RESOLVED,
    FixResult.CAUSE_REMOVED,
    FixResult.RECURRED,
    FixResult.NO_EFFECT,
    FixResult.UNKNOWN,
)


def longest(runbook: Runbook) -> int:
    """Return how many decisions no walk in such a world can exceed.

    An epoch passes each step at most `max_visits` times and stumbles once; a fix ends an epoch at
    most as often as it may be done. No visit takes more decisions than a fix that is observed for,
    asked before, found a cause for, approved, begun, awaited, looked at and concluded.
    """
    visits = sum(step.max_visits for step in runbook.steps.values()) + 1
    fixes = sum(step.max_visits for step in runbook.steps.values() if isinstance(step, Fix))
    return (1 + fixes + 3 * MOST_MISHAPS) * visits * 9
