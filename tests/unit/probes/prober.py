"""Ask probes as the controller does: a request into the script, its answer out of it."""

import json
import os
import shutil
import subprocess
import sys
import time
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

from runbook.model.probes import PROBE_TYPES

CONTENT = Path(__file__).parents[3] / "runbook" / "executor" / "content"
MODULE_UTILS = CONTENT / "module_utils"
# Hosts have other Pythons than the controller: set it to try one.
PYTHON = os.environ.get("RUNBOOK_PROBE_PYTHON", sys.executable)
IS_ROOT = os.geteuid() == 0
_AS_NOBODY = """
import os, sys
if os.geteuid() == 0:
    os.setgroups([]); os.setgid(65534); os.setuid(65534)
os.execvp(sys.argv[1], sys.argv[1:])
"""


def request(
    request: Mapping[str, Any],
    *,
    python: str = PYTHON,
    prefix: Sequence[str] = (),
    env: Mapping[str, str] | None = None,
    cwd: Path = MODULE_UTILS,
) -> dict[str, Any]:
    """Return the answer of the script to a whole request."""
    done = subprocess.run(
        [*prefix, python, "-m", "runbook_probes"],
        input=json.dumps(request),
        capture_output=True,
        text=True,
        cwd=cwd,
        env={**os.environ, **(env or {})},
        timeout=60,
        check=True,
    )
    answer: dict[str, Any] = json.loads(done.stdout)
    for probe in request["probes"]:
        _hold_to_its_word(probe["type"], answer["answers"][probe["id"]])
    return answer


def _hold_to_its_word(kind: str, answer: Mapping[str, Any]) -> None:
    """Every answer has one of the two shapes, and no fact that is not documented."""
    assert answer["took_s"] >= 0
    if answer["looked"]:
        assert set(answer) == {"looked", "facts", "took_s"}
        assert set(answer["facts"]) <= set(PROBE_TYPES[kind].facts)
    else:
        assert set(answer) == {"looked", "reason", "took_s"}
        assert answer["reason"]


def ask(
    kind: str,
    *,
    timeout: float = 5.0,
    acting_as: str | None = None,
    max_bytes: int = 65536,
    environ: Mapping[str, str] | None = None,
    nobody_in: Path | None = None,
    **args: Any,
) -> dict[str, Any]:
    """Return the answer of one probe.

    With `nobody_in`, a folder that every user may read, an ordinary user asks, even if root tests.
    """
    probe = {"id": "it", "type": kind, "args": args, "timeout": timeout, "as": acting_as}
    asked = {"probes": [probe], "max_bytes": max_bytes}
    if nobody_in is None:
        told = request(asked, env=environ)
    else:
        shutil.copytree(MODULE_UTILS, nobody_in / "utils")
        python = python_of_nobody()
        prefix = [python, "-c", _AS_NOBODY]
        told = request(asked, python=python, prefix=prefix, env=environ, cwd=nobody_in / "utils")
    answer: dict[str, Any] = told["answers"]["it"]
    return answer


def python_of_nobody() -> str:
    """Return a Python that an ordinary user may run: root's own may lie in a private folder."""
    for python in (sys.executable, "/usr/local/bin/python3", "/usr/bin/python3"):
        tried = subprocess.run(
            [sys.executable, "-c", _AS_NOBODY, python, "-c", ""], capture_output=True, check=False
        )
        if tried.returncode == 0:
            return python
    raise AssertionError("no Python that an ordinary user may run")


def facts(kind: str, **more: Any) -> dict[str, Any]:
    """Return the facts of a probe that has to have looked."""
    answer = ask(kind, **more)
    assert answer["looked"], answer["reason"]
    seen: dict[str, Any] = answer["facts"]
    return seen


def reason(kind: str, **more: Any) -> str:
    """Return why a probe could not look, which it must not have."""
    answer = ask(kind, **more)
    assert not answer["looked"], answer["facts"]
    return str(answer["reason"])


def wait_until(is_so: Callable[[], bool], what: str) -> None:
    """Wait, a minute at most, for something to become so."""
    ends = time.monotonic() + 60
    while not is_so():
        assert time.monotonic() < ends, f"still not so: {what}"
        time.sleep(0.01)


def is_gone(pid: int) -> bool:
    """Tell whether a process has ended; one that nobody waits for counts."""
    try:
        stat = Path(f"/proc/{pid}/stat").read_text(encoding="utf-8")
    except OSError:
        return True
    return stat.rpartition(")")[2].split()[0] == "Z"
