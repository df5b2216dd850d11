"""Bounding what a host's answer costs, in the worker process that takes it in.

Ansible's connections read an answer to its end before anybody sees it, so its size can only be
bounded by watching the process: a thread looks at its memory, and interrupts the main thread.
"""

import os
import signal
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from types import FrameType

from runbook.executor.plan import MAX_ANSWER_BYTES

MAX_GROWTH_BYTES = 96 << 20
WATCH_S = 0.01

_PAGE = os.sysconf("SC_PAGE_SIZE")


class OverMemoryError(BaseException):
    """The answer takes too much memory. Not an Exception: connections retry after those."""


@contextmanager
def bounded_memory(growth_bytes: int = MAX_GROWTH_BYTES) -> Iterator[None]:
    """Raise OverMemoryError in the block once this process has grown by so much.

    For the main thread of a process that has no other use for SIGUSR1.
    """
    limit = _resident_bytes() + growth_bytes
    over = threading.Event()

    def watch() -> None:
        while not over.wait(WATCH_S):
            if _resident_bytes() > limit:
                signal.pthread_kill(threading.main_thread().ident or 0, signal.SIGUSR1)
                return

    def interrupt(_number: int, _frame: FrameType | None) -> None:
        raise OverMemoryError

    before = signal.signal(signal.SIGUSR1, interrupt)
    watcher = threading.Thread(target=watch, daemon=True)
    watcher.start()
    try:
        yield
    finally:
        over.set()
        watcher.join()
        signal.signal(signal.SIGUSR1, before)


def longest_answer_bytes(probes: int, rounds: int) -> int:
    """Return how long an honest answer can be; JSON escapes take up to six bytes a character."""
    return (probes * MAX_ANSWER_BYTES * 6 + MAX_ANSWER_BYTES) * max(1, rounds)


def _resident_bytes() -> int:
    return int(Path("/proc/self/statm").read_text("ascii").split()[1]) * _PAGE
