"""Running the real program, as a person or another program would."""

import json
import os
import pty
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import closing, contextmanager
from dataclasses import dataclass, field
from fcntl import ioctl
from pathlib import Path
from struct import pack
from termios import TIOCSCTTY, TIOCSWINSZ
from typing import Any, TypeVar

from pexpect.fdpexpect import fdspawn

from runbook.journal import RunFilter
from runbook.journal.sqlite import open_journal
from runbook.model.event import Event

_T = TypeVar("_T")

PATIENCE_S = 300.0
"""Nothing that is waited for takes longer, however busy the machine is."""

PROGRAM = (sys.executable, "-W", "error", "-m", "runbook")

ON_A_SMALL_DISK = (
    "unshare",
    "--map-root-user",
    "--mount",
    "sh",
    "-c",
    'mount -t tmpfs -o size="$1" small "$2" && shift 2 && exec "$@"',
    "sh",
)
"""Followed by a size and a folder: what comes after sees a disk of that size there."""


@dataclass(frozen=True, kw_only=True)
class Finished:
    """What a finished program said."""

    code: int
    stdout: str
    stderr: str

    @property
    def document(self) -> dict[str, Any]:
        """Its standard output as the one JSON document it must be."""
        data = json.loads(self.stdout)
        assert isinstance(data, dict)
        return data


@dataclass(frozen=True, kw_only=True)
class Program:
    """The program with a home of its own, called in `folder`."""

    home: Path
    folder: Path
    environment: Mapping[str, str] = field(default_factory=dict)
    before: tuple[str, ...] = ()

    def _environment(self) -> dict[str, str]:
        kept = {
            name: value
            for name, value in os.environ.items()
            # The size that the tests' own terminal has is not that of the program's.
            if not name.startswith(("RUNBOOK_", "ANSIBLE_", "XDG_", "COLUMNS", "LINES"))
            and name != "CI"  # Whoever types in a test is a person.
        }
        return {**kept, "RUNBOOK_HOME": str(self.home), **self.environment}

    def __call__(self, *arguments: str, timeout_s: float = PATIENCE_S) -> Finished:
        """Run to the end, without a terminal."""
        done = subprocess.run(
            [*self.before, *PROGRAM, *arguments],
            cwd=self.folder,
            env=self._environment(),
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            timeout=timeout_s,
            check=False,
        )
        return Finished(code=done.returncode, stdout=done.stdout, stderr=done.stderr)

    def events(self) -> list[Event]:
        """Return what the journal tells of the last run."""
        with closing(open_journal(self.home / "journal.sqlite")) as journal:
            (run,) = journal.runs(RunFilter(limit=1))
            return [entry.event for entry in journal.entries(run.id)]

    @contextmanager
    def started(self, *arguments: str) -> Iterator[subprocess.Popen[str]]:
        """Start without a terminal; whatever happens, it is over in the end."""
        process = subprocess.Popen(
            [*self.before, *PROGRAM, *arguments],
            cwd=self.folder,
            env=self._environment(),
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )
        try:
            yield process
        except BaseException:
            process.kill()
            print(*process.communicate(), sep="\n")  # For whoever reads why the test failed.
            raise
        finally:
            if process.poll() is None:
                kill(process)

    @contextmanager
    def at_terminal(
        self, *arguments: str, term: str = "dumb", rows: int = 50, columns: int = 120
    ) -> Iterator[tuple[subprocess.Popen[bytes], fdspawn]]:
        """Start at a terminal of its own, for a test that reads and types there, Ctrl-C too."""
        ours, theirs = pty.openpty()
        resize(theirs, rows, columns)
        process = subprocess.Popen(
            [*PROGRAM, *arguments],
            cwd=self.folder,
            env={**self._environment(), "TERM": term},
            stdin=theirs,
            stdout=theirs,
            stderr=theirs,
            start_new_session=True,
            # Else no Ctrl-C that is typed there would reach it.
            preexec_fn=lambda: ioctl(0, TIOCSCTTY, 0),  # noqa: PLW1509 -- it takes no lock
        )
        os.close(theirs)
        terminal = fdspawn(ours, timeout=PATIENCE_S, encoding="utf-8")
        try:
            yield process, terminal
        finally:
            process.kill()
            process.wait()
            terminal.close()


def resize(terminal: int, rows: int, columns: int) -> None:
    """Give a pseudo-terminal another size."""
    ioctl(terminal, TIOCSWINSZ, pack("HHHH", rows, columns, 0, 0))


def wait_until(true: Callable[[], object], *, within_s: float = PATIENCE_S) -> None:
    """Wait for something to become true; fail if it does not."""
    first_of(lambda: true() or None, within_s=within_s)


def first_of(get: Callable[[], _T | None], *, within_s: float = PATIENCE_S) -> _T:
    """Wait for something to be there and return it; fail if it never is."""
    deadline = time.monotonic() + within_s
    while (found := get()) is None:
        assert time.monotonic() < deadline, "it did not come about in time"
        time.sleep(0.02)
    return found


def kill(process: subprocess.Popen[str]) -> None:
    """Kill a program of ours as a power cut would, and reap it."""
    process.send_signal(signal.SIGKILL)
    process.communicate()
