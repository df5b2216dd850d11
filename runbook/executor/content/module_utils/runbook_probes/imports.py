"""Import an application's modules, to find the one that does not import."""

from __future__ import annotations

import json
import os

from .call import CannotLookError, Look
from .commands import run
from .tracebacks import facts_of, find_last, imported

_STDERR_BYTES = 4000
# Runs under the application's Python, of whatever version. Its answer takes a pipe of its own,
# since the application may print.
_IMPORTER = r"""
import importlib, json, os, sys
def place(error):
    if isinstance(error, SyntaxError) and error.filename:
        return error.filename, error.lineno
    trace, found = error.__traceback__, (None, None)
    while trace is not None:
        name = trace.tb_frame.f_code.co_filename
        if not name.startswith("<") and name != importlib.__file__:
            found = name, trace.tb_lineno
        trace = trace.tb_next
    return found
sys.path.insert(0, os.getcwd())
failures = []
for module in sys.argv[2:]:
    try:
        importlib.import_module(module)
    except BaseException as error:
        file, line = place(error)
        failures.append({"module": module, "type": type(error).__name__, "message": str(error),
                         "file": file, "line": line})
os.write(int(sys.argv[1]), json.dumps(failures)[:60000].encode("ascii"))
"""


def python_imports(
    look: Look,
    *,
    python: list[str] | None = None,
    modules: list[str] | None = None,
    script: str | None = None,
    chdir: str | None = None,
    env: dict[str, str] | None = None,
) -> dict[str, object]:
    """Import modules one after the other in one process, or run a script that does."""
    program = python or ["python3"]
    # Nothing compiled is left behind in the application's folders.
    environment = {**os.environ, "PYTHONDONTWRITEBYTECODE": "1", **(env or {})}
    if (modules is None) == (script is None):
        raise CannotLookError("give either modules or a script")
    if script is not None:
        done = run(look, [*program, script], chdir=chdir, env=environment)
        failures = [] if done.rc == 0 else [_script_failure(script, done.stderr, done.rc)]
        return _facts(failures, done.stderr)
    read_fd, write_fd = os.pipe()
    argv = [*program, "-c", _IMPORTER, str(write_fd), *(modules or [])]
    done = run(look, argv, chdir=chdir, env=environment, pass_fds=(write_fd,))
    os.close(write_fd)
    # Less than a pipe holds, so it is all there.
    data = os.read(read_fd, 65536)
    os.close(read_fd)
    if not data:
        # The import ended the process, or this Python does not start.
        return _facts([_script_failure(None, done.stderr, done.rc)], done.stderr)
    return _facts(parse_failures(data), done.stderr)


def parse_failures(data: bytes) -> list[dict[str, object]]:
    """Return the failures the importer reports."""
    try:
        rows = json.loads(data)
    except (ValueError, RecursionError):
        rows = None
    if not isinstance(rows, list) or not all(isinstance(row, dict) for row in rows):
        # Whatever was imported could write there as well.
        raise CannotLookError("the importer's answer cannot be read")
    return [_named(row) for row in rows]


def _named(failure: dict[str, object]) -> dict[str, object]:
    names = imported(str(failure.get("message")))
    return {**failure, "name": names.get("name"), "missing": names.get("module")}


def _script_failure(module: str | None, stderr: str, rc: int) -> dict[str, object]:
    found = facts_of(find_last(stderr.splitlines()))
    last = stderr.strip().splitlines()[-1:] or [f"exit status {rc}"]
    return {
        "module": module,
        "type": found["type"],
        "message": found["message"] if found["type"] else last[0],
        "file": found["file"],
        "line": found["line"],
        "name": found["name"],
        "missing": found["module"],
    }


def _facts(failures: list[dict[str, object]], stderr: str) -> dict[str, object]:
    return {
        "imported": not failures,
        "failures": failures,
        "stderr": stderr[-_STDERR_BYTES:],
    }
