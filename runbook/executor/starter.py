"""Ansible, imported once and forked for each request; `runner` starts it with the name of a FIFO.

It imports what Ansible needs in any case, and where it stays for many runs also what only some of
them need, then reads the FIFO. Each line is the folder of a request,
whose `arguments.json` a child of its own is ansible-playbook with (see `process` for the files). The
end of the FIFO means that whoever started it is gone: it ends once its children have.
"""

import atexit
import gc
import json
import os
import select
import signal
import sys
import traceback
from collections.abc import Iterator
from contextlib import suppress
from importlib import import_module
from pathlib import Path
from types import FrameType
from typing import NoReturn

from runbook import at_hand
from runbook.ending import leave
from runbook.executor.known_yaml import known
from runbook.executor.workspace import (
    AHEAD_FILE,
    ARGUMENTS_FILE,
    ENDED_FILE,
    GATE_PIPE,
    OUTPUT_PIPE,
    PID_FILE,
)

NEEDED_SOON = (
    "ansible.cli.playbook",
    "ansible.executor.playbook_executor",
    "multiprocessing.popen_fork",
    "multiprocessing.synchronize",
    "runbook.executor.ansible_core",
    "runbook.executor.around",
    "runbook.executor.beforehand",
    "runbook.executor.compile",
    "runbook.executor.differences",
    "runbook.executor.looking",
    "runbook.executor.params",
    "runbook.executor.probing",
    "runbook.executor.sampling",
    "runbook.executor.script",
)
"""What is imported by Ansible, or by our plugins within it, later."""

NEEDED_BY_SOME = (
    "ansible.modules",
    "ansible.playbook.handler_task_include",
)
"""What is imported by most requests only, and so not where the first of them waits for it."""


def main() -> None:
    """Serve until the FIFO ends."""
    fifo, *how = sys.argv[1:]
    # Opened at once, and waiting for nobody: who started us may be gone by the time we have it all.
    requests = os.open(fifo, os.O_RDONLY | os.O_NONBLOCK | os.O_CLOEXEC)
    signal.signal(signal.SIGTERM, _on_end)
    Path(fifo).with_name(PID_FILE).write_text(str(os.getpid()))
    _import_all(stays=bool(how))
    at_hand.keep()
    children: dict[int, Path] = {}
    for folder in _folders(requests, children):
        pid = os.fork()
        if pid == 0:
            os.close(requests)
            _be_ansible(folder)
        children[pid] = folder
    while children:
        _tell_end(children, *os.waitpid(-1, 0))
    leave(0)


def _import_all(*, stays: bool) -> None:
    # What is imported stays: looking through it for garbage, again and again, would find none.
    gc.disable()
    with known():
        for name in (*NEEDED_SOON, *(NEEDED_BY_SOME if stays else ())):
            with suppress(
                ImportError
            ):  # Another ansible-core has another layout: it finds its own.
                import_module(name)
        with suppress(
            Exception
        ):  # What cannot be prepared fails, and is told, in the request itself.
            import_module("runbook.executor.beforehand").prepare()
            import_module("runbook.executor.script").sent()
            if stays:
                import_module("runbook.executor.nearby").get_all_ready()
    gc.freeze()
    gc.enable()


def _folders(requests: int, children: dict[int, Path]) -> Iterator[Path]:
    """Yield the folders of requests as they come, and tell the ends of children meanwhile."""
    woken, waker = os.pipe2(os.O_NONBLOCK | os.O_CLOEXEC)
    signal.set_wakeup_fd(waker)
    signal.signal(signal.SIGCHLD, lambda _number, _frame: None)
    rest = b""
    while True:
        try:  # First, as there is nothing to wait for where nobody has it open any more.
            data = os.read(requests, 1 << 16)
        except BlockingIOError:
            select.select([requests, woken], [], [])
        else:
            if not data:
                return
            *lines, rest = (rest + data).split(b"\n")
            yield from (Path(os.fsdecode(line)) for line in lines)
        with suppress(BlockingIOError):
            os.read(woken, 512)
        while children and (ended := os.waitpid(-1, os.WNOHANG))[0]:
            _tell_end(children, *ended)


def _tell_end(children: dict[int, Path], pid: int, status: int) -> None:
    folder = children.pop(pid)
    unfinished = folder / f"{ENDED_FILE}.new"
    with suppress(OSError):  # Nobody is left who would want to know.
        unfinished.write_text(str(os.waitstatus_to_exitcode(status)))
        unfinished.rename(folder / ENDED_FILE)


def _be_ansible(folder: Path) -> NoReturn:
    """Do one request, in a session of its own: there is no terminal to ask anybody on."""
    code = 1
    try:
        signal.set_wakeup_fd(-1)
        for number in (signal.SIGCHLD, signal.SIGTERM):
            signal.signal(number, signal.SIG_DFL)
        os.setsid()
        # What was registered so far takes away what is for all children.
        atexit._clear()  # noqa: SLF001 -- no public name
        if _is_wanted(folder):
            # Not waiting for who reads there: he may have died meanwhile, and nothing is begun then.
            output = os.open(folder / OUTPUT_PIPE, os.O_WRONLY | os.O_NONBLOCK)
            os.set_blocking(output, True)
            os.dup2(output, 1)
            os.dup2(output, 2)
            os.close(output)
            os.chdir(folder / "project")
            sys.argv = json.loads((folder / ARGUMENTS_FILE).read_text("utf-8"))
            if (gate := folder / GATE_PIPE).exists():
                boundary = import_module("runbook.executor.beforehand")
                boundary.before_playbooks(AHEAD_FILE, lambda: _wait_at(gate))
            import_module("ansible.cli.playbook").main()
    except SystemExit as stop:
        code = stop.code if isinstance(stop.code, int) else 1
    except BaseException:  # noqa: BLE001 -- a child must never go on as its parent
        traceback.print_exc()
    leave(code)


def _wait_at(gate: Path) -> None:
    """Wait until it is written what is asked; end where nobody is left who would write it."""
    told = os.open(gate, os.O_RDONLY | os.O_NONBLOCK | os.O_CLOEXEC)
    os.set_blocking(told, True)
    try:
        if not os.read(told, 1):
            raise SystemExit(1)
    finally:
        os.close(told)


def _on_end(_number: int, _frame: FrameType | None) -> None:
    """End in the midst of the imports: whoever started us has no need of us any more."""
    signal.signal(signal.SIGTERM, signal.SIG_IGN)
    leave(0)


def _is_wanted(folder: Path) -> bool:
    """Say who does the request; it is not wanted any more where that is taken."""
    try:
        own = folder / f"{PID_FILE}.{os.getpid()}"
        own.write_text(str(os.getpid()))
        os.link(own, folder / PID_FILE)
    except OSError:
        return False
    return True
