"""Ansible, imported once, from which requests are forked."""

import json
import os
import shutil
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from contextlib import closing, suppress
from dataclasses import dataclass, field
from pathlib import Path

import pytest

from runbook.executor import Ending, FixRequest, Invocation
from runbook.executor.leftovers import is_at_work
from runbook.executor.lent import LentStarter
from runbook.executor.runner import Starter
from runbook.executor.workspace import ENDED_FILE, OUTPUT_PIPE, base_folder
from runbook.model.definition import CheckResult
from runbook.model.event import Acted
from tests.executor_harness import Stage, Told, carry_out, local, observe, request_id, until

RUNBOOK = """
runbook: started
title: One check
params: {word: {type: string}}
causes: {lost: {title: It is lost}}
steps:
  - check: told
    title: What was given is known
    probe: {command: {argv: [echo, "{{ word }}"]}}
    read_only: true
    passes: told.stdout == "given"
    next: {passed: end(healthy), failed: linger}
  - fix: linger
    title: Take long
    cause: lost
    tasks:
      - ansible.builtin.command: {argv: [sleep, "30.271"]}
    verify: {symptom: told}
"""


@dataclass(frozen=True, kw_only=True)
class _Busy(LentStarter):
    """One whose pipe is full when it is asked for the first time."""

    refused: list[Path] = field(default_factory=list)

    def submit(self, folder: Path) -> None:
        if not self.refused:
            self.refused.append(folder)
            raise BlockingIOError
        super().submit(folder)


@pytest.fixture(autouse=True)
def place(tmp_path_factory: pytest.TempPathFactory, monkeypatch: pytest.MonkeyPatch) -> None:
    """Give the folder of a user whom nobody else works as."""
    monkeypatch.setenv("XDG_RUNTIME_DIR", str(tmp_path_factory.mktemp("place")))


@pytest.fixture
def starter() -> Iterator[Starter]:
    """Give a starter that the test may end earlier."""
    with closing(Starter.start()) as started:
        yield started


def test_another_process_may_use_it(tmp_path: Path, starter: Starter) -> None:
    """One that is lent does what its owner's does; once it has ended, requests start their own."""
    stage = Stage(folder=tmp_path)
    inventory = stage.inventory({"here": local()}, "here.json")
    executor = stage.executor(stage.runbook(RUNBOOK), inventory, given={"word": "given"})
    lent = LentStarter(folder=starter.workspace.folder, config=None)
    executor.starter = lent
    until(lent.is_running)

    for running in (True, False):
        assert lent.is_running() is running
        told = carry_out(executor, observe("told"))
        assert told.result("here", "told") is CheckResult.PASSED
        starter.close()


def test_what_nobody_waits_for_any_more_is_not_begun(tmp_path: Path, starter: Starter) -> None:
    """Whose program died before it was taken up ends at once; else it would be at work for ever."""
    folder = tmp_path / request_id()
    folder.mkdir()
    os.mkfifo(folder / OUTPUT_PIPE)

    starter.submit(folder)

    until((folder / ENDED_FILE).exists, 60.0)
    assert (folder / ENDED_FILE).read_text() == "1"
    assert not is_at_work(folder.name)


def test_it_serves_many_requests_even_at_once(tmp_path: Path, starter: Starter) -> None:
    """Each is given its own inventory and values, though one process imported Ansible for all."""
    stage = Stage(folder=tmp_path)
    runbook = stage.runbook(RUNBOOK)
    told: dict[str, Told] = {}

    def look(host: str, word: str) -> None:
        inventory = stage.inventory({host: local()}, f"{host}.json")
        executor = stage.executor(runbook, inventory, given={"word": word})
        executor.starter = starter
        told[host] = carry_out(executor, observe("told"))

    wanted = {"one": "given", "two": "taken", "three": "given"}
    threads = [threading.Thread(target=look, args=each) for each in wanted.items()]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()

    for host, word in wanted.items():
        expected = CheckResult.PASSED if word == "given" else CheckResult.FAILED
        assert told[host].result(host, "told") is expected
    assert starter.is_running()


def test_a_request_goes_on_when_what_it_was_forked_from_is_killed(
    tmp_path: Path, starter: Starter
) -> None:
    """It is known by its folder, comes to its end, and the next request starts its own Ansible."""
    stage = Stage(folder=tmp_path)
    inventory = stage.inventory({"here": local()})
    executor = stage.executor(stage.runbook(RUNBOOK), inventory, given={"word": "given"})
    executor.starter = starter
    request = FixRequest(id=request_id(), fix="linger", hosts=("here",))

    def kill_and_stop(invocation: Invocation, told: Told) -> None:
        until(lambda: bool(told.reports))  # It has begun to act.
        os.kill(_process_of(starter), signal.SIGKILL)
        until(lambda: not starter.is_running())
        assert executor.orphan(request.id)
        invocation.cancel()

    told = carry_out(executor, request, meanwhile=kill_and_stop)

    assert told.acted("here").acted is Acted.UNKNOWN
    assert told.ended.ending is Ending.CANCELLED
    until(lambda: not is_at_work(request.id))
    assert carry_out(executor, observe("told")).result("here", "told") is CheckResult.PASSED


def test_what_is_cancelled_before_ansible_is_there_never_begins(tmp_path: Path) -> None:
    """A request that waits for the imports is over at once, and is not done afterwards."""
    stage = Stage(folder=tmp_path)
    inventory = stage.inventory({"here": local()})
    executor = stage.executor(stage.runbook(RUNBOOK), inventory, given={"word": "given"})
    with closing(Starter.start()) as starter:
        executor.starter = starter
        request = FixRequest(id=request_id(), fix="linger", hosts=("here",))
        told = carry_out(executor, request, meanwhile=lambda invocation, _: invocation.cancel())

        assert told.acted("here").acted is Acted.WITHHELD
        assert carry_out(executor, observe("told")).result("here", "told") is CheckResult.PASSED
        assert not is_at_work(request.id)


def test_the_inventory_is_read_while_it_is_not_known_yet_what_is_asked(
    tmp_path: Path, starter: Starter
) -> None:
    """What was begun ahead does the first look, and nothing of it is left where nobody looks."""
    stage = Stage(folder=tmp_path)
    read = tmp_path / "read"
    script = tmp_path / "hosts.sh"
    hosts = {"all": {"hosts": ["here"]}, "_meta": {"hostvars": {"here": local()}}}
    script.write_text(f"#!/bin/sh\necho once >> {read}\ncat <<'END'\n{json.dumps(hosts)}\nEND\n")
    script.chmod(0o700)
    executor = stage.executor(stage.runbook(RUNBOOK), str(script), given={"word": "given"})
    executor.starter = starter

    with executor.begun_ahead():
        until(read.exists)
        [ahead] = _begun_ahead()
        assert is_at_work(ahead)
        assert carry_out(executor, observe("told")).result("here", "told") is CheckResult.PASSED
        assert read.read_text() == "once\n"
        assert carry_out(executor, observe("told")).result("here", "told") is CheckResult.PASSED
        assert read.read_text() == "once\nonce\n"
    with executor.begun_ahead():
        until(lambda: read.read_text().count("once") == 3)
        [ahead] = _begun_ahead()

    assert not _begun_ahead()
    assert not is_at_work(ahead)


def test_what_could_not_be_begun_ahead_is_begun_when_it_is_asked(
    tmp_path: Path, starter: Starter
) -> None:
    """Where the starter's pipe takes nothing just then, nothing is left, and the look is done later."""
    stage = Stage(folder=tmp_path)
    executor = stage.executor(
        stage.runbook(RUNBOOK), stage.inventory({"here": local()}), given={"word": "given"}
    )
    lent = _Busy(folder=starter.workspace.folder, config=None)
    executor.starter = lent
    until(lent.is_running)

    with executor.begun_ahead():
        assert len(lent.refused) == 1
        assert not _begun_ahead()
        assert carry_out(executor, observe("told")).result("here", "told") is CheckResult.PASSED


def test_what_was_begun_ahead_ends_with_who_would_have_asked(
    tmp_path: Path, starter: Starter
) -> None:
    """After a kill of the driver Ansible, which waits for what is asked, ends by itself."""
    program = (
        "import sys, time\n"
        "from pathlib import Path\n"
        "from runbook.executor.ansible import AnsibleExecutor\n"
        "from runbook.executor.lent import LentStarter\n"
        "from runbook.executor.target import Target\n"
        "from runbook.spec.library import load\n"
        "runbook, inventory, starter = sys.argv[1:]\n"
        "executor = AnsibleExecutor(\n"
        "    runbook=load(runbook, []), target=Target(inventories=(inventory,)), run='run-1',\n"
        "    starter=LentStarter(folder=Path(starter), config=None),\n"
        ")\n"
        "with executor.begun_ahead():\n"
        "    time.sleep(60)\n"
    )
    stage = Stage(folder=tmp_path)
    stage.runbook(RUNBOOK)
    inventory = stage.inventory({"here": local()})
    until(LentStarter(folder=starter.workspace.folder, config=None).is_running)
    words = (str(tmp_path / "started.yml"), inventory, str(starter.workspace.folder))
    with subprocess.Popen([sys.executable, "-c", program, *words]) as driver:
        until(lambda: any(map(is_at_work, _begun_ahead())))
        [ahead] = _begun_ahead()
        driver.kill()

    until(lambda: not is_at_work(ahead))
    # It is noted there how it ended, which may be just now.
    until((base_folder() / ahead / ENDED_FILE).exists)
    shutil.rmtree(base_folder() / ahead)


def test_it_does_not_outlive_who_started_it() -> None:
    """After a kill of the driver it ends by itself, whether it waits already or not."""
    program = (
        "import sys, time\n"
        "from runbook.executor.runner import Starter\n"
        "print(Starter.start().workspace.folder, flush=True)\n"
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
        starter = Starter.start()
        name = starter.workspace.folder.name
        if waits:
            until(lambda name=name: is_at_work(name))  # type: ignore[misc]
        closed_at = time.monotonic()
        starter.close()
        took_s.append(time.monotonic() - closed_at)

        assert not starter.workspace.folder.exists()
        assert not is_at_work(name)
    assert min(took_s) < 2


def _begun_ahead() -> set[str]:
    """Return the names of what was begun ahead in this test's own place."""
    return {path.name for path in base_folder().iterdir() if "-ahead-" in path.name}


def _process_of(starter: Starter) -> int:
    """Return the id of the process itself, not of one that was forked from it."""
    name = os.fsencode(starter.workspace.folder.name)
    for process in Path("/proc").glob("[0-9]*"):
        with suppress(OSError):
            parent = int((process / "stat").read_text().rpartition(")")[2].split()[1])
            if parent == os.getpid() and name in (process / "cmdline").read_bytes():
                return int(process.name)
    raise AssertionError(starter)
