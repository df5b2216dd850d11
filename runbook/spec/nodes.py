"""YAML text to nodes with places, within bounds on depth.

Works on parser events rather than on constructed objects: events know their place, tell a plain
`yes` from a quoted one, and let the bounds act before memory is spent.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import yaml

from runbook.errors import Problem
from runbook.spec.document import Document, Span

MAX_DEPTH = 64

_Loader: Any = getattr(yaml, "CSafeLoader", yaml.SafeLoader)


@dataclass(frozen=True, slots=True)
class Scalar:
    """Text, with its tag, and whether it stands without quotes."""

    span: Span
    text: str
    tag: str | None
    plain: bool


@dataclass(frozen=True, slots=True)
class ListNode:
    """A list."""

    span: Span
    tag: str | None
    items: "list[Node]"


@dataclass(frozen=True, slots=True)
class MapNode:
    """A mapping, keys as written: duplicates and all."""

    span: Span
    tag: str | None
    pairs: "list[tuple[Node, Node]]"


Node = Scalar | ListNode | MapNode


class UnreadableError(Exception):
    """Reading cannot go on; carries the problem."""

    def __init__(self, problem: Problem) -> None:
        super().__init__(problem.message)
        self.problem = problem


def compose(document: Document, text: str) -> Node:
    """Return the root node of the only YAML document in a text; raises UnreadableError."""
    return _Composer(document, text).compose()


class _Composer:
    """Builds nodes from parser events, within bounds."""

    def __init__(self, document: Document, text: str) -> None:
        self._document = document
        self._text = text
        self._anchors: dict[str, Node] = {}

    def compose(self) -> Node:
        """Return the root node of the only document."""
        try:
            return self._compose()
        except yaml.MarkedYAMLError as error:
            mark = error.problem_mark or error.context_mark
            where = self._document.at(mark.line + 1, mark.column + 1) if mark else None
            message = error.problem or error.context or "cannot be read"
            raise UnreadableError(
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
            raise UnreadableError(
                Problem(
                    reference="yaml-syntax",
                    message="not valid YAML: a control character that YAML does not allow",
                    where=self._document.at(line),
                )
            ) from error

    def _compose(self) -> Node:
        events: Iterator[Any] = yaml.parse(self._text, Loader=_Loader)
        root: Node | None = None
        for event in events:
            if isinstance(event, yaml.DocumentStartEvent) and root is not None:
                raise self._stop(event, "second-document", "a runbook file holds one document")
            if isinstance(event, yaml.NodeEvent):
                root = self._node(event, events, 0)
        if root is None:
            raise UnreadableError(
                Problem(
                    reference="empty-runbook",
                    message="the file is empty",
                    where=self._document.at(1),
                )
            )
        return root

    def _node(self, event: Any, events: Iterator[Any], depth: int) -> Node:
        if depth > MAX_DEPTH:
            message = f"nested more than {MAX_DEPTH} levels deep"
            raise self._stop(event, "yaml-too-deep", message)
        if isinstance(event, yaml.AliasEvent):
            if event.anchor not in self._anchors:
                message = f"the alias *{event.anchor} names no anchor above it"
                raise self._stop(event, "unknown-alias", message)
            return self._anchors[event.anchor]
        node: Node
        if isinstance(event, yaml.ScalarEvent):
            plain = event.style is None or event.style == ""
            node = Scalar(_span(event, event), event.value, _tag(event.tag), plain)
        elif isinstance(event, yaml.SequenceStartEvent):
            items: list[Node] = []
            following = next(events)
            while not isinstance(following, yaml.SequenceEndEvent):
                items.append(self._node(following, events, depth + 1))
                following = next(events)
            node = ListNode(_span(event, following), _tag(event.tag), items)
        else:
            pairs: list[tuple[Node, Node]] = []
            following = next(events)
            while not isinstance(following, yaml.MappingEndEvent):
                key = self._node(following, events, depth + 1)
                pairs.append((key, self._node(next(events), events, depth + 1)))
                following = next(events)
            node = MapNode(_span(event, following), _tag(event.tag), pairs)
        # Only a finished node is an anchor's target, so no alias can lead into itself.
        if event.anchor:
            self._anchors[event.anchor] = node
        return node

    def _stop(self, event: Any, reference: str, message: str) -> UnreadableError:
        mark = event.start_mark
        where = self._document.at(mark.line + 1, mark.column + 1)
        return UnreadableError(Problem(reference=reference, message=message, where=where))


def _span(start: Any, end: Any) -> Span:
    mark, last = start.start_mark, end.end_mark
    # A block ends where the next thing begins, at column 0 of a line that is not its own.
    end_line = last.line if last.column == 0 and last.line > mark.line else last.line + 1
    return Span(line=mark.line + 1, column=mark.column + 1, end_line=end_line)


def _tag(tag: str | None) -> str | None:
    return None if tag in {None, "", "!"} else tag
