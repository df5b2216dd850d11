"""Logs: files and the systemd journal, what they say last, and the last Python traceback in them."""

from __future__ import annotations

import json
import os
import re
import stat
import time

from . import tracebacks
from .call import CannotLookError, Look
from .commands import run_tool
from .files import groups_of
from .processes import compiled
from .records import Record
from .timestamps import read_moment

_MOST_ENTRIES = 5000


class Line:
    """A line of a log; `bytes_after` is how much of the log follows its beginning.

    Where `at_s` does not say when it was written its text is read for that, at the time `now`.
    """

    __slots__ = ("before", "bytes_after", "now", "own_s", "text")

    def __init__(
        self,
        text: str,
        bytes_after: int,
        at_s: float | None = None,
        *,
        before: Line | None = None,
        now: float | None = None,
    ) -> None:
        self.text = text
        self.bytes_after = bytes_after
        self.own_s = at_s
        self.before = before
        self.now = now

    @property
    def at_s(self) -> float | None:
        """Its own moment or that of the line before; found out when asked for, as of most it is not."""
        line: Line | None = self
        passed = []
        moment = None
        while line is not None and moment is None:
            if line.now is None:
                moment = line.own_s
                break
            passed.append(line)
            moment = read_moment(line.text, line.now)
            line = line.before
        for each in passed:
            each.own_s, each.now = moment, None
        return self.own_s


class Tail(Record):
    """The end of a log."""

    size_bytes: int
    mtime_s: float | None
    lines: list[Line]


def log(
    look: Look,
    *,
    path: str | None = None,
    unit: str | None = None,
    pattern: str | None = None,
    patterns: dict[str, str] | None = None,
    tail_bytes: int = 262144,
    since: float | None = None,
    within_s: float | None = None,
    after: str | None = None,
    lines: int = 20,
) -> dict[str, object]:
    """Read the end of a log and look for patterns in it, line by line."""
    named = dict(patterns or {})
    if pattern is not None:
        named["pattern"] = pattern
    expressions = {name: compiled(text) for name, text in named.items()}
    if within_s is not None:
        since = max(since or 0.0, time.time() - within_s)
    tail = _tail(look, path, unit, tail_bytes, since)
    if tail is None:
        return {"exists": False}
    seen = narrowed(tail.lines, since, after)
    counts = dict.fromkeys(expressions, 0)
    matches: list[tuple[str, Line, re.Match[str]]] = []
    for line in seen:
        for name, expression in expressions.items():
            match = expression.search(line.text)
            if match is not None:
                counts[name] += 1
                matches.append((name, line, match))
    told = matches[-lines:] if lines > 0 else []
    return {
        "exists": True,
        "size_bytes": tail.size_bytes,
        "mtime_s": tail.mtime_s,
        "count": sum(counts.values()),
        "counts": counts,
        "matches": [
            {"pattern": name, "text": line.text, "groups": groups_of(match), "at_s": line.at_s}
            for name, line, match in told
        ],
        "last_lines": [line.text for line in seen[-lines:]] if lines > 0 else [],
    }


def python_traceback(
    look: Look,
    *,
    path: str | None = None,
    unit: str | None = None,
    tail_bytes: int = 262144,
    since: float | None = None,
    after: str | None = None,
    after_nth: int = 1,
) -> dict[str, object]:
    """Find the last Python traceback in a log, and the file and line it names."""
    tail = _tail(look, path, unit, tail_bytes, since)
    if tail is None:
        return {"exists": False}
    seen = narrowed(tail.lines, since, after, after_nth)
    found = tracebacks.find_last([line.text for line in seen])
    facts: dict[str, object] = {"exists": True, "found": found is not None}
    facts.update(tracebacks.facts_of(found))
    start = None if found is None else seen[found.start]
    facts.update(
        at_s=None if start is None else start.at_s,
        bytes_from_end=None if start is None else start.bytes_after,
    )
    return facts


def _tail(
    look: Look, path: str | None, unit: str | None, tail_bytes: int, since: float | None
) -> Tail | None:
    """Return the end of a log, None if there is no such file."""
    if (path is None) == (unit is None):
        raise CannotLookError("give either a path or a unit")
    return _journal(look, unit, since) if unit else _file(str(path), tail_bytes)


def narrowed(lines: list[Line], since: float | None, after: str | None, nth: int = 1) -> list[Line]:
    """Return the lines from a moment on, and after the `nth` last one that matches a pattern.

    Where fewer match, those are all.
    """
    if after is not None:
        expression = compiled(after)
        matching = [n for n, x in enumerate(lines) if expression.search(x.text)]
        lines = lines[matching[-nth] + 1 :] if 1 <= nth <= len(matching) else lines
    if since is not None:
        # A line that does not say when it was written is kept: it could be new.
        lines = [line for line in lines if line.at_s is None or line.at_s >= since]
    return lines


def _file(path: str, tail_bytes: int) -> Tail | None:
    try:
        status = os.stat(path)
    except (FileNotFoundError, NotADirectoryError):
        return None
    if not stat.S_ISREG(status.st_mode):
        raise CannotLookError("not a regular file: " + path)
    with open(path, "rb") as stream:
        start = max(status.st_size - max(tail_bytes, 1), 0)
        # One byte more tells whether the first line is a whole one.
        stream.seek(max(start - 1, 0))
        data = stream.read(max(tail_bytes, 1) + 1)
    if start:
        data = data.partition(b"\n")[2]
    return Tail(status.st_size, round(status.st_mtime, 3), split_lines(data, time.time()))


def split_lines(data: bytes, now: float) -> list[Line]:
    """Return the lines of the end of a log."""
    found: list[Line] = []
    left = len(data)
    line = None
    for raw in data.splitlines(keepends=True):
        text = raw.decode("utf-8", "replace").rstrip("\r\n")
        line = Line(text, left, before=line, now=now)
        found.append(line)
        left -= len(raw)
    return found


def _journal(look: Look, unit: str, since: float | None) -> Tail:
    argv = ["journalctl", "--unit", unit, "--output", "json", "--no-pager", "--quiet"]
    argv += ["--lines", str(_MOST_ENTRIES)]
    if since is not None:
        argv += ["--since", f"@{since:.6f}"]
    done = run_tool(look, argv)
    if done.rc != 0:
        raise CannotLookError("journalctl: " + (done.stderr.strip() or f"exit status {done.rc}"))
    lines = parse_journal(done.stdout)
    size = sum(len(line.text) + 1 for line in lines)
    return Tail(size, lines[-1].at_s if lines else None, lines)


def parse_journal(text: str) -> list[Line]:
    """Return the lines of `journalctl --output json`; a message may be many lines, or bytes."""
    found: list[Line] = []
    for row in text.splitlines():
        try:
            entry = json.loads(row)
            at_s = int(entry["__REALTIME_TIMESTAMP"]) / 1e6
            message = entry["MESSAGE"]
            if isinstance(message, list):
                message = bytes(message).decode("utf-8", "replace")
            found.extend(Line(line, 0, at_s) for line in str(message).splitlines() or [""])
        except (ValueError, KeyError, TypeError, RecursionError, OverflowError):
            # Not an entry, or one without a message.
            continue
    left = 0
    for line in reversed(found):
        left += len(line.text) + 1
        line.bytes_after = left
    return found
