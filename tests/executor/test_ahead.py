"""Ansible, started before it is known what for."""

import shutil
import subprocess
import sys
import time
from dataclasses import replace
from pathlib import Path

from runbook.executor.ansible import Ahead
from runbook.executor.leftovers import is_at_work
from runbook.executor.target import Target
from runbook.model.definition import CheckResult
from tests.executor_harness import Stage, carry_out, local, observe, until

RUNBOOK = """
runbook: ahead
title: One check
params: {word: {type: string}}
steps:
  - check: told
    title: What was given is known
    probe: {command: {argv: [echo, "{{ word }}"]}}
    read_only: true
    passes: told.stdout == "given"
    next: {passed: end(healthy), failed: end(unresolved)}
"""


def test_the_first_request_goes_to_it_and_the_next_one_does_not(tmp_path: Path) -> None:
    """Values that are known only after it was started arrive; it serves one request."""
    stage = Stage(folder=tmp_path)
    target = Target(inventories=(stage.inventory({"here": local()}),))
    ahead = Ahead.start(target)
    executor = stage.executor(stage.runbook(RUNBOOK), run="run-ahead")
    executor.target = replace(target, given={"word": "given"})
    executor.ahead = ahead

    for _ in range(2):
        seen = carry_out(executor, observe("told")).observed("here").observations["told"]
        assert seen.result is CheckResult.PASSED, seen

    assert not ahead.take()
    assert not ahead.workspace.folder.exists()


def test_it_does_not_outlive_who_started_it() -> None:
    """After a kill of the driver it ends by itself, whether it waits already or not."""
    program = (
        "import sys, time\n"
        "from runbook.executor.ansible import Ahead\n"
        "from runbook.executor.target import Target\n"
        "print(Ahead.start(Target()).workspace.folder, flush=True)\n"
        "time.sleep(60)\n"
    )
    for wait_s in (0.0, 2.0):
        with subprocess.Popen(
            [sys.executable, "-c", program], stdout=subprocess.PIPE, text=True
        ) as driver:
            assert driver.stdout is not None
            folder = Path(driver.stdout.readline().strip())
            until(lambda name=folder.name: is_at_work(name))  # type: ignore[misc]
            time.sleep(wait_s)
            driver.kill()
        until(lambda name=folder.name: not is_at_work(name))  # type: ignore[misc]
        shutil.rmtree(folder)


def test_what_nobody_needs_is_gone_at_once() -> None:
    """Closed unused, before it starts or while it waits, it is gone with its folder in a moment.

    A busy machine can only make it look longer, so the least of the times is the nearest to it.
    """
    took_s = []
    for waits in (False, True, True):
        ahead = Ahead.start(Target())
        name = ahead.workspace.folder.name
        if waits:
            until(lambda name=name: is_at_work(name))  # type: ignore[misc]
        closed_at = time.monotonic()
        ahead.close()
        took_s.append(time.monotonic() - closed_at)

        assert not ahead.workspace.folder.exists()
        assert not is_at_work(name)
    assert min(took_s) < 2
