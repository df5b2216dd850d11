"""What a task changes or would change, as a unified diff, from whatever its module reported.

Modules report text before and after, or mappings, or a diff they prepared themselves; a host can put
anything there. The shapes are those of ansible-core 2.19, `plugins/callback`, `_get_diff`.
"""

import difflib
import json
from collections.abc import Iterable, Mapping

from runbook.model.definition import Json

MAX_LINES = 1000
"""How much of each side is compared: the comparison can take quadratic time."""

MAX_CHARACTERS = 64 * 1024
MAX_DIFFS = 50

_UNSEEN = {
    "src_binary": "the new file is not text: no diff",
    "dst_binary": "the present file is not text: no diff",
    "src_larger": "the new file is too large for a diff",
    "dst_larger": "the present file is too large for a diff",
}


def difference(diffs: Json) -> str:
    """Return the diff a task's result holds under `diff`; empty where there is none."""
    found = diffs if isinstance(diffs, list | tuple) else [diffs]
    lines = [
        line for diff in found[:MAX_DIFFS] if isinstance(diff, Mapping) for line in _lines(diff)
    ]
    return "\n".join(lines)


def _lines(diff: Mapping[str, Json]) -> Iterable[str]:
    yield from (told for key, told in _UNSEEN.items() if key in diff)
    if "before" in diff and "after" in diff:
        before, after = _side(diff["before"]), _side(diff["after"])
        yield from difflib.unified_diff(
            before,
            after,
            fromfile=_header("before", diff.get("before_header")),
            tofile=_header("after", diff.get("after_header")),
            lineterm="",
        )
    if "prepared" in diff:
        yield str(diff["prepared"])[:MAX_CHARACTERS].rstrip("\n")


def _side(value: Json) -> list[str]:
    if value is None:
        return []
    if isinstance(value, str):
        text = value
    else:
        text = json.dumps(value, indent=2, sort_keys=True, ensure_ascii=False, default=str)
    lines = text[:MAX_CHARACTERS].splitlines()
    if len(lines) > MAX_LINES or len(text) > MAX_CHARACTERS:
        return [*lines[:MAX_LINES], "(what follows is not compared)"]
    return lines


def _header(side: str, told: Json) -> str:
    return f"{side}: {told}" if told else side
