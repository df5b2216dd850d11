"""Modules whose code was kept are the ones that Python would find, and what it would make of them."""

import importlib
import sys
import uuid
from importlib.machinery import PathFinder, SourceFileLoader
from pathlib import Path
from types import ModuleType

import pytest

from runbook.module_code import ModuleCode


@pytest.fixture(autouse=True)
def kept(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Give the folder in which it is kept."""
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    return tmp_path / "cache" / "runbook"


@pytest.fixture
def package(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> str:
    """Give a package with a module `part`, on the path after the folder `first`."""
    name = f"kept_{uuid.uuid4().hex}"
    for folder in ("first", "second"):
        (tmp_path / folder).mkdir()
    (tmp_path / "second" / name).mkdir()
    (tmp_path / "second" / name / "__init__.py").write_text("said = 'package'\n")
    (tmp_path / "second" / name / "part.py").write_text("said = 'part'\n")
    places = [str(tmp_path / "first"), str(tmp_path / "second")]
    monkeypatch.setattr(sys, "path", [*places, *sys.path])
    monkeypatch.setattr(sys, "dont_write_bytecode", True)
    return name


def _imported(package: str, monkeypatch: pytest.MonkeyPatch) -> tuple[ModuleType, ModuleType]:
    """Import the package and its module as a fresh process would, and keep what there was to learn."""
    for name in (package, f"{package}.part"):
        sys.modules.pop(name, None)
    importlib.invalidate_caches()
    finder = ModuleCode("test")
    with monkeypatch.context() as here:
        place = sys.meta_path.index(PathFinder)
        here.setattr(sys, "meta_path", [*sys.meta_path[:place], finder, *sys.meta_path[place:]])
        found = importlib.import_module(package), importlib.import_module(f"{package}.part")
        finder.keep()
        assert finder not in sys.meta_path
    return found


def _told(module: ModuleType) -> list[object]:
    spec = module.__spec__
    assert spec is not None
    assert isinstance(spec.loader, SourceFileLoader)
    return [
        *(module.said, module.__name__, module.__file__, getattr(module, "__path__", None)),
        *(module.__package__, module.__cached__, spec.origin, spec.parent, spec.has_location),
        *(spec.submodule_search_locations, spec.loader.get_source(spec.name)),
    ]


def test_the_next_process_reads_none(package: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """A module from what was kept is as one that Python found, and its own file is not read."""
    expected = [_told(importlib.import_module(name)) for name in (package, f"{package}.part")]
    assert [_told(each) for each in _imported(package, monkeypatch)] == expected

    def refuse(_loader: object, name: str) -> None:
        raise AssertionError(f"the code of {name} was looked for")

    with monkeypatch.context() as without:
        without.setattr(SourceFileLoader, "get_code", refuse)
        again = _imported(package, monkeypatch)

    assert [_told(each) for each in again] == expected


def test_what_has_changed_is_found_anew(
    package: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Another text, another module before it on the path, another file beside it: Python decides.

    A mere folder of that name on the path is no module.
    """
    whole, part = _imported(package, monkeypatch)
    assert [whole.said, part.said] == ["package", "part"]

    (tmp_path / "first" / package).mkdir()
    (tmp_path / "second" / package / "part.py").write_text("said = 'changed'\n")
    whole, part = _imported(package, monkeypatch)
    assert [whole.said, part.said] == ["package", "changed"]

    (tmp_path / "second" / package / "part").mkdir()
    (tmp_path / "second" / package / "part" / "__init__.py").write_text("said = 'a package'\n")
    whole, part = _imported(package, monkeypatch)
    assert [whole.said, part.said] == ["package", "a package"]

    (tmp_path / "first" / package / "__init__.py").write_text("said = 'first'\n")
    (tmp_path / "first" / package / "part.py").write_text("said = 'first part'\n")
    for _ in range(2):
        whole, part = _imported(package, monkeypatch)
        assert [whole.said, part.said] == ["first", "first part"]


@pytest.mark.parametrize("content", [b"", b"nonsense", b"\x00" * 64])
def test_what_cannot_be_taken_is_found(
    content: bytes, package: str, kept: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A file of something else counts as nothing, and is replaced."""
    _imported(package, monkeypatch)
    [file] = kept.iterdir()
    good = file.read_bytes()
    file.write_bytes(content)

    assert [each.said for each in _imported(package, monkeypatch)] == ["package", "part"]
    assert len(file.read_bytes()) == len(good)
