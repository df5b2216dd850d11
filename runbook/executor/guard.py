"""Bounding what a host's answer costs, in the worker process that takes it in.

Ansible's connections read an answer to its end before anybody sees it, so its size can only be
bounded by watching the process: a thread looks at its memory, and interrupts the main thread. Many
hosts may answer much at once, so of the processes of an invocation only one at a time may grow far.
"""

import fcntl
import math
import os
import signal
import threading
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress
from pathlib import Path
from types import FrameType
from typing import Any

from runbook.executor.plan import MAX_ANSWER_BYTES

MAX_GROWTH_BYTES = 32 << 20
WATCH_S = 0.005

FREE_GROWTH_BYTES = 4 << 20
"""By how much each process may grow over an answer without waiting for its turn: nearly all do by less."""

LONGEST_TURN_S = 30.0
"""How long others wait for a long answer to come in: a task may well take its time over one."""

_PAGE = os.sysconf("SC_PAGE_SIZE")


class OverMemoryError(BaseException):
    """The answer takes too much memory. Not an Exception: connections retry after those."""


_bounds = 0
"""How many bounds hold at this moment; only the main thread sets any."""

_turns: Path | None = None
_turn: list[int] = []
"""The open file by which it is our turn, if it is; the watching thread may end it as well as ours."""

_free_bytes = math.inf
"""How much memory this process may have before it waits for its turn."""


def take_turns(file: Path) -> None:
    """Have this process and those it forks grow far one after the other; `file` is what they lock."""
    global _turns  # noqa: PLW0603 -- of the process, as its memory is
    _turns = file


def expect_answer() -> None:
    """Say that from now on a host's answer comes in; what was before, as a module's code, is ours."""
    global _free_bytes  # noqa: PLW0603 -- as above
    _end_turn()
    _free_bytes = resident_bytes() + FREE_GROWTH_BYTES


def _wait_for_turn() -> None:
    if _turns is None or _turn:
        return
    with suppress(OSError):  # Else each is bounded by itself.
        _turn.append(os.open(_turns, os.O_RDONLY | os.O_CLOEXEC))
        fcntl.flock(_turn[-1], fcntl.LOCK_EX)


def _end_turn() -> None:
    with suppress(IndexError):
        os.close(_turn.pop())


def is_bounded() -> bool:
    """Say whether a bound holds already."""
    return _bounds > 0


@contextmanager
def bounded_memory(
    growth_bytes: int = MAX_GROWTH_BYTES, *, above_bytes: int | None = None
) -> Iterator[None]:
    """Raise OverMemoryError in the block once this process has grown by so much.

    It counts from `above_bytes`, or from what the process has now. Before it grows far over an answer
    it waits for its turn (see `take_turns`, `expect_answer`), which lasts until the process ends or
    expects another one. For the main thread of a process that has no other use for SIGUSR1.
    """
    global _bounds, _free_bytes  # noqa: PLW0603 -- of the process, as its memory is
    limit = (resident_bytes() if above_bytes is None else above_bytes) + growth_bytes
    over = threading.Event()
    too_much = threading.Event()
    turn_ends = math.inf
    main = threading.main_thread().ident or 0

    def watch() -> None:
        nonlocal turn_ends
        asked_for = 0.0
        while not over.wait(WATCH_S):
            grown = resident_bytes()
            if grown > limit:
                too_much.set()
                signal.pthread_kill(main, signal.SIGUSR1)
                return
            if grown > _free_bytes and asked_for != _free_bytes:
                asked_for = _free_bytes
                signal.pthread_kill(main, signal.SIGUSR1)
            elif time.monotonic() > turn_ends:
                turn_ends = math.inf
                _end_turn()

    def interrupt(_number: int, _frame: FrameType | None) -> None:
        nonlocal turn_ends
        if too_much.is_set():
            raise OverMemoryError
        _wait_for_turn()
        turn_ends = time.monotonic() + LONGEST_TURN_S

    before = signal.signal(signal.SIGUSR1, interrupt)
    watcher = threading.Thread(target=watch, daemon=True)
    watcher.start()
    _bounds += 1
    try:
        yield
    finally:
        _bounds -= 1
        _free_bytes = math.inf
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
