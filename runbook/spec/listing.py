"""What runbooks there are, read as cheaply as can be: `runbook list` has to answer at once.

Nothing is checked here, and a file is read only as far as its steps. YAML's parser is the only
thing imported that costs anything.
"""

import re
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import yaml

from runbook.spec.places import runbook_files

_Loader: Any = getattr(yaml, "CSafeLoader", yaml.SafeLoader)
_MAX_BYTES = 1024 * 1024
_MAX_DEPTH = 64


@dataclass(frozen=True, kw_only=True, slots=True)
class Summary:
    """What `runbook list` shows. `name` is the file's stem; `title` is "" if it cannot be read."""

    name: str
    title: str
    symptoms: tuple[str, ...]
    path: Path


def symptoms_in(one: Summary, text: str) -> tuple[str, ...]:
    """Return the symptoms of a runbook that a text names, whatever its case.

    One is named where it stands in the text, as in an error message, or has all words of the text.
    """
    sought = text.casefold()
    return tuple(
        symptom
        for symptom in one.symptoms
        if _stands_in(symptom.casefold(), sought)
        or all(_stands_in(word, symptom.casefold()) for word in sought.split())
    )


def _stands_in(words: str, text: str) -> bool:
    return re.search(rf"(?<!\w){re.escape(words)}(?!\w)", text) is not None


def summaries(search_path: Sequence[Path]) -> list[Summary]:
    """Return what there is to run, by name; of two with the same name, the one found first."""
    found: dict[str, Path] = {}
    for folder in search_path:
        for path in runbook_files(folder):
            found.setdefault(path.stem, path)
    return [_summary(found[name]) for name in sorted(found)]


def _summary(path: Path) -> Summary:
    try:
        with path.open("rb") as file:
            content = file.read(_MAX_BYTES)
    except OSError:
        content = b""
    head = _head(content)
    return Summary(
        name=path.stem,
        title=" ".join(" ".join(head.get("title", ())).split()),
        symptoms=tuple(head.get("symptoms", ())),
        path=path,
    )


def _head(content: bytes) -> dict[str, list[str]]:
    """Return the text, or texts of a list, under each key above the steps.

    Events are read rather than nodes composed: PyYAML's composer recurses in C, where a file of a
    hundred thousand brackets ends the process, and its scanner is quadratic in them. What stands
    below the steps is read only for want of a title.
    """
    head: dict[str, list[str]] = {}
    key: str | None = None
    depth = 0
    with suppress(yaml.YAMLError, ValueError):
        for event in yaml.parse(content, Loader=_Loader):
            if isinstance(event, yaml.CollectionStartEvent):
                if depth == _MAX_DEPTH or (
                    depth == 0 and not isinstance(event, yaml.MappingStartEvent)
                ):
                    break
                depth += 1
            elif isinstance(event, yaml.CollectionEndEvent):
                depth -= 1
            elif isinstance(event, yaml.ScalarEvent) and key is not None and depth <= 2:
                head.setdefault(key, []).append(event.value)
            if depth != 1 or not isinstance(event, yaml.NodeEvent | yaml.CollectionEndEvent):
                continue
            # At the top level a key and a value take turns; the mapping's own start is neither.
            if isinstance(event, yaml.MappingStartEvent):
                continue
            if key is None:
                key = event.value if isinstance(event, yaml.ScalarEvent) else ""
                if key == "steps" and "title" in head:
                    break
            else:
                key = None
    return head
