"""What else goes on on a host: said in words, and in the way of a fix that nobody looks at."""

from collections.abc import Mapping
from dataclasses import replace
from datetime import datetime
from typing import Any

import pytest
from hypothesis import given

from runbook.driver.collisions import blocking_of, collisions
from runbook.driver.operator import ApprovingOperator
from runbook.executor.scripted import ScriptedFix
from runbook.model.collisions import COLLISIONS
from runbook.model.definition import FixResult
from runbook.model.event import ActivitySeen, FixApproved, FixDeclined, Mode
from runbook.model.observation import Activity, Verification
from runbook.model.verdict import Verdict
from tests.engine_harness import book, check, fix
from tests.event_strategies import of, unhurried
from tests.unit.driver.stage import FAULTY, ONE_FIX, Person, Stage, host

NOON = datetime(2026, 1, 2, 12, 0).astimezone().timestamp()
BUSY: Mapping[str, Any] = {
    "maintenance": "Moving to the new rack",
    "lease": {"run": "20260102-115900-abcd", "holder": "bob on laptop", "until_s": NOON + 60},
    "package_managers": [{"pid": 812, "name": "apt", "command": "apt upgrade"}],
    "packages_changed_s_ago": 120,
    "packages_changed": ["install a:amd64 1", "upgrade nginx:amd64 1.22 1.24"],
    "deploys": [
        {"path": "/srv/app", "kind": "checkout", "s_ago": 240},
        {"path": "/etc/nginx/nginx.conf", "kind": "file", "s_ago": 300},
    ],
    "rebooted_s_ago": 1200,
    "operators": [
        {"user": "deploy", "line": "pts/0", "origin": "192.0.2.7", "since_s": NOON - 540},
        {"user": "ann", "line": "tty1", "origin": None, "since_s": None},
    ],
    "connections": ["192.0.2.9"],
}
IN_MAINTENANCE = Activity(facts={"maintenance": "Moving to the new rack"}, seen_at=NOON)


def stage(activity: Activity | None, **more: Any) -> Stage:
    """Return a run with --yes on a host on which this goes on."""
    return Stage(
        runbook=ONE_FIX,
        hosts={"web1": replace(host(), activity=activity)},
        operator=more.pop("operator", ApprovingOperator(name="ann")),
        **more,
    )


def test_everything_is_said_on_one_line_each() -> None:
    """Kinds, in the order of their weight, with names, places and times of day."""
    told = collisions(Activity(facts=BUSY, seen_at=NOON))

    assert [(each.kind, each.text) for each in told] == [
        ("maintenance", "in maintenance: Moving to the new rack"),
        ("run", "run 20260102-115900-abcd by bob on laptop holds this host"),
        ("packages", "apt running (pid 812)"),
        ("packages", "packages changed at 11:58 (upgrade nginx:amd64 1.22 1.24, and 1 more)"),
        ("deploy", "checkout /srv/app changed at 11:56, and 1 more"),
        ("reboot", "rebooted at 11:40"),
        ("operator", "deploy logged in from 192.0.2.7 since 11:51"),
        ("operator", "ann logged in"),
        ("operator", "connected by SSH: 192.0.2.9"),
    ]


def test_the_inventory_says_what_blocks_before_the_settings_do() -> None:
    """Its list counts, be it longer or shorter; without one the settings' does."""
    busy = Activity(facts=BUSY, seen_at=NOON)

    assert {each.kind for each in blocking_of(busy, ("maintenance",))} == {"maintenance"}
    stricter = replace(busy, blocking=("packages", "deploy"))
    assert {each.kind for each in blocking_of(stricter, ())} == {"packages", "deploy"}
    assert blocking_of(replace(busy, blocking=()), ("maintenance",)) == ()


@unhurried
@given(of(Activity))
def test_whatever_a_host_says_is_told(activity: Activity) -> None:
    """No shape of facts raises anything; each line is one line and bounded."""
    for each in collisions(activity):
        assert each.kind in COLLISIONS
        assert "\n" not in each.text
        assert len(each.text) <= 200


def test_yes_does_not_pass_over_maintenance() -> None:
    """The fix is declined with the reason, and not begun; what was seen is in the journal."""
    blocked = stage(IN_MAINTENANCE, blocking=("maintenance",))

    assert blocked.play() is Verdict.DECLINED
    assert blocked.fixes == []
    [declined] = blocked.of(FixDeclined)
    assert isinstance(declined, FixDeclined)
    assert declined.reason == (
        "in maintenance: Moving to the new rack; only a person who is asked may pass over that"
    )
    assert blocked.of(ActivitySeen) == [ActivitySeen(host="web1", activity=IN_MAINTENANCE)]


@pytest.mark.parametrize(
    "activity",
    [None, Activity(reason="the probe crashed"), Activity(facts={"deploys": BUSY["deploys"]})],
    ids=["nobody-looked", "could-not-look", "blocks-nothing"],
)
def test_what_blocks_nothing_spoils_nothing(activity: Activity | None) -> None:
    """Where it could not be seen, or is of a kind that does not block, the fix is done."""
    going_on = stage(activity, blocking=("maintenance",))

    assert going_on.play() is Verdict.RESOLVED
    [approved] = going_on.of(FixApproved)
    assert isinstance(approved, FixApproved)
    assert approved.reason == "--yes was given"


def test_one_host_in_maintenance_does_not_hold_the_others() -> None:
    """Of a cohort, only the blocked host is declined."""
    both = Stage(
        runbook=ONE_FIX,
        hosts={"web1": replace(host(), activity=IN_MAINTENANCE), "web2": host()},
        operator=ApprovingOperator(name="ann"),
        blocking=("maintenance",),
    )

    both.play()

    assert both.verdicts == {"web1": Verdict.DECLINED, "web2": Verdict.RESOLVED}


def test_a_person_sees_it_and_may_pass_over_it() -> None:
    """Who is asked gets what goes on, and what of it blocks; a yes is a yes."""
    person = Person()
    asked = stage(IN_MAINTENANCE, operator=person, blocking=("maintenance",))

    assert asked.play() is Verdict.RESOLVED
    [request] = person.asked
    assert request.blocked == {"web1": "in maintenance: Moving to the new rack"}
    assert request.states["web1"].activity == IN_MAINTENANCE


def test_what_a_run_changed_itself_is_not_taken_for_somebody_else() -> None:
    """It is asked before the first fix only; a diagnosis, which changes nothing, never asks."""
    no_effect = ScriptedFix(verification=Verification(result=FixResult.NO_EFFECT))
    two = Stage(
        runbook=book(
            check("up", failed="first"),
            check("still", failed="second"),
            fix("first", symptom="up", no_effect="still"),
            fix("second", symptom="up"),
        ),
        hosts={
            "web1": replace(
                host(
                    {"up": [FAULTY], "still": [FAULTY]},
                    {"first": [no_effect], "second": [no_effect]},
                ),
                activity=IN_MAINTENANCE,
            )
        },
    )
    two.play()
    diagnosis = stage(IN_MAINTENANCE, mode=Mode.DIAGNOSE)
    diagnosis.play()

    assert [request.activity for request in two.looks] == [True, False]
    assert len(two.of(ActivitySeen)) == 1
    assert [request.activity for request in diagnosis.looks] == [False]


def test_it_is_not_asked_again_while_it_is_fresh() -> None:
    """Looking on, before the first fix, asks nothing twice; the journal has it once."""
    further = Stage(
        runbook=book(
            check("up", failed="still"),
            check("still", failed="restart", lazy=True),
            fix("restart", symptom="up"),
        ),
        hosts={
            "web1": replace(
                host({"up": [FAULTY], "still": [FAULTY]}),
                activity=replace(IN_MAINTENANCE, seen_at=0.0),
            )
        },
    )

    further.play()

    assert [request.activity for request in further.looks] == [True, False]
    assert len(further.of(ActivitySeen)) == 1
