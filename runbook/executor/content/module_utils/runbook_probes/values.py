"""Make what was seen on a host safe to carry: bounded, valid UTF-8, plain JSON."""

from __future__ import annotations

import math

MAX_DEPTH = 40
# What a value costs besides its text, so that a million small numbers are bounded as well.
_NODE_COST = 8


class _Budget:
    def __init__(self, left: int) -> None:
        self.left = left
        self.cut = False

    def spend(self, text: str) -> str:
        """Return as much of the text as is left to spend."""
        if len(text) > self.left:
            text = text[: max(self.left, 0)]
            self.cut = True
        self.left -= len(text)
        return text


def whole_number(text: str) -> int | None:
    """Return the number that a text of digits is, None where it is none or no machine counts so far."""
    return int(text) if len(text) <= 18 and text.isascii() and text.isdigit() else None


def plain(value: object, max_bytes: int) -> tuple[object, bool]:
    """Return the value as plain JSON data of at most about `max_bytes`, and whether it was cut.

    Bytes and lone surrogates are decoded with replacement; numbers that JSON has not (NaN, infinity)
    become null; nesting deeper than `MAX_DEPTH` is cut.
    """
    budget = _Budget(max_bytes)
    return _plain(value, budget, 0), budget.cut


def _plain(value: object, budget: _Budget, depth: int) -> object:
    budget.left -= _NODE_COST
    if value is None or isinstance(value, bool):
        return value
    if isinstance(value, int):
        # Beyond 64 bits a number no longer survives every reader of JSON.
        return value if value.bit_length() < 64 else budget.spend(hex(value))
    if isinstance(value, float):
        return value if math.isfinite(value) else None
    if isinstance(value, bytes):
        value = value.decode("utf-8", "replace")
    if isinstance(value, str):
        return budget.spend(value.encode("utf-8", "replace").decode("utf-8"))
    if depth >= MAX_DEPTH:
        budget.cut = True
        return None
    if isinstance(value, dict):
        return _mapping(value, budget, depth)
    if isinstance(value, (list, tuple)):
        return _sequence(value, budget, depth)
    raise TypeError("a fact cannot be a " + type(value).__name__)


def _mapping(value: dict[object, object], budget: _Budget, depth: int) -> dict[str, object]:
    result: dict[str, object] = {}
    for key, item in value.items():
        # The first level holds the probe's own facts: those are always there, however short.
        if budget.left <= 0 and depth:
            budget.cut = True
            break
        text = str(key).encode("utf-8", "replace").decode("utf-8")
        result[budget.spend(text) if depth else text] = _plain(item, budget, depth + 1)
    return result


def _sequence(
    value: list[object] | tuple[object, ...], budget: _Budget, depth: int
) -> list[object]:
    result: list[object] = []
    for item in value:
        if budget.left <= 0:
            budget.cut = True
            break
        result.append(_plain(item, budget, depth + 1))
    return result
