"""Few words for what was seen."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from runbook.model.definition import CheckResult, FixResult, Json
from runbook.model.observation import Observation
from runbook.model.verdict import Verdict
from runbook.views.safe_text import printable
from runbook.views.words import (
    FIX_RESULTS,
    LIMIT,
    RESULTS,
    VERDICTS,
    say_duration,
    say_expected,
    say_fact,
    say_hosts,
    say_moment,
    say_observation,
    say_share,
)
from tests.event_strategies import of
from tests.unit.views.scenes import SITE_PASSES, seen


@pytest.mark.parametrize(
    ("share", "said"),
    [(0.0, "0%"), (0.0025, "0.25%"), (0.005, "0.5%"), (0.01, "1%"), (0.07, "7%"), (1.0, "100%")],
)
def test_a_small_share_is_not_none(share: float, said: str) -> None:
    """Whole percents, but what is less than one is not rounded to nothing."""
    assert say_share(share) == said


@pytest.mark.parametrize(
    ("step", "observation", "said"),
    [
        (
            "site",
            seen("failed", SITE_PASSES, answered=True, status=502, error=None, reason="Bad Gateway"),
            "status 502",
        ),
        (
            "deploy/site",
            seen("failed", SITE_PASSES, answered=False, status=None, error="refused"),
            "not answered, error refused",
        ),
        ("site", seen("passed", SITE_PASSES, answered=True, status=200), "status 200"),
        (None, seen("failed", "p.running", running=False, state="FATAL"), "not running, state FATAL"),
        (
            "p",
            seen("failed", "b.pid != p.pid and p.listening", listening=True, pid=12, count=3),
            "pid 12, listening",
        ),
        (None, seen("failed", "f['mode'] == '0644'", mode="0600", owner="root"), "mode 0600"),
        (None, seen("failed", "l.counts.oom == 0", counts={"oom": 3}, exists=True), "oom 3"),
        (
            None,
            seen("failed", "u.stdout == 'enabled'", rc=1, stdout="", stderr="no such unit"),
            "stderr “no such unit”",
        ),
        (None, seen("failed", "nothing to change", "Ansible would change it", changed=True),
         "Ansible would change it"),
        (None, seen("unknown", "x.y", "unreachable:\x1b[2J gone", y=1), "unreachable:\\x1b[2J gone"),
        (None, seen("passed", rc=0, stdout="enabled"), "rc 0, stdout enabled"),
        (None, seen("passed", size=1, mode="0600"), "size 1, mode 0600"),
        (
            "steady",
            seen("failed", "s.answered", samples=9, passed=7, last={"answered": False}),
            "held in 7 of 9 looks, not answered",
        ),
        (None, seen("passed"), ""),
        (None, seen("failed", reason="as it happens"), "as it happens"),
    ],
)  # fmt: skip
def test_an_observation_in_few_words(step: str | None, observation: Observation, said: str) -> None:
    """What the condition names comes first, then what tells more; "unknown" says why."""
    assert say_observation(observation, step) == said


@given(of(Observation), st.integers(1, LIMIT))
def test_any_observation_can_be_said(observation: Observation, limit: int) -> None:
    """Whatever a host answers, the words are printable and no more than asked for."""
    said = say_observation(observation, "step", limit=limit)

    assert printable(said) == said
    assert len(said) <= limit


@pytest.mark.parametrize(
    ("name", "value", "said"),
    [
        ("listening", False, "not listening"),
        ("exists", False, "does not exist"),
        ("is_writable", True, "writable"),
        ("pid", None, "no pid"),
        ("addresses", [], "no addresses"),
        ("addresses", ["192.0.2.1", "192.0.2.2"], "addresses 192.0.2.1, 192.0.2.2"),
        ("ports", [1, 2, 3, 4], "ports 1, 2, 3 and 1 more"),
        ("used_percent", 97.234, "used 97.23 %"),
        ("free_bytes", 123_456_789, "free 123 MB"),
        ("free_bytes", 12, "free 12 bytes"),
        ("free_bytes", 5 * 10**15, "free 5 PB"),
        ("age_s", 125, "age 2 min 5 s"),
        ("age_s", -3, "age -3 s"),
        ("not_after_s", 1_800_000_000, "not after 2027-01-15 08:00:00Z"),
        ("counts", {"a": 1, "b": 0}, "counts: a 1, b 0"),
        ("failures", [{"module": "app"}], "failures: 1, module app"),
        ("nested", [[1]], "nested: 1"),
        ("detail", "two\nwords", "detail “two\\nwords”"),
    ],
)
def test_a_fact_in_words(name: str, value: Json, said: str) -> None:
    """A fact says what it is of: yes or no, an amount with its unit, a moment, a list."""
    assert say_fact(name, value) == said


def test_a_condition_is_said_on_one_line() -> None:
    """A condition of several lines is one line, and no longer than asked for."""
    assert say_expected(seen("failed", "a.b\n  and c.d")) == "a.b and c.d"
    assert say_expected(seen("failed", "a" * 99), limit=9) == "a" * 8 + "…"
    assert say_expected(seen("failed")) == ""


def test_hosts_are_named_while_they_are_few() -> None:
    """One host is its name; of many the first are named and the others counted."""
    assert say_hosts(["web1"]) == "web1"
    assert say_hosts(["web1", "web2"]) == "2 hosts: web1, web2"
    assert say_hosts(["a", "b", "c", "d", "e"]) == "5 hosts: a, b, c and 2 more"


@pytest.mark.parametrize(
    ("seconds", "said"),
    [
        (-1, "0.0 s"),
        (0.34, "0.3 s"),
        (12.4, "12 s"),
        (59.7, "1 min"),
        (125, "2 min 5 s"),
        (3600, "1 h"),
        (7300, "2 h 1 min"),
        (200_000, "2 days"),
    ],
)
def test_a_duration_in_words(seconds: float, said: str) -> None:
    """A length of time is said in its two largest units."""
    assert say_duration(seconds) == said


def test_a_moment_out_of_range_is_a_figure() -> None:
    """What no calendar holds is said as the number it is."""
    assert say_moment(1e300) == "1e+300"


def test_all_words_are_there() -> None:
    """Every verdict and every result has its words."""
    assert set(VERDICTS) == set(Verdict)
    assert set(RESULTS) == {result.value for result in CheckResult}
    assert set(FIX_RESULTS) == {result.value for result in FixResult}
