"""The probes as one program that a host's Python reads from its standard input.

It does what the module `runbook_probe` does, without Ansible's module machinery around it: that has
to be searched for imports and packed here for every host anew, and unpacked and compiled there,
which takes several times as long as looking does (docs/concepts/performance.md).
"""

import base64
import json
import shlex
import zlib
from collections.abc import Mapping, Sequence
from functools import cache
from typing import Any

from runbook.executor.probing import CONTENT
from runbook.model.definition import Json

PACKAGE = "runbook_probes"

_TAIL = """
import base64, zlib
run(
    json.loads(zlib.decompress(base64.b64decode({sources!r}))),
    json.loads(zlib.decompress(base64.b64decode({request!r}))),
)
"""


def program(request: Mapping[str, Json]) -> bytes:
    """Return the program that answers a request of the probe module."""
    starter, sources = sent()
    packed = _packed(request, level=1)
    return (starter + _TAIL.format(sources=sources, request=packed)).encode()


@cache
def sent() -> tuple[str, bytes]:
    """Return the text of the program but for its request, and the probes' packed sources."""
    folder = CONTENT / "module_utils" / PACKAGE
    sources = {
        PACKAGE if path.stem == "__init__" else f"{PACKAGE}.{path.stem}": path.read_text("utf-8")
        for path in sorted(folder.glob("*.py"))
    }
    return sources[f"{PACKAGE}.sent"], _packed(sources, level=9)


def _packed(value: object, *, level: int) -> bytes:
    return base64.b64encode(zlib.compress(json.dumps(value).encode("ascii"), level))


def command(interpreter: str | None, candidates: Sequence[str]) -> str:
    """Return the shell command that starts Python: `interpreter`, or else the first that starts.

    Looking for one so costs no round trip of its own. Each is tried: a version manager has commands
    for versions that it does not have.
    """
    if interpreter is not None:
        return interpreter
    names = " ".join(shlex.quote(name) for name in candidates)
    return (
        f"(for python in {names} /usr/bin/python3; do "
        'if "$python" -c "" </dev/null >/dev/null 2>&1; then exec "$python"; fi; '
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
