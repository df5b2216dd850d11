"""What an approval is bound to: every change to what would be executed shows."""

import os
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest

from runbook.driver import closure
from runbook.driver.closure import closure_of, installation_key
from runbook.errors import RunbookError
from tests.unit.driver.stage import ONE_FIX

KEY = b"k" * 32


@pytest.fixture
def place(tmp_path: Path) -> Path:
    """Give a runbook's folder with a role, a template, an inventory and its variables."""
    for name, text in {
        "book.yml": "runbook: example",
        "templates/unit.j2": "unit",
        "called/templates/unit.j2": "unit of a runbook that is called",
        "roles/restart/tasks/main.yml": "tasks",
        "shared/linked/tasks/main.yml": "tasks of a role that is linked",
        "inventory/hosts.yml": "hosts",
        "inventory/host_vars/web1.yml": "variables",
        "unrelated.txt": "nothing to do with it",
    }.items():
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).write_text(text)
    (tmp_path / "roles/linked").symlink_to(tmp_path / "shared/linked")
    (tmp_path / "roles/linked/loop").symlink_to(tmp_path / "roles")
    return tmp_path


def _closure(place: Path, key: bytes = KEY, **given: object) -> str:
    runbook = replace(
        ONE_FIX,
        folder=str(place),
        called_folders=(str(place / "called"),),
        sources=(str(place / "book.yml"),),
    )
    inventories = (str(place / "inventory/hosts.yml"), "web1,")
    return closure_of(runbook, [place / "roles"], inventories, given, key)


@pytest.mark.parametrize(
    "name",
    [
        "book.yml",
        "templates/unit.j2",
        "called/templates/unit.j2",
        "roles/restart/tasks/main.yml",
        "shared/linked/tasks/main.yml",
        "inventory/hosts.yml",
        "inventory/host_vars/web1.yml",
    ],
)
def test_a_change_to_what_would_be_executed_shows(place: Path, name: str) -> None:
    """Runbook, templates (of called ones too), role (linked ones too), inventory and its variables are all part of it."""
    before = _closure(place)
    (place / name).write_text("changed")

    assert _closure(place) != before


CHANGES: dict[str, Callable[[Path], object]] = {
    "a new template": lambda place: (place / "templates/more.j2").write_text("more"),
    "a role that is gone": lambda place: (place / "roles/restart/tasks/main.yml").unlink(),
}


@pytest.mark.parametrize("change", CHANGES.values(), ids=CHANGES)
def test_files_that_come_and_go_show(place: Path, change: Callable[[Path], object]) -> None:
    """What is new may be included by a wildcard; what is gone would be missing."""
    before = _closure(place)
    change(place)

    assert _closure(place) != before


def test_what_is_no_part_of_it_does_not_show(place: Path) -> None:
    """Other files beside it, compiled ones and editors' locks change nothing."""
    before = _closure(place)
    (place / "unrelated.txt").write_text("changed")
    (place / "roles/restart/module.pyc").write_text("compiled")
    (place / "templates/.#unit.j2").symlink_to("ann@laptop.1234")

    assert _closure(place) == before


def test_values_given_and_the_key_are_part_of_it(place: Path) -> None:
    """Another --set, or another installation's key, gives another hash."""
    before = _closure(place, port=8000)

    assert _closure(place, port=8000) == before
    assert _closure(place, port=8001) != before
    assert _closure(place, key=b"x" * 32, port=8000) != before


def test_a_very_large_file_counts_by_size_and_time(
    place: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It is not read, and yet not passed over."""
    monkeypatch.setattr(closure, "MAX_FILE_BYTES", 3)
    path = place / "templates/unit.j2"
    os.utime(path, ns=(1, 1))
    before = _closure(place)
    path.write_text("even larger")
    os.utime(path, ns=(1, 1))

    assert _closure(place) != before


def test_a_collection_of_another_version_shows(
    place: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Its manifest names the version, wherever collections are looked for."""
    manifest = tmp_path / "more/ansible_collections/community/general/MANIFEST.json"
    manifest.parent.mkdir(parents=True)
    manifest.write_text('{"version": "1.0.0"}')
    monkeypatch.setenv("ANSIBLE_COLLECTIONS_PATH", str(tmp_path / "more"))
    before = _closure(place)
    manifest.write_text('{"version": "1.0.1"}')

    assert _closure(place) != before


def test_what_cannot_be_read_is_named(place: Path) -> None:
    """A source that is gone is an error of its own, not a changed hash."""
    (place / "book.yml").unlink()

    with pytest.raises(RunbookError) as caught:
        _closure(place)
    assert caught.value.problems[0].reference == "closure-unreadable"
    assert "book.yml" in str(caught.value)


def test_the_key_is_made_once_and_private(tmp_path: Path) -> None:
    """Two calls agree; nobody else can read it."""
    key = installation_key(tmp_path / "state")

    assert installation_key(tmp_path / "state") == key
    assert len(key) == 32
    assert (tmp_path / "state/key").stat().st_mode & 0o077 == 0
    assert [path.name for path in (tmp_path / "state").iterdir()] == ["key"]
