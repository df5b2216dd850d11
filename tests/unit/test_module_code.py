"""Modules whose code was kept are the ones that Python would find, and what it would make of them."""

import importlib
import inspect
import os
import subprocess
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
    whole = (
        "import os\nsaid = 'package'\n__path__.insert(0, os.path.dirname(__path__[0]) + '/more')\n"
    )
    (tmp_path / "second" / name / "__init__.py").write_text(whole)
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
        inspect.getsource(module),
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


def test_a_module_put_before_it_in_its_package_is_found(
    package: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A package that is searched in two folders is searched in the first of them first."""
    assert _imported(package, monkeypatch)[1].said == "part"

    (tmp_path / "second" / "more").mkdir()
    (tmp_path / "second" / "more" / "part.py").write_text("said = 'before'\n")

    assert _imported(package, monkeypatch)[1].said == "before"


def test_a_file_that_was_given_its_old_time_is_read(
    package: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """In images all files bear one time: another text of the same size and time is another text."""
    file = tmp_path / "second" / package / "part.py"
    os.utime(file, (1, 1))
    assert _imported(package, monkeypatch)[1].said == "part"

    file.write_text("said = 'trap'\n")
    os.utime(file, (1, 1))

    assert _imported(package, monkeypatch)[1].said == "trap"


def test_what_is_compiled_otherwise_is_kept_apart(package: str, tmp_path: Path, kept: Path) -> None:
    """`python -O` leaves assertions out: it neither takes nor spoils the code of others.

    An error's traceback shows the lines of a module from what was kept.
    """
    part = tmp_path / "second" / package / "part.py"
    part.write_text("def fail():\n    assert False, 'said'\n")
    program = (
        "import sys; from runbook.module_code import use; kept = use('test'); "
        f"sys.path.insert(0, {str(tmp_path / 'second')!r}); "
        f"from {package} import part; kept.keep(); part.fail()"
    )
    for flags in ("-B", "-BO") * 2:
        done = subprocess.run(
            [sys.executable, flags, "-c", program], capture_output=True, text=True, check=False
        )
        shown = [] if flags == "-BO" else ["    assert False, 'said'", "AssertionError: said"]
        assert [line for line in done.stderr.splitlines() if "said" in line] == shown
    assert len([*kept.iterdir()]) == 2


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
