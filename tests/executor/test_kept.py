"""Ansible that stays ready for the next command."""

import time
import uuid
from contextlib import suppress
from pathlib import Path

import pytest

from runbook.executor.kept import LOOKED_AT_S, keep_one, kept_starter
from runbook.model.definition import CheckResult
from tests.executor_harness import Stage, carry_out, local, observe, until

RUNBOOK = """
runbook: kept
title: One check
steps:
  - check: told
    title: It answers
    probe: {command: {argv: [echo, given]}}
    read_only: true
    passes: told.stdout == "given"
    next: {passed: end(healthy), failed: end(unresolved)}
"""


def _folder() -> Path | None:
    with kept_starter(None) as kept:
        return None if kept is None else kept.folder


def _is_of(name: str) -> bool:
    """Say whether any process lives that was started for one of this name."""
    for process in Path("/proc").glob("[0-9]*"):
        with suppress(OSError):
            lives = "State:\tZ" not in (process / "status").read_text()
            if lives and name in (process / "cmdline").read_text():
                return True
    return False


def test_it_is_for_who_would_have_started_the_same_and_ends_by_itself(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It serves while it is used, whoever has another environment has none, and it leaves nothing."""
    monkeypatch.setenv("WHOSE", uuid.uuid4().hex)
    assert _folder() is None
    keep_one(None, LOOKED_AT_S)
    until(lambda: _folder() is not None)
    stage = Stage(folder=tmp_path)
    executor = stage.executor(stage.runbook(RUNBOOK), stage.inventory({"here": local()}))
    with kept_starter(None) as kept:
        assert kept is not None
        assert kept.folder.stat().st_mode & 0o777 == 0o700
        executor.starter = kept
        assert carry_out(executor, observe("told")).result("here", "told") is CheckResult.PASSED
        with monkeypatch.context() as other:
            other.setenv("ANSIBLE_REMOTE_USER", "somebody")
            assert _folder() is None
        with monkeypatch.context() as other:
            other.chdir(tmp_path)
            assert _folder() is None
        time.sleep(2.5 * LOOKED_AT_S)
        assert kept.is_running()

    until(lambda: not kept.folder.exists())
    assert not kept.is_running()
    assert _folder() is None
    until(lambda: not _is_of(kept.folder.name))
