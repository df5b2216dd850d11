"""A process with all of runbook imported, forked for each run that nobody watches.

    python -m runbook.views.forks STARTER CONFIG

`STARTER` is the workspace of the starter that runs may use, `CONFIG` the configuration file its
Ansible has read, or nothing. See `schedule.standby` for what it is told and tells. It has one thread,
so that its children are as whole as a new process, and uses no state: settings and inventories
are read by each run, and so are all files of its runbook; what those came to before is in memory.
"""

import gc
import json
import os
import select
import signal
import sys
import traceback
from collections.abc import Iterator, Sequence
from contextlib import suppress
from importlib import import_module
from pathlib import Path
from typing import Any, NoReturn

from runbook.errors import RunbookError
from runbook.executor.lent import LentStarter
from runbook.model import codec
from runbook.model.masking import compile_all
from runbook.settings import load_settings
from runbook.spec import loading
from runbook.views.starting import lend

NEEDED = (
    "runbook.driver.policing",
    "runbook.executor.ansible",
    "runbook.journal.opening",
    "runbook.journal.sqlite",
    "runbook.spec.loading",
    "runbook.spec.policy_file",
    "runbook.views.cli",
    "runbook.views.commands.run",
    "runbook.views.driving",
    "runbook.views.importing",
    "runbook.views.report_document",
)
"""What a run imports."""

REACHING = ("run", "diagnose")
"""Commands whose first word is a runbook's name."""


def main() -> None:
    """Serve until the standard input ends."""
    folder, config = sys.argv[1:]
    lend(LentStarter(folder=Path(folder), config=Path(config) if config else None))
    for name in NEEDED:
        import_module(name)
    codec.get_ready()
    compile_all()
    gc.freeze()
    woken, waker = os.pipe2(os.O_NONBLOCK | os.O_CLOEXEC)
    signal.set_wakeup_fd(waker)
    signal.signal(signal.SIGCHLD, lambda _number, _frame: None)
    runs: dict[int, int] = {}
    for told in _told(runs, woken):
        if "stop" in told:
            for pid in (pid for pid, number in runs.items() if number == told["stop"]):
                os.kill(pid, signal.SIGTERM)
            continue
        pid = os.fork()
        if pid == 0:
            _be_a_run(told["words"], told["said"])
        runs[pid] = told["begin"]
        _have_at_hand(told["words"])


def _have_at_hand(words: Sequence[str]) -> None:
    """Read what is kept of a runbook that runs are about, for the next: it looks whether it still is so."""
    if len(words) > 1 and words[0] in REACHING:
        with suppress(RunbookError, OSError):  # The run itself is told.
            loading.have_at_hand(words[1], load_settings().library)
            gc.freeze()


def _told(runs: dict[int, int], woken: int) -> Iterator[dict[str, Any]]:
    """Yield what is told, and tell the ends of runs meanwhile."""
    rest = b""
    while True:
        ready, _, _ = select.select([0, woken], [], [])
        if 0 in ready:
            data = os.read(0, 1 << 16)
            if not data:
                return
            *lines, rest = (rest + data).split(b"\n")
            yield from map(json.loads, lines)
        with suppress(BlockingIOError):
            os.read(woken, 512)
        while runs and (ended := os.waitpid(-1, os.WNOHANG))[0]:
            pid, status = ended
            code = os.waitstatus_to_exitcode(status)
            os.write(1, json.dumps({"ended": runs.pop(pid), "code": code}).encode() + b"\n")


def _be_a_run(words: Sequence[str], said: str) -> NoReturn:
    """Be `runbook WORDS`, in a session of its own."""
    code = 1
    try:
        signal.set_wakeup_fd(-1)
        signal.signal(signal.SIGCHLD, signal.SIG_DFL)
        os.setsid()
        null = os.open(os.devnull, os.O_RDWR)
        os.dup2(null, 0)
        os.dup2(null, 1)
        os.dup2(_opened(said, null), 2)
        sys.argv = ["runbook", *words]
        import_module("runbook.views.cli").main(prog_name="runbook")
    except SystemExit as stop:
        code = stop.code if isinstance(stop.code, int) else int(stop.code is not None)
    except BaseException:  # noqa: BLE001 -- a child must never go on as its parent
        traceback.print_exc()
    finally:
        with suppress(OSError, ValueError):
            sys.stdout.flush()
            sys.stderr.flush()
        os._exit(code)


def _opened(said: str, null: int) -> int:
    try:
        return os.open(said, os.O_WRONLY | os.O_APPEND)
    except OSError:
        return null


if __name__ == "__main__":
    main()
