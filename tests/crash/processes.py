"""The real program with real Ansible: it, or a process that it started, is killed at any moment."""

import os
import random
import signal
import subprocess
import tempfile
import time
from collections.abc import Iterator
from contextlib import closing, suppress
from enum import StrEnum
from pathlib import Path

from runbook.errors import RunbookError
from runbook.journal import RunFilter
from runbook.journal.sqlite import open_journal
from runbook.model.event import Event, FixApproved, FixIntended
from tests.acceptance.counted_fix import lay_out
from tests.acceptance.program import PATIENCE_S, Finished, Program, wait_until
from tests.crash.matrix import Played

RUN = ("run", "counted-fix", "-i", "inventory.yml", "--host", "alive", "--yes", "--json")
ENTRIES = 11
"""How many entries a run has that nothing disturbs, but for its last one."""


class Victim(StrEnum):
    """What is killed."""

    PROGRAM = "the program"
    STARTER = "the process that Ansible is forked from"
    ANSIBLE = "ansible-playbook"
    WORKER = "a worker of ansible-playbook"


def play_seed(victim: Victim, seed: int) -> Played:
    """Kill a victim at a moment that the seed chooses, in a folder that is gone afterwards."""
    with tempfile.TemporaryDirectory() as folder:
        return play(Path(folder), victim, seed)


def play(folder: Path, victim: Victim, seed: int) -> Played:
    """Kill a victim at a moment that the seed chooses; go on, and judge what is left."""
    moments = random.Random(seed)
    # What is killed besides the program is there between the first look and the last one.
    entries = moments.randrange(1, ENTRIES) if victim is Victim.PROGRAM else moments.choice((1, 7))
    more_s = moments.uniform(0, 0.6)
    (folder / "run").mkdir(mode=0o700)
    lay_out(folder, alive={"ansible_connection": "local"})
    environment = {"XDG_RUNTIME_DIR": str(folder / "run")}
    program = Program(home=folder / "home", folder=folder, environment=environment)
    with program.started(*RUN, "--set", "takes=1") as running:
        wait_until(lambda: running.poll() is not None or len(_events(program)) >= entries)
        wait_until(lambda: running.poll() is not None or _find(victim, running, folder))
        time.sleep(more_s)
        stage = f"after {len(_events(program))} entries"
        killed = _kill(victim, running, folder)
        said, told = running.communicate(timeout=PATIENCE_S)
    done = Finished(code=running.returncode, stdout=said, stderr=told)
    wrong = list(_judge(program, victim, done)) if killed else []
    return Played(stages=(stage,) if killed else (), wrong=tuple(wrong))


def _judge(program: Program, victim: Victim, done: Finished) -> Iterator[str]:
    """Go on with the run where it stopped, else begin another, and compare with what was approved."""
    if "Traceback" in done.stderr:
        yield done.stderr
    if victim is not Victim.PROGRAM:
        yield from _judge_survivor(done)
    unfinished = done.code == -signal.SIGKILL and _events(program)
    again = program("resume", "last", "--yes", "--json") if unfinished else program(*RUN)
    if again.code != 0:
        yield f"going on ended with {again.code}: {again.stdout} {again.stderr}"
    elif unfinished and again.document["hosts"]["alive"]["verdict"] != "resolved":
        yield f"the verdict is not that of a run that nothing disturbs: {again.stdout}"
    elif not (program.folder / "alive.flag").exists():
        yield "the host is not mended"
    events = _events(program)
    counter = program.folder / "alive.counter"
    begun = len(counter.read_text()) if counter.exists() else 0
    intended = sum(isinstance(event, FixIntended) for event in events)
    approved = sum(isinstance(event, FixApproved) for event in events)
    if not begun <= intended <= approved:
        yield f"begun {begun} times, intended {intended} times, approved {approved} times"
    with closing(open_journal(program.home / "journal.sqlite")) as journal:
        if journal.claims():
            yield "the host is still held"


def _judge_survivor(done: Finished) -> Iterator[str]:
    """Hold the program, which lives, to saying how its run came out, or that it could not begin."""
    host = done.document.get("hosts", {}).get("alive")
    if host is None:
        if done.code != 2 or "ansible-unusable" not in done.stdout + done.stderr:
            yield f"exit code {done.code}: {done.stdout} {done.stderr}"
    elif done.code not in (0, 1, 3, 4) or not (host["verdict"] == "resolved" or host["reason"]):
        yield f"exit code {done.code}: {host}; {done.stderr}"


def _events(program: Program) -> list[Event]:
    """Return what is in the journal by now, of all runs; its chains have to hold."""
    path = program.home / "journal.sqlite"
    if not path.exists():
        return []
    with suppress(RunbookError), closing(open_journal(path)) as journal:
        runs = journal.runs(RunFilter(limit=None))
        return [
            entry.event
            for run in runs
            if journal.verify(run.id)
            for entry in journal.entries(run.id)
        ]
    return []


def _kill(victim: Victim, running: "subprocess.Popen[str]", folder: Path) -> bool:
    """Kill it; say whether it was there to be killed."""
    if running.poll() is not None:
        return False
    pid = _find(victim, running, folder)
    if pid is not None:
        with suppress(ProcessLookupError):
            os.kill(pid, signal.SIGKILL)
    return pid is not None


def _find(victim: Victim, running: "subprocess.Popen[str]", folder: Path) -> int | None:
    """Return the victim's process id, each victim being started by the one before it."""
    chosen = [running.pid]
    for _ in range(list(Victim).index(victim)):
        chosen = [pid for pid, parent in _started_in(folder) if parent in chosen]
    return next(iter(chosen), None)


def _started_in(folder: Path) -> Iterator[tuple[int, int]]:
    """Yield the processes of Ansible that work in a folder, each with its parent."""
    for process in Path("/proc").glob("[0-9]*"):
        with suppress(OSError, IndexError):
            if os.fsencode(folder / "run") in (process / "cmdline").read_bytes():
                stat = (process / "stat").read_text().rpartition(")")[2].split()
                yield int(process.name), int(stat[1])
