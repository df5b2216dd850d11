"""A starter that another process has, and lends: Ansible, imported once for many runs.

It ends with the process that has it, though not before the requests under way.
"""

import os
from dataclasses import dataclass
from pathlib import Path

from runbook.executor.leftovers import is_starter
from runbook.executor.runner import REQUESTS_PIPE
from runbook.executor.workspace import PID_FILE


@dataclass(frozen=True, kw_only=True, slots=True)
class LentStarter:
    """The starter whose workspace is `folder`; see `process.Forking`."""

    folder: Path
    config: Path | None

    def submit(self, folder: Path) -> None:
        """Have the request in this folder done; raise OSError."""
        requests = os.open(self.folder / REQUESTS_PIPE, os.O_WRONLY | os.O_NONBLOCK | os.O_CLOEXEC)
        try:
            os.write(requests, os.fsencode(folder) + b"\n")
        finally:
            os.close(requests)

    def is_running(self) -> bool:
        """Say whether it has not ended."""
        try:
            pid = int((self.folder / PID_FILE).read_text())
        except (OSError, ValueError):
            return False
        return is_starter(pid, self.folder.name)

    def dismiss(self) -> None:
        """Leave it to who has it."""

    def last_words(self) -> str:
        """Return nothing: what it prints is for who has it."""
        return ""
