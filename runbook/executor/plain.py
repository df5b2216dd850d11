"""Making safe what hosts say: bounded plain data, and words that are fit for an eye."""

import math
import unicodedata
from collections.abc import Mapping

from runbook.model.definition import Json

MAX_DEPTH = 24
MAX_NODES = 50_000
MAX_WORDS = 4000
"""How long a message, a reason or a name may be, in characters."""

_WHOLE_NUMBERS = 1 << 63


class TooMuchError(Exception):
    """The data are too deep or too long to be passed on."""


def plain(value: Json, *, max_characters: int) -> Json:
    """Return data as JSON can hold and UTF-8 can write them; raise TooMuchError.

    Surrogates become question marks, numbers that are none become null, and those beyond 64 bits
    text. `max_characters` bounds all text together.
    """
    return _Copy(max_characters).of(value, 0)


class _Copy:
    def __init__(self, characters: int) -> None:
        self._characters = characters
        self._nodes = MAX_NODES

    def of(self, value: Json, depth: int) -> Json:
        self._nodes -= 1
        if self._nodes < 0:
            raise TooMuchError
        if value is None or isinstance(value, bool):
            return value
        if isinstance(value, int):
            return int(value) if abs(value) < _WHOLE_NUMBERS else self._text(hex(value))
        if isinstance(value, float):
            return float(value) if math.isfinite(value) else None
        if isinstance(value, Mapping | list | tuple):
            if depth >= MAX_DEPTH:
                raise TooMuchError
            if isinstance(value, Mapping):
                return {
                    self._text(str(key)): self.of(item, depth + 1) for key, item in value.items()
                }
            return [self.of(item, depth + 1) for item in value]
        return self._text(str(value))

    def _text(self, text: str) -> str:
        self._characters -= len(text)
        if self._characters < 0:
            raise TooMuchError
        return written(text)


def written(text: str) -> str:
    """Return a text as UTF-8 can write it; what it cannot is a question mark."""
    return text.encode("utf-8", "replace").decode("utf-8")


def words(text: str, limit: int = MAX_WORDS) -> str:
    """Return a text for the eye: cut at a limit, and no character in it moves a cursor.

    Control characters and those that change the direction of writing are shown as escapes.
    """
    short = text if len(text) <= limit else text[: limit - 1] + "…"
    return "".join(map(_shown, written(short)))


def _shown(character: str) -> str:
    if character in "\n\t" or unicodedata.category(character) not in ("Cc", "Cf"):
        return character
    return ascii(character)[1:-1]
