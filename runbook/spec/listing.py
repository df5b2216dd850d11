"""What runbooks there are, read as cheaply as can be: `runbook list` has to answer at once.

Nothing is checked here, and a file is read only as far as its steps. YAML's parser is the only
thing imported that costs anything.
"""

import re
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import yaml

SUFFIXES = (".yml", ".yaml")
_STEPS = re.compile(rb"^steps[ \t]*:", re.MULTILINE)
# Scalars stay text, as in a title that is a number; tags of Ansible's do not matter above the steps.
_Loader: Any = getattr(yaml, "CBaseLoader", yaml.BaseLoader)
_MAX_BYTES = 1024 * 1024


@dataclass(frozen=True, kw_only=True, slots=True)
class Summary:
    """What `runbook list` shows. `name` is the file's stem; `title` is "" if it cannot be read."""

    name: str
    title: str
    symptoms: tuple[str, ...]
    path: Path


def summaries(search_path: Sequence[Path]) -> list[Summary]:
    """Return what there is to run, by name; of two with the same name, the one found first."""
    found: dict[str, Path] = {}
    for folder in search_path:
        for path in runbook_files(folder):
            found.setdefault(path.stem, path)
    return [_summary(found[name]) for name in sorted(found)]


def runbook_files(folder: Path) -> list[Path]:
    """Return the files of a folder that hold runbooks, by name; none if it cannot be read."""
    try:
        entries = sorted(folder.iterdir())
    except OSError:
        return []
    return [path for path in entries if path.suffix in SUFFIXES and path.is_file()]


def _summary(path: Path) -> Summary:
    data = _head(path)
    title, symptoms = data.get("title"), data.get("symptoms")
    return Summary(
        name=path.stem,
        title=" ".join(title.split()) if isinstance(title, str) else "",
        symptoms=tuple(item for item in symptoms if isinstance(item, str))
        if isinstance(symptoms, list)
        else (),
        path=path,
    )


def _head(path: Path) -> dict[Any, Any]:
    """Return a file's data above its steps; the whole file's if the title stands below them."""
    try:
        with path.open("rb") as file:
            content = file.read(_MAX_BYTES)
    except OSError:
        return {}
    steps = _STEPS.search(content)
    for part in (content[: steps.start()], content) if steps else (content,):
        try:
            data = yaml.load(part, Loader=_Loader)  # noqa: S506  # a base loader makes only text
        except (yaml.YAMLError, ValueError, RecursionError):
            continue
        if isinstance(data, dict) and "title" in data:
            return data
    return {}
