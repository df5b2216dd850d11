"""What hosts say, bounded, and fit to be written and looked at."""

import json
import math
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from runbook.executor.plain import MAX_DEPTH, MAX_NODES, TooMuchError, plain, words


@pytest.mark.parametrize(
    ("value", "expected"),
    [
        ("text", "text"),
        ("\ud800 lone", "? lone"),
        (math.nan, None),
        (math.inf, None),
        (1.5, 1.5),
        (True, True),
        (2**63 - 1, 2**63 - 1),
        (2**63, "0x8000000000000000"),
        (None, None),
        ((1, [2]), [1, [2]]),
        ({1: {"\udfff": 2}}, {"1": {"?": 2}}),
        (b"bytes", "b'bytes'"),
    ],
)
def test_data_become_what_json_can_hold(value: Any, expected: Any) -> None:
    """Each kind of value has one plain form."""
    assert plain(value, max_characters=100) == expected


@pytest.mark.parametrize(
    "value",
    [
        "x" * 101,
        ["x" * 60, "x" * 60],
        {"x" * 101: 1},
        [0] * (MAX_NODES + 1),
    ],
    ids=["one text", "all texts", "a key", "too many"],
)
def test_what_is_too_long_is_refused(value: Any) -> None:
    """Text counts together, keys included, and so do values."""
    with pytest.raises(TooMuchError):
        plain(value, max_characters=100)


def test_what_is_too_deep_is_refused() -> None:
    """One level more than allowed is too much."""
    deep: Any = 1
    for _ in range(MAX_DEPTH):
        deep = [deep]

    assert plain(deep, max_characters=1) == deep
    with pytest.raises(TooMuchError):
        plain([deep], max_characters=1)


anything = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text() | st.binary(max_size=5),
    lambda inner: st.lists(inner) | st.dictionaries(st.text() | st.integers(), inner),
    max_leaves=20,
)


@given(anything)
def test_everything_plain_can_be_written_down(value: Any) -> None:
    """What comes out is JSON without NaN, and UTF-8; doing it twice changes nothing."""
    once = plain(value, max_characters=100_000)

    json.dumps(once, allow_nan=False, ensure_ascii=False).encode("utf-8")
    assert plain(once, max_characters=100_000) == once


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("two\nlines\tand a tab", "two\nlines\tand a tab"),
        ("\x1b[2J", "\\x1b[2J"),
        ("\x9b31m", "\\x9b31m"),
        ("a\rb\x08", "a\\rb\\x08"),
        ("\u202eabc", "\\u202eabc"),
        ("\ud800", "?"),
        ("Größe “x”", "Größe “x”"),
    ],
)
def test_words_move_no_cursor(text: str, shown: str) -> None:
    """Control characters are shown; letters of any script stay."""
    assert words(text) == shown


def test_words_are_cut_with_a_mark() -> None:
    """What is cut says so."""
    assert words("x" * 11, 10) == "x" * 9 + "…"
    assert words("x" * 10, 10) == "x" * 10
