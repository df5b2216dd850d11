"""Templates and conditions compiled once, for all hosts and all uses of the same text.

Jinja compiles a text anew each time it is rendered, which takes most of the time of rendering. The
code it comes to depends, with the same versions, on the text and on what the filters and tests that it
names are given beside their value. That of a runbook's own texts is kept on disk as well, as Python
keeps that of modules; no other text is, which might be a secret. What an environment made of the code,
a template or an expression, it uses again.
"""

import hashlib
import marshal
import sys
from collections.abc import Callable, Hashable, Iterable
from contextlib import AbstractContextManager, nullcontext, suppress
from functools import cache, cached_property, partial
from types import CodeType
from typing import Any

import jinja2
from jinja2 import Environment, nodes
from jinja2.environment import TemplateExpression

from runbook import cache_file

MOST = 20_000
"""How many texts are remembered; more are compiled each time."""

TEMPLATE, EXPRESSION = "template", "expression"

_codes: dict[tuple[str, str], CodeType] = {}


def get_ready(
    environment: Environment,
    templates: Iterable[str],
    expressions: Iterable[str],
    version: str,
    compiling: Callable[[str], AbstractContextManager[object]] = nullcontext,
) -> None:
    """Have a runbook's texts at hand, compiled, before processes are forked that need them.

    `version` is that of what the environment belongs to. `compiling` is around the compiling of a text,
    and told whether it is a TEMPLATE or an EXPRESSION.
    """
    texts = {(TEMPLATE, text) for text in templates} | {(EXPRESSION, text) for text in expressions}
    wanted = sorted(texts - _codes.keys())
    asked = repr((2, sys.version, jinja2.__version__, version, wanted)).encode()
    name = f"templates-{hashlib.sha256(asked).hexdigest()[:32]}"
    with suppress(Exception):  # As of a collection that is gone or broken.
        given, codes = marshal.loads(cache_file.read(name) or b"")  # noqa: S302 -- only we wrote it
        if all(_given(environment, *each) == so_far for each, so_far in given.items()):
            _codes.update(codes)
            wanted = []
    named: set[tuple[str, str]] = set()
    for kind, text in sorted(texts):
        # Whoever renders it will be told what is wrong with it.
        with suppress(Exception), compiling(kind):
            if (kind, text) in wanted:
                named |= _named(environment, kind, text)
            if kind == TEMPLATE:
                environment.from_string(text)
            else:
                environment.compile_expression(text, False)  # noqa: FBT003 -- as Ansible calls it
    if wanted:
        given = {each: _given(environment, *each) for each in named}
        compiled = {each: _codes[each] for each in wanted if each in _codes}
        cache_file.write(name, marshal.dumps((given, compiled)))


def _named(environment: Environment, kind: str, text: str) -> set[tuple[str, str]]:
    """Return the filters and tests that a text names, each with the table it is in."""
    parsed = environment.parse(text if kind == TEMPLATE else f"{{{{ {text} }}}}")
    found = parsed.find_all((nodes.Filter, nodes.Test))
    return {("filters" if isinstance(one, nodes.Filter) else "tests", one.name) for one in found}


def _given(environment: Environment, table: str, name: str) -> str | None:
    """Say what Jinja has a filter or a test given first: with its context, say, or nothing more.

    It is for the plugin to say, so a collection of another version may.
    """
    given = getattr(getattr(environment, table).get(name), "jinja_pass_arg", None)
    return given and str(given)


def remember(environment: Environment) -> Environment:
    """Have an environment take the code of what was compiled before, and return it.

    Left alone are texts that choose other delimiters, which Jinja reads by an overlay. A backslash may
    mean one thing in a template and another in a condition: each is compiled as what it is.
    """
    kind: Any = type(environment)
    environment.__class__ = _remembering(kind)
    return environment


class _Remembering:
    """What an environment is that compiles a text once."""

    _expression: str | None = None

    @cached_property
    def _made(self) -> dict[Hashable, Any]:
        return {}

    def compile(self: Any, source: Any, *arguments: Any, **options: Any) -> Any:
        """Compile a template, or the expression that `compile_expression` has parsed."""
        parsed = isinstance(source, nodes.Template)
        kind, text = (EXPRESSION, self._expression) if parsed else (TEMPLATE, source)
        if text is None or arguments or options or self.overlayed:
            return super().compile(source, *arguments, **options)  # type: ignore[misc]
        code = _codes.get((kind, text))
        if code is None:
            code = super().compile(source)  # type: ignore[misc]
            if len(_codes) < MOST:
                _codes[kind, str(text)] = code
        return code

    def from_string(self: Any, source: Any, *arguments: Any, **options: Any) -> Any:
        """Make a template of a text; one that was made before is used again."""
        make = partial(super().from_string, source, *arguments, **options)  # type: ignore[misc]
        if arguments or options or not isinstance(source, str):
            return make()
        return self._once((TEMPLATE, source), make)

    def compile_expression(self: Any, source: str, *arguments: Any) -> Any:
        """Compile an expression; one that was made before is used again."""
        make = partial(super().compile_expression, source, *arguments)  # type: ignore[misc]

        def from_code_or_text() -> Any:
            code = _codes.get((EXPRESSION, source))
            if code is not None:
                template = self.template_class.from_code(self, code, self.make_globals(None), None)
                return TemplateExpression(template, *(arguments or (True,)))
            self._expression = source
            try:
                return make()
            finally:
                self._expression = None

        return self._once((EXPRESSION, source, *arguments), from_code_or_text, make)

    def _once(self: Any, key: Hashable, make: Callable[[], Any], anew: Any = None) -> Any:
        if self.overlayed:
            return (anew or make)()
        found = self._made.get(key)
        if found is None:
            found = make()
            if len(self._made) < MOST:
                self._made[key] = found
        return found


@cache
def _remembering(base: Any) -> type[Environment]:
    return type("Remembering", (_Remembering, base), {})
