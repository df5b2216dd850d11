"""Text of others cannot steer what draws it."""

import io
import unicodedata

import pytest
from hypothesis import given
from hypothesis import strategies as st

from runbook.views.safe_text import printable, printable_lines, tolerate

anything = st.text(st.characters(codec=None))


@pytest.mark.parametrize(
    ("raw", "said"),
    [
        ("plain, ä ✓ 日本", "plain, ä ✓ 日本"),
        ("a\nb\tc\r", "a\\nb\\tc\\r"),
        ("\x1b[2J", "\\x1b[2J"),
        ("pass\xadword", "pass\\xadword"),
        ("\x9b31m\x7f", "\\x9b31m\\x7f"),
        ("a\u202eb\u2066c\u200f", "a\\u202eb\\u2066c\\u200f"),
        ("a\u2028b\u200bc\ufeff", "a\\u2028b\\u200bc\\ufeff"),
        ("\udc80\udcff", "\\x80\\xff"),
        ("\ud800", "\\ud800"),
        ("\U000e0041", "\\U000e0041"),
    ],
)
def test_what_steers_is_escaped(raw: str, said: str) -> None:
    """Controls, marks of direction, invisible marks and stray bytes are spelt out."""
    assert printable(raw) == said


@given(anything)
def test_printable_text_is_one_safe_line(text: str) -> None:
    """Nothing is left that is a control, a surrogate, a line break or a mark of direction."""
    said = printable(text)

    assert not any(unicodedata.category(char) in ("Cc", "Cs", "Zl", "Zp") for char in said)
    assert not any(unicodedata.bidirectional(char) in _STEERING for char in said)
    said.encode()
    assert printable(said) == said


_STEERING = {"LRE", "RLE", "LRO", "RLO", "PDF", "LRI", "RLI", "FSI", "PDI"}


def test_lines_stay_lines_and_are_safe() -> None:
    """Line feeds part lines, tabs become blanks; all else that breaks lines is spelt out."""
    assert printable_lines("a\r\n\tb\x0c\u2028c\x1b\n") == ["a", "    b\\x0c\\u2028c\\x1b"]
    assert printable_lines("") == []
    assert printable_lines("\n\n") == ["", ""]


def test_a_stream_writes_what_it_can() -> None:
    """What the encoding cannot hold is replaced sign by sign, so that columns stay columns."""
    raw = io.BytesIO()
    stream = io.TextIOWrapper(raw, encoding="latin-1")
    tolerate(stream)

    stream.write("✓ é … — 日\udc80")
    stream.flush()

    assert raw.getvalue().decode("latin-1") == "+ é ~ - ??"


def test_a_stream_without_an_encoding_is_left_alone() -> None:
    """Text that goes to no file stays as it is."""
    stream = io.StringIO()
    tolerate(stream)

    stream.write("✓")

    assert stream.getvalue() == "✓"
