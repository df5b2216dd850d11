"""What killed runs leave behind: Ansible that works on, and the folders of Ansible that has ended.

Sources: proc(5) for `/proc/PID/cmdline`, `cwd` and `stat`, flock(2) for the lock that the
process which made a workspace holds on it for as long as it lives.
"""

import fcntl
import os
import shutil
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from runbook.executor.workspace import OWNER_FILE, base_folder

STARTER = b"runbook.executor.starter"
"""The module whose processes are Ansible."""

DAY_S = 86_400.0
"""How old a folder that nobody ever locked has to be: it may be just about to be locked."""


def is_at_work(invocation: str) -> bool:
    """Say whether a process of Ansible is at work on an invocation; False without `/proc`.

    It is known by its working directory, which is in the workspace, its workers included; a starter
    by its arguments, which name its own.
    """
    return any(_is_ansible_on(process, invocation) for process in Path("/proc").glob("[0-9]*"))


def is_starter(pid: int, name: str) -> bool:
    """Say whether a process is the starter whose workspace has this name; False without `/proc`."""
    return _is_ansible_on(Path("/proc") / str(pid), name)


def _is_ansible_on(process: Path, name: str) -> bool:
    try:
        command = (process / "cmdline").read_bytes()
        if STARTER not in command:
            return False
        if os.fsencode(name) not in command and name not in (process / "cwd").readlink().parts:
            return False
        state = (process / "stat").read_text(errors="replace").rpartition(")")[2].split()[0]
    except (OSError, IndexError):
        return False
    return state not in "ZXx"


@dataclass(frozen=True, kw_only=True, slots=True)
class Leftover:
    """A workspace whose process is dead; `at_work` says that its Ansible is not."""

    folder: Path
    at_work: bool


def left_behind() -> tuple[Leftover, ...]:
    """Return the workspaces of dead processes, and touch none. Raises as `sweep`."""
    return tuple(
        Leftover(folder=folder, at_work=is_at_work(folder.name))
        for folder in sorted(base_folder().iterdir())
        if _is_abandoned(folder)
    )


def sweep() -> tuple[str, ...]:
    """Remove the workspaces of dead processes in which nothing is at work; return their names.

    Whatever cannot be told, or removed, stays. Raises RunbookError where there is no place to work
    in (see `base_folder`).
    """
    return tuple(folder.name for folder in sorted(base_folder().iterdir()) if _removed(folder))


def _removed(folder: Path) -> bool:
    with _held(folder) as held:
        return held and _cleared(folder)


def _is_abandoned(folder: Path) -> bool:
    with _held(folder) as held:
        return held and folder.is_dir() and not folder.is_symlink()


@contextmanager
def _held(folder: Path) -> Iterator[bool]:
    """Hold the lock of a workspace; say whether nobody else does, so that its process is dead."""
    try:
        lock = os.open(folder / OWNER_FILE, os.O_RDONLY | os.O_NOFOLLOW | os.O_CLOEXEC)
    except FileNotFoundError:
        yield _is_old(folder)
        return
    except OSError:
        yield False
        return
    try:
        fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError:
        yield False
    else:
        yield True
    finally:
        os.close(lock)


def _is_old(folder: Path) -> bool:
    try:
        return time.time() - folder.lstat().st_mtime > DAY_S
    except OSError:
        return False


def _cleared(folder: Path) -> bool:
    if folder.is_symlink() or not folder.is_dir() or is_at_work(folder.name):
        return False
    shutil.rmtree(folder, ignore_errors=True)
    return not folder.exists()
