"""What was worked out before, kept between processes for the one user who worked it out.

It only ever saves time: whatever cannot be read, or might be somebody else's, is worked out again,
and what cannot be written is not kept. Names hold all that the content depends on.
"""

import mmap
import os
import stat
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import BinaryIO

MOST = 100
"""How many are kept; then those used longest ago go."""


def read(name: str) -> bytes | None:
    """Return what is kept under a name, if nobody else can have written it."""
    with _opened(name) as file:
        return None if file is None else file.read()


def mapped(name: str) -> memoryview | None:
    """Return the same without reading it: large things, of which a part is needed."""
    with _opened(name) as file, suppress(OSError, ValueError):
        if file is not None:
            return memoryview(mmap.mmap(file.fileno(), 0, prot=mmap.PROT_READ))
    return None


@contextmanager
def _opened(name: str) -> Iterator[BinaryIO | None]:
    place = _folder() / name
    try:
        descriptor = os.open(place, os.O_RDONLY | os.O_NOFOLLOW | os.O_CLOEXEC | os.O_NONBLOCK)
    except OSError:
        yield None
        return
    with os.fdopen(descriptor, "rb") as file:
        found = os.fstat(descriptor)
        if not stat.S_ISREG(found.st_mode) or not _is_ours(found):
            yield None
            return
        with suppress(OSError):  # Else what every run needs would go first, as it is written once.
            os.utime(descriptor)
        yield file


def write(name: str, content: bytes) -> None:
    """Keep something under a name, readable by nobody else."""
    folder = _folder()
    unfinished = folder / f"{name}.{os.getpid()}"
    with suppress(OSError):
        folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        if not _is_ours(folder.lstat()):
            return
        descriptor = os.open(unfinished, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
        with os.fdopen(descriptor, "wb") as file:
            file.write(content)
        unfinished.rename(folder / name)
        _prune(folder)


def _folder() -> Path:
    cache = os.environ.get("XDG_CACHE_HOME", "")
    # The XDG base directory specification: a relative path is to be ignored.
    base = Path(cache) if cache.startswith("/") else Path(os.path.expanduser("~")) / ".cache"  # noqa: PTH111 -- Path.home() raises where there is none
    return base / "runbook"


def _is_ours(found: os.stat_result) -> bool:
    """Say whether only we can have changed it."""
    return found.st_uid == os.geteuid() and not found.st_mode & 0o022


def _prune(folder: Path) -> None:
    kept = sorted(folder.iterdir(), key=lambda path: path.lstat().st_mtime, reverse=True)
    for path in kept[MOST:]:
        path.unlink()
