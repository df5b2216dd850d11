"""Nodes to plain data, with the place of every key and value; YAML's traps are problems.

In what is ours there are only null, true, false, numbers and text. Ansible content is read as
Ansible reads it, and keeps its tags.
"""

import errno
import os
import re
import stat
from collections.abc import Callable
from pathlib import Path as FilePath
from typing import Any

import yaml

from runbook.errors import Location, Problem
from runbook.model.definition import Json
from runbook.model.yaml_nodes import TAGS, Tagged
from runbook.spec.document import Document, Path, Span
from runbook.spec.nodes import ListNode, MapNode, Node, Scalar, UnreadableError, compose

MAX_BYTES = 1024 * 1024
MAX_NODES = 50_000
"""Counted after aliases are expanded; the whole library of runbooks stays far below it."""

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


def content_of(path: FilePath) -> bytes:
    """Return what a file holds, no more of it than shows that it is too large; raise OSError.

    What is no file (a pipe, a device) is refused, not waited for.
    """
    descriptor = os.open(path, os.O_RDONLY | os.O_NONBLOCK | os.O_CLOEXEC)
    try:
        mode = os.fstat(descriptor).st_mode
        if stat.S_ISDIR(mode):
            raise IsADirectoryError(errno.EISDIR, os.strerror(errno.EISDIR))
        if not stat.S_ISREG(mode):
            raise OSError(errno.EINVAL, "it is not a regular file")
        with os.fdopen(descriptor, "rb", closefd=False) as file:
            return file.read(MAX_BYTES + 1)
    finally:
        os.close(descriptor)


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
        root = compose(bare, text)
        reading = _Reading(bare, foreign)
        data = reading.convert(root, (), ansible=foreign(()))
    except UnreadableError as stop:
        return Document(path=path, lines=bare.lines, data=None, problems=(stop.problem,))
    return Document(
        path=path,
        lines=bare.lines,
        data=data,
        keys=reading.keys,
        values=reading.values,
        problems=tuple(reading.problems),
    )


class _Reading:
    """Turns nodes into data, filling the tables of places and collecting problems."""

    def __init__(self, document: Document, foreign: Callable[[Path], bool]) -> None:
        self._document = document
        self._foreign = foreign
        self._count = 0
        self.keys: dict[Path, Span] = {}
        self.values: dict[Path, Span] = {}
        self.problems: list[Problem] = []

    def convert(self, node: Node, path: Path, *, ansible: bool) -> Json:
        """Return the data of a node; places are entered under `path`."""
        self._count += 1
        if self._count > MAX_NODES:
            raise UnreadableError(
                Problem(
                    reference="yaml-too-large",
                    message=f"more than {MAX_NODES} values once aliases are expanded",
                    where=self._at(node),
                    hint="Use fewer aliases of aliases.",
                )
            )
        self.values[path] = node.span
        self._check_tag(node, ansible=ansible)
        if isinstance(node, Scalar):
            return self._scalar(node, ansible=ansible)
        if isinstance(node, ListNode):
            result = []
            for index, item in enumerate(node.items):
                below = (*path, index)
                self.keys[below] = item.span
                result.append(self.convert(item, below, ansible=ansible or self._foreign(below)))
            return result
        return self._mapping(node, path, ansible=ansible)

    def _mapping(self, node: MapNode, path: Path, *, ansible: bool) -> dict[Any, Json]:
        result: dict[Any, Json] = {}
        own: dict[Any, Scalar] = {}
        merged: list[MapNode] = []
        for key, value in node.pairs:
            if not isinstance(key, Scalar):
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

    def _merge(self, result: dict[Any, Json], node: MapNode, path: Path, *, ansible: bool) -> None:
        """Add what `<<` brings; what is there already wins."""
        nested: list[MapNode] = []
        for key, value in node.pairs:
            self._count += 1
            if not isinstance(key, Scalar):
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
        key: Scalar,
        name: Any,
        value: Node,
        *,
        ansible: bool,
    ) -> None:
        below = (*path, name)
        self.keys[below] = key.span
        result[name] = self.convert(value, below, ansible=ansible or self._foreign(below))

    def _merged(self, value: Node) -> list[MapNode]:
        sources = value.items if isinstance(value, ListNode) else [value]
        found = [source for source in sources if isinstance(source, MapNode)]
        if len(found) != len(sources):
            self._problem("bad-merge", "<< takes a mapping or a list of mappings", value)
        return found

    def _key(self, key: Scalar, *, ansible: bool) -> Any:
        if ansible:
            return _ansible_scalar(key)
        if key.plain and _BOOLEAN_WORD.fullmatch(key.text):
            self._boolean_word(key)
        return key.text

    def _scalar(self, node: Scalar, *, ansible: bool) -> Json:
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

    def _check_tag(self, node: Node, *, ansible: bool) -> None:
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
        elif not isinstance(node, Scalar):
            self._problem("misplaced-tag", f"{node.tag} stands before text only", node)

    def _boolean_word(self, node: Scalar) -> None:
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
        node: Node,
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

    def _at(self, node: Node) -> Location:
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


def _ansible_scalar(node: Scalar) -> Json:
    """Return a scalar's value as PyYAML, and so Ansible, reads it; dates stay text."""
    tag = node.tag or _resolver.resolve(yaml.ScalarNode, node.text, (node.plain, not node.plain))
    if tag.endswith((":timestamp", ":str")) or len(node.text) > 40:
        return node.text
    try:
        value: Json = _resolver.construct_object(yaml.ScalarNode(tag, node.text))
    except (ValueError, KeyError, IndexError, yaml.YAMLError):
        return node.text
    return value
