"""One ansible-playbook process: a child that `starter` forks, told what to do by files.

In the workspace lie `arguments.json`, its argv; `output`, the pipe it prints to; `pid`, its process
id, or nothing where we took that place first, so that it does not begin; `ended`, its exit code. Where
it is begun before it is known what is asked, it waits at `gate`, a pipe, before it reads the playbook.
"""

import json
import os
import re
import signal
import time
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

from runbook.executor.leftovers import is_at_work
from runbook.executor.runner import Output
from runbook.executor.target import Target
from runbook.executor.workspace import (
    AHEAD_FILE,
    ARGUMENTS_FILE,
    ENDED_FILE,
    GATE_PIPE,
    OUTPUT_PIPE,
    PID_FILE,
    PLAYBOOK_FILE,
    Workspace,
)
from runbook.model.masking import mask_text

GRACE_S = 3.0
"""How long Ansible may take to end its workers before it is killed."""

WAIT_S = 0.02

_INVENTORY = re.compile(r"^\[WARNING\]: Failed to parse inventory with '\w+' plugin: ")
"""Why each way to read an inventory failed comes as a warning, before the error that it did."""

_TELLS = re.compile(rf"\b(ERROR|FATAL|error)\b|{_INVENTORY.pattern}|^Origin: .+:\d+:\d+$")


class Forking(Protocol):
    """What forks Ansible for requests: a starter of ours, or one that was lent to us.

    `config` is the configuration file that its Ansible has read.
    """

    @property
    def config(self) -> Path | None:
        """Ansible's configuration, None for what the environment says."""

    def submit(self, folder: Path) -> None:
        """Have the request in this folder done; raise OSError."""

    def is_running(self) -> bool:
        """Say whether it has not ended."""

    def dismiss(self) -> None:
        """Say that nothing more is asked of it."""

    def last_words(self) -> str:
        """Return what it printed last, as far as that is known."""


@dataclass(kw_only=True)
class Process:
    """An ansible-playbook process.

    It may take `allowed_s` seconds from the last time that was said; `timed_out` says that it was
    ended for taking longer. `exit_code` is None if it is not known.
    """

    workspace: Workspace
    starter: Forking
    allowed_s: float = 0.0
    timed_out: bool = False
    cancelled: bool = False
    exit_code: int | None = None
    _deadline: float = 0.0
    _asked_at: float | None = None
    _output: Output | None = None
    _gate: int = -1
    _over: bool = False

    def begin_ahead(self, target: Target, playbook: str) -> None:
        """Have it read the inventory, and wait for `start` then; raise OSError.

        It reads `playbook` too, for no other reason than to have at hand what that takes.
        """
        gate = self.workspace.folder / GATE_PIPE
        os.mkfifo(gate, 0o600)
        # Both ends are ours, so that opening waits for nobody; it is told of our death.
        self._gate = os.open(gate, os.O_RDWR | os.O_NONBLOCK | os.O_CLOEXEC)
        # Ansible wants to see that there is one before it begins.
        (self.workspace.project / PLAYBOOK_FILE).touch(0o600)
        self.workspace.write(self.workspace.project / AHEAD_FILE, playbook)
        self._submit(target, check_mode=False)

    def start(self, target: Target, allowed_s: float, *, check_mode: bool) -> None:
        """Start it, or let what was begun ahead go on; raise OSError."""
        self.allow(allowed_s)
        if self._gate < 0:
            self._submit(target, check_mode=check_mode)
        else:
            os.write(self._gate, b"\n")

    def _submit(self, target: Target, *, check_mode: bool) -> None:
        folder = self.workspace.folder
        self._output = Output.of(folder / OUTPUT_PIPE)
        arguments = _arguments(target, self.workspace, check_mode=check_mode)
        self.workspace.write(folder / ARGUMENTS_FILE, json.dumps(arguments))
        self.starter.submit(folder)

    def is_running(self) -> bool:
        """Say whether it has not ended; end it where it has to, and take what it has printed."""
        if self._over or self._output is None:
            return False
        lives = self.starter.is_running() or is_at_work(self.workspace.folder.name)
        self._over = self._has_ended() or not lives or self._has_to_die()
        self._output.drain()
        return not self._over

    def wait(self, seconds: float) -> None:
        """Wait until it has something to tell, or comes to its end; at most so long."""
        if self._output is not None:
            self._output.wait(seconds)

    def allow(self, seconds: float) -> None:
        """Let it take so long from now on."""
        self.allowed_s = seconds
        self._deadline = time.monotonic() + seconds

    def cancel(self) -> None:
        """Have it ended soon."""
        self.cancelled = True

    def close(self) -> None:
        """End it if it still runs, and close the pipes."""
        while self.is_running():
            self.cancel()
            time.sleep(WAIT_S)
        if self._output is not None:
            self._output.close()
        if self._gate >= 0:
            os.close(self._gate)

    def last_words(self) -> str:
        """Return what it printed last that tells something, on one line."""
        printed = self._output.text() if self._output is not None else ""
        text = re.sub(r"\x1b\[[0-9;]*m", "", printed or self.starter.last_words())
        lines = [line.strip() for line in text.splitlines() if line.strip()]
        telling = dict.fromkeys(_INVENTORY.sub("", line) for line in lines if _TELLS.search(line))
        said = " ".join([*(telling or lines)][:6]) or "it said nothing"
        return f"{mask_text(said)[:1500]} (exit code {self.exit_code})"

    def _has_ended(self) -> bool:
        try:
            self.exit_code = int((self.workspace.folder / ENDED_FILE).read_text())
        except (OSError, ValueError):
            return False
        return True

    def _has_to_die(self) -> bool:
        """Ask Ansible to stop once it has to; say whether it is over with it."""
        now = time.monotonic()
        if self._asked_at is not None:
            if now - self._asked_at > GRACE_S:
                self._end(signal.SIGKILL)
                return True
            return False
        self.timed_out = now > self._deadline and not self.cancelled
        if not self.timed_out and not self.cancelled:
            return False
        self._asked_at = now
        return not self._end(signal.SIGTERM)

    def _end(self, number: signal.Signals) -> bool:
        """Signal it; say whether it was there to be signalled. If not, it never begins."""
        place = self.workspace.folder / PID_FILE
        try:
            place.touch(0o600, exist_ok=False)
        except FileExistsError:
            pid = int(place.read_text())
        except OSError:
            return False
        else:
            return False
        try:
            (os.killpg if number is signal.SIGKILL else os.kill)(pid, number)
        except ProcessLookupError:
            return False
        return True


def _arguments(target: Target, workspace: Workspace, *, check_mode: bool) -> list[str]:
    words = ["ansible-playbook", "--forks", str(target.forks)]
    for inventory in (str(workspace.defaults), *target.inventories):
        words += ["-i", inventory]
    words += ["-e", f"@{workspace.extra}"]
    for value in target.extra_vars:
        words += ["-e", value]
    for value in target.vault_ids:
        words += ["--vault-id", value]
    for value in target.vault_password_files:
        words += ["--vault-password-file", value]
    if check_mode:
        words += ["--check", "--diff"]
    return [*words, PLAYBOOK_FILE]
