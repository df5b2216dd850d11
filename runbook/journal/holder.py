"""Who drives a run: this process as a holder, and whether another one still lives.

Sources: proc(5) for `/proc/PID/stat`, random(4) for the boot id, pid_namespaces(7), machine-id(5).
"""

import os
import socket
from functools import cache
from hashlib import sha256
from pathlib import Path

from runbook.journal import Holder

_PROC = Path("/proc")
# Fields of /proc/PID/stat counted from the one after the command's closing parenthesis.
_STATE = 0
_START_TIME = 19
_DEAD_STATES = frozenset("ZXx")
_STOPPED_STATES = frozenset("Tt")


def this_process() -> Holder:
    """Return the holder that is this process."""
    pid = os.getpid()
    stat = _stat(pid)
    return Holder(
        controller=socket.gethostname(),
        pid=pid,
        machine=_machine(),
        started=None if stat is None else int(stat[_START_TIME]),
        boot=_boot(),
        namespace=_namespace(),
    )


def alive(holder: Holder) -> bool | None:
    """Say whether a holder's process is there; None where that cannot be told from here.

    It cannot for another machine, nor for another pid namespace of the same boot. A process that is
    stopped is alive; one that is dead but not reaped is not.
    """
    if (holder.controller, holder.machine) != (socket.gethostname(), _machine()):
        return None
    if holder.boot != _boot():
        # Another boot of this machine is over. But a name alone does not tell a machine: many are
        # called "localhost".
        return None if None in {holder.machine, holder.boot, _boot()} else False
    if holder.namespace != _namespace():
        return None
    try:
        os.kill(holder.pid, 0)
    except ProcessLookupError:
        return False
    except PermissionError:
        pass  # somebody else's, so it exists
    stat = _stat(holder.pid)
    if stat is None or holder.started is None:
        # No /proc here: the id may have been given to another process by now.
        return None
    return int(stat[_START_TIME]) == holder.started and stat[_STATE] not in _DEAD_STATES


def is_stopped(pid: int) -> bool:
    """Say whether a process is stopped, as by Ctrl-Z; False where that cannot be told."""
    stat = _stat(pid)
    return stat is not None and stat[_STATE] in _STOPPED_STATES


def _stat(pid: int) -> list[str] | None:
    try:
        text = (_PROC / str(pid) / "stat").read_text(errors="replace")
    except OSError:
        return None
    # The command's name may hold spaces and parentheses of its own.
    return text.rpartition(")")[2].split()


@cache
def _machine() -> str | None:
    try:
        name = Path("/etc/machine-id").read_text().strip()
    except OSError:
        return None
    # machine-id(5) asks not to pass the id itself on.
    return sha256(f"runbook {name}".encode()).hexdigest()[:16] if name else None


@cache
def _boot() -> str | None:
    try:
        return (_PROC / "sys/kernel/random/boot_id").read_text().strip()
    except OSError:
        return None


def _namespace() -> int | None:
    try:
        return (_PROC / "self/ns/pid").stat().st_ino
    except OSError:
        return None
