"""Bounding what a host's answer costs, in the worker process that takes it in.

Ansible's connections read an answer to its end before anybody sees it, so its size can only be
bounded by watching the process: a thread looks at its memory, and interrupts the main thread.
"""

import os
import signal
import threading
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from types import FrameType
from typing import Any

from runbook.executor.plan import MAX_ANSWER_BYTES

MAX_GROWTH_BYTES = 96 << 20
WATCH_S = 0.01

_PAGE = os.sysconf("SC_PAGE_SIZE")


class OverMemoryError(BaseException):
    """The answer takes too much memory. Not an Exception: connections retry after those."""


_bounds = 0
"""How many bounds hold at this moment; only the main thread sets any."""


def is_bounded() -> bool:
    """Say whether a bound holds already."""
    return _bounds > 0


@contextmanager
def bounded_memory(
    growth_bytes: int = MAX_GROWTH_BYTES, *, above_bytes: int | None = None
) -> Iterator[None]:
    """Raise OverMemoryError in the block once this process has grown by so much.

    It counts from `above_bytes`, or from what the process has now. For the main thread of a process
    that has no other use for SIGUSR1.
    """
    global _bounds  # noqa: PLW0603 -- of the process, as its memory is
    limit = (resident_bytes() if above_bytes is None else above_bytes) + growth_bytes
    over = threading.Event()

    def watch() -> None:
        while not over.wait(WATCH_S):
            if resident_bytes() > limit:
                signal.pthread_kill(threading.main_thread().ident or 0, signal.SIGUSR1)
                return

    def interrupt(_number: int, _frame: FrameType | None) -> None:
        raise OverMemoryError

    before = signal.signal(signal.SIGUSR1, interrupt)
    watcher = threading.Thread(target=watch, daemon=True)
    watcher.start()
    _bounds += 1
    try:
        yield
    finally:
        _bounds -= 1
        over.set()
        watcher.join()
        signal.signal(signal.SIGUSR1, before)


def longest_answer_bytes(probes: int, rounds: int) -> int:
    """Return how long an honest answer can be; JSON escapes take up to six bytes a character."""
    return (probes * MAX_ANSWER_BYTES * 6 + MAX_ANSWER_BYTES) * max(1, rounds)


def resident_bytes() -> int:
    """Return how much memory this process has, 0 where the system does not tell."""
    try:
        return int(Path("/proc/self/statm").read_text("ascii").split()[1]) * _PAGE
    except OSError:
        return 0


def is_larger_than(value: Any, nodes: int, characters: int) -> bool:
    """Say whether data hold more values, or more text, without looking at all of it."""
    pending = [value]
    while pending:
        found = pending.pop()
        nodes -= 1
        if isinstance(found, str):
            characters -= len(found)
        elif isinstance(found, Mapping):
            pending += found.keys()
            pending += found.values()
        elif isinstance(found, list | tuple):
            pending += found
        if len(pending) > nodes or characters < 0:
            return True
    return False
