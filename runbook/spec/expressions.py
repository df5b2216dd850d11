"""What a condition or template refers to, found by parsing it; nothing is evaluated here.

Ansible evaluates these expressions in its own Jinja environment. Only the grammar is Jinja's and
known here; which filters and tests exist is for Ansible to say.
"""

import re
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass, fields, replace
from functools import cache, lru_cache
from typing import TYPE_CHECKING, TypeVar
from warnings import catch_warnings, simplefilter

from runbook.model.definition import Json
from runbook.spec.document import Path
from runbook.spec.known import Told, expressions_known, told

if TYPE_CHECKING:
    from jinja2 import Environment, nodes

_T = TypeVar("_T")

_OPERATORS = {"and", "else", "if", "in", "is", "not", "or"}
_LOOKUPS = {"lookup", "query", "q"}
_BUILTIN = ("ansible.builtin.", "ansible.legacy.")
_UNSTEADY = {
    "now": "the time of day",
    "lipsum": "random text",
    "random": "chance",
    "shuffle": "chance",
    "random_mac": "chance",
    "password_hash": "a random salt",
    "vault": "a random salt",
    "unvault": "a file of the controller",
    "fileglob": "files of the controller",
    "expandvars": "the controller's environment",
    "expanduser": "the controller's users",
    "realpath": "files of the controller",
}
_CONTROLLER_TESTS = {
    "directory",
    "exists",
    "file",
    "is_dir",
    "is_file",
    "is_link",
    "is_mount",
    "is_same_file",
    "link",
    "link_exists",
    "mount",
    "same_file",
}
_ESCAPES = frozenset("\n\\'\"abfnrtvxuUN01234567")
"""What may follow a backslash in a string: Jinja's escapes are Python's."""

_QUOTING_FILTERS = {"quote", "int", "float", "bool", "b64encode", "hash", "checksum"}


@dataclass(frozen=True, kw_only=True, slots=True)
class Uses:
    """What an expression refers to.

    `names` are the variables it reads. `lookups` are the plugins it looks things up with, None for
    one whose name is itself computed. `unsteady` maps functions, filters and tests that depend on
    more than the variables to what that is. `unquoted` are the variables whose value a template
    puts into the text as it is, `sought` those that say what a lookup looks up. `facts` are the pairs of a variable and a name looked up in it.
    `bad_escapes` are the backslashes in strings that begin no escape, each with what follows it.
    `error` says where it is not Jinja: a message and a line from 1.
    """

    names: tuple[str, ...] = ()
    lookups: tuple[str | None, ...] = ()
    unsteady: Mapping[str, str] | None = None
    unquoted: tuple[str, ...] = ()
    sought: tuple[str, ...] = ()
    facts: tuple[tuple[str, str], ...] = ()
    bad_escapes: tuple[str, ...] = ()
    error: tuple[str, int] | None = None


def kept_uses() -> AbstractContextManager[None]:
    """Have expressions that an earlier command parsed not be parsed again."""
    return expressions_known(__file__)


@cache
def _environment() -> "Environment":
    from jinja2 import Environment  # noqa: PLC0415  # 60 ms the command line saves

    return Environment(autoescape=False)  # noqa: S701  # parses only


@lru_cache(maxsize=4096)
def template_uses(text: str) -> Uses:
    """Return what a template (text with `{{ … }}` in it) refers to."""
    if "{{" not in text and "{%" not in text and "{#" not in text:
        return Uses()
    return _uses_of(told("template", text, lambda: _told(_template_uses(text))))


@lru_cache(maxsize=4096)
def condition_uses(text: str) -> Uses:
    """Return what a condition (an expression without braces around it) refers to."""
    if "{{" in text or "{%" in text:
        return Uses(error=("a condition is an expression already; leave out the braces", 1))
    return _uses_of(told("condition", text, lambda: _told(_condition_uses(text))))


def _told(uses: Uses) -> Told:
    return tuple(getattr(uses, each.name) for each in fields(uses))


def _uses_of(found: Told) -> Uses:
    return Uses(**{each.name: one for each, one in zip(fields(Uses), found, strict=True)})


def _template_uses(text: str) -> Uses:
    from jinja2 import TemplateSyntaxError  # noqa: PLC0415

    try:
        tree: nodes.Node = _parsed(lambda: _environment().parse(text))
    except TemplateSyntaxError as error:
        return Uses(error=(error.message or "not a template", error.lineno))
    except RecursionError:
        return Uses(error=("nested too deeply", 1))
    except (SyntaxError, ValueError):  # Of Python's own conversion of numbers.
        return Uses(error=("there is a number in it that cannot be read", 1))
    return replace(_uses(tree), bad_escapes=_bad_escapes(text, None))


def _condition_uses(text: str) -> Uses:
    from jinja2 import TemplateSyntaxError  # noqa: PLC0415
    from jinja2.parser import Parser  # noqa: PLC0415

    try:
        parser = _parsed(lambda: Parser(_environment(), text, state="variable"))
        tree: nodes.Node = _parsed(parser.parse_expression)
        if not parser.stream.eos:
            token = parser.stream.current
            return Uses(error=(f'"{token.value}" is not expected there', token.lineno))
    except TemplateSyntaxError as error:
        return Uses(error=(error.message or "not an expression", error.lineno))
    except RecursionError:
        return Uses(error=("nested too deeply", 1))
    except (SyntaxError, ValueError):  # Of Python's own conversion of numbers.
        return Uses(error=("there is a number in it that cannot be read", 1))
    return replace(_uses(tree), bad_escapes=_bad_escapes(text, "variable"))


def texts(value: Json, path: Path = ()) -> Iterator[tuple[Path, str]]:
    """Yield all text below a value that Ansible may template, with its path.

    Tagged text is not among it: `!unsafe` is never a template, `!vault` is not readable.
    """
    if isinstance(value, str):
        yield path, value
    elif isinstance(value, Mapping):
        for key, item in value.items():
            yield from texts(item, (*path, key))
    elif isinstance(value, list | tuple):
        for index, item in enumerate(value):
            yield from texts(item, (*path, index))


def _parsed(parse: Callable[[], _T]) -> _T:
    """Parse without the warning of Python's about escapes, which would name a place in Jinja."""
    with catch_warnings():
        simplefilter("ignore", DeprecationWarning)
        simplefilter("ignore", SyntaxWarning)
        return parse()


def _bad_escapes(text: str, state: str | None) -> tuple[str, ...]:
    if "\\" not in text:
        return ()
    tokens = _environment().lexer.tokeniter(text, None, state=state)
    strings = (value for _, kind, value in tokens if kind == "string")
    escapes = (each for value in strings for each in re.findall(r"\\.", value, re.DOTALL))
    return tuple(dict.fromkeys(each for each in escapes if each[1] not in _ESCAPES))


def _uses(tree: "nodes.Node") -> Uses:
    from jinja2 import nodes  # noqa: PLC0415

    read: dict[str, None] = {}
    bound: set[str] = set()
    unquoted: dict[str, None] = {}
    facts: dict[tuple[str, str], None] = {}
    pending = [tree]
    found: list[nodes.Node] = []
    while pending:
        node = pending.pop()
        if isinstance(node, nodes.Name) and node.name in _OPERATORS:
            # Jinja's grammar takes an operator out of place for a variable.
            return Uses(error=(f'"{node.name}" is not expected there', node.lineno))
        found.append(node)
        pending += reversed(list(node.iter_child_nodes()))
    for node in found:
        match node:
            case nodes.Name(name=name, ctx="load"):
                read.setdefault(name)
            case nodes.Name(name=name):
                bound.add(name)
            case (
                nodes.Getattr(node=nodes.Name(name=name), attr=str(fact))
                | nodes.Getitem(node=nodes.Name(name=name), arg=nodes.Const(value=str(fact)))
            ):
                facts.setdefault((name, fact))
            case nodes.Output(nodes=parts):
                for part in parts:
                    if not isinstance(part, nodes.TemplateData) and not _is_quoted(part):
                        unquoted |= dict.fromkeys(_names(part))
    return Uses(
        names=tuple(name for name in read if name not in bound),
        lookups=tuple(_lookups(found)),
        unsteady=dict(_unsteady(found)),
        unquoted=tuple(name for name in unquoted if name not in bound),
        sought=tuple(_sought(found)),
        facts=tuple(each for each in facts if each[0] not in bound),
    )


def _lookups(found: "Sequence[nodes.Node]") -> Iterator[str | None]:
    from jinja2 import nodes  # noqa: PLC0415

    plain_calls = 0
    for node in found:
        match node:
            case nodes.Call(node=nodes.Name(name=name), args=[nodes.Const(value=plugin), *_]) if (
                name in _LOOKUPS
            ):
                plain_calls += 1
                yield str(plugin)
    mentions = sum(isinstance(node, nodes.Name) and node.name in _LOOKUPS for node in found)
    # Under another name, or with a computed plugin, it could be any lookup.
    yield from [None] * (mentions - plain_calls)


def _sought(found: "Iterable[nodes.Node]") -> Iterator[str]:
    from jinja2 import nodes  # noqa: PLC0415

    for node in found:
        match node:
            case nodes.Call(node=nodes.Name(name=name)) if name in _LOOKUPS:
                for argument in (*node.args, *node.kwargs):
                    yield from _names(argument)


def _unsteady(found: "Iterable[nodes.Node]") -> Iterator[tuple[str, str]]:
    from jinja2 import nodes  # noqa: PLC0415

    for node in found:
        match node:
            case nodes.Call(node=nodes.Name(name=name)) if name in _UNSTEADY:
                yield name, _UNSTEADY[name]
            case nodes.Filter(name=name) if (short := _short(name)) in _UNSTEADY:
                yield name, _UNSTEADY[short]
            case nodes.Test(name=name) if _short(name) in _CONTROLLER_TESTS:
                yield name, "files of the controller, not of the host"


def _names(node: "nodes.Node") -> Iterator[str]:
    from jinja2 import nodes  # noqa: PLC0415

    if isinstance(node, nodes.Name):
        yield node.name
    for name in node.find_all(nodes.Name):
        yield name.name


def _is_quoted(node: "nodes.Node") -> bool:
    from jinja2 import nodes  # noqa: PLC0415

    return isinstance(node, nodes.Filter) and _short(node.name) in _QUOTING_FILTERS


def _short(name: str) -> str:
    for prefix in _BUILTIN:
        name = name.removeprefix(prefix)
    return name
