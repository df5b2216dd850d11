"""Run this package from what comes with the request: nothing is written to the host.

This module alone starts the others, so it imports none of them.
"""

from __future__ import annotations

import json
import marshal
import os
import sys
import zlib

TYPE_CHECKING = False
if TYPE_CHECKING:  # Each takes as long to import as some probes to look.
    from importlib.machinery import ModuleSpec
    from types import ModuleType
    from typing import Any, NoReturn
else:
    ModuleSpec = type(sys.__spec__)

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


def place_of(name: str) -> str:
    """Return what tracebacks call the file of a module."""
    return name.replace(".", "/") + ".py"


class Sent:
    """Finds and loads the modules that were sent, by their names; all are compressed.

    To compile them takes as long as the look, so `codes` has what they come to for one kind of
    Python, the sender's. The base classes of `importlib.abc` would cost more to import than all the
    modules sent.
    """

    def __init__(self, sources: dict[str, bytes], codes: dict[str, bytes]) -> None:
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
        """Run the module; see `importlib.abc.Loader`."""
        name = module.__name__
        if name in self.codes:
            code = marshal.loads(zlib.decompress(self.codes[name]))  # noqa: S302
        else:
            source = zlib.decompress(self.sources[name])
            code = compile(source, place_of(name), "exec", dont_inherit=True)
        exec(code, module.__dict__)  # noqa: S102


def run(request: str, sources: dict[str, bytes], codes: dict[str, bytes]) -> NoReturn:
    """Answer a request, which is JSON, as one line of JSON on standard output, and end."""
    sys.meta_path.insert(0, Sent(sources, codes))  # type: ignore[arg-type]
    batch = __import__(PACKAGE + ".batch", fromlist=["answer"])
    sys.stdout.write(json.dumps(batch.answer(json.loads(request))) + "\n")
    sys.stdout.flush()
    # To take apart what was imported takes longer than some probes, and is for nothing.
    os._exit(0)
