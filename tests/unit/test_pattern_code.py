"""Patterns whose programs were kept are what they are without."""

import marshal
import re
import sys
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from runbook import cache_file, pattern_code
from runbook.pattern_code import PatternCode

PATTERNS: list[tuple[Any, int]] = [
    (r"(?P<year>[0-9]{4})-(?P<month>\d\d)(x)?", 0),
    (r"(?i)straße|[^\W\d_]+(?<=e)", re.MULTILINE),
    (rb"(?s:a.b)\b", re.ASCII),
    (r"a  b # said", re.VERBOSE | re.IGNORECASE),
    (r"[\u4e00-\u9fff]{2,}?(?=\s|$)", 0),
    (r"(a)(?(1)b|c)++", 0),
]
TEXTS = ("2026-11-22 2026-01-02x", "STRASSE straße\neine", "A B ab", "中文字 ", "ab c")


@pytest.fixture(autouse=True)
def kept(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Give the folder in which it is kept."""
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    return tmp_path / "runbook"


def _told(pattern: Any) -> list[object]:
    texts = [text.encode() if isinstance(pattern.pattern, bytes) else text for text in TEXTS]
    found = [
        [match.groupdict() or match.groups() for match in pattern.finditer(text)] for text in texts
    ]
    return [pattern, pattern.flags, pattern.groups, dict(pattern.groupindex), found]


def test_the_next_process_works_none_out(monkeypatch: pytest.MonkeyPatch) -> None:
    """A pattern made of a kept program matches as one that was compiled, and none is parsed."""
    expected = [_told(re.compile(text, flags)) for text, flags in PATTERNS]
    code = PatternCode("test")
    assert [_told(code.compile(text, int(flags))) for text, flags in PATTERNS] == expected
    code.keep()

    code = PatternCode("test")
    monkeypatch.setattr(pattern_code, "_program", None)
    monkeypatch.setattr(pattern_code, "_compile", None)
    assert [_told(code.compile(text, int(flags))) for text, flags in PATTERNS] == expected


def test_what_is_wrong_is_told_as_ever_and_not_kept(kept: Path) -> None:
    """An error is Python's own; one that depends on the locale is left to Python."""
    code = PatternCode("test")
    with pytest.raises(re.error, match="unterminated character set at position 3"):
        code.compile("abc[")
    assert code.compile(rb"\w", int(re.LOCALE)) == re.compile(rb"\w", re.LOCALE)
    code.keep()

    assert not kept.exists()


def test_nothing_is_remembered_of_what_comes_after_the_imports(kept: Path) -> None:
    """A pattern made of a secret, in the midst of a run, is not written down."""
    code = PatternCode("test")
    code.compile("first")
    code.keep()
    assert code.compile("(s3cret)") == re.compile("(s3cret)")
    code.keep()

    [file] = kept.iterdir()
    assert b"first" in file.read_bytes()
    assert b"s3cret" not in file.read_bytes()


def test_what_cannot_be_taken_is_worked_out(kept: Path) -> None:
    """Neither something else nor an unsound program is used."""
    code = PatternCode("test")
    code.compile("(a)b")
    code.keep()
    [file] = kept.iterdir()
    program = pattern_code._program("(a)b", 0)
    broken = (program[0], [9999, *program[1]], *program[2:])
    for content in (b"", b"nonsense", marshal.dumps({("(a)b", 0): broken})):
        cache_file.write(file.name, content)
        assert PatternCode("test").compile("(a)b").fullmatch("ab")


def test_a_python_that_nobody_tried_compiles_as_it_does(monkeypatch: pytest.MonkeyPatch) -> None:
    """What a coming release may do otherwise is left to it: `re` stays as it is."""
    found: dict[str, Any] = {"compile": None}
    monkeypatch.setattr(pattern_code, "_compiler", SimpleNamespace(**found))
    pattern_code.use("one that is known")
    assert pattern_code._compiler.compile is not None

    monkeypatch.setattr(pattern_code, "_compiler", SimpleNamespace(**found))
    monkeypatch.setattr(cache_file, "UNTRIED", sys.version_info[:2])
    pattern_code.use("one that is not")
    assert pattern_code._compiler.compile is None
