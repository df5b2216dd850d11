"""A YAML file as data that knows the place of each of its keys and values."""

import re
from collections.abc import Mapping
from dataclasses import dataclass, field

from runbook.errors import Location, Problem
from runbook.model.definition import Json

MAX_SHOWN = 200
"""Longest line, in characters, that a message quotes."""

Path = tuple[str | int, ...]
"""Keys and indices from the root of a document to a value."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Span:
    """Where a key or value starts (line and column from 1) and the line it ends on."""

    line: int
    column: int
    end_line: int


@dataclass(frozen=True, kw_only=True, slots=True)
class Document:
    """One YAML file as data, with a table of places. `data` is None if it could not be read.

    `keys` holds the place of a mapping's key or a list's item, `values` that of the value. `noun`
    is what messages call the whole of it.
    """

    path: str
    lines: tuple[str, ...]
    data: Json
    keys: Mapping[Path, Span] = field(default_factory=dict)
    values: Mapping[Path, Span] = field(default_factory=dict)
    problems: tuple[Problem, ...] = ()
    noun: str = "the runbook"

    def at(self, line: int, column: int = 1) -> Location:
        """Return a location of this file, with its line's text where the file has that line."""
        text = self.lines[line - 1] if 0 < line <= len(self.lines) else None
        if text is not None:
            # A terminal must not obey what a file contains, nor be flooded by it.
            shown = "".join(c if c.isprintable() or c == "\t" else "\ufffd" for c in text)
            text = shown if len(shown) <= MAX_SHOWN else None
        return Location(path=self.path, line=line, column=column, text=text)

    def key(self, path: Path) -> Location:
        """Return the place of a key or item; of the nearest enclosing one if it has none."""
        return self._locate(self.keys, path)

    def value(self, path: Path) -> Location:
        """Return the place of a value; of the nearest enclosing one if it has none."""
        return self._locate(self.values, path)

    def word(self, path: Path, word: str) -> Location:
        """Return the place of a word within a value; of the value if it is not found there."""
        return self._search(path, rf"(?<![\w.])({re.escape(word)})(?!\w)")

    def escape(self, path: Path, escape: str) -> Location:
        """Return the place of a backslash and what it escapes; of the value if it is not found."""
        return self._search(path, rf"(?<!\\)(?:\\\\)*({re.escape(escape)})")

    def _search(self, path: Path, pattern: str) -> Location:
        span = self.values.get(path)
        if span is None:
            return self.value(path)
        for number in range(span.line, min(span.end_line, len(self.lines)) + 1):
            start = span.column - 1 if number == span.line else 0
            found = re.compile(pattern).search(self.lines[number - 1], start)
            if found:
                return self.at(number, found.start(1) + 1)
        return self.value(path)

    def inside(self, path: Path, line: int) -> Location:
        """Return the place of a line (from 1) of a text value; of the value if it is one line."""
        start = self.value(path)
        lead = (start.text or "")[start.column - 1 : start.column]
        number = start.line + line - 1 + (1 if lead in {"|", ">"} else 0)
        if number == start.line or number > len(self.lines):
            return start
        text = self.lines[number - 1]
        return self.at(number, len(text) - len(text.lstrip()) + 1)

    def _locate(self, table: Mapping[Path, Span], path: Path) -> Location:
        for length in range(len(path), -1, -1):
            span = table.get(path[:length])
            if span is not None:
                return self.at(span.line, span.column)
        return self.at(1)
