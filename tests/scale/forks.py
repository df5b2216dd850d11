"""Runs as forks of a process that has one thread, so that a child is whole."""

import json
import os
import select
import signal
import sys
import traceback
from collections.abc import Callable, Sequence
from contextlib import suppress
from dataclasses import dataclass, field

_REAPS_S = 0.02


class Forker:
    """Forks a process that forks runs, each of which is `be` of its words; made before any thread.

    All stay in this process's group, so that a signal to it is one to all.
    """

    def __init__(self, be: Callable[[Sequence[str]], int]) -> None:
        asked, self._ask = os.pipe()
        self._ended, tell = os.pipe()
        if os.fork() == 0:
            os.close(self._ask)
            os.close(self._ended)
            try:
                _serve(asked, tell, be)
            finally:
                os._exit(0)
        os.close(asked)
        os.close(tell)
        os.set_blocking(self._ended, False)
        self._begun = 0
        self._rest = b""
        self._codes: dict[int, int] = {}

    def begin(self, words: Sequence[str]) -> "Forked":
        """Start a run."""
        self._begun += 1
        self.tell(begin=self._begun, words=list(words))
        return Forked(forker=self, number=self._begun)

    def tell(self, **told: object) -> None:
        """Have it do something."""
        os.write(self._ask, json.dumps(told).encode() + b"\n")

    def code(self, number: int) -> int | None:
        """Return a run's exit code; None while it runs."""
        with suppress(BlockingIOError):
            while data := os.read(self._ended, 1 << 16):
                *lines, self._rest = (self._rest + data).split(b"\n")
                self._codes.update(json.loads(line) for line in lines)
        return self._codes.get(number)


@dataclass(kw_only=True)
class Forked:
    """A run."""

    forker: Forker
    number: int
    last_words: str = field(default="", init=False)

    @property
    def code(self) -> int | None:
        """Its exit code; None while it runs."""
        return self.forker.code(self.number)

    def stop(self) -> None:
        """Ask it to end."""
        self.forker.tell(stop=self.number)


def _serve(asked: int, tell: int, be: Callable[[Sequence[str]], int]) -> None:
    """Fork what is asked for, and tell the ends, until nobody asks any more."""
    signal.signal(signal.SIGTERM, signal.SIG_IGN)
    runs: dict[int, int] = {}
    rest = b""
    while True:
        if select.select([asked], [], [], _REAPS_S)[0]:
            data = os.read(asked, 1 << 16)
            if not data:
                return
            *lines, rest = (rest + data).split(b"\n")
            for told in map(json.loads, lines):
                if "stop" in told:
                    for pid in (pid for pid, number in runs.items() if number == told["stop"]):
                        os.kill(pid, signal.SIGTERM)
                else:
                    runs[_forked(be, told["words"])] = told["begin"]
        while runs and (ended := os.waitpid(-1, os.WNOHANG))[0]:
            code = os.waitstatus_to_exitcode(ended[1])
            os.write(tell, json.dumps([runs.pop(ended[0]), code]).encode() + b"\n")


def _forked(be: Callable[[Sequence[str]], int], words: Sequence[str]) -> int:
    pid = os.fork()
    if pid == 0:
        code = 1
        try:
            signal.signal(signal.SIGTERM, signal.SIG_DFL)
            code = be(words)
        except BaseException:  # noqa: BLE001 -- a child must never go on as its parent
            traceback.print_exc()
        finally:
            sys.stderr.flush()
            os._exit(code)
    return pid
