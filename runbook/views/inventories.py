"""Names of hosts and groups in static inventories, read without Ansible: for completion alone.

Ansible decides what an inventory means. This knows its INI and YAML forms well enough to offer
names; executable and plugin inventories are left out, and what it cannot read is passed over.
"""

import os
import re
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any

_MAX_BYTES = 128 * 1024
"""Of one file: a larger one would take longer to read than a person waits for a Tab."""

_MAX_FILES = 50
_MAX_RANGE = 1000
_IGNORED = (".cfg", ".orig", ".retry", ".pyc", ".swp", ".bak", "~", ".md", ".txt", ".rst", ".toml")
_VARIABLES = ("group_vars", "host_vars")
_SECTION = re.compile(r"\s*\[([^\]:]+)(?::(\w+))?\]")
_BRACKETS = re.compile(r"\[[^\]]*\]")
_RANGE = re.compile(r"\[(\w+):(\w+)(?::(\d+))?\]")


def names_in(sources: Iterable[str]) -> Iterator[str]:
    """Yield hosts and groups of inventories as for `ansible-playbook -i`; never raises."""
    for source in sources:
        if "," in source:
            yield from filter(None, (part.strip() for part in source.split(",")))
            continue
        for path in _files(Path(source)):
            try:
                text = path.read_text(encoding="utf-8")
            except (OSError, UnicodeDecodeError):
                continue
            in_yaml = path.suffix in (".yml", ".yaml", ".json")
            for name in _yaml_names(text) if in_yaml else _ini_names(text):
                yield from _expanded(name)


def _files(source: Path) -> Iterator[Path]:
    """Yield the files of a source that are static and not too large."""
    try:
        entries = sorted(source.iterdir()) if source.is_dir() else [source]
        files = [entry for entry in entries if entry.is_file()]
        folders = [entry for entry in entries if entry.is_dir() and entry.name not in _VARIABLES]
    except OSError:
        return
    # One level of folders below an inventory is as deep as they go in practice.
    for folder in folders:
        try:
            files += sorted(entry for entry in folder.iterdir() if entry.is_file())
        except OSError:
            continue
    for path in files[:_MAX_FILES]:
        hidden = path.name.startswith(".") or path.name.endswith(_IGNORED)
        if not hidden and not os.access(path, os.X_OK) and path.stat().st_size <= _MAX_BYTES:
            yield path


def _ini_names(text: str) -> Iterator[str]:
    section = "hosts"
    for line in text.splitlines():
        words = line.split()
        if not words or words[0].startswith(("#", ";")):
            continue
        header = _SECTION.match(line)
        if header:
            section = header[2] or "hosts"
            yield header[1]
        elif section in ("hosts", "children"):
            # `name:22` has a port; colons within brackets, or several, are something else.
            has_port = _BRACKETS.sub("", words[0]).count(":") == 1
            yield words[0].rpartition(":")[0] if has_port else words[0]


def _yaml_names(text: str) -> Iterator[str]:
    import yaml  # noqa: PLC0415  # where there is such a file only

    loader: Any = getattr(yaml, "CBaseLoader", yaml.BaseLoader)
    try:
        data = yaml.load(text, Loader=loader)  # noqa: S506  # a base loader makes only text
    except (yaml.YAMLError, ValueError, RecursionError):
        return
    # Aliases make data a graph: each mapping is looked at once.
    pending, seen = [data], set[int]()
    while pending:
        groups = pending.pop()
        if not isinstance(groups, dict) or id(groups) in seen:
            continue
        seen.add(id(groups))
        for group, body in groups.items():
            if not isinstance(body, dict | str):
                continue
            yield str(group)
            if isinstance(body, dict):
                if isinstance(body.get("hosts"), dict):
                    yield from map(str, body["hosts"])
                pending.append(body.get("children"))


def _expanded(name: str) -> Iterator[str]:
    """Yield the names of a range such as `web[01:03]`, the first of them if there are many."""
    found = _RANGE.search(name)
    if not found:
        yield name
        return
    first, last, step = found[1], found[2], int(found[3] or 1)
    lead, rest = name[: found.start()], name[found.end() :]
    if first.isdecimal() and last.isdecimal() and step:
        steps = range(int(first), int(last) + 1, step)[:_MAX_RANGE]
        labels = [str(number).zfill(len(first)) for number in steps]
    elif len(first) == len(last) == 1 and step:
        labels = [chr(code) for code in range(ord(first), ord(last) + 1, step)]
    else:
        return
    for label in labels:
        yield f"{lead}{label}{rest}"
