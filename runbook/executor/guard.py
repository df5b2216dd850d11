"""Bounding what a host's answer costs, in the worker process that takes it in.

Ansible's connections read an answer to its end before anybody sees it, so its size can only be
bounded by watching the process: its memory is looked at each time it has computed for some
milliseconds, as it has to in order to grow. While it waits for its host nothing is looked at: by the
clock, that cost as much as all else in the process. Many hosts may answer much at once, so of the
processes of an invocation only one at a time may grow far.

Source: setitimer(2) for `ITIMER_PROF`, which counts what a process computes, and is not inherited.
"""

import fcntl
import math
import os
import signal
import threading
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress
from pathlib import Path
from types import FrameType
from typing import Any

from runbook.executor.plan import MAX_ANSWER_BYTES

MAX_GROWTH_BYTES = 32 << 20
WATCH_S = 0.005
"""How long the process computes between two looks at its memory; kernels round it up to their ticks."""

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
_turn: list[tuple[int, threading.Timer]] = []
"""The open file by which it is our turn, if it is, and what ends that after a while."""

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
        file = os.open(_turns, os.O_RDONLY | os.O_CLOEXEC)
        ends = threading.Timer(LONGEST_TURN_S, _end_turn)
        _turn.append((file, ends))
        fcntl.flock(file, fcntl.LOCK_EX)
        ends.daemon = True
        ends.start()


def _end_turn() -> None:
    with suppress(IndexError):
        file, ends = _turn.pop()
        os.close(file)
        ends.cancel()


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
    expects another one. For the main thread of a process that has no other use for SIGPROF.
    """
    global _bounds, _free_bytes  # noqa: PLW0603 -- of the process, as its memory is
    limit = (resident_bytes() if above_bytes is None else above_bytes) + growth_bytes
    asked_for = 0.0
    over = False

    def look(_number: int, _frame: FrameType | None) -> None:
        nonlocal asked_for, over
        if over:  # Once is enough: what was interrupted has to be left in order.
            return
        grown = resident_bytes()
        if grown > limit:
            over = True
            raise OverMemoryError
        if grown > _free_bytes and asked_for != _free_bytes:
            asked_for = _free_bytes
            _wait_for_turn()

    before = signal.signal(signal.SIGPROF, look)
    signal.setitimer(signal.ITIMER_PROF, WATCH_S, WATCH_S)
    _bounds += 1
    try:
        yield
    finally:
        over = True
        _bounds -= 1
        _free_bytes = math.inf
        signal.setitimer(signal.ITIMER_PROF, 0)
        # Of one that is on its way nothing is left then, where it did nothing before but end us.
        signal.signal(signal.SIGPROF, signal.SIG_IGN)
        signal.signal(signal.SIGPROF, before)


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
