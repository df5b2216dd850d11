"""What comes to the same on many hosts is rendered once, before the processes of hosts are forked.

Most texts of a runbook, and most arguments of its probes, name params only, and those are the same on
most hosts. What such a text came to is kept with the values of all names that it could use, and found
again for each host where those are equal, whatever object holds them. Nothing is kept that may come
to something else the next time, and nothing that knows which host it is for.
"""

import re
from collections.abc import Callable, Hashable, Mapping
from dataclasses import dataclass, field
from functools import lru_cache

from runbook.executor.mentioned import reached, template_in
from runbook.model.definition import Json

MOST_NODES = 300
"""How many values a name may lead to; to compare more would take longer than to render."""

MOST_FOR_ONE = 8
"""How many results of one text are kept: scopes have different params of the same names."""

STEADY = frozenset(
    [
        *("abs", "b64decode", "b64encode", "basename", "batch", "bool", "boolean", "capitalize"),
        *("ceil", "contains", "d", "default", "defined", "dictsort", "difference", "dirname"),
        *("divisibleby", "eq", "equalto", "even", "false", "first", "flatten", "float", "format"),
        *("from_json", "ge", "gt", "in", "indent", "int", "integer", "intersect", "items"),
        *("items2dict", "iterable", "join", "last", "le", "length", "list", "lower", "lt", "map"),
        *("mapping", "match", "max", "min", "ne", "none", "number", "odd", "quote", "regex"),
        *("regex_escape", "regex_findall", "regex_replace", "regex_search", "reject", "rejectattr"),
        *("replace", "reverse", "round", "search", "select", "selectattr", "sequence", "sort"),
        *("split", "splitext", "string", "subset", "sum", "superset", "symmetric_difference"),
        *("title", "to_json", "trim", "true", "truncate", "type_debug", "undefined", "union"),
        *("unique", "upper", "urlencode", "urlsplit", "version", "wordcount", "zip"),
    ]
)
"""Filters and tests of Jinja's and Ansible's that come to the same each time."""

_OPERATORS = frozenset(["and", "else", "if", "in", "is", "not", "or"])
_BY_NAME = frozenset(["map", "reject", "rejectattr", "select", "selectattr"])
"""Filters that are told another filter or a test by its name."""

_CHANGING = frozenset(["cycler", "joiner", "lipsum", "namespace", "now", "random", "shuffle"])

_BLOCK = re.compile(r"\{\{(.*?)\}\}", re.DOTALL)
_LITERAL = re.compile(r"'([^'\\]*)'|\"([^\"\\]*)\"")
_USED = re.compile(r"\|\s*([\w.]+)|\bis\s+(?:not\s+)?([\w.]+)|([\w.]*\w)\s*\(")
_WORD = re.compile(r"\w+")


@lru_cache(maxsize=4096)
def is_steady(text: str, *, expression: bool = False) -> bool:
    """Say whether a template, or an expression, comes to the same each time with the same values."""
    if expression:
        return _is_steady(text)
    template = template_in(text)
    blocks = _BLOCK.findall(template)
    # A block that seems to end within a literal leaves its end to what is between blocks.
    between = _BLOCK.sub("", template)
    return not re.search(r"\{\{|\}\}|\{%|\{#|#jinja2:", between) and all(map(_is_steady, blocks))


def _is_steady(expression: str) -> bool:
    literals = {single or double for single, double in _LITERAL.findall(expression)}
    rest = _LITERAL.sub("''", expression)
    if re.search(r"[\"'\\]|\{\{|\{%", rest.replace("''", "")):
        return False
    used: set[str] = set()
    for by_filter, by_test, called in _USED.findall(rest):
        if by_filter or by_test:
            used.add(by_filter or by_test)
        elif "." not in called:  # What is called by a dot is a method of plain data.
            used.add(called)
    if used & _BY_NAME:
        used |= {word for word in literals if _WORD.fullmatch(word)}
    return used - _OPERATORS <= STEADY and not _CHANGING.intersection(_WORD.findall(rest))


class CannotCompareError(Exception):
    """A value cannot be compared by what it shows, or may come to something else each time."""


@dataclass(frozen=True, kw_only=True, slots=True)
class _Kept:
    value: Json
    present: Mapping[str, Hashable]
    absent: frozenset[str]
    result: Json


@dataclass(kw_only=True)
class Once:
    """What texts came to, by all that they could use.

    `is_template` says of a variable's value whether what is in it is rendered, and raises
    CannotCompareError where it is not only what it shows. Values are not changed once they were seen.
    """

    is_template: Callable[[Json], bool]
    _kept: dict[Hashable, list[_Kept]] = field(default_factory=dict)
    _shown: dict[int, tuple[Json, Hashable]] = field(default_factory=dict)

    def find(
        self, value: Json, variables: Mapping[str, Json], *, expression: bool = False
    ) -> tuple[Json] | None:
        """Return what a value of the runbook comes to with these variables, if that is known."""
        for kept in self._kept.get(_key(value, expression=expression), ()):
            if kept.value is not value and not isinstance(value, str):
                continue  # Another object was there before.
            if self._is_equal(kept, variables):
                return (kept.result,)
        return None

    def keep(
        self,
        value: Json,
        variables: Mapping[str, Json],
        result: Json,
        *,
        expression: bool = False,
    ) -> None:
        """Keep what a value came to, if it comes to the same each time."""
        found = reached(value, variables, expression=expression)
        kept = self._kept.setdefault(_key(value, expression=expression), [])
        if found is None or len(kept) >= MOST_FOR_ONE:
            return
        chosen, absent = found
        try:
            if expression:
                _expect_steady(value, expression=True)
            else:
                self._show(value, _Room(), ours=True)
            present = {name: self._shown_by(each) for name, each in chosen.items()}
        except CannotCompareError:
            return
        kept.append(_Kept(value=value, present=present, absent=absent, result=result))

    def _is_equal(self, kept: _Kept, variables: Mapping[str, Json]) -> bool:
        try:
            return not any(name in variables for name in kept.absent) and all(
                name in variables and self._shown_by(variables[name]) == shown
                for name, shown in kept.present.items()
            )
        except CannotCompareError:
            return False

    def _shown_by(self, value: Json) -> Hashable:
        """Return all that a template can see of a value; raise CannotCompareError."""
        known = self._shown.get(id(value))
        if known is None:
            known = self._shown[id(value)] = (value, self._show(value, _Room()))
        return known[1]

    def _show(self, value: Json, room: "_Room", *, ours: bool = False) -> Hashable:
        room.left -= 1
        if room.left < 0:
            raise CannotCompareError
        is_template = ours or self.is_template(value)
        if isinstance(value, str):
            if is_template:
                _expect_steady(value)
            return str, str(value), is_template
        if value is None or isinstance(value, bool):
            return value is None, value
        if isinstance(value, int | float):
            return float if isinstance(value, float) else int, value + 0
        if isinstance(value, dict):
            return dict, tuple(
                (self._show(key, room), self._show(item, room, ours=ours))
                for key, item in value.items()
            )
        if isinstance(value, list):
            return list, tuple(self._show(item, room, ours=ours) for item in value)
        raise CannotCompareError


@dataclass(kw_only=True, slots=True)
class _Room:
    left: int = MOST_NODES


def _key(value: Json, *, expression: bool) -> Hashable:
    return (value if isinstance(value, str) else id(value)), expression


def _expect_steady(text: str, *, expression: bool = False) -> None:
    if (expression or "{" in text) and not is_steady(text, expression=expression):
        raise CannotCompareError
