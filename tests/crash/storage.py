"""Ways in which the place of a journal fails, from one moment on, in the process that writes to it.

None is pretended: the kernel refuses what SQLite asks it for.
"""

import os
import resource
import sqlite3
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path

_locks: list[sqlite3.Connection] = []


def fill_the_disk(journal: Path) -> None:
    """Have every write end as on a full disk (ENOSPC; full(4))."""
    _instead_of_the_log(journal, "/dev/full", os.O_RDWR)


def refuse_writes(journal: Path) -> None:
    """Have every write refused, as where the file system became read-only (here by EBADF)."""
    _instead_of_the_log(journal, _log(journal), os.O_RDONLY)


def lose_what_is_synced(journal: Path) -> None:
    """Have writes taken and their sync fail, as a disk does that breaks (fsync(2), null(4))."""
    _instead_of_the_log(journal, "/dev/null", os.O_RDWR)


def limit_its_size(journal: Path) -> None:
    """Have the log grow no further (EFBIG; setrlimit(2)): an input/output error to SQLite."""
    _, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (Path(_log(journal)).stat().st_size, hard))


def lock_it(journal: Path) -> None:
    """Have somebody else write, for longer than anybody waits."""
    other = sqlite3.connect(journal, isolation_level=None, timeout=0)
    with suppress(sqlite3.OperationalError):  # We are writing at this very moment.
        other.execute("BEGIN IMMEDIATE")
    _locks.append(other)


FAULTS: tuple[Callable[[Path], None], ...] = (
    fill_the_disk,
    refuse_writes,
    lose_what_is_synced,
    limit_its_size,
    lock_it,
)


def _log(journal: Path) -> str:
    return f"{journal}-wal"


def _instead_of_the_log(journal: Path, path: str, flags: int) -> None:
    """Put another file where this process has the write-ahead log open."""
    other = os.open(path, flags)
    for link in Path("/proc/self/fd").iterdir():
        if os.path.realpath(link) == _log(journal):
            os.dup2(other, int(link.name))
    os.close(other)
