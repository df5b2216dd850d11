"""A rehearsal that is read along: the walk, and what whoever answers is told."""

from dataclasses import replace

from runbook.model.verdict import Verdict
from runbook.rehearsal.cases import Actor, Case, Outcome
from runbook.views.rehearsed import walked
from tests.engine_harness import book, check, seen, to
from tests.unit.views.prompted import BY_HAND, WHICH


def test_questions_stand_in_the_walk_with_all_that_is_told() -> None:
    """Choices with their help, an instruction with its commands, and the answers to them."""
    instruction = replace(BY_HAND, done=to("end:resolved"))
    choices = tuple(
        replace(one, help="It drops requests.", next=to(target))
        for one, target in zip(WHICH.choices, (BY_HAND.id, "end:declined"), strict=True)
    )
    runbook = book(
        check("site", failed="which"),
        replace(WHICH, choices=choices),
        instruction,
    )
    case = Case(
        title="By hand",
        hosts={
            "web1": Actor(
                looks={"site": (seen("failed"),)}, expected=Outcome(verdict=Verdict.RESOLVED)
            )
        },
        answers={"which": "restart", "hand": "done"},
    )

    played, walk = walked(runbook, case)

    assert [one.as_expected for one in played] == [True]
    assert "\n".join(walk) == (
        """\
looking at web1
web1: ✗ site is fine: failed
web1: … asked: Restart it although it listens?
    Look twice.
      1  restart — It drops requests.
      2  leave — It drops requests.
web1: • Restart it although it listens?: restart (rehearsal)
web1: … asked: By hand: hand
    Log in to the host,
    and start the backend.
        ssh web1
        systemctl start backend
web1: • By hand: hand: done by hand (rehearsal)
web1: ■ resolved
the run is over: resolved"""
    )
