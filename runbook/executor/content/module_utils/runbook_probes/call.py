"""How a probe is called: its arguments, its limits, and how it says that it could not look."""

from __future__ import annotations

import time
from types import FunctionType

TRUE_WORDS = frozenset(["true", "yes", "on", "1"])
FALSE_WORDS = frozenset(["false", "no", "off", "0"])


class CannotLookError(Exception):
    """The probe could not look; the text says why. It is never a finding about the host."""


class OverTimeError(Exception):
    """The probe's time is up. Raised by the alarm wherever the probe happens to be."""


class Look:
    """What one probe may use.

    `timeout_s` is its time in seconds, counted from the creation of this object; `max_bytes` the
    size its facts may have.
    """

    def __init__(self, timeout_s: float, max_bytes: int) -> None:
        self.timeout_s = timeout_s
        self.max_bytes = max_bytes
        self._ends = time.monotonic() + timeout_s

    def left_s(self) -> float:
        """Return the seconds that are left, at least a millisecond."""
        return max(self._ends - time.monotonic(), 0.001)


def as_text(value: object) -> str:
    """Read a text; numbers are taken for the text that a template made them of."""
    if isinstance(value, str):
        return value
    if isinstance(value, (int, float)) and not isinstance(value, bool):
        return str(value)
    raise ValueError("a text")


def as_whole(value: object) -> int:
    """Read a whole number, also from its text: a template may yield either."""
    if isinstance(value, int) and not isinstance(value, bool):
        return value
    if isinstance(value, float) and value.is_integer():
        return int(value)
    if isinstance(value, str) and value.strip().lstrip("-").isdecimal():
        return int(value)
    raise ValueError("a whole number")


def as_number(value: object) -> float:
    """Read a finite number, also from its text."""
    if isinstance(value, (int, float, str)) and not isinstance(value, bool):
        try:
            number = float(value)
        except (ValueError, OverflowError):
            number = float("nan")
        if number - number == 0:
            return number
    raise ValueError("a number")


def as_flag(value: object) -> bool:
    """Read true or false, also from its text."""
    if isinstance(value, bool):
        return value
    word = str(value).strip().lower()
    if word in TRUE_WORDS:
        return True
    if word in FALSE_WORDS:
        return False
    raise ValueError("true or false")


def as_texts(value: object) -> list[str]:
    """Read a list of texts; one text may stand alone."""
    if isinstance(value, str):
        return [value]
    if isinstance(value, (list, tuple)):
        return [as_text(item) for item in value]
    raise ValueError("a list of texts")


def as_pairs(value: object) -> dict[str, str]:
    """Read a mapping of texts to texts."""
    if isinstance(value, dict):
        return {as_text(key): as_text(item) for key, item in value.items()}
    raise ValueError("a mapping of texts")


def as_is(value: object) -> object:
    """Leave the value as it came."""
    return value


# By the annotation in a probe's signature, which Python 3.8 keeps as text.
READERS = {
    "str": as_text,
    "int": as_whole,
    "float": as_number,
    "bool": as_flag,
    "list[str]": as_texts,
    "dict[str, str]": as_pairs,
    "object": as_is,
}


def bind(function: FunctionType, given: dict[str, object]) -> dict[str, object]:
    """Return the arguments of a probe, read as its signature says.

    A probe is `probe(look, *, name: type = default, ...)`: its signature is the one place that says
    what it takes.

    Raises:
        CannotLookError: an argument is unknown, missing, or of another type.
    """
    code = function.__code__
    names = code.co_varnames[code.co_argcount : code.co_argcount + code.co_kwonlyargcount]
    defaults = function.__kwdefaults__ or {}
    unknown = sorted(str(name) for name in given if name not in names)
    if unknown:
        raise CannotLookError("unknown argument " + ", ".join(unknown))
    missing = [name for name in names if name not in given and name not in defaults]
    if missing:
        raise CannotLookError("missing argument " + ", ".join(missing))
    return {name: _read(name, function.__annotations__[name], given[name]) for name in given}


def _read(name: str, annotation: str, value: object) -> object:
    kind, _, alternative = annotation.partition(" | ")
    if value is None and alternative == "None":
        return None
    try:
        return READERS[kind](value)
    except ValueError as error:
        # No echo of the value: it may be a secret.
        raise CannotLookError(f"{name} must be {error}, not {type(value).__name__}") from None
