"""Ways in which the place of a journal fails, from one moment on, in the process that writes to it.

None is pretended: the kernel refuses what SQLite asks it for.
"""

import errno
import os
import resource
import sqlite3
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path

from tests.crash import seccomp

_WRITES = ("write", "pwrite64")
_SYNCS = ("fsync", "fdatasync")

_locks: list[sqlite3.Connection] = []


def fill_the_disk(journal: Path) -> None:
    """Have every write end as on a full disk (ENOSPC; full(4))."""
    _instead_of_the_log(journal, "/dev/full", os.O_RDWR)


def refuse_writes(journal: Path) -> None:
    """Have every write refused, as where the file system became read-only (EROFS)."""
    seccomp.answer(_WRITES, errno.EROFS, _open_logs(journal))


def break_the_disk(journal: Path) -> None:
    """Have every write and sync end with an input/output error, as where the disk is gone (EIO)."""
    seccomp.answer((*_WRITES, *_SYNCS), errno.EIO, _open_logs(journal))


def lose_what_is_synced(journal: Path) -> None:
    """Have writes taken and their sync fail, as a disk does that breaks (EIO; fsync(2))."""
    seccomp.answer(_SYNCS, errno.EIO, _open_logs(journal))


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
    break_the_disk,
    lose_what_is_synced,
    limit_its_size,
    lock_it,
)


def _log(journal: Path) -> str:
    return f"{journal}-wal"


def _instead_of_the_log(journal: Path, path: str, flags: int) -> None:
    """Put another file where this process has the write-ahead log open."""
    other = os.open(path, flags)
    for number in _open_logs(journal):
        os.dup2(other, number)
    os.close(other)


def _open_logs(journal: Path) -> list[int]:
    """Return this process's descriptors of the write-ahead log."""
    links = Path("/proc/self/fd").iterdir()
    return [int(link.name) for link in links if os.path.realpath(link) == _log(journal)]
