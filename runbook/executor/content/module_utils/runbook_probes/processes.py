"""Running processes and their open files."""

from __future__ import annotations

import os
import re
import time

from .call import CannotLookError, Look
from .procfs import Process, processes, read_process, read_text, user_name
from .values import whole_number

_MOST_PROCESSES = 50
# State letters of processes that do no work: zombie, dead, stopped, traced.
IDLE_STATES = frozenset("ZXxTt")
STATE_WORDS = {
    "R": "running",
    "S": "sleeping",
    "D": "disk_sleep",
    "I": "idle",
    "T": "stopped",
    "t": "traced",
    "Z": "zombie",
    "X": "dead",
}


def find(
    *, pattern: str | None = None, name: str | None = None, user: str | None = None
) -> list[Process]:
    """Return the processes whose command line matches, or whose program has that name.

    Our own process, its ancestors up to the first process of the system, their forks that have not
    become another program, and everything this request started are left out: they carry the
    pattern in their own arguments.

    Raises:
        CannotLookError: the pattern is not a regular expression, or neither is given.
    """
    if (pattern is None) == (name is None):
        raise CannotLookError("give either a pattern or a name")
    expression = compiled(pattern) if pattern is not None else None
    everything = {process.pid: process for process in processes()}
    found = []
    for process in without_ourselves(everything, os.getpid()):
        if expression is not None:
            fits = expression.search(process.command) is not None
        else:
            program = process.words[0] if process.words else ""
            fits = name in (process.name, os.path.basename(program))
        if fits and (user is None or user_name(process.uid) == user):
            found.append(process)
    return found


def compiled(pattern: str, flags: int = 0) -> re.Pattern[str]:
    """Return a compiled regular expression.

    Raises:
        CannotLookError: it is not one.
    """
    try:
        return re.compile(pattern, flags)
    except (re.error, RecursionError, OverflowError) as error:
        raise CannotLookError(f"not a regular expression: {error}") from None


def without_ourselves(everything: dict[int, Process], own: int) -> list[Process]:
    """Return the processes that are not part of looking: see `find`."""
    ours: set[int] = set()
    # A batch is our parent; its other probes are looking, too.
    looker = everything[own].ppid if own in everything else own
    pid = own
    while pid > 1 and pid in everything and pid not in ours:
        ours.add(pid)
        pid = everything[pid].ppid
    kept = []
    for process in everything.values():
        parent = everything.get(process.ppid)
        fork = parent is not None and parent.pid in ours and parent.words == process.words
        if process.pid not in ours and not fork and not _descends(everything, process, looker):
            kept.append(process)
    return kept


def _descends(everything: dict[int, Process], process: Process, ancestor: int) -> bool:
    seen: set[int] = set()
    pid = process.ppid
    while pid > 1 and pid in everything and pid not in seen:
        if pid == ancestor:
            return True
        seen.add(pid)
        pid = everything[pid].ppid
    return False


def process(
    look: Look, *, pattern: str | None = None, name: str | None = None, user: str | None = None
) -> dict[str, object]:
    """Find processes by their command line or name."""
    del look
    found = find(pattern=pattern, name=name, user=user)
    uptime_s = float(read_text("/proc/uptime").split()[0])
    return {
        "count": len(found),
        "states": "".join(sorted({each.state for each in found})),
        "processes": [_row(each, uptime_s) for each in found[:_MOST_PROCESSES]],
        "truncated": len(found) > _MOST_PROCESSES,
    }


def _row(each: Process, uptime_s: float) -> dict[str, object]:
    age_s = max(uptime_s - each.started_s, 0.0)
    return {
        "pid": each.pid,
        "ppid": each.ppid,
        "user": user_name(each.uid),
        "state": each.state,
        "name": each.name,
        "command": each.command,
        "started_s_ago": round(age_s, 2),
        "rss_bytes": each.rss_bytes,
        "cpu_percent": round(100 * each.cpu_s / max(age_s, 0.01), 1),
    }


def read_pidfile(path: str) -> int | None:
    """Return the number in a file of that kind, None if there is no file or no number in it."""
    try:
        with open(path, "rb") as stream:
            text = stream.read(64).strip()
    except FileNotFoundError:
        return None
    return int(text) if text.isdigit() else None


def file_descriptors(
    look: Look, *, pid: int | None = None, pattern: str | None = None, pidfile: str | None = None
) -> dict[str, object]:
    """Count the open files of a process against its limit, or of the whole system."""
    del look
    if pid is None and pattern is None and pidfile is None:
        opened, _, limit = (int(word) for word in read_text("/proc/sys/fs/file-nr").split())
        return {**_usage(opened, limit, limit), "pid": None, "command": None, "found": True}
    if pattern is not None:
        candidates = find(pattern=pattern)
    else:
        number = pid if pidfile is None else read_pidfile(pidfile)
        only = None if number is None else read_process(number)
        candidates = [] if only is None else [only]
    rows = [_opened_by(each) for each in candidates if each.state not in "ZXx"]
    if not rows:
        nothing = dict.fromkeys(("opened", "soft_limit", "hard_limit", "used_percent"))
        return {**nothing, "pid": None, "command": None, "found": False}
    # The one that will run out first speaks for all.
    return max(rows, key=lambda row: float(str(row["used_percent"])))


def _opened_by(each: Process) -> dict[str, object]:
    limits = parse_open_files_limit(read_text(f"/proc/{each.pid}/limits"))
    if limits is None:
        raise CannotLookError(f"the limits of process {each.pid} cannot be read")
    opened = len(os.listdir(f"/proc/{each.pid}/fd"))
    return {**_usage(opened, *limits), "pid": each.pid, "command": each.command, "found": True}


def _usage(opened: int, soft: int | None, hard: int | None) -> dict[str, object]:
    used = round(100 * opened / soft, 1) if soft else 0.0
    return {"opened": opened, "soft_limit": soft, "hard_limit": hard, "used_percent": used}


def parse_open_files_limit(text: str) -> tuple[int | None, int | None] | None:
    """Return the soft and hard limit of open files in a /proc/PID/limits table, None if absent.

    A limit of None is unlimited, or more than anybody can count.
    """
    match = re.search(r"^Max open files\s+(\d+|unlimited)\s+(\d+|unlimited)", text, re.MULTILINE)
    if match is None:
        return None
    soft, hard = (whole_number(word) for word in match.groups())
    return soft, hard


def monotonic_age_s(then_s: float) -> float:
    """Return how long ago a moment of the monotonic clock was, in seconds."""
    return round(max(time.clock_gettime(time.CLOCK_MONOTONIC) - then_s, 0.0), 2)
