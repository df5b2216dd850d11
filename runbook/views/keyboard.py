"""Lines that a person types."""

import os
import select
import sys
import termios
import time
from dataclasses import dataclass, field


@dataclass(kw_only=True)
class Keyboard:
    """Reads lines from a file descriptor, waiting no longer than told to.

    Once it is closed there is nothing more to come, whoever waits for it.
    """

    descriptor: int
    is_closed: bool = False
    _typed: bytearray = field(default_factory=bytearray)
    _wake: tuple[int, int] = field(default_factory=os.pipe)

    def line(self, timeout_s: float | None = None) -> str | None:
        """Return the next line without its end, None where there is no more to come.

        Raises TimeoutError after `timeout_s` seconds (None: waits for ever).
        """
        until = None if timeout_s is None else time.monotonic() + timeout_s
        while b"\n" not in self._typed:
            left = None if until is None else max(until - time.monotonic(), 0.0)
            if not select.select([self.descriptor, self._wake[0]], [], [], left)[0]:
                raise TimeoutError
            if self.is_closed or not (more := self._read()):
                self._typed.clear()
                return None
            self._typed += more
        line, _, rest = bytes(self._typed).partition(b"\n")
        self._typed = bytearray(rest)
        return line.decode(errors="replace").strip()

    def close(self) -> None:
        """Have whoever waits for a line, and whoever will, told that there is none."""
        self.is_closed = True
        os.write(self._wake[1], b"x")

    def forget(self) -> None:
        """Drop what was typed before it was asked for: it answers another question."""
        self._typed.clear()
        if os.isatty(self.descriptor):
            termios.tcflush(self.descriptor, termios.TCIFLUSH)

    def _read(self) -> bytes:
        try:
            return os.read(self.descriptor, 4096)
        except OSError:  # The terminal is gone.
            return b""


def find_keyboard() -> Keyboard | None:
    """Return where to ask a person, None where nobody would see the question or could answer.

    Questions are shown on standard error, so that has to be a terminal; answers come from standard
    input, or from the terminal itself where that is something else. With `CI` set there is nobody,
    even at a terminal: a question would hold the job until its time is up.
    """
    if not sys.stderr.isatty() or os.environ.get("CI"):
        return None
    if sys.stdin is not None and sys.stdin.isatty():
        return Keyboard(descriptor=sys.stdin.fileno())
    try:
        return Keyboard(descriptor=os.open("/dev/tty", os.O_RDONLY | os.O_NOCTTY | os.O_CLOEXEC))
    except OSError:
        return None
