"""Git work trees, as they lie there."""

from __future__ import annotations

import os
import pwd

from .call import CannotLookError, Look
from .commands import Finished, run_tool
from .identity import become

_MOST_FILES = 100


def git(look: Look, *, path: str, remote: str | None = None) -> dict[str, object]:
    """Look at a work tree without fetching or writing anything.

    Root looks as the owner of the tree: its configuration may name programs that git would run.
    """
    try:
        owner = os.stat(path).st_uid
    except (FileNotFoundError, NotADirectoryError):
        raise CannotLookError("no such folder: " + path) from None
    if os.geteuid() == 0 and owner != 0:
        become(_name_of(owner))
    done = _git(look, path, "status", "--porcelain=v2", "--branch")
    if done.rc != 0:
        raise CannotLookError("git: " + (done.stderr.strip().splitlines() or ["no answer"])[0])
    facts = parse_status(done.stdout)
    facts["truncated"] = bool(facts["truncated"]) or done.truncated
    facts.update(committed_s=None, subject=None)
    if facts["commit"] is not None:
        shown = _git(look, path, "log", "-1", "--format=%ct %s").stdout.strip()
        moment, _, subject = shown.partition(" ")
        facts.update(committed_s=int(moment) if moment.isdigit() else None, subject=subject)
    if remote is not None:
        upstream = f"{remote}/{facts['branch']}"
        counted = _git(
            look, path, "rev-list", "--left-right", "--count", f"HEAD...{upstream}", "--"
        )
        facts.update(_compared(upstream, counted))
    return facts


def _name_of(uid: int) -> str:
    try:
        return pwd.getpwuid(uid).pw_name
    except KeyError:
        raise CannotLookError(f"the owner of the work tree, user {uid}, has no name") from None


def _git(look: Look, path: str, *words: str) -> Finished:
    # Without optional locks `status` does not write the index back; a monitor is a program to run.
    safely = ["--no-optional-locks", "-c", "core.fsmonitor=false", "-c", "log.showSignature=false"]
    return run_tool(look, ["git", *safely, "-C", path, *words])


def _compared(upstream: str, counted: Finished) -> dict[str, object]:
    words = counted.stdout.split()
    if counted.rc != 0 or len(words) != 2:
        return {"upstream": None, "ahead": None, "behind": None}
    return {"upstream": upstream, "ahead": int(words[0]), "behind": int(words[1])}


def parse_status(text: str) -> dict[str, object]:
    """Return what `git status --porcelain=v2 --branch` says."""
    headers: dict[str, str] = {}
    files = []
    for line in text.splitlines():
        kind, _, rest = line.partition(" ")
        if kind == "#":
            name, _, value = rest.partition(" ")
            headers[name] = value
        else:
            # How many fields stand before the path, by the kind of entry.
            fields = {"1": 7, "2": 8, "u": 9, "?": 0}.get(kind)
            if fields is not None:
                files.append(rest.split(" ", fields)[-1].partition("\t")[0])
    branch = headers.get("branch.head")
    commit = headers.get("branch.oid")
    counts = headers.get("branch.ab", "").replace("+", "").replace("-", "").split()
    numbers = [int(word) for word in counts if word.isdecimal() and word.isascii()]
    ahead, behind = numbers if len(numbers) == 2 else (None, None)
    return {
        "branch": None if branch == "(detached)" else branch,
        "commit": None if commit == "(initial)" else commit,
        "dirty": bool(files),
        "changed_files": files[:_MOST_FILES],
        "upstream": headers.get("branch.upstream"),
        "ahead": ahead,
        "behind": behind,
        "truncated": len(files) > _MOST_FILES,
    }
