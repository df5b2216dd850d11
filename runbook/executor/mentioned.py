"""Which of a host's variables a text can come to use.

Ansible's templating goes through all the variables it is given for each text anew, a third of its
time. So it is given those that are mentioned, in the text or in the value of one that is mentioned.
"""

import re
from collections.abc import Iterable, Iterator, Mapping
from functools import lru_cache

from runbook.model.definition import Json

_WORD = re.compile(r"[^\W\d]\w*")

_EVERYTHING = frozenset(
    {"vars", "hostvars", "lookup", "query", "q", "include", "import", "extends"}
)
"""What reaches variables that it does not name."""

_OTHER_DELIMITERS = "#jinja2:"

_SIMPLE = (int, float, bool, type(None))


Led = dict[int, tuple[Json, frozenset[str]]]
"""The words of templates within values that were looked through, by the values' identities."""


def mentioned(
    value: Json,
    variables: Mapping[str, Json],
    *,
    expression: bool = False,
    led: Led | None = None,
) -> Mapping[str, Json]:
    """Return the variables that a template, or some data with templates in it, can come to use.

    Where that cannot be told it is all of them. An `expression` is a text that needs no delimiters.
    `led` is for those who ask again and again, and change no value meanwhile.
    """
    found = reached(value, variables, expression=expression, led=led)
    return variables if found is None else found[0]


def reached(
    value: Json,
    variables: Mapping[str, Json],
    *,
    expression: bool = False,
    led: Led | None = None,
) -> tuple[dict[str, Json], frozenset[str]] | None:
    """Return what `mentioned` does, and the words that could name further variables, but do not.

    None where it cannot be told.
    """
    try:
        waiting = set(_words(value) if expression else _in(value))
        chosen: dict[str, Json] = {}
        absent: set[str] = set()
        while waiting:
            if waiting & _EVERYTHING:
                return None
            name = waiting.pop()
            if name not in variables:
                absent.add(name)
            elif name not in chosen:
                chosen[name] = variables[name]
                waiting.update(_led_to(chosen[name], led))
    except _UnknownError:
        return None
    return chosen, frozenset(absent)


def template_in(text: str) -> str:
    """Return a text without what is certainly no template: before its first block, after its last."""
    if text.startswith(_OTHER_DELIMITERS):
        return text
    return text[_first(text, "{{", "{%") : max(text.rfind("}}"), text.rfind("%}")) + 2]


def _first(text: str, *delimiters: str) -> int:
    return min((place for each in delimiters if (place := text.find(each)) >= 0), default=0)


class _UnknownError(Exception):
    """A value may hold templates that cannot be seen, as one from a vault."""


def _led_to(value: Json, led: Led | None) -> Iterable[str]:
    if led is None or isinstance(value, str):
        return _in(value)
    known = led.get(id(value))
    if known is None:
        known = led[id(value)] = (value, frozenset(_in(value)))
    return known[1]


def _in(value: Json) -> Iterator[str]:
    """Yield the words of the templates in a value; raise _UnknownError."""
    if isinstance(value, str):
        if "{{" in value or "{%" in value or value.startswith(_OTHER_DELIMITERS):
            yield from _words(template_in(value))
    elif isinstance(value, Mapping):
        for item in value.values():
            yield from _in(item)
    elif isinstance(value, list | tuple):
        for item in value:
            yield from _in(item)
    elif not isinstance(value, _SIMPLE):
        raise _UnknownError


@lru_cache(maxsize=4096)
def _words(text: str) -> frozenset[str]:
    return frozenset(_WORD.findall(text))
