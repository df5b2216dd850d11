"""Find one server and one location in the text of an nginx configuration file."""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import NamedTuple

from ansible.module_utils.runbook_support.errors import RefusedError

_TOKEN = re.compile(
    r"""\s+ | \#[^\n]* | (?P<mark>[;{}]) |
    (?P<word>(?:"(?:\\.|[^"\\])*" | '(?:\\.|[^'\\])*' | \\. | \$\{ | [^\s;{}"'\\])
      (?:\\. | \$\{[^}]*\} | [^\s;{}\\])*)""",
    re.VERBOSE | re.DOTALL,
)
UNQUOTED = re.compile(r"[^\s;{}\"'\\#]+")
"""What nginx reads as one word without quotes around it."""

_FOREIGN = "_by_lua_block"
_UNITS_S = {"": 1.0, "ms": 0.001, "s": 1.0, "m": 60.0, "h": 3600.0, "d": 86400.0}


class Directive(NamedTuple):
    """A directive at `start:end` of the text; a block also has what lies at `inside:end - 1`."""

    name: str
    args: list[str]
    start: int
    end: int
    inside: int
    block: list[Directive] | None

    def all(self, name: str) -> list[Directive]:
        """Return the directives of that name directly in this block."""
        return [inner for inner in self.block or [] if inner.name == name]


def parse(text: str) -> list[Directive]:
    """Return the directives of a file; raise RefusedError where it cannot be read."""
    found, position = _block(text, 0)
    if position < len(text):
        raise RefusedError(f"line {_line(text, position)}: a '}}' too many")
    return found


def _line(text: str, position: int) -> int:
    return text.count("\n", 0, position) + 1


def _block(text: str, position: int) -> tuple[list[Directive], int]:
    """Return the directives up to the end of the text or the brace that ends the block."""
    found: list[Directive] = []
    words: list[str] = []
    start = position
    while position < len(text):
        token = _TOKEN.match(text, position)
        if token is None:
            raise RefusedError(f"line {_line(text, position)}: cannot be read")
        mark, word = token.group("mark"), token.group("word")
        if word:
            start = start if words else position
            words.append(_plain(word))
        elif mark == "}":
            break
        elif mark and not words:
            raise RefusedError(f"line {_line(text, position)}: a {mark!r} without a directive")
        elif mark == ";":
            found.append(Directive(words[0], words[1:], start, token.end(), -1, None))
            words = []
        elif mark == "{":
            found.append(_opened(text, words, start, token.end()))
            words = []
            position = found[-1].end
            continue
        position = token.end()
    if words:
        raise RefusedError(f"line {_line(text, start)}: a directive without its ';'")
    return found, position


def _opened(text: str, words: list[str], start: int, inside: int) -> Directive:
    """Return the block that `words` begin."""
    if words[0].endswith(_FOREIGN):
        raise RefusedError(f"line {_line(text, start)}: Lua code cannot be read")
    block, end = _block(text, inside)
    if end >= len(text):
        raise RefusedError(f"line {_line(text, start)}: a '{{' without its '}}'")
    return Directive(words[0], words[1:], start, end + 1, inside, block)


def _plain(word: str) -> str:
    return word[1:-1] if word[0] in "\"'" and word[-1] == word[0] and len(word) > 1 else word


def walk(directives: list[Directive]) -> Iterator[Directive]:
    """Return directives and all inside of them."""
    for directive in directives:
        yield directive
        yield from walk(directive.block or [])


def server(directives: list[Directive], name: str, listen: str) -> Directive:
    """Return the one server of that name that does more than redirect; raise RefusedError.

    `listen` is an argument of its `listen`; empty for any.
    """
    named = [
        block
        for block in walk(directives)
        if block.name == "server"
        and block.block is not None
        and any(name in own.args for own in block.all("server_name"))
    ]
    found = [
        block
        for block in named
        if not block.all("return")
        and (not listen or any(listen in own.args for own in block.all("listen")))
    ]
    if len(found) != 1:
        has = ", ".join(
            " ".join(["listen", *own.args]) for block in named for own in block.all("listen")
        )
        raise RefusedError(
            f"{len(found)} servers are meant by {name}"
            + (f" at {listen}" if listen else "")
            + f", expected one; there is: {has or 'none of that name'}"
        )
    return found[0]


def location(block: Directive, path: str) -> Directive | None:
    """Return a server's location by its path, with its modifier if it has one; None if none."""
    wanted = path.split()
    for inner in walk(block.block or []):
        if inner.name == "location" and inner.args == wanted:
            return inner
    return None


def seconds(args: list[str]) -> float:
    """Return a time as nginx writes it, in seconds; raise RefusedError if it is none."""
    text = " ".join(args)
    parts = re.findall(r"(\d+)(ms|[smhd])?", text)
    if not re.fullmatch(r"(\d+(ms|[smhd])?\s*)+", text):
        raise RefusedError(f"{text!r} is no time that can be compared")
    return sum(int(number) * _UNITS_S[unit] for number, unit in parts)


def indentation(text: str, block: Directive) -> str:
    """Return what the directives of a block are indented by."""
    for inner in block.block or []:
        line = text[text.rfind("\n", 0, inner.start) + 1 : inner.start]
        if not line.strip():
            return line
    opening = text[text.rfind("\n", 0, block.start) + 1 : block.start]
    return (opening if not opening.strip() else "") + "    "


def added(text: str, block: Directive, lines: list[str]) -> str:
    """Return the text with lines added at the end of a block."""
    brace = block.end - 1
    indent = indentation(text, block)
    fresh = "".join(f"{indent}{line}\n" if line else "\n" for line in lines)
    line_start = text.rfind("\n", 0, brace) + 1
    if not text[line_start:brace].strip():
        return text[:line_start] + fresh + text[line_start:]
    # All on one line, or the brace follows something.
    opening = text[text.rfind("\n", 0, block.start) + 1 :]
    outer = opening[: len(opening) - len(opening.lstrip(" \t"))]
    return f"{text[:brace].rstrip(' ')}\n{fresh}{outer}{text[brace:]}"
