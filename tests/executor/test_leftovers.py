"""Killed runs leave folders behind; they are removed, and nothing else is."""

import os
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from runbook.executor.leftovers import DAY_S, is_at_work, sweep
from runbook.executor.workspace import Workspace, base_folder


@pytest.fixture(autouse=True)
def _own_place(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("XDG_RUNTIME_DIR", str(tmp_path))


MAKE = """
import sys, time
from runbook.executor.workspace import Workspace
Workspace.create(sys.argv[1])
print("made", flush=True)
time.sleep(600)
"""


@contextmanager
def _process(*arguments: str) -> Iterator[subprocess.Popen[str]]:
    process = subprocess.Popen(
        [sys.executable, "-c", *arguments], stdout=subprocess.PIPE, text=True
    )
    try:
        assert process.stdout is not None
        assert process.stdout.readline() == "made\n"
        yield process
    finally:
        process.kill()
        process.communicate()


def test_the_folder_of_a_killed_process_is_removed_and_that_of_a_living_one_stays() -> None:
    """While its maker lives, a workspace is left alone; after kill -9 it goes."""
    with _process(MAKE, "dead-run-1"):
        assert sweep() == ()
    mine = Workspace.create("living-run-1")

    assert sweep() == ("dead-run-1",)
    assert mine.folder.is_dir()
    mine.remove()
    assert not mine.folder.exists()


def test_a_folder_in_which_ansible_works_on_stays() -> None:
    """The owner is dead, its ansible-playbook is not: the folder is needed, and it is an orphan."""
    with _process(MAKE, "orphaned-run-1"):
        pass
    pretend = (
        "import os, sys, time; os.chdir(sys.argv[1]); print('made', flush=True); time.sleep(600)"
    )
    place = base_folder() / "orphaned-run-1" / "project"
    with _process(pretend, str(place), "-m", "runbook.executor.starter"):
        assert is_at_work("orphaned-run-1")
        assert sweep() == ()
        assert (base_folder() / "orphaned-run-1").is_dir()

    assert not is_at_work("orphaned-run-1")
    assert sweep() == ("orphaned-run-1",)


def test_what_nobody_locked_is_removed_only_when_it_is_old() -> None:
    """A folder without an owner may be about to be locked; a day later it is not."""
    young, old = base_folder() / "young", base_folder() / "old"
    young.mkdir()
    old.mkdir()
    long_ago = time.time() - DAY_S - 1
    os.utime(old, (long_ago, long_ago))

    assert sweep() == ("old",)
    assert young.is_dir()


def test_a_link_to_somewhere_else_is_not_followed(tmp_path: Path) -> None:
    """Nothing outside the folder of workspaces is ever removed."""
    precious = tmp_path / "precious"
    precious.mkdir()
    (precious / "owner").write_text("")
    (base_folder() / "link").symlink_to(precious)

    assert sweep() == ()
    assert (precious / "owner").exists()
