"""What expressions refer to, taken from an earlier command, is what parsing them tells."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from runbook.spec import expressions
from runbook.spec.expressions import Uses, condition_uses, kept_uses, template_uses

TEMPLATES = (
    "{{ name | quote }} of {{ seen.stdout }}",
    "{{ lookup('file', place) }}{{ now() }}",
    '{{ "a\\d" }}',
    "{{ cut off",
)
CONDITIONS = (
    "site.status == 200 and not other is defined",
    "a | shuffle",
    "one two",
    "\udcff == 1",
)


@pytest.fixture(autouse=True)
def kept(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """Give the folder in which it is kept; other tests have parsed none of these."""
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    _forget()
    yield tmp_path / "runbook"
    _forget()


def _forget() -> None:
    template_uses.cache_clear()
    condition_uses.cache_clear()


def _told(templates: tuple[str, ...], conditions: tuple[str, ...]) -> list[Uses]:
    _forget()
    return [*map(template_uses, templates), *map(condition_uses, conditions)]


def test_only_what_changed_is_parsed(monkeypatch: pytest.MonkeyPatch) -> None:
    """The second command parses none that the first one did, but what is new, and what is wrong."""
    expected = _told(TEMPLATES, CONDITIONS)
    with kept_uses():
        assert _told(TEMPLATES, CONDITIONS) == expected
    with kept_uses():
        assert _told(TEMPLATES, CONDITIONS) == expected

    right = [text for text in TEMPLATES if template_uses(text).error is None]
    monkeypatch.setattr(expressions, "_environment", lambda: pytest.fail("it is parsed"))
    with kept_uses():
        assert _told(tuple(right), CONDITIONS[:2]) == expected[:3] + expected[4:6]
        for told in (template_uses, condition_uses):
            with pytest.raises(pytest.fail.Exception):
                told("{{ new }}" if told is template_uses else "new")
            with pytest.raises(pytest.fail.Exception):
                told(TEMPLATES[3] if told is template_uses else CONDITIONS[2])
    with pytest.raises(pytest.fail.Exception):
        _told(tuple(right), ())


def test_what_cannot_be_taken_is_parsed(kept: Path) -> None:
    """A file of something else counts as nothing; the text of no expression is in it."""
    expected = _told(TEMPLATES, CONDITIONS)
    with kept_uses():
        _told(TEMPLATES, CONDITIONS)
    [file] = kept.iterdir()
    assert b"quote" not in file.read_bytes()

    for content in (b"", b"nonsense", file.read_bytes()[:50]):
        file.write_bytes(content)
        with kept_uses():
            assert _told(TEMPLATES, CONDITIONS) == expected
