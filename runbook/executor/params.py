"""Checking a param's rendered value, inside Ansible where secrets need not leave."""

import re
from collections.abc import Mapping

from runbook.model.definition import Json

_TYPES: Mapping[str, type | tuple[type, ...]] = {
    "string": str,
    "integer": int,
    "number": (int, float),
    "boolean": bool,
    "array": list,
    "object": dict,
}
_NAMES = {"array": "list"}


def problem_with(value: Json, schema: Mapping[str, Json], *, secret: bool) -> str | None:
    """Return what is wrong with a value, in words that do not show a secret one; None if fine.

    Knows the keywords that params may use: type, enum, minimum, maximum, pattern, items.
    """
    shown = "the value" if secret else repr(value)
    wanted = schema.get("type")
    if isinstance(wanted, str) and not _is(value, wanted):
        return f"{shown} is not of type {_NAMES.get(wanted, wanted)}"
    if "enum" in schema and value not in schema["enum"]:
        return f"{shown} is not one of {', '.join(map(repr, schema['enum']))}"
    if "minimum" in schema and value < schema["minimum"]:
        return f"{shown} is less than {schema['minimum']}"
    if "maximum" in schema and value > schema["maximum"]:
        return f"{shown} is more than {schema['maximum']}"
    if "pattern" in schema and not re.search(str(schema["pattern"]), value):
        return f"{shown} does not match {schema['pattern']}"
    if "items" in schema and isinstance(value, list):
        for number, item in enumerate(value, 1):
            problem = problem_with(item, schema["items"], secret=secret)
            if problem is not None:
                return f"item {number}: {problem}"
    return None


def _is(value: Json, wanted: str) -> bool:
    if isinstance(value, bool) and wanted in ("integer", "number"):
        return False  # In Python a bool is an int; in YAML and JSON it is not.
    return isinstance(value, _TYPES[wanted])
