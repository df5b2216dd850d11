"""`runbook WORDS` that notes when it came how far: `python -m benchmarks.marked FILE BEGAN WORDS…`.

`BEGAN` is when it was started, in seconds of the monotonic clock. FILE gets, as JSON, each mark's
milliseconds since then, and the CPU seconds of our process and of Ansible's with all they started.
"""

import atexit
import json
import os
import resource
import sys
import time
from collections.abc import Callable
from contextlib import suppress
from functools import wraps
from importlib import import_module
from pathlib import Path
from typing import Any

from runbook import at_hand

BEFORE, AFTER = True, False

marks: dict[str, float] = {}
cpu_s: dict[str, float] = {}


def main() -> None:
    """Be the command."""
    file, began, *words = sys.argv[1:]
    start_s = float(began)

    def mark(name: str, at_s: float | None = None) -> None:
        marks.setdefault(name, 1000 * ((time.monotonic() if at_s is None else at_s) - start_s))

    def begun(*_: Any) -> None:
        mark("started")
        # Not imported before: what comes first imports little.
        process = import_module("runbook.executor.process").Process
        _around(process, "start", lambda *_: mark("asked"), None)
        _around(process, "close", lambda one: mark("forked", _begun(one)), lambda *_: mark("ended"))
        translator = import_module("runbook.executor.translate").Translator
        _around(translator, "feed", lambda _, record: mark(record["kind"]), None)

    at_hand.use("runbook")
    starter = import_module("runbook.executor.runner").Starter
    _around(starter, "start", lambda *_: mark("starting"), begun)
    _around(starter, "dismiss", lambda starter: _look_at(starter, mark), None)
    sys.argv = ["runbook", *words]
    atexit.register(_tell, Path(file))
    import_module("runbook.views.entry").main()


def _tell(file: Path) -> None:
    own = resource.getrusage(resource.RUSAGE_SELF)
    cpu_s["runbook"] = own.ru_utime + own.ru_stime
    file.write_text(json.dumps({"marks": marks, "cpu_s": cpu_s}))


def _around(
    owner: Any, name: str, before: Callable[..., Any], after: Callable[..., Any] | None
) -> None:
    """Have functions called before and after one."""
    inner = getattr(owner, name)

    @wraps(inner)
    def outer(*arguments: Any, **options: Any) -> Any:
        before(*arguments)
        try:
            return inner(*arguments, **options)
        finally:
            if after is not None:
                after(*arguments)

    setattr(
        owner,
        name,
        staticmethod(outer) if name == "start" and owner.__name__ == "Starter" else outer,
    )


def _begun(process: Any) -> float | None:
    """Return when the request was forked, by the monotonic clock."""
    with suppress(OSError):
        place = process.workspace.folder / "pid"
        return float(place.stat().st_mtime - time.time() + time.monotonic())
    return None


def _look_at(starter: Any, mark: Callable[[str], None]) -> None:
    """Note what Ansible's process and those it forked have used."""
    if "over" in marks:
        return
    mark("over")
    pid = int((starter.workspace.folder / "pid").read_text())
    fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    cpu_s["Ansible"] = sum(map(int, fields[11:15])) / os.sysconf("SC_CLK_TCK")


if __name__ == "__main__":
    main()
