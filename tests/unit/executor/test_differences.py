"""Diffs from whatever a module reports."""

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from runbook.executor.differences import MAX_CHARACTERS, MAX_LINES, difference


@pytest.mark.parametrize(
    ("diffs", "text"),
    [
        (
            {"before": "a\nb\n", "after": "a\nc\n", "after_header": "/etc/x"},
            "--- before\n+++ after: /etc/x\n@@ -1,2 +1,2 @@\n a\n-b\n+c",
        ),
        (
            {"before": {"mode": "0600"}, "after": {"mode": "0644"}},
            '--- before\n+++ after\n@@ -1,3 +1,3 @@\n {\n-  "mode": "0600"\n+  "mode": "0644"\n }',
        ),
        (
            [{"before": None, "after": "x"}, {"before": "x", "after": "x"}],
            "--- before\n+++ after\n@@ -0,0 +1 @@\n+x",
        ),
        ({"prepared": "installed x\n"}, "installed x"),
        ({"dst_binary": 1}, "the present file is not text: no diff"),
        ({"src_larger": 99}, "the new file is too large for a diff"),
        ({}, ""),
        ([], ""),
        ("text", ""),
        ([1, [2]], ""),
    ],
)
def test_each_shape_of_a_diff(diffs: Any, text: str) -> None:
    """Texts, mappings, lists of both, prepared ones, and those there are none of."""
    assert difference(diffs) == text


def test_only_the_beginning_of_a_long_diff_is_compared() -> None:
    """Comparing can take quadratic time, so what is compared is bounded, and that is said."""
    before = "\n".join(map(str, range(MAX_LINES * 3)))

    text = difference({"before": before, "after": "y" * (MAX_CHARACTERS * 2)})

    assert text.count("\n") < MAX_LINES + 10
    assert len(text) < 2 * MAX_CHARACTERS
    assert text.count("not compared") == 1


junk = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(max_size=20),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(), inner, max_size=4),
    max_leaves=5,
)
keys = st.sampled_from(
    ["before", "after", "before_header", "after_header", "prepared", "src_binary"]
)


@given(st.lists(st.dictionaries(keys, junk)) | junk)
def test_no_report_raises(diffs: Any) -> None:
    """A host may put anything there."""
    assert isinstance(difference(diffs), str)
