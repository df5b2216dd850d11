"""When the process of a further host begins: not before there is a processor for it.

Ansible begins with all hosts at once, up to `forks`. Each process computes for a few tenths of a
second before it waits for its host, and again to judge its answer. Where the processors cannot keep
up all come late together: of 50 hosts on two processors ssh gave up each after its 12 s, though all
had answered. One after the other they take as long in all, and none is late.

Source: proc(5) for `/proc/loadavg`, whose fourth field begins with how many processes want to run.
"""

import os
import time
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass, field
from functools import cache

WAIT_S = 0.005

MOST_FOR_ONE_S = 0.2
"""How long one host is kept waiting: other programs that keep the processors busy hold up nobody."""

MOST_FOR_ALL_S = 10.0
"""How long the hosts of one task are, all together."""


def wanting_to_run() -> int:
    """Return how many processes of the machine run or wait for a processor; 0 where it does not say."""
    with suppress(OSError, ValueError, IndexError):
        return int(os.pread(_load(), 128, 0).split()[3].partition(b"/")[0])
    return 0


@cache
def _load() -> int:
    """Return the open file that says it: it is looked at hundreds of times, while others compute."""
    return os.open("/proc/loadavg", os.O_RDONLY | os.O_CLOEXEC)


@dataclass(kw_only=True)
class Pace:
    """Lets one begin after the other, twice as many as there are processors at once."""

    at_once: int = field(default_factory=lambda: 2 * (os.cpu_count() or 1))
    running: Callable[[], int] = wanting_to_run
    clock: Callable[[], float] = time.monotonic
    sleep: Callable[[float], None] = time.sleep
    _task: str = ""
    _begun: int = 0
    _waited_s: float = 0.0

    def begin(self, task: str) -> None:
        """Wait until a further host may begin with a task."""
        if task != self._task:
            self._task, self._begun, self._waited_s = task, 0, 0.0
        self._begun += 1
        if self._begun <= self.at_once:
            return
        began = self.clock()
        ends = began + min(MOST_FOR_ONE_S, MOST_FOR_ALL_S - self._waited_s)
        # We run as well.
        while self.running() - 1 >= self.at_once and self.clock() < ends:
            self.sleep(WAIT_S)
        self._waited_s += self.clock() - began
