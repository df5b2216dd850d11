"""A starter that stays ready for the next command, for some minutes: `python -m runbook.executor.kept`.

As with ssh's ControlPersist, a process stays behind, here one with Ansible imported. Only a command that
would have started the very same one uses it: by the same person, from the same folder, with the same
environment, limits and namespaces, the same configuration and code. So its workspace is named after
all of that. Whoever uses it holds a lock on it; once nobody has for as long as was said, it ends. It
listens nowhere: it is asked by a pipe within that folder, which is its user's alone.

Sources: proc(5), namespaces(7), flock(2).
"""

import fcntl
import hashlib
import os
import sys
import time
from collections.abc import Iterator
from contextlib import closing, contextmanager, suppress
from importlib.util import find_spec
from pathlib import Path

from runbook import executor, model
from runbook.ending import leave
from runbook.errors import RunbookError
from runbook.executor.lent import LentStarter
from runbook.executor.runner import Starter
from runbook.executor.workspace import base_folder

USED_FILE = "used"
"""Locked by whoever uses it, and touched."""

LOOKED_AT_S = 1.0
"""How often it is looked at whether nobody uses it any more."""

_OF_NO_MATTER = ("_", "OLDPWD", "SHLVL")
"""Variables that differ from command to command."""

_CIRCUMSTANCES = ("attr/current", "cgroup", "limits", "loginuid", "oom_score_adj")
_STATUS = (b"Cap", b"Cpus_allowed", b"Gid", b"Groups", b"NoNewPrivs", b"Seccomp", b"Uid", b"Umask")
"""Beginnings of the lines of `/proc/self/status` that matter."""


@contextmanager
def kept_starter(config: Path | None) -> Iterator[LentStarter | None]:
    """Use the one that stays ready under our circumstances; None where there is none."""
    try:
        folder = base_folder() / _name(config)
        used = os.open(folder / USED_FILE, os.O_RDWR | os.O_NOFOLLOW | os.O_CLOEXEC)
    except OSError:
        yield None
        return
    lent = LentStarter(folder=folder, config=config)
    try:
        # Where it is about to end it holds the lock itself, and is gone when we have it.
        fcntl.flock(used, fcntl.LOCK_SH)
        yield lent if lent.is_running() else None
        os.utime(used)
    finally:
        os.close(used)


def keep_one(config: Path | None, seconds: float) -> None:
    """Have one stay ready from now on, for so long after each use; what fails is no matter."""
    silent = [(os.POSIX_SPAWN_OPEN, number, os.devnull, os.O_RDWR, 0) for number in range(3)]
    with suppress(OSError):
        program = [sys.executable, "-P", "-m", "runbook.executor.kept"]
        program += [_name(config), str(config or ""), str(seconds)]
        # Neither Ctrl-C nor the end of the terminal is meant for it, and nobody waits for its end.
        os.posix_spawn(sys.executable, program, os.environ, file_actions=silent, setsid=True)


def main() -> None:
    """Be the one of that name that stays ready, unless another one does."""
    name, config, seconds = sys.argv[1:]
    try:
        _stay_ready(name, Path(config) if config else None, float(seconds))
    finally:
        # A thread of its starter may be at work still: nothing is to wait for that.
        leave(0)


def _stay_ready(name: str, config: Path | None, seconds: float) -> None:
    with suppress(RunbookError), closing(Starter.start(config, name, stays=True)) as starter:
        used = os.open(
            starter.workspace.folder / USED_FILE, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600
        )
        seen, since = 0.0, time.monotonic()
        while starter.is_running():
            time.sleep(LOOKED_AT_S)
            touched = os.fstat(used).st_mtime
            if touched != seen or not _is_ours_alone(used):
                seen, since = touched, time.monotonic()
            elif time.monotonic() - since >= seconds:
                return
            else:
                fcntl.flock(used, fcntl.LOCK_UN)


def _is_ours_alone(used: int) -> bool:
    """Say whether nobody uses it; if so we hold the lock, and nobody can begin to."""
    try:
        fcntl.flock(used, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError:
        return False
    return True


def _name(config: Path | None) -> str:
    """Return the name for our circumstances: whatever could make another Ansible of it.

    Raises OSError where they cannot be told, as without `/proc`.
    """
    asked = repr(
        (
            sorted((key, value) for key, value in os.environ.items() if key not in _OF_NO_MATTER),
            os.getcwd(),  # noqa: PTH109 -- raises where Path.cwd() would
            [_read(name) for name in _CIRCUMSTANCES],
            [line for line in _read("status").splitlines() if line.startswith(_STATUS)],
            os.nice(0),
            sorted(str(place.readlink()) for place in Path("/proc/self/ns").iterdir()),
            (sys.version, sys.prefix, config and _state(str(config))),
            sorted(map(_state, _code())),
        )
    )
    return f"kept-{hashlib.sha256(asked.encode()).hexdigest()[:32]}"


def _read(name: str) -> bytes:
    with suppress(OSError):
        return (Path("/proc/self") / name).read_bytes()
    return b""


def _code() -> list[str]:
    """Return the files of code: ours that it imports, and of Ansible's what installing it writes."""
    ours = [executor.__path__[0], model.__path__[0]]
    ansible = find_spec("ansible")
    theirs = (
        [str(Path(ansible.origin).with_name("release.py"))] if ansible and ansible.origin else []
    )
    walked = (each for folder in ours for each in os.walk(folder))
    return theirs + [
        f"{folder}/{name}" for folder, _, names in walked for name in names if name.endswith(".py")
    ]


def _state(path: str) -> tuple[str, int, int]:
    found = os.stat(path)  # noqa: PTH116 -- of hundreds, in a few milliseconds
    return path, found.st_mtime_ns, found.st_size


if __name__ == "__main__":
    main()
