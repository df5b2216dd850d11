"""The real program with real Ansible: it, or something that it needs, is killed at any moment.

`play` repairs a host, kills at a moment that a seed chooses, goes on as an operator would, and judges
what is left. Where that host is, and what can be killed there, a `Ground` knows.
"""

import os
import random
import signal
import subprocess
import tempfile
import time
from collections import Counter
from collections.abc import Callable, Iterable, Iterator
from contextlib import closing, suppress
from dataclasses import dataclass
from enum import StrEnum
from functools import partial
from pathlib import Path
from typing import Protocol

from runbook.errors import RunbookError
from runbook.journal import Entry, RunFilter
from runbook.journal.sqlite import SqliteJournal, open_journal
from runbook.model.event import FixApproved, FixIntended, RunFinished, UndoIntended
from tests.acceptance.counted_fix import lay_out
from tests.acceptance.program import PATIENCE_S, Finished, Program, kill, wait_until
from tests.crash.matrix import Played

TAKES_S = 1
"""How long the fix takes, and its undo."""

ENTRIES = 11
"""How many entries a run has that nothing disturbs, but for its last one."""


class Victim(StrEnum):
    """What is killed."""

    PROGRAM = "the program"
    STARTER = "the process that Ansible is forked from"
    ANSIBLE = "ansible-playbook"
    WORKER = "a worker of ansible-playbook"
    CONNECTION = "the ssh connection"
    SSHD = "the host's sshd"
    HOST = "the host"
    ASLEEP = "all connections, while the controller sleeps"


class During(StrEnum):
    """What is going on meanwhile."""

    RUN = "run"
    RESUME = "resume"
    UNDO = "undo"


Blow = Callable[[], object]
"""Kills what it was aimed at."""


class Ground(Protocol):
    """A host on which the fix of `counted-fix` and its undo are counted, and how it is reached."""

    @property
    def program(self) -> Program:
        """The program, with a home of its own."""

    @property
    def arguments(self) -> tuple[str, ...]:
        """The arguments that name the runbook, the inventory and the host."""

    def find(self, victim: Victim, running: "subprocess.Popen[str]") -> Blow | None:
        """Return what kills a victim, None where it is not there now."""

    def is_mended(self) -> bool:
        """Say whether the file is there that the fix makes."""

    def begun(self, *, undo: bool = False) -> int:
        """Return how often the host saw the fix begin, or its undo."""

    def let_go(self) -> bool:
        """Wait until nothing is at work there, and remove a lease that is left; say if one was."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Folder:
    """A host that is a folder of this machine; Ansible needs no connection to it."""

    folder: Path

    @property
    def program(self) -> Program:
        """The program, with a home of its own."""
        environment = {"XDG_RUNTIME_DIR": str(self.folder / "run")}
        return Program(home=self.folder / "home", folder=self.folder, environment=environment)

    @property
    def arguments(self) -> tuple[str, ...]:
        """The arguments that name the runbook, the inventory and the host."""
        return ("counted-fix", "-i", "inventory.yml", "--host", "alive")

    def lay_out(self) -> None:
        """Make the host, which is not as it should be."""
        (self.folder / "run").mkdir(mode=0o700)
        lay_out(self.folder, alive={"ansible_connection": "local"})

    def find(self, victim: Victim, running: "subprocess.Popen[str]") -> Blow | None:
        """Return what kills a victim, None where it is not there now."""
        return aim_at_started(victim, running, self.folder / "run")

    def is_mended(self) -> bool:
        """Say whether the file is there that the fix makes."""
        return (self.folder / "alive.flag").exists()

    def begun(self, *, undo: bool = False) -> int:
        """Return how often the host saw the fix begin, or its undo."""
        counter = self.folder / ("alive.counter-undo" if undo else "alive.counter")
        return len(counter.read_text()) if counter.exists() else 0

    def let_go(self) -> bool:
        """Wait until nothing is at work there, and remove a lease that is left; say if one was."""
        wait_until(lambda: not list(_started_in(self.folder / "run")))
        lease = self.folder / "alive.lease"
        left = lease.exists()
        lease.unlink(missing_ok=True)
        return left


def play_seed(victim: Victim, seed: int, during: During = During.RUN) -> Played:
    """Play on a host of this machine, in a folder that is gone afterwards."""
    with tempfile.TemporaryDirectory() as folder:
        ground = Folder(folder=Path(folder))
        ground.lay_out()
        return play(ground, victim, during, seed)


def play(ground: Ground, victim: Victim, during: During, seed: int) -> Played:
    """Kill a victim at a moment that the seed chooses; go on, and judge what is left."""
    moments = random.Random(seed)
    killing = _Killing(ground=ground, victim=victim, during=during, moments=moments)
    killing.lead_up()
    done = killing.kill()
    if killing.stage is None:
        return Played(stages=(), wrong=())
    return Played(stages=(killing.stage,), wrong=tuple(killing.judge(done)))


@dataclass(kw_only=True)
class _Killing:
    """One kill: what leads up to it, itself, and what is made of it."""

    ground: Ground
    victim: Victim
    during: During
    moments: random.Random
    stage: str | None = None
    seen: tuple[Entry, ...] = ()

    @property
    def _run(self) -> tuple[str, ...]:
        return ("run", *self.ground.arguments, "--set", f"takes={TAKES_S}", *_UNASKED)

    def lead_up(self) -> None:
        """Have a run that can be undone, or one that can be resumed."""
        program = self.ground.program
        if self.during is During.UNDO:
            done = program(*self._run)
            assert done.code == 0, done
        elif self.during is During.RESUME:
            least = self.moments.randrange(2, 7)
            with program.started(*self._run) as running:
                wait_until(lambda: len(entries(program)) >= least)
                kill(running)

    def kill(self) -> Finished:
        """Start what is to be disturbed, and kill; return how it ended."""
        program = self.ground.program
        before = len(entries(program))
        more, more_s = self._moment()
        command = self._run if self.during is During.RUN else (self.during, "last", *_UNASKED)
        with program.started(*command) as running:

            def find() -> Blow | None:
                return self.ground.find(self.victim, running) if running.poll() is None else None

            wait_until(
                lambda: (
                    running.poll() is not None
                    or (len(entries(program)) >= before + more and find())
                )
            )
            time.sleep(more_s)
            self.seen = entries(program)
            blow = find()
            if blow is not None:
                self.stage = f"{self.during}: after {len(self.seen) - before} entries"
                blow()
            said, told = running.communicate(timeout=PATIENCE_S)
        return Finished(code=running.returncode, stdout=said, stderr=told)

    def _moment(self) -> tuple[int, float]:
        """Return after how many entries it is to be, and how many seconds after them."""
        entries = {
            # What is killed besides the program is there between the first look and the last one.
            During.RUN: range(1, ENTRIES) if self.victim is Victim.PROGRAM else (1, 7),
            During.RESUME: range(1, 5),
            During.UNDO: (0, 1),
        }[self.during]
        return self.moments.choice(entries), self.moments.uniform(0, 0.6)

    def judge(self, done: Finished) -> Iterator[str]:
        """Go on as an operator would, and compare what there is then with what was approved."""
        killed = done.code == -signal.SIGKILL
        if "Traceback" in done.stderr:
            yield done.stderr
        if not killed:
            yield from self._judge_survivor(done)
        yield from self._undo_again() if self.during is During.UNDO else self._go_on(killed=killed)
        try:
            yield from self._judge_record()
        except RunbookError as error:
            yield error.render()

    def _judge_survivor(self, done: Finished) -> Iterator[str]:
        """Hold the program, which lives, to saying how it came out, or that it could not begin."""
        said = f"exit code {done.code}: {done.stdout} {done.stderr}"
        if done.code == 2 and "ansible-unusable" in done.stdout + done.stderr:
            return
        if done.code not in (0, 1, 3, 4) or not done.stdout:
            yield said
        elif self.during is not During.UNDO:
            (host,) = done.document["hosts"].values()
            if host["verdict"] != "resolved" and not host["reason"]:
                yield said
        elif done.code == 0 and self.ground.is_mended():
            yield f"it is not undone: {said}"

    def _go_on(self, *, killed: bool) -> Iterator[str]:
        """Go on with the run where it stopped, else begin another."""
        program = self.ground.program
        written = [entry.event for entry in entries(program)]
        unfinished = killed and bool(written) and not isinstance(written[-1], RunFinished)
        if not unfinished:
            self.ground.let_go()
        again = program(*(("resume", "last", *_UNASKED) if unfinished else self._run))
        said = f"going on ended with {again.code}: {again.stdout} {again.stderr}"
        if again.code != 0:
            yield said
        elif unfinished and [one["verdict"] for one in again.document["hosts"].values()] != [
            "resolved"
        ]:
            yield f"the verdict is not that of a run that nothing disturbs: {said}"
        elif not self.ground.is_mended():
            yield "the host is not mended"

    def _undo_again(self) -> Iterator[str]:
        """Undo what is not undone yet, once what was left running is over."""
        while True:
            again = self.ground.program("undo", "last", *_UNASKED)
            said = f"undoing again ended with {again.code}: {again.stdout} {again.stderr}"
            if "error: still-at-work" not in again.stderr:
                break
        if self.ground.let_go() and again.code != 0:
            again = self.ground.program("undo", "last", *_UNASKED)
            said = f"undoing again ended with {again.code}: {again.stdout} {again.stderr}"
        if again.code != 0 and "error: nothing-to-undo" not in again.stderr:
            yield said
        elif self.ground.is_mended():
            yield f"it is not undone: {said}"

    def _judge_record(self) -> Iterator[str]:
        """Compare what the host saw with what was intended and approved, and with what was written."""
        program = self.ground.program
        with closing(open_journal(program.home / "journal.sqlite")) as journal:
            found = _entries(journal)
            if journal.claims():
                yield "the host is still held"
        places = {(entry.run, entry.seq, entry.hash) for entry in found}
        for entry in self.seen:
            if (entry.run, entry.seq, entry.hash) not in places:
                yield f"entry {entry.seq} of {entry.run} was there, and is lost"
        times = Counter(type(entry.event) for entry in found)
        begun, intended, approved = self.ground.begun(), times[FixIntended], times[FixApproved]
        if not begun <= intended <= approved:
            yield f"begun {begun} times, intended {intended} times, approved {approved} times"
        if self.ground.begun(undo=True) > times[UndoIntended]:
            yield f"undone {self.ground.begun(undo=True)} times, intended {times[UndoIntended]} times"


_UNASKED = ("--yes", "--json")


def entries(program: Program) -> tuple[Entry, ...]:
    """Return what is in the journal by now, of all runs; nothing while it is being made."""
    path = program.home / "journal.sqlite"
    if path.exists():
        with suppress(RunbookError), closing(open_journal(path)) as journal:
            return _entries(journal)
    return ()


def _entries(journal: SqliteJournal) -> tuple[Entry, ...]:
    """Return the entries of all runs, whose chains have to hold."""
    runs = [run.id for run in journal.runs(RunFilter(limit=None)) if journal.verify(run.id)]
    return tuple(entry for run in runs for entry in journal.entries(run))


def aim_at_started(victim: Victim, running: "subprocess.Popen[str]", place: Path) -> Blow | None:
    """Aim at the program, or at one of Ansible's processes, whose workspaces are in `place`.

    Each of them is started by the one before it.
    """
    chosen = [running.pid]
    for _ in range(_CHAIN.index(victim)):
        chosen = [pid for pid, parent in _started_in(place) if parent in chosen]
    return partial(kill_all, chosen[:1]) if chosen else None


_CHAIN = (Victim.PROGRAM, Victim.STARTER, Victim.ANSIBLE, Victim.WORKER)


def kill_all(pids: Iterable[int]) -> None:
    """Kill processes, as far as they are there."""
    for pid in pids:
        with suppress(ProcessLookupError):
            os.kill(pid, signal.SIGKILL)


def _started_in(place: Path) -> Iterator[tuple[int, int]]:
    """Yield the processes of Ansible that work in a place, each with its parent."""
    for process in Path("/proc").glob("[0-9]*"):
        with suppress(OSError, IndexError):
            if os.fsencode(place) in (process / "cmdline").read_bytes():
                stat = (process / "stat").read_text().rpartition(")")[2].split()
                yield int(process.name), int(stat[1])
