"""The boundary to ansible-runner: one ansible-playbook process, supervised.

Traps of ansible-runner 2.4 this file is shaped by:
- It parses what the process prints for events, and dies of a forged one (a host can have any text
  printed as a warning), leaving the process behind. So nothing is printed where it listens: all
  output goes through a pipe of ours, of which the last part is kept for the eye.
- Files under `env/` would override arguments, so they are suppressed. But where there is no file
  `env/settings` it forgets the settings it was given as well: those are set on its configuration,
  or it would notice a cancellation up to 5 s late.
- It turns off the checking of SSH host keys unless told, and replaces the callbacks.
- Exit code 254 means both timed out and cancelled, and workers of Ansible outlive the kill: so
  time and cancellation are kept here, and Ansible is first asked to stop by itself.
"""

import os
import re
import shlex
import shutil
import signal
import sys
import threading
import time
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from runbook.executor.compile import PLAYBOOK_FILE
from runbook.executor.target import Target
from runbook.executor.workspace import PLUGIN_FOLDERS, Workspace

GRACE_S = 3.0
"""How long Ansible may take to end its workers before it is killed."""

KEPT_BYTES = 16 * 1024
"""How much of the end of the output is kept."""

WAIT_S = 0.02

NOTICED_S = 0.1
"""How long ansible-runner may take to notice that it has to end what it runs, or that it ended."""

OUTPUT_PIPE = "output"
GO_PIPE = "go"

AHEAD_S = 600.0
"""How long what was started ahead waits; nobody reads a runbook for so long."""

_TAKEN_BACK = (
    "ANSIBLE_HOST_KEY_CHECKING",
    "ANSIBLE_CACHE_PLUGIN",
    "ANSIBLE_CACHE_PLUGIN_CONNECTION",
)


@dataclass(kw_only=True)
class Process:
    """An ansible-playbook process.

    It may take `allowed_s` seconds from the last time that was said; `timed_out` says that it was
    ended for taking longer. `exit_code` is None if it is not known.
    """

    workspace: Workspace
    target: Target
    check_mode: bool
    allowed_s: float = 0.0
    timed_out: bool = False
    exit_code: int | None = None
    trouble: str | None = None
    _cancelled: threading.Event = field(default_factory=threading.Event)
    _deadline: float = 0.0
    _asked_at: float | None = None
    _pid: int | None = None
    _thread: threading.Thread | None = None
    _reader: int = -1
    _printed: bytes = b""
    _signal: int = -1
    _waits: bool = False

    def start_ahead(self) -> None:
        """Start what waits for `start`, with all that takes time imported; raise OSError."""
        fifo = self.workspace.folder / GO_PIPE
        os.mkfifo(fifo, 0o600)
        # Both ends are ours, so that opening it waits for nobody; should we die, it comes to its end.
        self._signal = os.open(fifo, os.O_RDWR | os.O_NONBLOCK | os.O_CLOEXEC)
        self._waits = True
        self._launch(AHEAD_S)

    def start(self, allowed_s: float) -> None:
        """Start it, in a thread of its own; raise OSError."""
        if self._signal < 0:
            self._launch(allowed_s)
            return
        self.allow(allowed_s)
        os.write(self._signal, b"!")

    def _launch(self, allowed_s: float) -> None:
        pipe = self.workspace.folder / OUTPUT_PIPE
        os.mkfifo(pipe, 0o600)
        self._reader = os.open(pipe, os.O_RDONLY | os.O_NONBLOCK | os.O_CLOEXEC)
        self.allow(allowed_s)
        self._thread = threading.Thread(target=self._supervise, daemon=True)
        self._thread.start()

    def is_running(self) -> bool:
        """Say whether it has not ended; take what it has printed meanwhile."""
        running = self._thread is not None and self._thread.is_alive()
        if self._reader >= 0:
            self._drain()
        return running

    def allow(self, seconds: float) -> None:
        """Let it take so long from now on."""
        self.allowed_s = seconds
        self._deadline = time.monotonic() + seconds

    def known_as(self, pid: int) -> None:
        """Learn the process id, by which it can be asked to stop."""
        self._pid = pid

    def cancel(self) -> None:
        """Have it ended soon."""
        self._cancelled.set()

    @property
    def cancelled(self) -> bool:
        """Whether somebody wanted it ended."""
        return self._cancelled.is_set()

    def close(self) -> None:
        """End it if it still runs, and close the pipe."""
        while self.is_running():
            self.cancel()
            time.sleep(WAIT_S)
        for descriptor in (self._reader, self._signal):
            if descriptor >= 0:
                os.close(descriptor)
        self._reader = self._signal = -1

    def last_words(self) -> str:
        """Return what it printed last that tells something, on one line."""
        text = re.sub(r"\x1b\[[0-9;]*m", "", self._printed.decode("utf-8", "replace"))
        lines = [line.strip() for line in text.splitlines() if line.strip()]
        telling = [line for line in lines if re.search(r"\b(ERROR|FATAL|error)\b", line)]
        printed = " ".join((telling or lines)[:6]) or self.trouble or "it said nothing"
        return f"{printed[:1500]} (exit code {self.exit_code})"

    def _drain(self) -> None:
        while True:
            try:
                data = os.read(self._reader, 1 << 16)
            except BlockingIOError:
                return
            if not data:
                return
            self._printed = (self._printed + data)[-KEPT_BYTES:]

    def _supervise(self) -> None:
        try:
            self.exit_code = self._run()
        except Exception as error:  # noqa: BLE001 -- a thread has nobody to raise to
            self.trouble = f"{type(error).__name__}: {error}"
            self._end(signal.SIGTERM)

    def _run(self) -> int | None:
        import ansible_runner  # noqa: PLC0415 -- costs 150 ms, which only runs have to pay

        runner = ansible_runner.interface.init_runner(
            private_data_dir=str(self.workspace.folder),
            playbook=PLAYBOOK_FILE,
            inventory=[str(self.workspace.defaults), *self.target.inventories],
            cmdline=_command_line(self.target, self.workspace, check_mode=self.check_mode),
            envvars=_environment(self.target),
            suppress_env_files=True,
            quiet=True,
            forks=self.target.forks,
            event_handler=lambda _event: False,
            cancel_callback=self._has_to_die,
        )
        config = runner.config
        config.pexpect_timeout = NOTICED_S
        config.suppress_output_file = True
        command = list(config.command)
        if self._waits:
            starter = [sys.executable, "-P", "-m", "runbook.executor.starter"]
            command = [*starter, str(self.workspace.folder / GO_PIPE), *command]
        config.command = _redirected(command, self.workspace.folder / OUTPUT_PIPE)
        _restore(config.env)
        runner.run()
        code: int | None = runner.rc
        return code

    def _has_to_die(self) -> bool:
        """Ask Ansible to stop once it has to; say when it has had its time for that."""
        now = time.monotonic()
        if self._asked_at is not None:
            return now - self._asked_at > GRACE_S
        self.timed_out = now > self._deadline and not self.cancelled
        if not self.timed_out and not self.cancelled:
            return False
        self._asked_at = now
        # Before its callback is loaded it has no workers, and nothing to put in order.
        return not self._end(signal.SIGTERM)

    def _end(self, number: signal.Signals) -> bool:
        if self._pid is None:
            return False
        try:
            os.kill(self._pid, number)
        except ProcessLookupError:
            return False
        return True


def _redirected(command: list[str], pipe: Path) -> list[str]:
    # Without a terminal to read from, nothing can wait for an answer that nobody gives. But it is
    # kept open (9): once it is closed, ansible-runner only waits, and never asks whether to go on.
    return ["/bin/sh", "-c", 'exec "$@" 9>&1 >"$0" 2>&1 </dev/null', str(pipe), *command]


def _restore(environment: dict[str, Any]) -> None:
    """Take back what ansible-runner sets for itself."""
    ours = str(PLUGIN_FOLDERS["callback_plugins"])
    theirs = os.environ.get("ANSIBLE_CALLBACK_PLUGINS")
    environment["ANSIBLE_STDOUT_CALLBACK"] = "runbook_results"
    environment["ANSIBLE_CALLBACK_PLUGINS"] = os.pathsep.join([ours, *([theirs] if theirs else [])])
    for name in _TAKEN_BACK:
        environment.pop(name, None)
        if name in os.environ:
            environment[name] = os.environ[name]


def _command_line(target: Target, workspace: Workspace, *, check_mode: bool) -> str:
    words = ["-e", f"@{workspace.extra}"]
    for value in target.extra_vars:
        words += ["-e", value]
    for value in target.vault_ids:
        words += ["--vault-id", value]
    for value in target.vault_password_files:
        words += ["--vault-password-file", value]
    if check_mode:
        words += ["--check", "--diff"]
    return shlex.join(words)


def _environment(target: Target) -> dict[str, str]:
    """Return what Ansible's environment gets beside our own."""
    binaries = str(Path(sys.executable).parent)
    environment = {
        "PATH": os.pathsep.join([binaries, os.environ.get("PATH", os.defpath)]),
        "ANSIBLE_PIPELINING": "True",
        "ANSIBLE_RETRY_FILES_ENABLED": "False",
        "ANSIBLE_NOCOLOR": "True",
        "ANSIBLE_LOCALHOST_WARNING": "False",
        "ANSIBLE_INVENTORY_UNPARSED_FAILED": "True",
        "ANSIBLE_INVENTORY_ANY_UNPARSED_IS_FAILED": "True",
        "ANSIBLE_DEPRECATION_WARNINGS": "False",
        "PYTHONWARNINGS": "ignore",
        # ssh would ask on the terminal it is given, where nobody answers: it shall fail instead.
        "SSH_ASKPASS_REQUIRE": "force",
        "SSH_ASKPASS": shutil.which("false") or "/bin/false",
    }
    if target.config is not None:
        environment["ANSIBLE_CONFIG"] = str(target.config)
    return environment
