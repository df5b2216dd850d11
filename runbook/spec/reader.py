"""YAML text to plain data, with the place of every key and value, within bounds.

Works on parser events rather than on constructed objects: events know their place, tell a plain
`yes` from a quoted one, and let the bounds on depth and size act before memory is spent.
"""

import re
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any

import yaml

from runbook.errors import Location, Problem
from runbook.model.definition import Json
from runbook.model.yaml_nodes import TAGS, Tagged

MAX_BYTES = 1024 * 1024
MAX_DEPTH = 64
MAX_NODES = 50_000
"""Counted after aliases are expanded; the whole library of runbooks stays far below it."""

MAX_SHOWN = 200
"""Longest line, in characters, that a message quotes."""

Path = tuple[str | int, ...]
"""Keys and indices from the root of a document to a value."""

_Loader: Any = getattr(yaml, "CSafeLoader", yaml.SafeLoader)

_NULL = re.compile(r"null|Null|NULL|~|")
_TRUE = re.compile(r"true|True|TRUE")
_FALSE = re.compile(r"false|False|FALSE")
_BOOLEAN_WORD = re.compile(r"yes|Yes|YES|no|No|NO|on|On|ON|off|Off|OFF")
_INTEGER = re.compile(r"[-+]?(0|[1-9][0-9]*)")
_FLOAT = re.compile(r"[-+]?([0-9]+\.[0-9]*|\.[0-9]+|[0-9]+(?=[eE]))([eE][-+]?[0-9]+)?")
_CORE_TAGS = {
    "tag:yaml.org,2002:str",
    "tag:yaml.org,2002:int",
    "tag:yaml.org,2002:float",
    "tag:yaml.org,2002:bool",
    "tag:yaml.org,2002:null",
    "tag:yaml.org,2002:map",
    "tag:yaml.org,2002:seq",
}
_MERGE = "<<"


@dataclass(frozen=True, kw_only=True, slots=True)
class Span:
    """Where a key or value starts (line and column from 1) and the line it ends on."""

    line: int
    column: int
    end_line: int


@dataclass(frozen=True, kw_only=True, slots=True)
class Document:
    """One YAML file as data, with a table of places. `data` is None if it could not be read.

    `keys` holds the place of a mapping's key or a list's item, `values` that of the value.
    """

    path: str
    lines: tuple[str, ...]
    data: Json
    keys: Mapping[Path, Span] = field(default_factory=dict)
    values: Mapping[Path, Span] = field(default_factory=dict)
    problems: tuple[Problem, ...] = ()

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
        span = self.values.get(path)
        if span is None:
            return self.value(path)
        pattern = re.compile(rf"(?<![\w.]){re.escape(word)}(?!\w)")
        for number in range(span.line, min(span.end_line, len(self.lines)) + 1):
            start = span.column - 1 if number == span.line else 0
            found = pattern.search(self.lines[number - 1], start)
            if found:
                return self.at(number, found.start() + 1)
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


@dataclass(frozen=True, slots=True)
class _Scalar:
    span: Span
    text: str
    tag: str | None
    plain: bool


@dataclass(frozen=True, slots=True)
class _List:
    span: Span
    tag: str | None
    items: "list[_Node]"


@dataclass(frozen=True, slots=True)
class _Map:
    span: Span
    tag: str | None
    pairs: "list[tuple[_Node, _Node]]"


_Node = _Scalar | _List | _Map


class _UnreadableError(Exception):
    """Reading cannot go on; carries the problem."""

    def __init__(self, problem: Problem) -> None:
        super().__init__(problem.message)
        self.problem = problem


def read(content: bytes, path: str, *, foreign: Callable[[Path], bool]) -> Document:
    """Read one YAML document; problems are collected in the result, nothing is raised.

    Below a path for which `foreign` is true stands Ansible content: YAML 1.1 scalars as Ansible
    reads them, and its tags. Everywhere else only null, true, false, numbers and text exist.
    """
    if len(content) > MAX_BYTES:
        problem = Problem(
            reference="file-too-large",
            message=f"the file is larger than {MAX_BYTES // 1024} KiB",
            where=Location(path=path),
        )
        return Document(path=path, lines=(), data=None, problems=(problem,))
    try:
        text = content.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        line = content.count(b"\n", 0, error.start) + 1
        problem = Problem(
            reference="not-utf-8",
            message=f"byte {error.start + 1} is not UTF-8 text",
            where=Location(path=path, line=line),
            hint="Save the file as UTF-8.",
        )
        return Document(path=path, lines=(), data=None, problems=(problem,))
    # Line breaks as YAML counts them; str.splitlines knows more of them and would shift lines.
    bare = Document(
        path=path, lines=tuple(re.split(r"\r\n|[\r\n\x85\u2028\u2029]", text)), data=None
    )
    try:
        root = _Composer(bare, text).compose()
        reading = _Reading(bare, foreign)
        data = reading.convert(root, (), ansible=foreign(()))
    except _UnreadableError as stop:
        return Document(path=path, lines=bare.lines, data=None, problems=(stop.problem,))
    return Document(
        path=path,
        lines=bare.lines,
        data=data,
        keys=reading.keys,
        values=reading.values,
        problems=tuple(reading.problems),
    )


class _Composer:
    """Builds nodes from parser events, within bounds."""

    def __init__(self, document: Document, text: str) -> None:
        self._document = document
        self._text = text
        self._anchors: dict[str, _Node] = {}

    def compose(self) -> _Node:
        """Return the root node of the only document."""
        try:
            return self._compose()
        except yaml.MarkedYAMLError as error:
            mark = error.problem_mark or error.context_mark
            where = self._document.at(mark.line + 1, mark.column + 1) if mark else None
            message = error.problem or error.context or "cannot be read"
            raise _UnreadableError(
                Problem(
                    reference="yaml-syntax",
                    message=f"not valid YAML: {message}",
                    where=where or self._document.at(1),
                    context=f"{error.context}." if error.context and error.problem else None,
                )
            ) from error
        except yaml.YAMLError as error:
            position = getattr(error, "position", 0)
            line = self._text.count("\n", 0, position if isinstance(position, int) else 0) + 1
            raise _UnreadableError(
                Problem(
                    reference="yaml-syntax",
                    message="not valid YAML: a control character that YAML does not allow",
                    where=self._document.at(line),
                )
            ) from error

    def _compose(self) -> _Node:
        events: Iterator[Any] = yaml.parse(self._text, Loader=_Loader)
        root: _Node | None = None
        for event in events:
            if isinstance(event, yaml.DocumentStartEvent) and root is not None:
                raise self._stop(event, "second-document", "a runbook file holds one document")
            if isinstance(event, yaml.NodeEvent):
                root = self._node(event, events, 0)
        if root is None:
            raise _UnreadableError(
                Problem(
                    reference="empty-runbook",
                    message="the file is empty",
                    where=self._document.at(1),
                )
            )
        return root

    def _node(self, event: Any, events: Iterator[Any], depth: int) -> _Node:
        if depth > MAX_DEPTH:
            message = f"nested more than {MAX_DEPTH} levels deep"
            raise self._stop(event, "yaml-too-deep", message)
        if isinstance(event, yaml.AliasEvent):
            if event.anchor not in self._anchors:
                message = f"the alias *{event.anchor} names no anchor above it"
                raise self._stop(event, "unknown-alias", message)
            return self._anchors[event.anchor]
        node: _Node
        if isinstance(event, yaml.ScalarEvent):
            plain = event.style is None or event.style == ""
            node = _Scalar(_span(event, event), event.value, _tag(event.tag), plain)
        elif isinstance(event, yaml.SequenceStartEvent):
            items: list[_Node] = []
            following = next(events)
            while not isinstance(following, yaml.SequenceEndEvent):
                items.append(self._node(following, events, depth + 1))
                following = next(events)
            node = _List(_span(event, following), _tag(event.tag), items)
        else:
            pairs: list[tuple[_Node, _Node]] = []
            following = next(events)
            while not isinstance(following, yaml.MappingEndEvent):
                key = self._node(following, events, depth + 1)
                pairs.append((key, self._node(next(events), events, depth + 1)))
                following = next(events)
            node = _Map(_span(event, following), _tag(event.tag), pairs)
        # Only a finished node is an anchor's target, so no alias can lead into itself.
        if event.anchor:
            self._anchors[event.anchor] = node
        return node

    def _stop(self, event: Any, reference: str, message: str) -> _UnreadableError:
        mark = event.start_mark
        where = self._document.at(mark.line + 1, mark.column + 1)
        return _UnreadableError(Problem(reference=reference, message=message, where=where))


def _span(start: Any, end: Any) -> Span:
    mark, last = start.start_mark, end.end_mark
    # A block ends where the next thing begins, at column 0 of a line that is not its own.
    end_line = last.line if last.column == 0 and last.line > mark.line else last.line + 1
    return Span(line=mark.line + 1, column=mark.column + 1, end_line=end_line)


def _tag(tag: str | None) -> str | None:
    return None if tag in {None, "", "!"} else tag


class _Reading:
    """Turns nodes into data, filling the tables of places and collecting problems."""

    def __init__(self, document: Document, foreign: Callable[[Path], bool]) -> None:
        self._document = document
        self._foreign = foreign
        self._count = 0
        self.keys: dict[Path, Span] = {}
        self.values: dict[Path, Span] = {}
        self.problems: list[Problem] = []

    def convert(self, node: _Node, path: Path, *, ansible: bool) -> Json:
        """Return the data of a node; places are entered under `path`."""
        self._count += 1
        if self._count > MAX_NODES:
            raise _UnreadableError(
                Problem(
                    reference="yaml-too-large",
                    message=f"more than {MAX_NODES} values once aliases are expanded",
                    where=self._at(node),
                    hint="Use fewer aliases of aliases.",
                )
            )
        self.values[path] = node.span
        self._check_tag(node, ansible=ansible)
        if isinstance(node, _Scalar):
            return self._scalar(node, ansible=ansible)
        if isinstance(node, _List):
            result = []
            for index, item in enumerate(node.items):
                below = (*path, index)
                self.keys[below] = item.span
                result.append(self.convert(item, below, ansible=ansible or self._foreign(below)))
            return result
        return self._mapping(node, path, ansible=ansible)

    def _mapping(self, node: _Map, path: Path, *, ansible: bool) -> dict[Any, Json]:
        result: dict[Any, Json] = {}
        own: dict[Any, _Scalar] = {}
        merged: list[_Map] = []
        for key, value in node.pairs:
            if not isinstance(key, _Scalar):
                self._problem("complex-key", "a key is text, not a list or mapping", key)
                continue
            if key.plain and key.text == _MERGE:
                merged += self._merged(value)
                continue
            name = self._key(key, ansible=ansible)
            if name in own:
                first = own[name].span.line
                message = f'the key "{key.text}" is given twice'
                self._problem("duplicate-key", message, key, context=f"First on line {first}.")
                continue
            own[name] = key
            self._enter(result, path, key, name, value, ansible=ansible)
        for mapping in merged:
            self._merge(result, mapping, path, ansible=ansible)
        return result

    def _merge(self, result: dict[Any, Json], node: _Map, path: Path, *, ansible: bool) -> None:
        """Add what `<<` brings; what is there already wins."""
        nested: list[_Map] = []
        for key, value in node.pairs:
            self._count += 1
            if not isinstance(key, _Scalar):
                continue
            if key.plain and key.text == _MERGE:
                nested += self._merged(value)
                continue
            name = self._key(key, ansible=ansible)
            if name not in result:
                self._enter(result, path, key, name, value, ansible=ansible)
        for mapping in nested:
            self._merge(result, mapping, path, ansible=ansible)

    def _enter(
        self,
        result: dict[Any, Json],
        path: Path,
        key: _Scalar,
        name: Any,
        value: _Node,
        *,
        ansible: bool,
    ) -> None:
        below = (*path, name)
        self.keys[below] = key.span
        result[name] = self.convert(value, below, ansible=ansible or self._foreign(below))

    def _merged(self, value: _Node) -> list[_Map]:
        sources = value.items if isinstance(value, _List) else [value]
        found = [source for source in sources if isinstance(source, _Map)]
        if len(found) != len(sources):
            self._problem("bad-merge", "<< takes a mapping or a list of mappings", value)
        return found

    def _key(self, key: _Scalar, *, ansible: bool) -> Any:
        if ansible:
            return _ansible_scalar(key)
        if key.plain and _BOOLEAN_WORD.fullmatch(key.text):
            self._boolean_word(key)
        return key.text

    def _scalar(self, node: _Scalar, *, ansible: bool) -> Json:
        if node.tag in TAGS:
            return Tagged(tag=node.tag, value=node.text) if ansible else node.text
        if ansible:
            return _ansible_scalar(node)
        if not node.plain or node.tag == "tag:yaml.org,2002:str":
            return node.text
        if _BOOLEAN_WORD.fullmatch(node.text):
            self._boolean_word(node)
            return node.text
        return _core_scalar(node.text)

    def _check_tag(self, node: _Node, *, ansible: bool) -> None:
        if node.tag is None or node.tag in _CORE_TAGS:
            return
        if node.tag not in TAGS:
            hint = "Runbooks know !vault and !unsafe, both in Ansible content only."
            message = f'the tag "{node.tag}" is unknown'
            self._problem("unknown-tag", message, node, hint=hint)
        elif not ansible:
            hint = "Put the value into the inventory, and declare a param of that name."
            message = f"{node.tag} belongs into Ansible content: task, tasks, undo, or role vars"
            self._problem("misplaced-tag", message, node, hint=hint)
        elif not isinstance(node, _Scalar):
            self._problem("misplaced-tag", f"{node.tag} stands before text only", node)

    def _boolean_word(self, node: _Scalar) -> None:
        truth = "true" if node.text.lower() in {"yes", "on"} else "false"
        self._problem(
            "yaml-boolean-word",
            f'"{node.text}" is a boolean to some YAML readers and text to others',
            node,
            hint=f'Quote it ("{node.text}") if text is meant; write {truth} if not.',
        )

    def _problem(
        self,
        reference: str,
        message: str,
        node: _Node,
        *,
        context: str | None = None,
        hint: str | None = None,
    ) -> None:
        self.problems.append(
            Problem(
                reference=reference,
                message=message,
                where=self._at(node),
                context=context,
                hint=hint,
            )
        )

    def _at(self, node: _Node) -> Location:
        return self._document.at(node.span.line, node.span.column)


def _core_scalar(text: str) -> Json:
    """Return the value of a plain scalar under YAML 1.2's core schema, decimal numbers only."""
    if _NULL.fullmatch(text):
        return None
    if _TRUE.fullmatch(text):
        return True
    if _FALSE.fullmatch(text):
        return False
    # Python refuses to convert integers of thousands of digits; they stay text.
    if _INTEGER.fullmatch(text) and len(text) < 40:
        return int(text)
    if _FLOAT.fullmatch(text) and len(text) < 40:
        return float(text)
    return text


_resolver: Any = yaml.SafeLoader("")


def _ansible_scalar(node: _Scalar) -> Json:
    """Return a scalar's value as PyYAML, and so Ansible, reads it; dates stay text."""
    tag = node.tag or _resolver.resolve(yaml.ScalarNode, node.text, (node.plain, not node.plain))
    if tag.endswith((":timestamp", ":str")) or len(node.text) > 40:
        return node.text
    try:
        value: Json = _resolver.construct_object(yaml.ScalarNode(tag, node.text))
    except (ValueError, KeyError, IndexError, yaml.YAMLError):
        return node.text
    return value
