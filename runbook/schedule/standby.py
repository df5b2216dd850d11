"""Runs forked from a process that stands by with everything imported, the program `forks`.

It is told by its standard input, and tells by its standard output, a JSON document a line: `{"begin":
NUMBER, "words": command line, "said": file for standard error}` and `{"stop": NUMBER}`; it answers
`{"ended": NUMBER, "code": exit code}`. It ends with its input; runs that it started go on.
"""

import json
import os
import subprocess
import tempfile
from collections.abc import Mapping, Sequence
from contextlib import suppress

from runbook.model.definition import Json
from runbook.model.verdict import Verdict, exit_code
from runbook.schedule.process import Going, Process, end_of

_CLOSING_S = 10.0


class Standby:
    """Starts runs by forking; see `Process` for those it cannot start so.

    `program` is the command line of what is forked, `prefix` that of what it stands for.
    """

    def __init__(self, program: Sequence[str], prefix: Sequence[str]) -> None:
        self._prefix = tuple(prefix)
        self._codes: dict[int, int] = {}
        self._begun = 0
        self._rest = b""
        asked, self._ask = os.pipe2(os.O_CLOEXEC)
        self._told, telling = os.pipe2(os.O_CLOEXEC)
        os.set_blocking(self._told, False)
        try:
            # Ctrl-C is for the service, which lets its runs end.
            self._process = subprocess.Popen(
                program, stdin=asked, stdout=telling, start_new_session=True
            )
        finally:
            os.close(asked)
            os.close(telling)

    def begin(self, command: Sequence[str], environment: Mapping[str, str] | None) -> Going:
        """Start a run."""
        size = len(self._prefix)
        if environment is None and tuple(command[:size]) == self._prefix and self.is_there():
            self._begun += 1
            return _Forked(self, self._begun, command[size:])
        return Process(command, environment)

    @property
    def pid(self) -> int:
        """The process that stands by."""
        return self._process.pid

    def is_there(self) -> bool:
        """Say whether it can be told anything."""
        return self._process.poll() is None

    def tell(self, **told: Json) -> None:
        """Have it do something; who asks for its end sees whether it did."""
        with suppress(OSError):
            os.write(self._ask, json.dumps(told).encode() + b"\n")

    def code(self, number: int) -> int | None:
        """Return a run's exit code; that of an unknown end where nobody is left to tell it."""
        gone = not self.is_there()
        with suppress(BlockingIOError):
            while data := os.read(self._told, 1 << 16):
                *lines, self._rest = (self._rest + data).split(b"\n")
                for told in map(json.loads, lines):
                    self._codes[told["ended"]] = told["code"]
        return self._codes.get(number, exit_code(Verdict.UNKNOWN) if gone else None)

    def close(self) -> None:
        """Have it end; one that does not is killed, and runs that it started go on all the same."""
        os.close(self._ask)
        try:
            self._process.wait(_CLOSING_S)
        except subprocess.TimeoutExpired:
            self._process.kill()
            self._process.wait()
        os.close(self._told)


class _Forked:
    """A run that was forked; see `Going`."""

    def __init__(self, standby: Standby, number: int, words: Sequence[str]) -> None:
        self.last_words = ""
        self._standby = standby
        self._number = number
        self._said = tempfile.TemporaryFile()  # noqa: SIM115 -- for as long as the run goes on
        place = f"/proc/{os.getpid()}/fd/{self._said.fileno()}"
        standby.tell(begin=number, words=list(words), said=place)

    @property
    def code(self) -> int | None:
        """Its exit code; None while it runs."""
        code = self._standby.code(self._number)
        if code is not None and not self._said.closed:
            self.last_words = end_of(self._said)
        return code

    def stop(self) -> None:
        """Ask it to end."""
        self._standby.tell(stop=self._number)
