"""The probes as one program that a host's Python reads from its standard input.

It does what the module `runbook_probe` does, without Ansible's module machinery around it: that has
to be searched for imports and packed here for every host anew, and unpacked and compiled there,
which takes several times as long as looking does (docs/concepts/performance.md).
"""

import base64
import hashlib
import json
import marshal
import shlex
import sys
import zlib
from collections.abc import Mapping, Sequence
from functools import cache
from typing import Any

from runbook import cache_file
from runbook.executor.content.module_utils.runbook_probes.sent import magic, place_of
from runbook.executor.workspace import CONTENT
from runbook.model.definition import Json

PACKAGE = "runbook_probes"

_TAIL = """
import base64, zlib
run(
    lambda: json.loads(zlib.decompress(base64.b64decode({sources!r}))),
    json.loads(zlib.decompress(base64.b64decode({request!r}))),
    ({magic!r}, marshal.loads(zlib.decompress(base64.b64decode({codes!r})))),
)
"""


def program(request: Mapping[str, Json]) -> bytes:
    """Return the program that answers a request of the probe module."""
    starter, sources, codes = sent()
    packed = _packed(json.dumps(request).encode("ascii"), level=1)
    tail = _TAIL.format(sources=sources, request=packed, magic=magic(), codes=codes)
    return (starter + tail).encode()


@cache
def sent() -> tuple[str, bytes, bytes]:
    """Return the text that starts the program, the probes' packed sources, and what they compile to."""
    folder = CONTENT / "module_utils" / PACKAGE
    sources = {
        PACKAGE if path.stem == "__init__" else f"{PACKAGE}.{path.stem}": path.read_text("utf-8")
        for path in sorted(folder.glob("*.py"))
    }
    asked = repr((sys.version, sources)).encode()
    name = f"probes-{hashlib.sha256(asked).hexdigest()[:32]}"
    packed, _, codes = (cache_file.read(name) or b"").partition(b"\n")
    if not codes:
        packed, codes = _packed(json.dumps(sources).encode("ascii"), level=9), _compiled(sources)
        cache_file.write(name, packed + b"\n" + codes)
    return sources[f"{PACKAGE}.sent"], packed, codes


def _compiled(sources: Mapping[str, str]) -> bytes:
    codes = {
        name: marshal.dumps(compile(text, place_of(name), "exec", dont_inherit=True))
        for name, text in sources.items()
    }
    return _packed(marshal.dumps(codes), level=9)


def _packed(data: bytes, *, level: int) -> bytes:
    return base64.b64encode(zlib.compress(data, level))


def command(interpreter: str | None, candidates: Sequence[str]) -> str:
    """Return the shell command that starts Python: `interpreter`, or else the first that starts.

    Looking for one so costs no round trip of its own. One that does not start reads nothing, so the
    next one can: a version manager has commands for versions that it does not have. Without what is
    installed beside it a Python starts sooner; one that was set may need that to find itself.
    """
    if interpreter is not None:
        return interpreter
    names = " ".join(shlex.quote(name) for name in candidates)
    return (
        f"(for python in {names} /usr/bin/python3; do "
        'if command -v "$python" >/dev/null 2>&1; then "$python" -S; code=$?; '
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
