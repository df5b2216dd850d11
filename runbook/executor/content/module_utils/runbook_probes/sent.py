"""Run this package from sources that come with the request: nothing is written to the host.

The text of this module alone starts the others, so it imports none of them.
"""

from __future__ import annotations

import sys

if __name__ == "__main__":
    # Python looks for modules where it is started, and there anybody may have put a json.py.
    sys.path[:] = [path for path in sys.path if path]

import json
from importlib import import_module
from importlib.machinery import ModuleSpec
from types import ModuleType

PACKAGE = "runbook_probes"


class Sent:
    """Finds and loads the modules whose sources it is given, by their names.

    The base classes of `importlib.abc` would cost more to import than all the modules sent.
    """

    def __init__(self, sources: dict[str, str]) -> None:
        self.sources = sources

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
        place = name.replace(".", "/") + ".py"
        exec(compile(self.sources[name], place, "exec", dont_inherit=True), module.__dict__)  # noqa: S102


def run(sources: dict[str, str], request: dict[str, object]) -> None:
    """Answer a request, as one line of JSON on standard output."""
    sys.meta_path.insert(0, Sent(sources))  # type: ignore[arg-type]
    answer = import_module(PACKAGE + ".batch").answer
    sys.stdout.write(json.dumps(answer(request)) + "\n")
