"""Guards: what stands in the way of a fix that nobody watches, and the figure that says so."""

from collections.abc import Mapping
from dataclasses import replace
from datetime import UTC, datetime
from typing import Any
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given
from hypothesis import strategies as st

from runbook.engine.guards import RunSoFar, standing_in_the_way
from runbook.model.policy import (
    Blackout,
    Budget,
    Flapping,
    Guards,
    PastFix,
    Scope,
    Situation,
    Tripped,
    Window,
)

NOW = 1_780_000_000.0
HERE = Situation(
    runbook="fix-502",
    fix="restart_backend",
    cause="backend_stopped",
    host="web1",
    at=datetime.fromtimestamp(NOW, tz=UTC),
)
CALM = RunSoFar(hosts=1, in_need={"backend_stopped": frozenset({"web1"})})


def past(seconds_ago: float, **other: Any) -> PastFix:
    """Return a fix like the one in question, so long ago."""
    names: dict[str, Any] = {
        "runbook": "fix-502",
        "fix": "restart_backend",
        "host": "web1",
        "cause": "backend_stopped",
    }
    return PastFix(at=NOW - seconds_ago, **(names | other))


def tripped(guards: Guards, *before: PastFix, run: RunSoFar = CALM) -> Tripped | None:
    """Return what stands in the way here and now."""
    return standing_in_the_way(guards, HERE, before, run)


def test_without_guards_nothing_stands_in_the_way() -> None:
    """No limit is assumed that nobody wrote."""
    assert tripped(Guards(), *(past(second) for second in range(100))) is None


@pytest.mark.parametrize(
    ("scope", "other"),
    [
        (Scope.HOST, {"host": "web2"}),
        (Scope.FIX, {"fix": "start_nginx"}),
        (Scope.RUNBOOK, {"runbook": "disk-full"}),
    ],
)
def test_a_budget_counts_what_it_is_for(scope: Scope, other: Mapping[str, str]) -> None:
    """Two of two are spent by what is counted, not by anything else, nor by what is long ago."""
    guards = Guards(budgets=(Budget(fixes=2, scope=scope, within_s=3600),))

    assert tripped(guards, past(10), past(3600)) is None
    assert tripped(guards, past(10), past(20, **other)) is None
    found = tripped(guards, past(10), past(3599))
    assert found is not None
    assert (found.guard, found.until) == ("budget", NOW + 1)
    assert found.figure.endswith("within 1 h: 2; at most 2")


def test_a_budget_for_all_counts_everything() -> None:
    """Whatever fix, host and runbook it was."""
    guards = Guards(budgets=(Budget(fixes=1, scope=Scope.ALL, within_s=60),))

    assert tripped(guards, past(1, host="db1", fix="vacuum", runbook="disk-full")) is not None


@given(ages=st.lists(st.floats(0, 7200), max_size=30), limit=st.integers(1, 10))
def test_a_budget_holds_for_every_span(ages: list[float], limit: int) -> None:
    """It trips if and only if so many lie within the span; and it says when that is over."""
    guards = Guards(budgets=(Budget(fixes=limit, scope=Scope.HOST, within_s=3600),))
    spent = sum(age < 3600 for age in ages)

    found = tripped(guards, *map(past, ages))

    assert (found is not None) is (spent >= limit)
    if found is not None:
        assert found.until is not None
        later = sum(found.until - (NOW - age) < 3600 - 1e-3 for age in ages)
        assert later < limit


def test_a_cooldown_is_of_one_fix_on_one_host() -> None:
    """Ten minutes after it was done here it may be done again; elsewhere at once."""
    guards = Guards(cooldown_s=600)

    assert tripped(guards, past(1, host="web2"), past(1, fix="other"), past(600)) is None
    found = tripped(guards, past(599))
    assert found is not None
    assert (found.guard, found.until) == ("cooldown", NOW + 1)


def test_failures_end_the_fixes_of_a_run() -> None:
    """Two that did not help are enough where two are named."""
    guards = Guards(failures=2)

    assert tripped(guards, run=replace(CALM, failed=1)) is None
    found = tripped(guards, run=replace(CALM, failed=2))
    assert found is not None
    assert found.guard == "failures"


def crowd(hosts: int, ill: int) -> RunSoFar:
    """Return a run of which so many hosts have the cause in question."""
    return RunSoFar(
        hosts=hosts, in_need={"backend_stopped": frozenset(f"web{one}" for one in range(ill))}
    )


@pytest.mark.parametrize(
    ("guards", "hosts", "ill", "guard"),
    [
        (Guards(shared_cause=0.5), 10, 5, "shared-cause"),
        (Guards(shared_cause=0.5), 10, 4, None),
        (Guards(shared_cause=0.5), 4, 4, None),
        (Guards(healthy_share=0.7), 10, 4, "healthy-share"),
        (Guards(healthy_share=0.7), 10, 3, None),
        (Guards(healthy_share=0.7), 4, 4, None),
    ],
)
def test_shares_count_in_a_crowd(guards: Guards, hosts: int, ill: int, guard: str | None) -> None:
    """The limit itself is told apart from one host more, and four hosts are no crowd."""
    found = tripped(guards, run=crowd(hosts, ill))

    assert (found.guard if found else None) == guard


FLAPPING = Guards(flapping=Flapping(times=3, within_s=3600, quiet_s=7200))


def test_a_cause_that_comes_back_again_and_again_is_flapping() -> None:
    """The third time within the hour is one too many; until two hours of quiet have passed."""
    assert tripped(FLAPPING, past(10), past(20)) is None
    found = tripped(FLAPPING, past(10), past(20), past(30))
    assert found is not None
    assert (found.guard, found.until) == ("flapping", NOW - 10 + 7200)
    assert tripped(FLAPPING, past(7200), past(7210), past(7220)) is None


def test_flapping_ends_only_after_quiet() -> None:
    """Once it flaps, a single return before the quiet is over keeps it flapping: hysteresis."""
    before = (past(9000), past(9010), past(9020), past(5000))

    found = tripped(FLAPPING, *before)

    assert found is not None
    assert found.until == NOW - 5000 + 7200


def test_another_cause_does_not_flap() -> None:
    """Only the same cause on the same host counts."""
    others = (past(1, cause="disk_full"), past(2, host="web2"), past(3, cause=""))

    assert tripped(FLAPPING, past(10), past(20), *others) is None


def test_nothing_is_done_in_a_blackout() -> None:
    """It says which one, and what the clock there shows."""
    zone = ZoneInfo("UTC")
    minute = HERE.at.hour * 60 + HERE.at.minute
    window = Window(start=minute, end=minute + 1, zone=zone)

    found = tripped(Guards(blackouts=(Blackout(name="end of year", window=window),)))

    assert found is not None
    assert found.guard == "blackout"
    assert "end of year" in found.figure
