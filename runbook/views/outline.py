"""A document of headings, items and quoted lines, drawn as plain text or as Markdown.

Whatever comes from a host is a `Quote`: a code span in Markdown, where nothing in it has a meaning.
All text is made printable here, at the last moment, so that no caller can forget it.
"""

import re
import textwrap
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from enum import StrEnum

from runbook.views.safe_text import printable, printable_lines

_LEAST_TEXT = 24
"""How many columns a line of text gets at least, however deep it stands."""


class Quote(str):
    """Text of a host, or a name of ours that is meant literally."""

    __slots__ = ()


Words = Sequence[str]
"""A line in parts; those that are a `Quote` are drawn as such."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Heading:
    """A heading; level 1 is the document's."""

    level: int
    words: Words


@dataclass(frozen=True, kw_only=True, slots=True)
class Facts:
    """Names with values, one a line."""

    pairs: Sequence[tuple[str, Words]]


class Tick(StrEnum):
    """The box of a task list in Markdown; every system shows those with an x or nothing in them."""

    DONE = "[x] "
    OPEN = "[ ] "
    UNKNOWN = "[ ] **?** "


@dataclass(frozen=True, kw_only=True, slots=True)
class Item:
    """A line of a list; `depth` counts from 0. Its `tick` is for Markdown alone."""

    words: Words
    depth: int = 0
    tick: Tick | None = None


@dataclass(frozen=True, kw_only=True, slots=True)
class Block:
    """Lines quoted as they are, below the item of the same depth."""

    text: str
    language: str = ""
    depth: int = 0


Part = Heading | Facts | Item | Block


def as_text(parts: Iterable[Part], *, width: int | None = None) -> str:
    """Draw a document for a terminal, without colour; lines over `width` are folded."""
    lines: list[str] = []
    for part in parts:
        match part:
            case Heading():
                if lines:
                    lines.append("")
                lead = "  " * max(0, part.level - 2)
                lines += _folded(lead, lead, _plain(part.words), width)
            case Facts():
                longest = max(len(name) for name, _ in part.pairs)
                for name, words in part.pairs:
                    lead = f"  {name:<{longest}}  "
                    lines += _folded(lead, " " * len(lead), _plain(words), width)
            case Item():
                lead = "  " * (part.depth + 2)
                lines += _folded(f"{lead}- ", f"{lead}  ", _plain(part.words), width)
            case Block():
                indent = "  " * (part.depth + 4)
                for line in printable_lines(part.text):
                    lines += _folded(indent, f"{indent}  ", line, width)
    return "\n".join(lines)


def as_markdown(parts: Iterable[Part]) -> str:
    """Draw a document as CommonMark."""
    lines: list[str] = []
    before: Part | None = None
    for part in parts:
        listed = isinstance(part, Item | Block) and isinstance(before, Item | Block)
        if lines and not listed:
            lines.append("")
        match part:
            case Heading():
                lines.append(f"{'#' * part.level} {_marked(part.words)}")
            case Facts():
                lines += [f"- {name}: {_marked(words)}" for name, words in part.pairs]
            case Item():
                lines.append(f"{'  ' * part.depth}- {part.tick or ''}{_marked(part.words)}")
            case Block():
                indent = "  " * (part.depth + 1)
                lines += [f"{indent}{line}".rstrip() for line in _fenced(part)]
        before = part
    return "\n".join(lines)


def _folded(first: str, lead: str, text: str, width: int | None) -> list[str]:
    """Return text in lines of at most `width` characters, all but the first after `lead`."""
    if width is None or len(first) + len(text) <= width:
        return [f"{first}{text}".rstrip()]
    room = max(_LEAST_TEXT, width - len(lead))
    # What is written in columns keeps its spaces; where nothing else helps, words are cut.
    head, *rest = textwrap.wrap(
        text, room, drop_whitespace=True, replace_whitespace=False, break_on_hyphens=False
    )
    return [first + head, *(lead + line for line in rest)]


def _plain(words: Words) -> str:
    return "".join(printable(word) for word in words)


def _marked(words: Words) -> str:
    return "".join(_span(word) if isinstance(word, Quote) else _escaped(word) for word in words)


def _escaped(text: str) -> str:
    return re.sub(r"([\\`*_{}\[\]<>#|~&!@])", r"\\\1", printable(text))


def _span(text: str) -> str:
    """Return a code span, with more backticks around it than it holds in a row."""
    text = printable(text)
    fence = "`" * (1 + _longest_run(text))
    pad = " " if text.startswith("`") or text.endswith("`") or not text.strip() else ""
    return f"{fence}{pad}{text}{pad}{fence}"


def _fenced(block: Block) -> list[str]:
    lines = printable_lines(block.text)
    fence = "`" * max(3, 1 + max(map(_longest_run, lines), default=0))
    return [f"{fence}{block.language}", *lines, fence]


def _longest_run(text: str) -> int:
    return max(map(len, re.findall(r"`+", text)), default=0)
