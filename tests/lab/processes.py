"""Processes as the kernel shows them in `/proc`."""

import os
import signal
import time
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Self

from runbook.errors import RunbookError


@dataclass(frozen=True, kw_only=True, slots=True)
class Process:
    """A process that cannot be mistaken for a later one of the same id.

    `started` is the time of its start, in clock ticks since the machine's.
    """

    pid: int
    started: int

    @classmethod
    def of(cls, pid: int) -> Self:
        """Return the process that has this id now; raises `lab-process-gone`."""
        fields = _stat(pid)
        if fields is None:
            raise RunbookError.of("lab-process-gone", f"there is no process {pid}")
        return cls(pid=pid, started=int(fields[19]))

    @property
    def is_alive(self) -> bool:
        """Whether it still holds anything.

        A zombie does not. Whoever has to collect it may take long to do so.
        """
        fields = _stat(self.pid)
        return fields is not None and fields[0] not in "ZX" and int(fields[19]) == self.started

    def kill(self) -> None:
        """End it at once and wait until it is gone; raises `lab-process-stays`."""
        if self.is_alive:
            with suppress(ProcessLookupError):
                os.kill(self.pid, signal.SIGKILL)
        wait_until(lambda: not self.is_alive, f"process {self.pid} does not end", within_s=60.0)
        with suppress(ChildProcessError):  # somebody else's child, or collected already
            os.waitpid(self.pid, os.WNOHANG)


def spawn(arguments: list[str], console: Path, *, stdout: int | None = None) -> Process:
    """Start a program in a session of its own; what it prints is appended to `console`.

    Whoever kills it collects it: unlike a `Popen`, it may outlive whoever started it.
    """
    appending = os.O_WRONLY | os.O_APPEND | os.O_CREAT | os.O_CLOEXEC
    printed = os.open(console, appending, 0o600)
    try:
        pid = os.posix_spawnp(
            arguments[0],
            arguments,
            os.environ,
            file_actions=[
                (os.POSIX_SPAWN_OPEN, 0, os.devnull, os.O_RDONLY, 0),
                (os.POSIX_SPAWN_DUP2, printed if stdout is None else stdout, 1),
                (os.POSIX_SPAWN_DUP2, printed, 2),
            ],
            setsid=True,
        )
    finally:
        os.close(printed)
    return Process.of(pid)


def first_child(parent: Process) -> Process | None:
    """Return the oldest child of a process; None if it has none."""
    try:
        children = Path(f"/proc/{parent.pid}/task/{parent.pid}/children").read_text().split()
    except OSError:
        return None
    return Process.of(int(children[0])) if children else None


def in_network(inode: int, mark: str) -> list[Process]:
    """Return the living processes in a network namespace that have `mark` in their environment.

    The inode number alone would not do: it is used again once the namespace is gone.
    """
    found = []
    for entry in os.listdir("/proc"):  # noqa: PTH208 - names, not paths
        if not entry.isdigit():
            continue
        folder = Path("/proc", entry)
        with suppress(OSError, RunbookError):  # it ended meanwhile
            environment = (folder / "environ").read_bytes().split(b"\0")
            if mark.encode() in environment and (folder / "ns/net").stat().st_ino == inode:
                found.append(Process.of(int(entry)))
    return [process for process in found if process.is_alive]


def wait_until(true: Callable[[], bool], complaint: str, *, within_s: float) -> None:
    """Wait for something to become true; raises `lab-process-stays` with the complaint."""
    deadline = time.monotonic() + within_s
    while not true():
        if time.monotonic() > deadline:
            raise RunbookError.of("lab-process-stays", f"{complaint}, after {within_s:g} s")
        time.sleep(0.01)


def _stat(pid: int) -> list[str] | None:
    """Return the fields of a process's `stat` from the third (its state) on."""
    try:
        text = Path(f"/proc/{pid}/stat").read_text()
    except OSError:
        return None
    return text.rpartition(")")[2].split()
