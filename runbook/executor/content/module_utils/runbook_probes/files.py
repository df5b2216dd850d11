"""Files and what stands in them."""

from __future__ import annotations

import grp
import os
import re
import stat
import time

from .call import CannotLookError, Look
from .processes import compiled
from .procfs import user_name

_MOST_MATCHES = 100
# A pattern is looked for in at most this much of a file, from its beginning.
_MOST_SEARCHED_BYTES = 16 << 20
_TYPES = (
    (stat.S_ISREG, "file"),
    (stat.S_ISDIR, "directory"),
    (stat.S_ISFIFO, "fifo"),
    (stat.S_ISSOCK, "socket"),
    (stat.S_ISCHR, "character_device"),
    (stat.S_ISBLK, "block_device"),
)


def file(
    look: Look,
    *,
    path: str,
    content: bool = False,
    pattern: str | None = None,
    checksum: bool = False,
) -> dict[str, object]:
    """Look at a file; links are followed. `is_writable` is for the user who looks."""
    facts: dict[str, object] = dict.fromkeys(
        ("type", "mode", "owner", "group", "size_bytes", "mtime_s", "age_s", "content", "sha256")
    )
    facts.update(
        path=path,
        exists=False,
        link_target=os.readlink(path) if os.path.islink(path) else None,
        is_readable=os.access(path, os.R_OK),
        is_writable=os.access(path, os.W_OK),
        matches=[],
        match_count=0,
    )
    expression = None if pattern is None else compiled(pattern, re.MULTILINE)
    try:
        status = os.stat(path)
    except (FileNotFoundError, NotADirectoryError):
        return facts
    facts.update(_status_facts(status), exists=True)
    if content:
        data = _read(path, status, look.max_bytes + 1)
        facts["content"] = data[: look.max_bytes]
        facts["truncated"] = len(data) > look.max_bytes
    if expression is not None:
        text = _read(path, status, _MOST_SEARCHED_BYTES).decode("utf-8", "replace")
        facts.update(find_matches(expression, text))
    if checksum:
        facts["sha256"] = _sha256(path, status)
    return facts


def _status_facts(status: os.stat_result) -> dict[str, object]:
    try:
        group = grp.getgrgid(status.st_gid).gr_name
    except KeyError:
        group = str(status.st_gid)
    return {
        "type": next((name for test, name in _TYPES if test(status.st_mode)), "other"),
        "mode": f"{stat.S_IMODE(status.st_mode):04o}",
        "owner": user_name(status.st_uid),
        "group": group,
        "size_bytes": status.st_size,
        "mtime_s": round(status.st_mtime, 3),
        "age_s": round(time.time() - status.st_mtime, 3),
    }


def _must_be_regular(path: str, status: os.stat_result) -> None:
    # Reading a pipe takes from it, and a device may have no end.
    if not stat.S_ISREG(status.st_mode):
        raise CannotLookError("not a regular file: " + path)


def _read(path: str, status: os.stat_result, most: int) -> bytes:
    _must_be_regular(path, status)
    with open(path, "rb") as stream:
        return stream.read(most)


def _sha256(path: str, status: os.stat_result) -> str:
    _must_be_regular(path, status)
    import hashlib  # noqa: PLC0415 (brings all of OpenSSL)

    digest = hashlib.sha256()
    with open(path, "rb") as stream:
        for chunk in iter(lambda: stream.read(1 << 20), b""):
            digest.update(chunk)
    return digest.hexdigest()


def find_matches(expression: re.Pattern[str], text: str) -> dict[str, object]:
    """Return every place where a pattern matches, with the number of its line.

    `groups` holds the groups of the pattern, by name, or by number as text.
    """
    matches: list[dict[str, object]] = []
    count = line = position = 0
    for match in expression.finditer(text):
        count += 1
        if len(matches) == _MOST_MATCHES:
            continue
        line += text.count("\n", position, match.start())
        position = match.start()
        matches.append({"line": line + 1, "text": match.group(), "groups": groups_of(match)})
    return {"matches": matches, "match_count": count}


def groups_of(match: re.Match[str]) -> dict[str, str | None]:
    """Return the groups of a match: those that have a name by it, the others by number."""
    names = {number: name for name, number in match.re.groupindex.items()}
    return {names.get(n, str(n)): match.group(n) for n in range(1, match.re.groups + 1)}
