"""What was worked out before, kept between processes for the one user who worked it out.

It only ever saves time: whatever is not whole, or might be somebody else's, is worked out again, and
what cannot be written is not kept. Names hold all that the content depends on.
"""

import os
import stat
import sys
from binascii import crc32
from contextlib import suppress
from pathlib import Path

from runbook import __version__

MOST = 100
"""How many are kept; then those used longest ago go."""

UNTRIED = (3, 15)
"""The first Python whose own parts nothing kept stands in for, as nobody has tried: it does as it does."""

_SUM = 4


def of_this_python(kind: str, *asked: object) -> str:
    """Return a name for what another Python, or another version of ours, works out otherwise.

    A Python that a distribution has mended since its release is another one: it was built anew.
    """
    all_asked = (__version__, sys.version, sys.flags.optimize, sys.pycache_prefix, *asked)
    return f"{kind}-{crc32(repr(all_asked).encode()):08x}"


def state_of(path: str | Path) -> tuple[int, int, int, int]:
    """Return by what each change of a file shows, also where all files bear one time, as in images.

    Raises OSError.
    """
    found = os.stat(path)  # noqa: PTH116 -- of hundreds
    return found.st_ino, found.st_size, found.st_mtime_ns, found.st_ctime_ns


def read(name: str) -> bytes | None:
    """Return what is kept under a name, if it is as it was written and nobody else can have done so."""
    folder = _folder()
    with suppress(OSError):
        # Who may write to the folder could give one thing the name of another.
        if folder is None or not _is_ours(folder.lstat()):
            return None
        place = folder / name
        descriptor = os.open(place, os.O_RDONLY | os.O_NOFOLLOW | os.O_CLOEXEC | os.O_NONBLOCK)
        with os.fdopen(descriptor, "rb", buffering=0) as file:
            found = os.fstat(descriptor)
            if not stat.S_ISREG(found.st_mode) or not _is_ours(found):
                return None
            # Else what every run needs would go first, as it is written once.
            with suppress(OSError):
                os.utime(descriptor)
            told, content = file.read(_SUM), file.read()  # In two, as a part of bytes is a copy.
            return content if told == _sum(name, content) else None
    return None


def write(name: str, content: bytes) -> None:
    """Keep something under a name, readable by nobody else."""
    folder = _folder()
    if folder is None:
        return
    with suppress(OSError):
        _make(folder)
        if not _is_ours(folder.lstat()):
            return
        # In containers that share a home, each of us may be the same process.
        unfinished = folder / f"{name}.{os.urandom(8).hex()}"
        try:
            descriptor = os.open(unfinished, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
            with os.fdopen(descriptor, "wb") as file:
                file.write(_sum(name, content))
                file.write(content)
            unfinished.rename(folder / name)
        finally:  # A disk that is full is no fuller for our sake.
            unfinished.unlink(missing_ok=True)
        _prune(folder)


def _sum(name: str, content: bytes) -> bytes:
    """Return by what it shows that something is all that was written under its name.

    Code with holes in it, as a machine leaves it that lost its power, would end this process.
    """
    return crc32(content, crc32(os.fsencode(name))).to_bytes(_SUM, "big")


def _folder() -> Path | None:
    """Return where it is kept; nowhere for who has no home."""
    cache = os.environ.get("XDG_CACHE_HOME", "")
    # The XDG base directory specification: a relative path is to be ignored.
    if not cache.startswith("/"):
        cache = os.path.expanduser("~/.cache")  # noqa: PTH111 -- Path.home() raises where there is none
    return Path(cache) / "runbook" if cache.startswith("/") else None


def _make(folder: Path) -> None:
    """Make the folder; raise OSError, also where root would make it in somebody else's home."""
    if not folder.exists():
        there = next(parent for parent in folder.parents if parent.exists())
        if os.geteuid() == 0 and there.stat().st_uid != 0:
            raise PermissionError(there)
        folder.mkdir(mode=0o700, parents=True, exist_ok=True)


def _is_ours(found: os.stat_result) -> bool:
    """Say whether only we can have changed it."""
    return found.st_uid == os.geteuid() and not found.st_mode & 0o022


def _prune(folder: Path) -> None:
    kept = sorted(folder.iterdir(), key=lambda path: path.lstat().st_mtime, reverse=True)
    for path in kept[MOST:]:
        path.unlink()
