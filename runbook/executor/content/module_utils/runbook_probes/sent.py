"""Run this package from sources that come with the request: nothing is written to the host.

The text of this module alone starts the others, so it imports none of them.
"""

from __future__ import annotations

import sys

if __name__ == "__main__":
    # Python looks for modules where it is started, and there anybody may have put a json.py.
    sys.path[:] = [path for path in sys.path if path]

import importlib
import json
import marshal
from importlib import import_module
from importlib.machinery import ModuleSpec
from types import ModuleType

PACKAGE = "runbook_probes"


def magic() -> str:
    """Say which kind of compiled code this Python runs, as `importlib.util` would if it were cheap."""
    number: bytes = getattr(getattr(importlib, "_bootstrap_external", None), "MAGIC_NUMBER", b"")
    return number.hex()


def place_of(name: str) -> str:
    """Return what tracebacks call the file of a module."""
    return name.replace(".", "/") + ".py"


class Sent:
    """Finds and loads the modules whose sources it is given, by their names.

    To compile them takes half of the time of a look, so `codes` has what that comes to for one kind
    of Python, the sender's. The base classes of `importlib.abc` would cost more to import than all the
    modules sent.
    """

    def __init__(self, sources: dict[str, str], codes: dict[str, bytes]) -> None:
        self.sources = sources
        self.codes = codes

    def find_spec(self, fullname: str, path: object = None, target: object = None) -> object:
        """Find a module; see `importlib.abc.MetaPathFinder`."""
        del path, target
        if fullname not in self.sources:
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
    sources: dict[str, str],
    request: dict[str, object],
    compiled: tuple[str, dict[str, bytes]] = ("", {}),
) -> None:
    """Answer a request, as one line of JSON on standard output.

    `compiled` is what modules compile to, by their names, and the `magic` of that.
    """
    kind, codes = compiled
    finder = Sent(sources, codes if kind == magic() else {})
    sys.meta_path.insert(0, finder)  # type: ignore[arg-type]
    answer = import_module(PACKAGE + ".batch").answer
    sys.stdout.write(json.dumps(answer(request)) + "\n")
