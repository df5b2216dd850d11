"""What a document from outside asks for, by the routes of its hook. Pure.

Whatever stands in a document was written by others: a value becomes the name of one host or the
value of a param, never a pattern and never what looks like a secret, and what cannot be mapped is
told with its reason.
"""

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from fnmatch import fnmatchcase

from runbook.model.definition import Json
from runbook.model.masking import mask_text
from runbook.schedule.hooks import Route

_MOST_CHARACTERS = 500
_PLACE = re.compile(r"\{([^{}]*)\}")
_HOST = re.compile(r"[A-Za-z0-9_](?:[A-Za-z0-9._-]{0,252})")
_PORT = re.compile(r":[0-9]{1,5}\Z")
_NO_HOST = frozenset({"all", "ungrouped", "localhost"})


@dataclass(frozen=True, kw_only=True, slots=True)
class Wanted:
    """A run of one host that a document asks for."""

    route: Route
    host: str
    given: tuple[str, ...]
    severity: str


class UnmappableError(Exception):
    """The document asks for nothing that could be run; the message says why."""


def wanted(routes: Iterable[Route], document: Json) -> Wanted:
    """Return what a document asks for by the first route that fits; raise UnmappableError."""
    route = next((one for one in routes if _fits(one, document)), None)
    if route is None:
        raise UnmappableError("no route fits")
    return Wanted(
        route=route,
        host=_host(route, document),
        given=tuple(f"{name}={_fill(text, document)}" for name, text in route.given.items()),
        severity=_fill(route.severity, document),
    )


def fill(text: str, document: Json) -> str:
    """Return a text with values of a document in it; raise UnmappableError where there is none."""
    return _fill(text, document)


def places(text: str) -> list[str]:
    """Return the names of the values that a text wants."""
    return _PLACE.findall(text)


def _fits(route: Route, document: Json) -> bool:
    for name, patterns in route.when.items():
        try:
            value = _value(name, document)
        except UnmappableError:
            return False
        if not any(fnmatchcase(value, pattern) for pattern in patterns):
            return False
    return True


def _host(route: Route, document: Json) -> str:
    if not places(route.host):
        return route.host
    # Prometheus' label `instance` is an address with its port.
    host = _PORT.sub("", _fill(route.host, document))
    if _HOST.fullmatch(host) is None or host.lower() in _NO_HOST:
        raise UnmappableError(f'route “{route.name}”: "{host}" is not the name of one host')
    return host


def _fill(text: str, document: Json) -> str:
    return _PLACE.sub(lambda found: _value(found[1], document), text)


def _value(name: str, document: Json) -> str:
    value = document
    for part in _parts(name, document):
        if not isinstance(value, Mapping) or part not in value:
            raise UnmappableError(f'there is no "{name}"')
        value = value[part]
    if isinstance(value, bool):
        return "true" if value else "false"
    if not isinstance(value, str | int | float):
        raise UnmappableError(f'"{name}" is no text and no number')
    said = str(value)
    if len(said) > _MOST_CHARACTERS or not said.isprintable():
        raise UnmappableError(f'"{name}" is too long, or has characters that nobody can read')
    if mask_text(said) != said:
        raise UnmappableError(f'"{name}" looks like a secret, which the queue would keep')
    return said


def _parts(name: str, document: Json) -> list[str]:
    """Split a name at its dots; a label or annotation may have dots of its own."""
    first, dot, rest = name.partition(".")
    inside = document.get(first) if isinstance(document, Mapping) else None
    if dot and isinstance(inside, Mapping) and rest in inside:
        return [first, rest]
    return name.split(".")
