"""Import an application as its service would, and say what cannot be imported."""
# ruff: noqa: PTH113, PTH118 - for Python 3.8, without pathlib

from __future__ import annotations

import json
import os
from collections.abc import Mapping
from typing import NamedTuple

from ansible.module_utils.runbook_support.accounts import Account, run
from ansible.module_utils.runbook_support.errors import RefusedError

_MARK = "runbook-imports:"
# Runs under the application's Python, of whatever version. The application may print, so that the
# answer is the last line that begins with the mark.
_VALIDATOR = r"""
import importlib, json, os, runpy, sys, traceback
mark, kind, what = sys.argv[1:4]
sys.path.insert(0, os.getcwd())
found = None
try:
    if kind == "script":
        sys.argv = [what]
        try:
            runpy.run_path(what, run_name="__main__")
        except SystemExit as end:
            if end.code not in (None, 0):
                found = {"type": "SystemExit", "message": "%s ended with %s" % (what, end.code)}
    else:
        importlib.import_module(what)
except BaseException as error:
    found = {"type": type(error).__name__, "message": str(error)}
    if isinstance(error, SyntaxError):
        found.update(file=error.filename, line=error.lineno)
    else:
        ours = [(name, line) for name, line, _, _ in traceback.extract_tb(sys.exc_info()[2])
                if not name.startswith("<") and name not in (importlib.__file__, runpy.__file__)]
        if ours:
            found.update(file=ours[-1][0], line=ours[-1][1])
sys.stdout.flush()
sys.__stdout__.write("\n" + mark + json.dumps(found) + "\n")
sys.__stdout__.flush()
os._exit(0)
"""


class Application(NamedTuple):
    """What is imported, and how.

    `script` is the application's own import script, relative to its folder; where it does not
    exist, `module` is imported.
    """

    module: str
    script: str
    who: Account
    environment: Mapping[str, str]
    timeout_s: float


def failure(application: Application, python: str, folder: str) -> str | None:
    """Import the application found in `folder` and return what fails, in words; None if nothing.

    Executes the application's code, as its service user. Nothing compiled is left behind.

    Raises:
        RefusedError: it could not be tried.
    """
    script = os.path.join(folder, application.script)
    by_script = bool(application.script) and os.path.isfile(script)
    if not by_script and not application.module:
        raise RefusedError(f"{folder} has no {application.script}, and no module is named")
    kind, what = ("script", application.script) if by_script else ("module", application.module)
    try:
        done = run(
            [python, "-c", _VALIDATOR, _MARK, kind, what],
            who=application.who,
            folder=folder,
            environment={"PYTHONDONTWRITEBYTECODE": "1", **application.environment},
            timeout_s=application.timeout_s,
        )
    except RefusedError as error:
        if "took longer" in str(error):
            return f"{what} is not imported within {application.timeout_s:g} s"
        raise
    lines = [line for line in done.out.splitlines() if line.startswith(_MARK)]
    if not lines:
        return f"{what}: {done.why}"
    found = json.loads(lines[-1][len(_MARK) :])
    if found is None:
        return None
    place = f" ({found['file']}:{found['line']})" if found.get("file") else ""
    printed = ""
    if found["type"] == "SystemExit":
        said = [line for line in done.out.splitlines() if line and not line.startswith(_MARK)]
        printed = "".join(f"\n  {line}" for line in said[-10:])
    return f"{found['type']}: {found['message']}{place}{printed}"
