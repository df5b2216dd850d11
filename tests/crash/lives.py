"""One life of the program: from its start to its end, or to the moment at which it is killed.

A life is a process of its own that drives the real loop over the real journal, and dies by SIGKILL:
at a boundary that it counts itself to, or whenever its parent likes. What it passes, and what the
journal acknowledges, it notes in a file beside its state, as an observer outside would.
"""

import multiprocessing
import os
import signal
import sys
import time
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import AbstractContextManager, closing, contextmanager, nullcontext
from dataclasses import dataclass, field
from enum import StrEnum
from itertools import count
from multiprocessing.process import BaseProcess
from pathlib import Path
from sqlite3 import Connection

from runbook.driver.launch import Setting, abandon, begin_run, drive, new_run_id, resume_run
from runbook.driver.loop import Driver
from runbook.driver.observer import Silent
from runbook.driver.operator import ApprovingOperator
from runbook.errors import RunbookError
from runbook.journal import Conflict, Entry, RunFilter
from runbook.journal.sqlite import SqliteJournal
from runbook.journal.sqlite_file import connect
from runbook.model.event import Event, FixEnded, FixIntended, Mode, RunStarted
from runbook.model.masking import mask_value
from runbook.model.verdict import exit_code
from tests.crash.hosts import RUNBOOK, FolderExecutor

KILLED = -signal.SIGKILL

_PATIENCE_S = 120.0
_LIVES = multiprocessing.get_context("forkserver")


class Build(StrEnum):
    """How the program is built: soundly, or with a defect that has to be noticed."""

    SOUND = "sound"
    DEFERS = "puts on disk what it acknowledged only with its next write"
    FORGETS = "does not know at its resume which fix it had begun"
    LETS_IN = "gives hosts to everybody who asks"


@dataclass(frozen=True, kw_only=True, slots=True)
class Life:
    """A life to live in the folder `home`, with the hosts that are in it.

    It dies as it passes its boundary `dies_at`, counted from 1, and `spoil` is called with the
    journal's path as it passes `spoils_at`, a boundary or a stage; it is stopped (SIGSTOP) as it passes the stage `stops_at`
    for the first time. None is never. Each fix takes `takes_s`; `clock` gives
    POSIX seconds. Others' writes are waited for `busy_s`, and others' runs `wait_s`. One that
    `contends` begins a run of its own, whatever runs there are.
    """

    home: Path
    build: Build = Build.SOUND
    dies_at: int | None = None
    stops_at: str | None = None
    takes_s: float = 0.02
    spoils_at: int | str | None = None
    spoil: Callable[[Path], None] | None = None
    clock: Callable[[], float] = time.time
    busy_s: float = 20.0
    wait_s: float = 0.0
    contends: bool = False

    @property
    def hosts(self) -> Path:
        """Where its hosts are."""
        return self.home / "hosts"

    @property
    def journal(self) -> Path:
        """Where its journal is."""
        return self.home / "state" / "journal.sqlite"

    @property
    def notes(self) -> Path:
        """What the observer wrote."""
        return self.home / "notes"

    @property
    def said(self) -> Path:
        """What it said on its standard error."""
        return self.home / "said"


def spawn(life: Life) -> BaseProcess:
    """Begin a life."""
    _LIVES.set_forkserver_preload([__name__])
    process = _LIVES.Process(target=_live, args=(life,))
    process.start()
    return process


def await_end(process: BaseProcess, *, kill_after_s: float | None = None) -> int:
    """Wait for a life's end, or for some seconds and kill it; return how it ended."""
    process.join(_PATIENCE_S if kill_after_s is None else kill_after_s)
    process.kill()
    process.join()
    assert process.exitcode is not None
    return process.exitcode


@dataclass(frozen=True, kw_only=True, slots=True)
class Wrote:
    """An entry that the journal said was on disk."""

    run: str
    seq: int
    hash: str


def acknowledged(home: Path) -> list[Wrote]:
    """Return what the journal acknowledged in all lives so far."""
    written = [words for kind, *words in _notes(home) if kind == "wrote"]
    return [Wrote(run=run, seq=int(seq), hash=digest) for run, seq, digest in written]


def passed(home: Path) -> list[str]:
    """Return the boundaries that were passed in all lives so far."""
    return [stage for kind, stage, *_ in _notes(home) if kind == "passed"]


def _notes(home: Path) -> Iterator[list[str]]:
    path = Life(home=home).notes
    text = path.read_text() if path.exists() else ""
    yield from (line.split("\t") for line in text.splitlines())


@dataclass(kw_only=True)
class Observer:
    """Notes the boundaries of a life and what it was told is written, and ends it at one of them."""

    life: Life
    at_rest: AbstractContextManager[object] = field(default_factory=nullcontext)
    _count: Iterator[int] = field(default_factory=lambda: count(1))
    _stopped: bool = False
    _file: int = -1

    def __post_init__(self) -> None:
        self._file = os.open(self.life.notes, os.O_WRONLY | os.O_APPEND | os.O_CREAT, 0o600)

    def passed(self, stage: str) -> None:
        """Note a boundary; a life whose time has come ends here."""
        number = next(self._count)
        os.write(self._file, f"passed\t{stage}\n".encode())
        if number == self.life.dies_at:
            os.kill(os.getpid(), signal.SIGKILL)
        if stage == self.life.stops_at and not self._stopped:
            self._stopped = True
            os.kill(os.getpid(), signal.SIGSTOP)
        if self.life.spoils_at in (number, stage) and self.life.spoil is not None:
            # Not in the midst of another thread's sync: ext4 may take one for done that its own end cut off.
            with self.at_rest:
                self.life.spoil(self.life.journal)

    def wrote(self, entry: Entry) -> None:
        """Note an entry that the journal says is on disk."""
        os.write(self._file, f"wrote\t{entry.run}\t{entry.seq}\t{entry.hash}\n".encode())


class WatchedJournal(SqliteJournal):
    """The journal, of whose writes every statement is a boundary."""

    def __init__(self, life: Life, observer: Observer) -> None:
        super().__init__(connect(life.journal, life.busy_s), life.journal, mask_value)
        self._observer = observer
        observer.at_rest = self._lock
        self._build = life.build
        self._doing = ""
        self._is_writing = False
        self._connection.set_trace_callback(self._on_statement)

    def _on_statement(self, statement: str) -> None:
        word = statement.split(maxsplit=1)[0]
        if self._is_writing and word != "PRAGMA":  # Which writes nothing.
            self._observer.passed(f"{self._doing}: {word}")

    @contextmanager
    def _writing(self) -> Iterator[Connection]:
        self._doing = self._doing or "run and hosts"
        self._is_writing = True
        try:
            with super()._writing() as connection:
                yield connection
            self._observer.passed(f"{self._doing}: written")
        finally:
            self._is_writing, self._doing = False, ""

    @contextmanager
    def _transaction(self, statement: str) -> Iterator[Connection]:
        if self._build is not Build.DEFERS:
            with super()._transaction(statement) as connection:
                yield connection
            return
        if self._is_writing:
            self._commit()
            self._connection.execute(statement)
        yield self._connection

    def close(self) -> None:
        """Let go of the file."""
        self._commit()
        super().close()

    def _commit(self) -> None:
        if self._connection.in_transaction:
            self._connection.execute("COMMIT")

    def append(self, run: str, events: Sequence[Event], *, at: float, who: str) -> None:
        """Write events, and have the observer know of them once they are on disk."""
        with self._reading() as connection:
            head, _ = self._head(connection, run)
        self._doing = type(events[-1]).__name__
        super().append(run, events, at=at, who=who)
        for entry in super().entries(run, after=head.seq):
            self._observer.wrote(entry)

    def claim(self, run: str, hosts: Iterable[str], *, at: float) -> Conflict | None:
        """Hold hosts, or be told who does."""
        return None if self._build is Build.LETS_IN else super().claim(run, hosts, at=at)

    def entries(self, run: str, *, after: int = 0) -> Iterator[Entry]:
        """Yield entries; all of them, where this is the journal as it is."""
        entries = list(super().entries(run, after=after))
        if self._build is not Build.FORGETS:
            return iter(entries)
        open_fixes: dict[str, int] = {}
        for entry in entries:
            match entry.event:
                case FixIntended(host=host):
                    open_fixes[host] = entry.seq
                case FixEnded(host=host):
                    open_fixes.pop(host, None)
        return (entry for entry in entries if entry.seq not in open_fixes.values())


def _live(life: Life) -> None:
    """Live; what is left to do by earlier lives is gone on with."""
    sys.stderr = life.said.open("a", buffering=1)
    observer = Observer(life=life)
    try:
        with closing(WatchedJournal(life, observer)) as journal:
            sys.exit(_drive(life, journal, observer))
    except RunbookError as error:
        print(error.render(), file=sys.stderr)
        sys.exit(error.exit_code)


def _drive(life: Life, journal: WatchedJournal, observer: Observer) -> int:
    """Begin a run, or resume the one there is; return the exit code."""
    executor = FolderExecutor(
        folder=life.hosts, clock=life.clock, passed=observer.passed, takes_s=life.takes_s
    )
    setting = Setting(
        runbook=RUNBOOK,
        executor=executor,
        journal=journal,
        operator=ApprovingOperator(name="ann"),
        observer=Silent(),
        closure=lambda: "the closure",
        clock=life.clock,
        gather_s=0.0,
        wait_s=life.wait_s,
    )
    if life.contends:
        return exit_code(drive(_begin(setting), "all"))
    for run in journal.runs(RunFilter(limit=None)):
        if run.verdict is None and not list(journal.entries(run.id)):
            # It was killed before its beginning was written: there is nothing to go on with.
            abandon(run, journal, who="ann", reason="", at_work=executor.orphan)
        elif run.verdict is None:
            return exit_code(drive(resume_run(run, setting), "all"))
        elif run.hosts:
            return exit_code(run.verdict)
    return exit_code(drive(_begin(setting), "all"))


def _begin(setting: Setting) -> Driver:
    started = RunStarted(
        runbook=RUNBOOK.name, closure="the closure", pattern="all", mode=Mode.RUN, operator="ann"
    )
    return begin_run(new_run_id(time.time()), setting, started)
