"""Which process is in the midst of a write to a SQLite file with a write-ahead log.

Sources: proc(5) for `/proc/locks`, https://www.sqlite.org/walformat.html#wal_locks for the lock.
"""

import os
from pathlib import Path

_LOCKS = Path("/proc/locks")
_WRITE_LOCK = "120"
"""The byte of the file's `-shm` that a writer locks."""


def writer(path: Path) -> int | None:
    """Return the process that writes to the file at `path` now, None where that cannot be told."""
    try:
        status = path.with_name(f"{path.name}-shm").stat()
        lines = _LOCKS.read_text().splitlines()
    except OSError:
        return None
    device = f"{os.major(status.st_dev):02x}:{os.minor(status.st_dev):02x}:{status.st_ino}"
    for line in lines:
        # "1: POSIX  ADVISORY  WRITE 1234 08:01:5678 120 120"; whoever waits has "->" after its number.
        match line.split()[1:]:
            case ["POSIX", _, "WRITE", pid, place, first, _] if (place, first) == (
                device,
                _WRITE_LOCK,
            ):
                return int(pid) if int(pid) > 0 else None
            case _:
                pass
    return None
