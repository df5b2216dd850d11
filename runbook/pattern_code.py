"""What regular expressions compile to, kept, as Python keeps that of modules.

Each process compiles those of the modules it imports anew, in Python: 150 for Ansible, 36 ms. What one
comes to depends on its text and its flags alone, with the same Python. Python checks it as it is taken:
what is no sound program for its matcher is refused.

Only those compiled while modules are imported are kept: a later one may be made of a secret.
"""

import marshal
import re
import sys
from contextlib import suppress
from functools import cache
from importlib import import_module
from typing import Any

from runbook import cache_file

MOST = 4000
"""How many are kept for a program; once there are more, only those of one process."""

_AS_IT_IS = int(re.DEBUG | re.LOCALE)
"""Flags with which more than the text decides, or something is printed."""

_Key = tuple[str | bytes, int]
_Program = tuple[Any, ...]


_compiler: Any = import_module("re._compiler")
_parser: Any = import_module("re._parser")
_sre: Any = import_module("_sre")


class PatternCode:
    """The programs kept under a name; programs that need other patterns have other names."""

    def __init__(self, name: str) -> None:
        self._file = cache_file.of_this_python(f"patterns-{name}")
        self._kept: dict[_Key, _Program] = {}
        self._new: dict[_Key, _Program] = {}
        self._is_over = False
        with suppress(EOFError, TypeError, ValueError):
            found = marshal.loads(cache_file.read(self._file) or b"")  # noqa: S302 -- only we wrote it
            self._kept = found if isinstance(found, dict) else {}

    def compile(self, pattern: Any, flags: int = 0) -> Any:
        """Do what Python does to compile a pattern."""
        if type(pattern) not in (str, bytes) or self._is_over or flags & _AS_IT_IS:
            return _compile(pattern, flags)
        key = (pattern, int(flags))
        program = self._kept.get(key)
        if program is None:
            program = self._new[key] = _program(pattern, key[1])
        with suppress(RuntimeError, TypeError, ValueError):
            all_flags, code, groups, names, indexes = program
            return _sre.compile(pattern, all_flags, code, groups, dict(names), indexes)
        return _compile(pattern, flags)

    def keep(self) -> None:
        """Write down what was compiled, if anything was; from now on nothing is remembered."""
        if self._new:
            kept = self._kept | self._new
            cache_file.write(self._file, marshal.dumps(kept if len(kept) <= MOST else self._new))
        self._kept, self._new, self._is_over = {}, {}, True


_compile = _compiler.compile


def _program(pattern: str | bytes, flags: int) -> _Program:
    """Return what a pattern comes to, as `re._compiler.compile` of Python 3.11 to 3.14 works it out."""
    parsed = _parser.parse(pattern, flags)
    code = [int(word) for word in _compiler._code(parsed, flags)]  # noqa: SLF001 -- no public name
    names = parsed.state.groupdict
    by_index = {index: name for name, index in names.items()}
    indexes = tuple(by_index.get(index) for index in range(parsed.state.groups))
    return (
        flags | parsed.state.flags,
        code,
        parsed.state.groups - 1,
        tuple(names.items()),
        indexes,
    )


@cache
def use(name: str) -> PatternCode:
    """Have `re` use what is kept under a name, until it is said that all is imported."""
    code = PatternCode(name)
    if sys.version_info < cache_file.UNTRIED:
        vars(_compiler)["compile"] = code.compile
    return code
