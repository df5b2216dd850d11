"""Find and end the processes of a sandbox site, whoever their parent is by now.

Linux only: everything is read from `/proc`.
"""

import os
import signal
import time
from collections.abc import Iterable
from pathlib import Path

# Every process of a site inherits this variable, so that none is lost when supervisord is killed
# and its children are handed to init.
MARKER = "RUNBOOK_DEMO_SITE"


def of_site(folder: Path) -> frozenset[int]:
    """Return the ids of the living processes that belong to the site in `folder`."""
    return frozenset(pid for pid in _all() if _belongs(pid, folder))


def end_all(folder: Path, *, within_s: float = 10.0) -> frozenset[int]:
    """Kill the site's processes until none is left; return those that outlived `within_s`.

    The site is scanned again after each round, since a supervisor starts its children anew until
    it is dead itself.
    """
    deadline = time.monotonic() + within_s
    killed: set[int] = set()
    while living := of_site(folder) | {pid for pid in killed if is_alive(pid)}:
        if time.monotonic() > deadline:
            return living
        kill(living)
        killed |= living
        time.sleep(0.01)
    return frozenset()


def is_alive(pid: int) -> bool:
    """Tell whether a process still holds anything.

    A dying process shows no environment while its sockets are still open; a dead one that its
    parent has not collected is a zombie, and holds nothing.
    """
    try:
        stat = Path(f"/proc/{pid}/stat").read_text()
    except OSError:
        return False
    return stat.rpartition(")")[2].split()[0] not in ("Z", "X")


def children(pid: int) -> frozenset[int]:
    """Return the ids of a process's living children; none if the process is gone."""
    try:
        listed = Path(f"/proc/{pid}/task/{pid}/children").read_text()
    except OSError:
        return frozenset()
    return frozenset(int(child) for child in listed.split())


def kill(pids: Iterable[int]) -> None:
    """Send SIGKILL to each process; one that is gone already is no error."""
    for pid in pids:
        try:
            os.kill(pid, signal.SIGKILL)
        except ProcessLookupError:
            continue


def _all() -> Iterable[int]:
    return [int(entry) for entry in os.listdir("/proc") if entry.isdigit()]  # noqa: PTH208


def _belongs(pid: int, folder: Path) -> bool:
    process = Path("/proc") / str(pid)
    try:
        if f"{MARKER}={folder}".encode() in (process / "environ").read_bytes().split(b"\0"):
            return True
        # nginx writes its title over its environment; what stays is the title and the directory.
        command = (process / "cmdline").read_bytes()
        return command.startswith(b"nginx: ") and (process / "cwd").readlink() == folder / "run"
    except OSError:  # gone, a zombie, or another user's: not ours in any case
        return False
