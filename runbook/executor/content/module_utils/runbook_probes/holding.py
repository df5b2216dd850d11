"""Whether it is a service, as its manager runs it now, that listens on a port."""

from __future__ import annotations

import time
from collections.abc import Callable

from .procfs import Process, holders, listeners, read_process
from .records import Record

_BETWEEN_LOOKS_S = 0.1
# What is left of it then is its own, although its main process has ended.
_STOPPING = ("deactivating", "STOPPING")


class Holder(Record):
    """A process that listens; `line` is it, its parent, and so on up to the first process."""

    pid: int
    started_s: float
    line: tuple[int, ...]


def on_port(
    port: int, ask: Callable[[], dict[str, object]], within_s: float, *, alone: bool
) -> dict[str, object]:
    """Return what the manager tells, with `holds_port` and `port_pid`, all true at one moment.

    The manager is asked between two looks at the port. Where these differ, or the process that was
    told of has ended meanwhile, that was no one moment: all is looked at again, for `within_s`.
    `alone` is the process that the manager tells of, unless there may be others like it.
    """
    ends = time.monotonic() + within_s
    while True:
        before = _holders(port)
        facts = ask()
        pid = facts["pid"]
        main = read_process(pid) if isinstance(pid, int) else None
        if (pid is None or main is not None) and before == _holders(port):
            unnamed = bool(facts["running"]) or facts["state"] in _STOPPING
            belongs = _belongs(before, main, unnamed=unnamed, alone=alone)
            # One that was started after the manager's own may be its; or a moment later it is not.
            settled = belongs is not None or main is None or not before or not alone
            if settled or time.monotonic() >= ends:
                pids = [each.pid for each in before]
                return {**facts, "holds_port": belongs, "port_pid": pids[0] if pids else None}
        elif time.monotonic() >= ends:
            return facts
        time.sleep(_BETWEEN_LOOKS_S)


def _holders(port: int) -> list[Holder]:
    """Return the processes that listen on a port, as far as we may see, the oldest first."""
    owners = holders({socket.inode for socket in listeners() if socket.port == port})
    found = (read_process(pid) for pid in {pid for pids in owners.values() for pid in pids})
    rows = [Holder(each.pid, each.started_s, _line(each)) for each in found if each is not None]
    return sorted(rows, key=lambda each: (each.started_s, each.pid))


def _line(process: Process) -> tuple[int, ...]:
    line = [process.pid]
    while process.ppid > 0:
        line.append(process.ppid)
        parent = read_process(process.ppid)
        if parent is None or parent.pid in line[:-1]:
            break
        process = parent
    return tuple(line)


def _belongs(
    held_by: list[Holder], main: Process | None, *, unnamed: bool, alone: bool
) -> bool | None:
    """Tell whether the holders of a port are of a service with this main process; None if unknown."""
    if not held_by:
        return None
    if main is None:
        # No process of it runs, so it is another's; unless one does that we are not told of.
        return None if unnamed else False
    if any(main.pid in each.line for each in held_by):
        return True
    # What is no descendant of it was not started by it, where it was there before.
    return False if alone and held_by[0].started_s < main.started_s else None
