"""When schedules fire: clock changes, missed firings, jitter; on a clock that the tests hold."""

from dataclasses import replace
from datetime import UTC, datetime, timedelta
from itertools import islice, pairwise
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given
from hypothesis import strategies as st

from runbook.schedule.cron import mistake
from runbook.schedule.timetable import (
    Cron,
    Every,
    Missed,
    Schedule,
    delay,
    due,
    firings,
    next_firing,
)

BERLIN = ZoneInfo("Europe/Berlin")
MIDNIGHT = datetime(2026, 6, 1, tzinfo=UTC)
HOURLY = Schedule(name="hourly", runbook="disk-full", pattern="web", rhythm=Every(seconds=3600))


def nightly(expression: str) -> Schedule:
    """Return a schedule by the clock of Berlin."""
    return replace(HOURLY, rhythm=Cron(expression=expression, zone=BERLIN))


def times(schedule: Schedule, after: str, count: int) -> list[str]:
    """Return nominal times after a moment, as the clock of Berlin shows them."""
    found = firings(schedule, datetime.fromisoformat(after).replace(tzinfo=BERLIN))
    return [f"{one.nominal.astimezone(BERLIN):%d %H:%M}" for one in islice(found, count)]


def test_a_night_without_half_past_two_fires_once_all_the_same() -> None:
    """On 29 March clocks go from 02:00 to 03:00: the firing comes right after the gap."""
    assert times(nightly("30 2 * * *"), "2026-03-28T12:00", 2) == ["29 03:00", "30 02:30"]


def test_a_night_with_two_half_past_twos_fires_once() -> None:
    """On 25 October clocks go from 03:00 back to 02:00: only the first of the two counts."""
    found = list(islice(firings(nightly("30 2 * * *"), datetime(2026, 10, 24, 12, tzinfo=UTC)), 2))

    assert [one.nominal for one in found] == [
        datetime(2026, 10, 25, 0, 30, tzinfo=UTC),
        datetime(2026, 10, 26, 1, 30, tzinfo=UTC),
    ]


@pytest.mark.parametrize(("day", "hours"), [("2026-03-29", 23), ("2026-10-25", 25)])
def test_an_hourly_job_fires_each_hour_of_a_day_however_long(day: str, hours: int) -> None:
    """23 hours in spring, 25 in autumn, an hour between all of them."""
    start = datetime.fromisoformat(day).replace(tzinfo=BERLIN).astimezone(UTC)
    ends = (datetime.fromisoformat(day) + timedelta(days=1)).replace(tzinfo=BERLIN).astimezone(UTC)
    schedule = nightly("0 * * * *")

    found = due(replace(schedule, missed=Missed.ALL), start - timedelta(seconds=1), ends)

    moments = [one.nominal for one in found.fire if one.nominal < ends]
    assert len(moments) == hours
    assert {later - one for one, later in pairwise(moments)} == {timedelta(hours=1)}


def test_nothing_is_due_before_its_time_or_twice() -> None:
    """A firing is due from its moment on, and no more once it has been dealt with."""
    second = timedelta(seconds=1)
    eleven = MIDNIGHT + timedelta(hours=11)

    assert due(HOURLY, eleven - second, eleven - second).fire == ()
    [firing] = due(HOURLY, eleven - second, eleven).fire
    assert firing.nominal == eleven
    assert due(HOURLY, firing.nominal, eleven + second).fire == ()


@pytest.mark.parametrize(
    ("missed", "fired", "left_out"),
    [
        (Missed.NEWEST, [6], [1, 2, 3, 4, 5]),
        (Missed.ALL, [1, 2, 3, 4, 5, 6], []),
        (Missed.NONE, [], [1, 2, 3, 4, 5, 6]),
    ],
)
def test_what_nobody_was_there_for(missed: Missed, fired: list[int], left_out: list[int]) -> None:
    """Six hours were slept through: the newest, all or none of them fire, and all are told of."""
    found = due(replace(HOURLY, missed=missed), MIDNIGHT, MIDNIGHT + timedelta(hours=6, minutes=30))

    assert [one.nominal.hour for one in found.fire] == fired
    assert [one.nominal.hour for one, _ in found.left_out] == left_out
    assert all(f"missed ones are: {missed}" in why for _, why in found.left_out)


def test_a_missed_one_gives_way_to_one_that_is_on_time() -> None:
    """Where a firing is punctual, the newest missed one would only come twice."""
    now = MIDNIGHT + timedelta(hours=3, seconds=5)

    found = due(HOURLY, MIDNIGHT, now)

    assert [one.nominal.hour for one in found.fire] == [3]
    assert [one.nominal.hour for one, _ in found.left_out] == [1, 2]


def test_while_it_is_paused_nothing_fires_and_nothing_is_made_up_for() -> None:
    """All that falls into a pause is left out, with the reason."""
    found = due(replace(HOURLY, paused=True), MIDNIGHT, MIDNIGHT + timedelta(hours=2))

    assert found.fire == ()
    assert [why for _, why in found.left_out] == ["the schedule is paused"] * 2


@given(
    name=st.text(max_size=20),
    jitter=st.floats(0, 1800),
    last=st.integers(0, 200_000),
    ahead=st.integers(0, 200_000),
    missed=st.sampled_from(Missed),
)
def test_each_firing_is_dealt_with_exactly_once(
    name: str, jitter: float, last: int, ahead: int, missed: Missed
) -> None:
    """However often one looks: nothing fires twice, nothing is forgotten, and the delay is the same."""
    schedule = replace(HOURLY, name=name, jitter_s=jitter, missed=missed)
    start = MIDNIGHT + timedelta(seconds=last)
    end = start + timedelta(seconds=ahead)
    seen: list[datetime] = []
    dealt_with, now = start, start
    while now <= end:
        found = due(schedule, dealt_with, now)
        both = [*found.fire, *(one for one, _ in found.left_out)]
        assert all(one.due == one.nominal + delay(schedule) for one in both)
        seen += [one.nominal for one in both]
        dealt_with = max([dealt_with, *(one.nominal for one in both)])
        now += timedelta(seconds=7000)

    assert len(seen) == len(set(seen))
    whole = due(replace(schedule, missed=Missed.ALL), start, now - timedelta(seconds=7000)).fire
    assert sorted(seen) == [one.nominal for one in whole]


def test_the_delay_is_within_the_jitter_and_differs_between_schedules() -> None:
    """A thousand schedules spread over the whole span."""
    delays = [delay(replace(HOURLY, name=f"s{one}", jitter_s=100)) for one in range(1000)]

    assert min(delays) < timedelta(seconds=2)
    assert timedelta(seconds=98) < max(delays) < timedelta(seconds=100)


def test_the_next_firing_is_the_first_that_is_yet_to_come() -> None:
    """It counts the delay: what is late is still to come."""
    schedule = replace(HOURLY, jitter_s=1800)
    coming = next_firing(schedule, MIDNIGHT)

    assert coming is not None
    assert coming.due == MIDNIGHT + delay(schedule)
    later = next_firing(schedule, coming.due)
    assert later is not None
    assert later.due == coming.due + timedelta(hours=1)


@pytest.mark.parametrize(
    "expression", ["", "* * * *", "61 * * * *", "x * * * *", "* * * * * *", "0 0 30 2 *"]
)
def test_a_mistaken_expression_is_told(expression: str) -> None:
    """What is no cron expression of five fields, or never comes, is said to be none."""
    assert mistake(expression)
    assert mistake("*/5 * * * 1-5") is None
