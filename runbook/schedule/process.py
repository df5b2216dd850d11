"""A run as a process of its own, of which only the end and the last words are wanted."""

import os
import signal
import subprocess
import tempfile
from collections.abc import Mapping, Sequence
from typing import IO, Protocol

from runbook.model.masking import mask_text

_MOST_SAID = 500
_MOST_READ = 64 * 1024


class Going(Protocol):
    """A run that was started."""

    @property
    def code(self) -> int | None:
        """Its exit code; None while it runs."""

    @property
    def last_words(self) -> str:
        """Once it has ended, the end of what it wrote to standard error, on one line."""

    def stop(self) -> None:
        """Ask it to end its run so that it can be resumed."""


def end_of(said: IO[bytes]) -> str:
    """Return the last of what was written to a file, on one line, masked, and close it."""
    with said:
        size = said.seek(0, os.SEEK_END)
        said.seek(max(0, size - _MOST_READ))
        # Masked before it is cut: half a secret looks like none.
        text = mask_text(said.read().decode(errors="replace"))
        return " ".join(text.split())[-_MOST_SAID:].lstrip()


class Process:
    """Starts at once; `stop` asks it to end, and it ends its run so that it can be resumed.

    `last_words` is, once it has ended, the end of what it wrote to standard error, on one line.
    """

    def __init__(self, command: Sequence[str], environment: Mapping[str, str] | None) -> None:
        self.last_words = ""
        self._said = tempfile.TemporaryFile()  # noqa: SIM115 -- for as long as the process runs
        self._process = subprocess.Popen(
            command,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.DEVNULL,
            stderr=self._said,
            env=None if environment is None else dict(environment),
            # Ctrl-C is for the service, which lets its runs end.
            start_new_session=True,
        )

    @property
    def code(self) -> int | None:
        """Its exit code; None while it runs."""
        code = self._process.poll()
        if code is not None and not self._said.closed:
            self.last_words = end_of(self._said)
        return code

    def stop(self) -> None:
        """Ask it to end."""
        self._process.send_signal(signal.SIGTERM)
