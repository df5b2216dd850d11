"""Classes whose code was kept are what they are without."""

import dataclasses
import marshal
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from runbook import cache_file, class_code
from runbook.class_code import ClassCode


@pytest.fixture(autouse=True)
def kept(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Give the folder in which it is kept; afterwards `dataclasses` compiles as it does."""
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    monkeypatch.setitem(vars(dataclasses), "exec", exec)
    return tmp_path / "runbook"


def _point() -> Callable[..., object]:
    @dataclasses.dataclass(frozen=True, kw_only=True, slots=True, order=True)
    class Point:
        x: int
        y: int = 2
        tags: list[str] = dataclasses.field(default_factory=list)

    return Point


def _told(point: Callable[..., object]) -> list[object]:
    one = point(x=1)
    with pytest.raises(dataclasses.FrozenInstanceError):
        one.x = 3  # type: ignore[attr-defined]
    with pytest.raises(TypeError, match="y"):
        point(x=1, z=2)
    return [repr(one).rpartition(".")[2], one == point(x=1, y=2), one < point(x=2)]  # type: ignore[operator]


def test_the_next_process_compiles_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    """A class made of kept code is as one that was compiled, and none of its text is compiled."""
    expected = _told(_point())
    for compiles in (True, False):
        code = ClassCode("test")
        monkeypatch.setitem(vars(dataclasses), "exec", code.run)
        compiled: list[str] = []
        monkeypatch.setattr(
            "runbook.class_code.compile",
            lambda text, *rest, noted=compiled, **options: (
                noted.append(text) or compile(text, *rest, **options)
            ),
            raising=False,
        )

        assert _told(_point()) == expected
        assert bool(compiled) is compiles
        code.keep()


def test_what_cannot_be_taken_is_compiled(kept: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Something else counts as nothing, and is replaced."""
    expected = _told(_point())
    for content in (b"", b"nonsense", marshal.dumps([1])):
        code = ClassCode("test")
        monkeypatch.setitem(vars(dataclasses), "exec", code.run)
        for file in kept.glob("*"):
            cache_file.write(file.name, content)
        assert _told(_point()) == expected
        code.keep()

    assert len(next(kept.iterdir()).read_bytes()) > 1000


def test_a_python_that_nobody_tried_compiles_as_it_does(monkeypatch: pytest.MonkeyPatch) -> None:
    """What a coming release may do otherwise is left to it: `dataclasses` stays as it is."""
    monkeypatch.setattr(cache_file, "UNTRIED", sys.version_info[:2])

    class_code.use("one that is not known")

    assert vars(dataclasses)["exec"] is exec


def test_code_that_nothing_uses_any_more_goes(kept: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Once there are too many texts, only those of the last process are kept."""
    monkeypatch.setattr("runbook.class_code.MOST", 3)
    for text in ("a = 1", "b = 2", "c = 3", "d = 4"):
        code = ClassCode("test")
        made: dict[str, object] = {}
        code.run(text, {}, made)
        assert made
        code.keep()

    [file] = kept.iterdir()
    assert list(marshal.loads(cache_file.read(file.name) or b"")) == ["d = 4"]
