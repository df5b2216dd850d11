"""The top of a runbook's file: its title and symptoms, read without checking anything."""

from contextlib import suppress
from pathlib import Path
from typing import Any

import yaml

_Loader: Any = getattr(yaml, "CSafeLoader", yaml.SafeLoader)
_MAX_BYTES = 1024 * 1024
_MAX_DEPTH = 64


def title_and_symptoms(path: Path) -> tuple[str, tuple[str, ...]]:
    """Return what a runbook's file says above its steps; "" and () if it cannot be read."""
    try:
        with path.open("rb") as file:
            content = file.read(_MAX_BYTES)
    except OSError:
        content = b""
    head = _head(content)
    return " ".join(" ".join(head.get("title", ())).split()), tuple(head.get("symptoms", ()))


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
