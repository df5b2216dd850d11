"""What `dataclasses` makes of our records, compiled once and kept, as Python keeps that of modules.

For each class it writes the text of a few methods and compiles that at every start, some 1,200 texts
for a run. The code it comes to depends on the text alone, with the same Python. So `exec`, as that
module sees it, takes the code of a text that was compiled before.
"""

import atexit
import dataclasses
import marshal
import sys
from contextlib import suppress
from functools import cache
from typing import Any

from runbook import cache_file

MOST = 4000
"""How many texts are kept; once there are more, as code has changed, only those of one process."""


class ClassCode:
    """The code kept under a name; programs that need other classes have other names."""

    def __init__(self, name: str) -> None:
        self._file = cache_file.of_this_python(f"classes-{name}")
        self._kept: dict[str, bytes] | None = None
        self._new: dict[str, bytes] = {}

    def run(self, text: str, names: dict[str, Any] | None, made: dict[str, Any]) -> None:
        """Do what `exec` does with a text."""
        if self._kept is None:
            self._kept = self._read()
        code = self._kept.get(text) or self._new.get(text)
        if code is None:
            compiled = compile(text, "<string>", "exec", dont_inherit=True)
            self._new[text] = marshal.dumps(compiled)
        else:
            compiled = marshal.loads(code)  # noqa: S302 -- only we wrote it
        seen = vars(dataclasses) if names is None else names
        exec(compiled, seen, made)  # noqa: S102 -- as `dataclasses` would

    def keep(self) -> None:
        """Write down what was compiled since, if anything was."""
        if not self._new:
            return
        kept = (self._kept or {}) | self._new
        cache_file.write(self._file, marshal.dumps(kept if len(kept) <= MOST else self._new))
        self._kept, self._new = kept, {}

    def _read(self) -> dict[str, bytes]:
        with suppress(EOFError, TypeError, ValueError):
            found = marshal.loads(cache_file.read(self._file) or b"")  # noqa: S302 -- only we wrote it
            return found if isinstance(found, dict) else {}
        return {}


@cache
def use(name: str) -> ClassCode:
    """Have `dataclasses` use what is kept under a name; what is new is kept when this process exits."""
    code = ClassCode(name)
    if sys.version_info < cache_file.UNTRIED:
        vars(dataclasses)["exec"] = code.run
        atexit.register(code.keep)
    return code
