"""Ansible that is begun before the command line is read."""

import os
import signal
import subprocess
import sys
import uuid
from pathlib import Path

import pytest

from runbook.executor.workspace import Workspace, base_folder
from runbook.views.starting import ansible_started, begin_ahead
from tests.executor_harness import until

RUNBOOK = """
runbook: ahead
title: One check
steps:
  - check: told
    title: It answers
    probe: {command: {argv: [echo, given]}}
    read_only: true
    passes: told.stdout == "given"
    next: {passed: end(healthy), failed: end(unresolved)}
"""


@pytest.fixture(autouse=True)
def place(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Give the folder of a user whom nobody else works as."""
    home = tmp_path / uuid.uuid4().hex
    home.mkdir(mode=0o700)
    monkeypatch.setenv("XDG_RUNTIME_DIR", str(home))
    monkeypatch.setenv("RUNBOOK_HOME", str(home))
    monkeypatch.chdir(home)
    return home


def _begun() -> set[str]:
    return {path.name for path in base_folder().iterdir()}


def test_what_was_begun_ahead_is_used_where_it_is_what_is_wanted(
    place: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A run takes it, one with another configuration ends it, and where one may stay ready is none."""
    (place / "ahead.yml").write_text(RUNBOOK)
    begin_ahead("nothing-of-that-name")
    with monkeypatch.context() as other:
        other.setenv("RUNBOOK_KEEP_ANSIBLE", "1")
        begin_ahead(str(place / "ahead.yml"))
    assert _begun() == set()

    begin_ahead(str(place / "ahead.yml"))
    [first] = _begun()
    with ansible_started(None):
        assert _begun() == {first}
    assert _begun() == set()

    begin_ahead(str(place / "ahead.yml"))
    [second] = _begun()
    (place / "other.cfg").write_text("[defaults]\n")
    with ansible_started(place / "other.cfg"):
        assert len(_begun()) == 1
        assert second not in _begun()
    assert _begun() == set()


def test_ansible_is_begun_before_a_command_line_is_read(place: Path) -> None:
    """Click is imported after Ansible is begun; one that cannot be carried out leaves nothing."""
    (place / "ahead.yml").write_text(RUNBOOK)
    words = ("diagnose", "ahead.yml", "--host", "localhost", "--nonsense")

    done = subprocess.run(
        [sys.executable, "-X", "importtime", "-m", "runbook", *words],
        env=dict(os.environ),
        capture_output=True,
        text=True,
        check=False,
    )

    assert done.returncode == 2
    assert "No such option '--nonsense'" in done.stderr
    imported = [line.rpartition("|")[2].strip() for line in done.stderr.splitlines()]
    assert imported.index("ansible_runner") < imported.index("click")
    assert _begun() == set()


def test_who_interrupts_it_at_once_leaves_nothing(place: Path) -> None:
    """Ctrl-C as soon as Ansible is being started: the exit code says so, nothing else is printed."""
    (place / "ahead.yml").write_text(RUNBOOK)
    words = ("diagnose", "ahead.yml", "--host", "localhost", "-i", "localhost,")
    with subprocess.Popen(
        [sys.executable, "-m", "runbook", *words],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    ) as command:
        until(lambda: bool(_begun()))
        command.send_signal(signal.SIGINT)
        said = "".join(command.communicate())

    assert command.returncode == 130
    assert "Traceback" not in said
    assert _begun() == set()


def test_an_interrupt_while_it_is_being_started_comes_when_it_can_be_ended(
    place: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Ctrl-C right after its folder was made: it is known of, and leaves nothing."""
    (place / "ahead.yml").write_text(RUNBOOK)
    make = Workspace.create

    def interrupted(name: str) -> Workspace:
        made = make(name)
        signal.raise_signal(signal.SIGINT)
        return made

    monkeypatch.setattr(Workspace, "create", interrupted)
    with pytest.raises(KeyboardInterrupt):
        begin_ahead(str(place / "ahead.yml"))
    with ansible_started(None):
        assert len(_begun()) == 1

    assert _begun() == set()
