"""Templates and conditions compiled once, for all hosts and all uses of the same text.

Jinja compiles a text anew each time it is rendered, which takes most of the time of rendering. The
code it comes to depends, with the same versions, on the text and on what the filters and tests that it
names are given beside their value. That of a runbook's own texts is kept on disk as well, as Python
keeps that of modules; no other text is, which might be a secret.
"""

import hashlib
import marshal
import sys
from collections.abc import Iterable
from contextlib import suppress
from functools import cache
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
    environment: Environment, templates: Iterable[str], expressions: Iterable[str], version: str
) -> None:
    """Have the code of a runbook's texts at hand before processes are forked that need it.

    `version` is that of what the environment belongs to.
    """
    texts = {(TEMPLATE, text) for text in templates} | {(EXPRESSION, text) for text in expressions}
    wanted = sorted(texts - _codes.keys())
    asked = repr((sys.version, jinja2.__version__, version, wanted)).encode()
    name = f"templates-{hashlib.sha256(asked).hexdigest()[:32]}"
    with suppress(Exception):  # As of a collection that is gone or broken.
        given, codes = marshal.loads(cache_file.read(name) or b"")  # noqa: S302 -- only we wrote it
        if all(_given(environment, *each) == so_far for each, so_far in given.items()):
            _codes.update(codes)
            return
    named: set[tuple[str, str]] = set()
    for kind, text in wanted:
        with suppress(Exception):  # Whoever renders it will be told what is wrong with it.
            named |= _named(environment, kind, text)
            if kind == TEMPLATE:
                environment.from_string(text)
            else:
                environment.compile_expression(text, False)  # noqa: FBT003 -- as Ansible calls it
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

    Left alone are texts with a backslash, which means one thing in a template and another in a
    condition, and those that choose other delimiters, which Jinja reads by an overlay.
    """
    kind: Any = type(environment)
    environment.__class__ = _remembering(kind)
    return environment


@cache
def _remembering(base: Any) -> type[Environment]:
    class Remembering(base):  # type: ignore[misc]
        """An environment that compiles a text once."""

        _expression: str | None = None

        def compile(self, source: Any, *arguments: Any, **options: Any) -> Any:
            """Compile a template, or the expression that `compile_expression` has parsed."""
            parsed = isinstance(source, nodes.Template)
            kind, text = (EXPRESSION, self._expression) if parsed else (TEMPLATE, source)
            if text is None or arguments or options or not self._is_plain(text):
                return super().compile(source, *arguments, **options)
            code = _codes.get((kind, text))
            if code is None:
                code = super().compile(source)
                if len(_codes) < MOST:
                    _codes[kind, str(text)] = code
            return code

        def compile_expression(self, source: str, *arguments: Any) -> Any:
            """Compile an expression; what was parsed before is not parsed again."""
            code = _codes.get((EXPRESSION, source)) if self._is_plain(source) else None
            if code is not None:
                template = self.template_class.from_code(self, code, self.make_globals(None), None)
                return TemplateExpression(template, *arguments)
            self._expression = source
            try:
                return super().compile_expression(source, *arguments)
            finally:
                self._expression = None

        def _is_plain(self, text: str) -> bool:
            return not self.overlayed and "\\" not in text

    return Remembering
