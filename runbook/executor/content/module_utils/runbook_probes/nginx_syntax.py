"""Read nginx configuration: text to directives, directives to servers and where they forward to.

Reads what is there and never raises: what nginx itself would refuse is skipped over.
"""

from __future__ import annotations

import fnmatch
import posixpath
import re
from urllib.parse import urlsplit

from .records import Record

MAX_DEPTH = 30
_FILE_HEADER = re.compile(r"^# configuration file (.+):$", re.MULTILINE)
_PASSES = frozenset(["proxy_pass", "fastcgi_pass", "uwsgi_pass", "scgi_pass", "grpc_pass"])
_SCHEME_PORTS = {"http": 80, "https": 443, "grpc": 80, "grpcs": 443}
_QUOTES = "'\""


class Token(Record):
    """A word, or one of `;{}`; a quoted word is never the latter."""

    text: str
    line: int
    quoted: bool = False


class Directive(Record):
    """A directive; `block` is None where it ends with a semicolon."""

    name: str
    args: list[str]
    file: str
    line: int
    block: list[Directive] | None


class Address(Record):
    """Where a directive forwards to; `host` and `port` are None for a variable or a socket file."""

    address: str
    host: str | None
    port: int | None


def tokens(text: str) -> list[Token]:
    """Split configuration text; comments are left out."""
    found: list[Token] = []
    position = 0
    line = 1
    while position < len(text):
        char = text[position]
        if char == "\n":
            line += 1
            position += 1
        elif char.isspace():
            position += 1
        elif char == "#":
            end = text.find("\n", position)
            position = len(text) if end < 0 else end
        elif char in ";{}":
            found.append(Token(char, line))
            position += 1
            if char == "{" and len(found) > 1 and found[-2].text.endswith("_by_lua_block"):
                # A foreign language in there.
                position = _after_block(text, position)
                found.append(Token("}", line))
                line = 1 + text.count("\n", 0, position)
        else:
            word, end = _word(text, position)
            found.append(Token(word, line, char in _QUOTES))
            line += text.count("\n", position, end)
            position = end
    return found


def _word(text: str, start: int) -> tuple[str, int]:
    quote = text[start] if text[start] in _QUOTES else ""
    position = start + len(quote)
    word = []
    while position < len(text):
        char = text[position]
        if char == "\\" and position + 1 < len(text):
            following = text[position + 1]
            # Before anything else a backslash stays: it belongs to a regular expression.
            word.append(following if following in _QUOTES + "\\ ;{}" else char + following)
            position += 2
            continue
        if char == quote:
            return "".join(word), position + 1
        if not quote and (char.isspace() or char == ";" or _opens_block(text, position)):
            break
        word.append(char)
        position += 1
    return "".join(word), position


def _opens_block(text: str, position: int) -> bool:
    return text[position] == "{" and text[position - 1] != "$"


def _after_block(text: str, position: int) -> int:
    depth = 1
    while position < len(text) and depth:
        depth += {"{": 1, "}": -1}.get(text[position], 0)
        position += 1
    return position


def parse(text: str, file: str) -> list[Directive]:
    """Return the directives of one file."""
    top: list[Directive] = []
    blocks = [top]
    words: list[Token] = []
    for token in tokens(text):
        if token.quoted or token.text not in (";", "{", "}"):
            words.append(token)
            continue
        if token.text == "}":
            if len(blocks) > 1:
                blocks.pop()
        elif words or token.text == "{":
            inner: list[Directive] | None = [] if token.text == "{" else None
            name = words[0].text if words else ""
            line = words[0].line if words else token.line
            args = [word.text for word in words[1:]]
            blocks[-1].append(Directive(name, args, file, line, inner))
            if inner is not None:
                blocks.append(inner)
        words = []
    return top


def split_dump(text: str) -> dict[str, str]:
    """Return the files of an `nginx -T` dump by path, the main one first."""
    files: dict[str, str] = {}
    headers = list(_FILE_HEADER.finditer(text))
    for number, header in enumerate(headers):
        end = headers[number + 1].start() if number + 1 < len(headers) else len(text)
        files.setdefault(header[1], text[header.end() + 1 : end])
    return files


def read_tree(files: dict[str, str]) -> list[Directive]:
    """Return the directives of the first file, with those of included files in their place."""
    if not files:
        return []
    parsed = {path: parse(text, path) for path, text in files.items()}
    main = next(iter(files))
    return _included(parsed[main], parsed, posixpath.dirname(main), (main,), 0)


def _included(
    directives: list[Directive],
    parsed: dict[str, list[Directive]],
    folder: str,
    including: tuple[str, ...],
    depth: int,
) -> list[Directive]:
    found: list[Directive] = []
    if depth > MAX_DEPTH:
        return found
    for directive in directives:
        if directive.name == "include" and directive.args and directive.block is None:
            pattern = posixpath.join(folder, directive.args[0])
            for path, inner in parsed.items():
                if path not in including and path_matches(path, pattern):
                    found += _included(inner, parsed, folder, (*including, path), depth + 1)
        elif directive.block is not None:
            inner = _included(directive.block, parsed, folder, including, depth + 1)
            found.append(directive._replace(block=inner))
        else:
            found.append(directive)
    return found


def path_matches(path: str, pattern: str) -> bool:
    """Tell whether a path is among those of an include; a wildcard stops at a slash."""
    parts = posixpath.normpath(path).split("/")
    wanted = posixpath.normpath(pattern).split("/")
    return len(parts) == len(wanted) and all(map(fnmatch.fnmatchcase, parts, wanted))


def walk(directives: list[Directive], name: str) -> list[Directive]:
    """Return the directives of that name, at whatever depth."""
    found = []
    for directive in directives:
        if directive.name == name:
            found.append(directive)
        if directive.block:
            found += walk(directive.block, name)
    return found


def read_address(text: str, default_port: int) -> Address:
    """Read `host`, `host:port`, `[v6]:port` or `unix:path`."""
    if text.startswith("unix:") or "$" in text or not text:
        return Address(text, None, None)
    try:
        parts = urlsplit("//" + text)
        return Address(text, parts.hostname, parts.port or default_port)
    except ValueError:
        return Address(text, None, None)


def upstreams(tree: list[Directive]) -> dict[str, list[dict[str, object]]]:
    """Return the servers of every upstream by its name."""
    found: dict[str, list[dict[str, object]]] = {}
    for upstream in walk(tree, "upstream"):
        if not upstream.args or upstream.block is None:
            continue
        rows = found.setdefault(upstream.args[0], [])
        for server in upstream.block:
            if server.name == "server" and server.args:
                address = read_address(server.args[0], 80)
                rows.append(
                    {
                        **address._asdict(),
                        "down": "down" in server.args[1:],
                        "backup": "backup" in server.args[1:],
                        "file": server.file,
                        "line": server.line,
                    }
                )
    return found


def servers(tree: list[Directive]) -> list[dict[str, object]]:
    """Return every server: its names, where it listens, and its places that forward."""
    found: list[dict[str, object]] = []
    for server in walk(tree, "server"):
        if server.block is None:
            continue
        names = [name for each in server.block if each.name == "server_name" for name in each.args]
        listens = [each.args[0] for each in server.block if each.name == "listen" and each.args]
        found.append(
            {
                "names": names,
                "listens": listens,
                "locations": _locations(server.block, None),
                "file": server.file,
                "line": server.line,
            }
        )
    return found


def _locations(block: list[Directive], location: str | None) -> list[dict[str, object]]:
    found: list[dict[str, object]] = []
    for directive in block:
        if directive.name in _PASSES and directive.args:
            found.append(
                {
                    "path": location,
                    "proxy_pass": directive.args[0],
                    "file": directive.file,
                    "line": directive.line,
                }
            )
        elif directive.block is not None:
            inner = " ".join(directive.args) if directive.name == "location" else location
            found += _locations(directive.block, inner)
    return found


def backends(
    found: list[dict[str, object]], named: dict[str, list[dict[str, object]]]
) -> list[dict[str, object]]:
    """Return where the servers forward to in the end: an upstream is replaced by its servers."""
    rows: list[dict[str, object]] = []
    for server in found:
        locations = server["locations"]
        for location in locations if isinstance(locations, list) else []:
            base = {"server_names": server["names"], "location": location["path"]}
            scheme, separator, rest = str(location["proxy_pass"]).partition("://")
            if not separator:
                scheme, rest = "", scheme
            target = rest if rest.startswith("unix:") else rest.partition("/")[0]
            if target in named:
                rows += [{**base, "upstream": target, **_place(row)} for row in named[target]]
            else:
                address = read_address(target, _SCHEME_PORTS.get(scheme, 80))
                place = _place({**address._asdict(), **location})
                rows.append({**base, "upstream": None, **place})
    return rows


def _place(row: dict[str, object]) -> dict[str, object]:
    return {key: row[key] for key in ("address", "host", "port", "file", "line")}


def name_matches(name: str, wanted: str) -> bool:
    """Tell whether a `server_name` stands for a host name."""
    name = name.lower()
    wanted = wanted.lower()
    if name.startswith("~"):
        try:
            return re.search(name[1:], wanted) is not None
        except (re.error, RecursionError, OverflowError):
            return False
    if name.startswith("."):
        return wanted == name[1:] or wanted.endswith(name)
    if name.startswith("*."):
        return wanted.endswith(name[1:])
    return wanted.startswith(name[:-1]) if name.endswith(".*") else name == wanted
