"""Run this package from sources that come with the request: nothing is written to the host.

The text of this module alone starts the others, so it imports none of them.
"""

from __future__ import annotations

import gc
import sys

if __name__ == "__main__":
    # Until the probes are imported there is no garbage, and looking for it costs a tenth of that.
    gc.disable()
    # Python looks for modules where it is started, and there anybody may have put a json.py.
    sys.path[:] = [path for path in sys.path if path]

import importlib
import json
import marshal
import os
from importlib import import_module
from importlib.machinery import ModuleSpec
from types import ModuleType

TYPE_CHECKING = False
if TYPE_CHECKING:  # Of `typing`, which takes as long to import as some probes to look.
    from collections.abc import Callable
    from typing import Any

PACKAGE = "runbook_probes"
# What a program ends with that broke; a Python that does not start, or another one, ends with 1.
BROKE = 3


def _break(*error: Any) -> None:
    """Say what went wrong, and end."""
    sys.__excepthook__(*error)
    sys.stderr.flush()
    os._exit(BROKE)


if __name__ == "__main__":
    sys.excepthook = _break


def magic() -> str:
    """Say which kind of compiled code this Python runs, as `importlib.util` would if it were cheap."""
    number: bytes = getattr(getattr(importlib, "_bootstrap_external", None), "MAGIC_NUMBER", b"")
    return number.hex()


def place_of(name: str) -> str:
    """Return what tracebacks call the file of a module."""
    return name.replace(".", "/") + ".py"


class Sent:
    """Finds and loads the modules whose sources it can read, by their names.

    To compile them takes half of the time of a look, so `codes` has what that comes to for one kind
    of Python, the sender's. The base classes of `importlib.abc` would cost more to import than all the
    modules sent.
    """

    def __init__(self, read: Callable[[], dict[str, str]], codes: dict[str, bytes]) -> None:
        self._read = read
        self._sources: dict[str, str] = {}
        self.codes = codes

    @property
    def sources(self) -> dict[str, str]:
        """What the modules are compiled from, unpacked where it is needed."""
        self._sources = self._sources or self._read()
        return self._sources

    def find_spec(self, fullname: str, path: object = None, target: object = None) -> object:
        """Find a module; see `importlib.abc.MetaPathFinder`."""
        del path, target
        if fullname not in (self.codes or self.sources):
            return None
        return ModuleSpec(fullname, self, origin=fullname, is_package=fullname == PACKAGE)  # type: ignore[arg-type]

    def create_module(self, spec: ModuleSpec) -> None:
        """Leave it to the usual way; see `importlib.abc.Loader`."""

    def exec_module(self, module: ModuleType) -> None:
        """Run the module's source; see `importlib.abc.Loader`."""
        name = module.__name__
        if name in self.codes:
            code = marshal.loads(self.codes[name])  # noqa: S302
        else:
            code = compile(self.sources[name], place_of(name), "exec", dont_inherit=True)
        exec(code, module.__dict__)  # noqa: S102


def run(
    sources: Callable[[], dict[str, str]],
    request: dict[str, object],
    compiled: tuple[str, dict[str, bytes]] = ("", {}),
) -> None:
    """Answer a request, as one line of JSON on standard output.

    `sources` reads those of the modules, by their names.
    `compiled` is what modules compile to, by their names, and the `magic` of that.
    """
    kind, codes = compiled
    finder = Sent(sources, codes if kind == magic() else {})
    sys.meta_path.insert(0, finder)  # type: ignore[arg-type]
    answer = import_module(PACKAGE + ".batch").answer
    sys.stdout.write(json.dumps(answer(request)) + "\n")
