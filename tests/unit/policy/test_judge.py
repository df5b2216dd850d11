"""What a policy says of a fix: which rule holds, and when it is night."""

from dataclasses import replace
from datetime import datetime
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given
from hypothesis import strategies as st

from runbook.engine.policy import contains, judge
from runbook.model.policy import Permission, Policy, Rule, Situation, Source, Window

NOON = datetime(2026, 1, 1, 12, tzinfo=ZoneInfo("UTC"))
RESTART = Situation(
    runbook="fix-502",
    fix="restart_backend",
    cause="backend_stopped",
    host="web1",
    groups=frozenset({"web", "prod"}),
    severity="critical",
    source=Source.ALERT,
    at=NOON,
)
AUTO = Rule(name="anything", permission=Permission.AUTO)


def test_where_no_rule_fits_the_policy_denies() -> None:
    """The default is no, and no rule is named."""
    judged = judge(Policy(name="empty"), RESTART)

    assert (judged.permission, judged.rule) == (Permission.DENY, None)


def test_the_first_rule_that_fits_holds() -> None:
    """Order decides between auto and ask."""
    asks = Rule(name="ask", permission=Permission.ASK, people=2)

    assert judge(Policy(name="p", rules=(AUTO, asks)), RESTART).rule == "anything"
    judged = judge(Policy(name="p", rules=(asks, AUTO)), RESTART)
    assert (judged.permission, judged.people) == (Permission.ASK, 2)


def test_a_rule_that_denies_wins_wherever_it_stands() -> None:
    """No earlier rule can allow what another one denies."""
    denies = Rule(name="never", permission=Permission.DENY, fixes=("restart_*",))

    assert judge(Policy(name="p", rules=(AUTO, denies)), RESTART).rule == "never"


@pytest.mark.parametrize(
    ("rule", "other"),
    [
        ({"runbooks": ("fix-*",)}, {"runbook": "deploy"}),
        ({"fixes": ("restart_backend",)}, {"fix": "stop_backend"}),
        ({"causes": ("backend_*",)}, {"cause": "disk_full"}),
        ({"hosts": ("web[12]",)}, {"host": "web3"}),
        ({"groups": ("prod",)}, {"groups": frozenset({"web"})}),
        ({"severities": ("critical", "page")}, {"severity": "warning"}),
        ({"sources": (Source.ALERT,)}, {"source": Source.PERSON}),
    ],
)
def test_a_rule_fits_what_it_names_and_nothing_else(
    rule: dict[str, tuple[str, ...]], other: dict[str, object]
) -> None:
    """Each thing a rule may name tells two situations apart."""
    policy = Policy(name="p", rules=(replace(AUTO, **rule),))  # type: ignore[arg-type]  # each its own

    assert judge(policy, RESTART).permission is Permission.AUTO
    assert judge(policy, replace(RESTART, **other)).permission is Permission.DENY  # type: ignore[arg-type]


BERLIN = ZoneInfo("Europe/Berlin")
NIGHT = Window(start=22 * 60, end=6 * 60, zone=BERLIN, days=frozenset({4}))
"""Friday night, which ends on Saturday morning."""


@pytest.mark.parametrize(
    ("moment", "inside"),
    [
        ("2026-06-05T21:59:00", False),  # a Friday
        ("2026-06-05T22:00:00", True),
        ("2026-06-06T05:59:59", True),
        ("2026-06-06T06:00:00", False),
        ("2026-06-06T22:00:00", False),
        ("2026-06-05T05:00:00", False),  # of the night that began on Thursday
    ],
)
def test_a_night_belongs_to_the_day_it_begins_on(moment: str, *, inside: bool) -> None:
    """A window over midnight ends on the next day, whose name does not matter."""
    assert contains(NIGHT, datetime.fromisoformat(moment).replace(tzinfo=BERLIN)) is inside


@pytest.mark.parametrize(
    ("moment", "inside"),
    [
        # Clocks go from 02:00 to 03:00 on 2026-03-29, and from 03:00 back to 02:00 on 2026-10-25.
        ("2026-03-29T00:59:00+00:00", True),
        ("2026-03-29T01:00:00+00:00", False),
        ("2026-10-25T00:30:00+00:00", True),
        ("2026-10-25T01:30:00+00:00", True),
        ("2026-10-25T02:00:00+00:00", False),
    ],
)
def test_a_window_follows_the_clock_on_the_wall(moment: str, *, inside: bool) -> None:
    """From 01:00 to 03:00 is an hour long in spring and three hours in autumn."""
    window = Window(start=60, end=180, zone=BERLIN)

    assert contains(window, datetime.fromisoformat(moment)) is inside


@given(
    start=st.integers(0, 1439),
    end=st.integers(0, 1439),
    moment=st.datetimes(
        min_value=datetime(2025, 1, 1),  # noqa: DTZ001 -- made aware by the strategy
        max_value=datetime(2027, 1, 1),  # noqa: DTZ001
        timezones=st.just(BERLIN),
    ),
)
def test_a_window_and_its_complement_share_no_moment(
    start: int, end: int, moment: datetime
) -> None:
    """From A to B and from B to A make a whole day, without overlap."""
    if start == end:
        return
    there = contains(Window(start=start, end=end, zone=BERLIN), moment)
    back = contains(Window(start=end, end=start, zone=BERLIN), moment)

    assert there is not back
