"""What Ansible's own YAML comes to, taken from an earlier start, is what reading it comes to."""

import io
import marshal
import pickle
from pathlib import Path
from typing import Any

import pytest
import yaml
from ansible._internal._datatag._tags import Origin, TrustedAsTemplate
from ansible.parsing.yaml.loader import AnsibleLoader

from runbook import cache_file
from runbook.executor.known_yaml import known

TEXT = "options: {port: {default: '{{ 8000 }}', choices: [1, 2]}}\n"


@pytest.fixture(autouse=True)
def kept(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Give the folder in which it is kept."""
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    return tmp_path / "runbook"


class _NothingReads(yaml.SafeLoader):
    """A loader that is known by another one's name, and cannot read."""

    def __init__(self, stream: object) -> None:
        raise AssertionError(stream)


_NothingReads.__module__ = yaml.SafeLoader.__module__
_NothingReads.__qualname__ = yaml.SafeLoader.__qualname__


def _read(text: str) -> Any:
    with known():
        return yaml.load(Origin(path="/a.py").tag(TrustedAsTemplate().tag(text)), AnsibleLoader)


def _told(value: Any) -> list[object]:
    """Return each key and value with what Ansible notes of it."""
    if isinstance(value, dict):
        return [_told(each) for pair in value.items() for each in pair]
    if isinstance(value, list):
        return [_told(each) for each in value]
    return [value, Origin.get_tag(value), TrustedAsTemplate.is_tagged_on(value)]


def test_values_keep_their_origin_and_trust() -> None:
    """Read, and taken from what was read, each value is from the same line and as trusted."""
    plain = yaml.load(Origin(path="/a.py").tag(TrustedAsTemplate().tag(TEXT)), AnsibleLoader)
    first, second = _read(TEXT), _read(TEXT)

    assert "/a.py" in str(_told(plain))
    assert _told(first) == _told(second) == _told(plain)
    second["options"]["port"]["default"] = "changed"
    assert _told(_read(TEXT)) == _told(plain)
    with known():
        untrusted = yaml.load(Origin(path="/a.py").tag(TEXT), AnsibleLoader)
    assert not TrustedAsTemplate.is_tagged_on(untrusted["options"]["port"]["default"])


def test_nothing_is_read_twice() -> None:
    """A text or a file that was read in an earlier start is not parsed; another one is."""
    with known():
        assert yaml.load("a: 1", yaml.SafeLoader) == {"a": 1}
        taken = yaml.load
    with known():
        assert yaml.load("a: 1", _NothingReads) == {"a": 1}
        assert yaml.load(io.StringIO("a: 1"), _NothingReads) == {"a": 1}
        with pytest.raises(AssertionError):
            yaml.load("a: 2", _NothingReads)
    with pytest.raises(AssertionError):
        taken("a: 1", _NothingReads)


def test_what_cannot_be_taken_is_read(kept: Path) -> None:
    """Something else counts as nothing, and so does what Ansible's classes no longer take."""
    first = _told(_read(TEXT))
    [file] = kept.iterdir()
    [key] = marshal.loads(cache_file.read(file.name) or b"")
    gone = pickle.dumps(TrustedAsTemplate()).replace(b"TrustedAsTemplate", b"TrustedAsTemplat_")
    for content in (b"", b"nonsense", marshal.dumps([1]), marshal.dumps({key: gone})):
        cache_file.write(file.name, content)
        assert _told(_read(TEXT)) == first
        assert cache_file.read(file.name) != content
