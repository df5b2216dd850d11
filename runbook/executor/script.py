"""The probes as one program that a host's Python reads from its standard input.

It does what the module `runbook_probe` does, without Ansible's module machinery around it: that has
to be searched for imports and packed here for every host anew, and unpacked and compiled there,
which takes several times as long as looking does (docs/concepts/performance.md).
"""

import ast
import hashlib
import importlib.util
import json
import marshal
import shlex
import sys
import zlib
from collections.abc import Iterable, Mapping, Sequence
from contextlib import suppress
from functools import cache
from typing import Any, NamedTuple

from runbook import cache_file
from runbook.executor.content.module_utils.runbook_probes.registry import AREAS
from runbook.executor.content.module_utils.runbook_probes.sent import PACKAGE, place_of
from runbook.executor.workspace import CONTENT
from runbook.model.definition import Json

MAGIC = importlib.util.MAGIC_NUMBER
"""Which kind of compiled code this Python runs."""

# Every Python that hosts have reads what is written so.
_MARSHAL_VERSION = 2
# Without the texts that say what functions do, as `python -OO` compiles.
_OPTIMIZE = 2
# One line, as not every login's shell takes more of them in a word.
_START = (
    # Python looks for modules where it is started, and there anybody may have put a json.py.
    "import sys; sys.path[:] = [path for path in sys.path if path]; "
    # Until the probes are imported there is no garbage, and looking for it costs a tenth of that.
    "import gc; gc.disable(); "
    # Before it reads: a Python that lacks them leaves all to the next.
    "import json, marshal, os, zlib; "
    "magic, starter, compiled, *asked, codes = marshal.loads(sys.stdin.buffer.read()); "
    'same = magic == getattr(sys.modules.get("_frozen_importlib_external"), "MAGIC_NUMBER", 0); '
    "exec(marshal.loads(compiled) if same else starter); "
    "run(*asked, codes if same else {})"
)


class Packed(NamedTuple):
    """The probes' modules by their names: what they are compiled from, to, and what they import.

    `starter` and `compiled` are those of the module that starts the others; the rest is compressed.
    """

    starter: str
    compiled: bytes
    sources: dict[str, bytes]
    codes: dict[str, bytes]
    imports: dict[str, list[str]]


def program(request: Mapping[str, Json]) -> bytes:
    """Return what the command's Python reads to answer a request of the probe module."""
    packed = sent()
    probes = request["probes"]
    kinds = {probe["type"] for probe in probes if "type" in probe}
    names = _with_imports(["batch", *(AREAS[kind] for kind in kinds & AREAS.keys())], packed)
    parts = [{name: each[name] for name in names} for each in (packed.sources, packed.codes)]
    asked = json.dumps(request)
    return marshal.dumps((MAGIC, packed.starter, packed.compiled, asked, *parts), _MARSHAL_VERSION)


def _with_imports(areas: Iterable[str], packed: Packed) -> list[str]:
    """Return the names of modules, and of those that they import, sooner or later."""
    names = [PACKAGE, *(f"{PACKAGE}.{area}" for area in areas)]
    for name in names:
        names += [each for each in packed.imports[name] if each not in names]
    return names


@cache
def sent() -> Packed:
    """Return the probes' modules, ready to be sent."""
    folder = CONTENT / "module_utils" / PACKAGE
    sources = {
        PACKAGE if path.stem == "__init__" else f"{PACKAGE}.{path.stem}": path.read_text("utf-8")
        for path in sorted(folder.glob("*.py"))
    }
    asked = repr((sys.version, sources)).encode()
    name = f"probes-{hashlib.sha256(asked).hexdigest()[:32]}"
    with suppress(EOFError, TypeError, ValueError):
        return Packed(*marshal.loads(cache_file.read(name) or b""))  # noqa: S302 -- only we wrote it
    starter = sources[f"{PACKAGE}.sent"]
    packed = Packed(
        starter=starter,
        compiled=_compiled(f"{PACKAGE}.sent", starter),
        sources={each: zlib.compress(text.encode(), 9) for each, text in sources.items()},
        codes={each: zlib.compress(_compiled(each, text), 9) for each, text in sources.items()},
        imports={each: _imported(each, text) for each, text in sources.items()},
    )
    cache_file.write(name, marshal.dumps(tuple(packed)))
    return packed


def _compiled(name: str, text: str) -> bytes:
    code = compile(text, place_of(name), "exec", dont_inherit=True, optimize=_OPTIMIZE)
    return marshal.dumps(code)


def _imported(name: str, text: str) -> list[str]:
    """Return the modules of the package that one imports.

    Not those of probes from the one that knows where each is: a request says which it needs.
    """
    if name == f"{PACKAGE}.registry":
        return [f"{PACKAGE}.call"]
    found: dict[str, None] = {}
    for node in ast.walk(ast.parse(text)):
        if isinstance(node, ast.ImportFrom) and node.level == 1:
            modules = [node.module] if node.module else [each.name for each in node.names]
            found.update(dict.fromkeys(f"{PACKAGE}.{module}" for module in modules))
    return list(found)


def command(interpreter: str | None, candidates: Sequence[str]) -> str:
    """Return the shell command that starts Python: `interpreter`, or else the first that starts.

    Looking for one so costs no round trip of its own. One that does not start reads nothing, so the
    next one can: a version manager has commands for versions that it does not have. Without what is
    installed beside it a Python starts sooner; one that was set may need that to find itself, and is
    started with it where it does not start without.
    """
    start = shlex.quote(_START)
    if interpreter is not None:
        return (
            f"({interpreter} -S -c {start}; code=$?; "
            f"case $code in 1) {interpreter} -c {start}; code=$?;; esac; exit $code)"
        )
    names = " ".join(shlex.quote(name) for name in candidates)
    return (
        f"(for python in {names} /usr/bin/python3; do "
        f'if command -v "$python" >/dev/null 2>&1; then "$python" -S -c {start}; code=$?; '
        "case $code in 1|126|127) ;; *) exit $code;; esac; fi; "
        'done; echo "no Python was found" >&2; exit 127)'
    )


def answer_in(stdout: str) -> Mapping[str, Any] | None:
    """Return the answer a program printed, the last of the lines; None if there is none.

    Whatever a login prints comes before it.
    """
    lines = stdout.rstrip().rpartition("\n")
    try:
        found = json.loads(lines[2])
    except ValueError:
        return None
    return found if isinstance(found, dict) else None
