"""What expressions refer to, kept from one command to the next: only those that changed are parsed.

An expression is known by its digest, as its text may hold what is secret; what it refers to are names.
"""

import hashlib
import marshal
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from importlib.util import find_spec
from typing import Any

from runbook import cache_file

MOST = 5000
"""How many are kept; once there are more, only those of one command."""

Told = tuple[Any, ...]
"""What is told of an expression: plain data, the last of it what is wrong with it, else None."""


class _Known:
    def __init__(self, name: str) -> None:
        self._name = name
        self._kept: dict[bytes, Told] = {}
        self._used: dict[bytes, Told] = {}
        with suppress(EOFError, TypeError, ValueError):
            found = marshal.loads(cache_file.read(name) or b"")  # noqa: S302 -- only we wrote it
            self._kept = found if isinstance(found, dict) else {}

    def told(self, kind: str, text: str, parse: Callable[[], Told]) -> Told:
        key = hashlib.sha256(f"{kind} {text}".encode("utf-8", "surrogatepass")).digest()
        found = self._kept[key] if key in self._kept else parse()
        if found[-1] is None:  # Somebody is about to mend it otherwise.
            self._used[key] = found
        return found

    def keep(self) -> None:
        if not self._used.keys() <= self._kept.keys():
            kept = self._kept | self._used
            cache_file.write(self._name, marshal.dumps(kept if len(kept) <= MOST else self._used))


_current: list[_Known] = []


@contextmanager
def expressions_known(*code: str) -> Iterator[None]:
    """Have `told` take what was parsed in earlier commands, and keep what is parsed now.

    `code` are the files that parsing depends on, beside Jinja's.
    """
    jinja = find_spec("jinja2")
    files = (*code, *([jinja.origin] if jinja and jinja.origin else []))
    states = [(path, cache_file.state_of(path)) for path in files]
    asked = repr((sys.version, states)).encode()
    _current.append(_Known(f"expressions-{hashlib.sha256(asked).hexdigest()[:32]}"))
    try:
        yield
    finally:
        _current.pop().keep()


def told(kind: str, text: str, parse: Callable[[], Told]) -> Told:
    """Return what is known of an expression, or what parsing it tells."""
    return _current[-1].told(kind, text, parse) if _current else parse()
