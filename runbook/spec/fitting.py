"""Whether data fits a schema: yes or no, at a small part of what jsonschema costs.

Most runbooks that are read are sound. jsonschema, which can say what is wrong, takes some 100 ms of
CPU to import and as much again for a long file, so it is asked only where this says no.
"""

import re
from collections.abc import Callable, Mapping

from runbook.model.definition import Json

Find = Callable[[str], Json]
"""Returns the schema that a `$ref` names."""

# They say nothing about a value, or are read together with another keyword.
_PASSIVE = {"$schema", "$id", "$defs", "title", "description", "default", "then", "else"}


class _NotKnownError(Exception):
    """The schema says something this module does not understand."""


def fits(value: Json, schema: Json, find: Find) -> bool:
    """Say whether a value fits a JSON Schema (2020-12); False as well where that is not known.

    Known are the keywords that the schemas of runbooks and params use.
    """
    try:
        return _fits(value, schema, find)
    except _NotKnownError:
        # Not a plain False further in: within `oneOf` or `if` that could make the whole fit.
        return False


def _fits(value: Json, schema: Json, find: Find) -> bool:
    if isinstance(schema, bool):
        return schema
    return all(
        keyword in _PASSIVE or _holds(keyword, rule, value, schema, find)
        for keyword, rule in schema.items()
    )


def _holds(  # noqa: C901  # one arm for each keyword
    keyword: str, rule: Json, value: Json, schema: Json, find: Find
) -> bool:
    if keyword in _BOUNDS:
        kind, within = _BOUNDS[keyword]
        return not kind(value) or within(value, rule)
    match keyword:
        case "type":
            return any(_KINDS[kind](value) for kind in ([rule] if isinstance(rule, str) else rule))
        case "$ref":
            return _fits(value, find(rule), find)
        case "const":
            return _same(value, rule)
        case "enum":
            return any(_same(value, one) for one in rule)
        case "properties":
            return not _is_mapping(value) or all(
                _fits(value[name], rule[name], find) for name in value if name in rule
            )
        case "additionalProperties":
            known = schema.get("properties", {})
            return not _is_mapping(value) or all(
                _fits(value[name], rule, find) for name in value if name not in known
            )
        case "propertyNames":
            return not _is_mapping(value) or all(_fits(name, rule, find) for name in value)
        case "items":
            return not _is_list(value) or all(_fits(item, rule, find) for item in value)
        case "allOf":
            return all(_fits(value, option, find) for option in rule)
        case "anyOf":
            return any(_fits(value, option, find) for option in rule)
        case "oneOf":
            return sum(_fits(value, option, find) for option in rule) == 1
        case "if":
            branch = "then" if _fits(value, rule, find) else "else"
            return _fits(value, schema.get(branch, True), find)
        case _:
            raise _NotKnownError


def _is_text(value: Json) -> bool:
    return isinstance(value, str)


def _is_list(value: Json) -> bool:
    return isinstance(value, list)


def _is_mapping(value: Json) -> bool:
    return isinstance(value, dict)


def _is_number(value: Json) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool)


def _is_whole(value: Json) -> bool:
    return _is_number(value) and (isinstance(value, int) or bool(value.is_integer()))


def _same(one: Json, other: Json) -> bool:
    if isinstance(other, list | dict):
        raise _NotKnownError
    # To Python 1 and True are equal, to JSON 1 and 1.0.
    return isinstance(one, bool) == isinstance(other, bool) and bool(one == other)


_KINDS: Mapping[str, Callable[[Json], bool]] = {
    "string": _is_text,
    "array": _is_list,
    "object": _is_mapping,
    "number": _is_number,
    "integer": _is_whole,
    "boolean": lambda value: isinstance(value, bool),
    "null": lambda value: value is None,
}
# Each speaks of one kind of value; any other is within.
_BOUNDS: Mapping[str, tuple[Callable[[Json], bool], Callable[[Json, Json], bool]]] = {
    "maximum": (_is_number, lambda value, bound: value <= bound),
    "minimum": (_is_number, lambda value, bound: value >= bound),
    "maxLength": (_is_text, lambda value, bound: len(value) <= bound),
    "minLength": (_is_text, lambda value, bound: len(value) >= bound),
    "pattern": (_is_text, lambda value, bound: re.search(bound, value) is not None),
    "minItems": (_is_list, lambda value, bound: len(value) >= bound),
    "maxProperties": (_is_mapping, lambda value, bound: len(value) <= bound),
    "minProperties": (_is_mapping, lambda value, bound: len(value) >= bound),
    "required": (_is_mapping, lambda value, bound: all(name in value for name in bound)),
}
