"""The boundary to ansible-runner: Ansible, imported once and supervised, which requests fork from.

Traps of ansible-runner 2.4 this file is shaped by:
- It parses what the process prints for events, and dies of a forged one (a host can have any text
  printed as a warning), leaving the process behind. So nothing is printed where it listens: all
  output goes through a pipe of ours, of which the last part is kept for the eye.
- Files under `env/` would override arguments, so they are suppressed. But where there is no file
  `env/settings` it forgets the settings it was given as well: those are set on its configuration,
  or it would notice a cancellation up to 5 s late.
- It turns off the checking of SSH host keys unless told, and replaces the callbacks.
- Exit code 254 means both timed out and cancelled, and workers of Ansible outlive the kill: so the
  time and the cancellation of requests are kept in `process`.
"""

import os
import select
import shutil
import signal
import sys
import threading
import time
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from runbook.errors import RunbookError
from runbook.executor.workspace import (
    OUTPUT_PIPE,
    PID_FILE,
    PLAYBOOK_FILE,
    PLUGIN_FOLDERS,
    Workspace,
)

GRACE_S = 3.0
"""How long it may take to end before it is killed."""

KEPT_BYTES = 16 * 1024
"""How much of the end of the output is kept."""

WAIT_S = 0.02

ENDING_S = 0.003
"""How long who has printed all may take to end."""

NOTICED_S = 0.1
"""How long ansible-runner may take to notice that it has to end what it runs, or that it ended."""

REQUESTS_PIPE = "requests"
STAYS = "stays"
"""Said to one that does more beforehand."""

_STARTER = (
    "import gc; gc.disable(); from runbook import at_hand; at_hand.use('starter'); "
    "from runbook.executor.starter import main; main()"
)
"""It imports nothing else before what importing comes to is at hand."""

_TAKEN_BACK = (
    "ANSIBLE_HOST_KEY_CHECKING",
    "ANSIBLE_CACHE_PLUGIN",
    "ANSIBLE_CACHE_PLUGIN_CONNECTION",
)


@dataclass(kw_only=True)
class Output:
    """The end of what is printed to a pipe that nobody has to open for writing."""

    _reader: int
    _printed: bytes = b""

    @classmethod
    def of(cls, pipe: Path) -> "Output":
        """Make the pipe; raise OSError."""
        os.mkfifo(pipe, 0o600)
        return cls(_reader=os.open(pipe, os.O_RDONLY | os.O_NONBLOCK | os.O_CLOEXEC))

    def drain(self) -> None:
        """Take what has been printed, so that who prints need not wait."""
        while self._reader >= 0:
            try:
                data = os.read(self._reader, 1 << 16)
            except BlockingIOError:
                return
            if not data:
                return
            self._printed = (self._printed + data)[-KEPT_BYTES:]

    def has_ended(self) -> bool:
        """Say whether somebody had it open who has gone."""
        listening = select.poll()
        listening.register(self._reader, 0)  # Of an end it is told unasked.
        return bool(listening.poll(0))

    def wait(self, seconds: float) -> None:
        """Wait until something is printed, or all who could print are gone; at most so long."""
        listening = select.poll()
        if self._reader >= 0:
            listening.register(self._reader, select.POLLIN)
        # Of a pipe that nobody has opened yet there is nothing to tell.
        [(_, found)] = listening.poll(1000 * seconds) or [(self._reader, 0)]
        if found & select.POLLHUP and not found & select.POLLIN:
            time.sleep(min(seconds, ENDING_S))

    def text(self) -> str:
        """Return the last of it."""
        return self._printed.decode("utf-8", "replace")

    def close(self) -> None:
        """Take no more."""
        if self._reader >= 0:
            os.close(self._reader)
        self._reader = -1


@dataclass(kw_only=True)
class Starter:
    """A process that has Ansible imported and forks for each request; see `starter`.

    It reads Ansible's configuration, `config` or what the environment says, once. It ends with the
    process that started it, though not before the requests that are under way.
    """

    workspace: Workspace
    config: Path | None
    _output: Output
    _requests: int
    _stays: bool
    _closed_at: float | None = None
    _is_closed: bool = False
    _begun: threading.Event = field(default_factory=threading.Event)
    _thread: threading.Thread = field(init=False)
    _trouble: str = ""

    @classmethod
    def start(cls, config: Path | None = None, name: str = "", *, stays: bool = False) -> "Starter":
        """Start it; what it takes time for goes on in its own process. Raises RunbookError.

        `name` is that of its workspace, by default one that no other can have. One that `stays` for
        many runs does more beforehand, which takes it longer.
        """
        name = name or f"starter-{os.getpid()}-{os.urandom(3).hex()}"
        workspace = Workspace.create(name)
        try:
            fifo = workspace.folder / REQUESTS_PIPE
            os.mkfifo(fifo, 0o600)
            starter = cls(
                workspace=workspace,
                config=config,
                _output=Output.of(workspace.folder / OUTPUT_PIPE),
                # Both ends are ours, so that opening waits for nobody; it ends should we die.
                _requests=os.open(fifo, os.O_RDWR | os.O_NONBLOCK | os.O_CLOEXEC),
                _stays=stays,
            )
        except OSError as error:
            workspace.remove()
            raise RunbookError.of(
                "workspace-unusable", f"cannot use {workspace.folder}: {error.strerror}"
            ) from error
        starter._thread = threading.Thread(target=starter._supervise, daemon=True)
        starter._thread.start()
        # Its process takes longer than whatever else this one has to do: that comes first.
        try:
            starter._begun.wait()
        except BaseException:  # Ctrl-C: nobody else knows of it yet.
            starter.close()
            raise
        return starter

    def submit(self, folder: Path) -> None:
        """Have the request in this folder done; raise OSError."""
        os.write(self._requests, os.fsencode(folder) + b"\n")

    def is_running(self) -> bool:
        """Say whether it has not ended."""
        self._output.drain()
        return self._thread.is_alive()

    def dismiss(self) -> None:
        """Have it end, as nothing more is asked of it."""
        if self._closed_at is None:
            self._closed_at = time.monotonic()
            os.close(self._requests)
            self._requests = -1
            self._ask_to_end()

    def close(self) -> None:
        """Have it end, and wait for that; its folder goes with it."""
        if self._is_closed:
            return
        self._is_closed = True
        self.dismiss()
        # What ansible-runner does once its process has ended is sleep, and write files for nobody.
        while self.is_running() and not self._output.has_ended():
            self._ask_to_end()
            self._output.wait(WAIT_S)
        self._output.close()
        self.workspace.remove()

    def last_words(self) -> str:
        """Return what it printed last, or why it was not started."""
        return self._output.text() or self._trouble

    def _supervise(self) -> None:
        try:
            self._run()
        except Exception as error:  # noqa: BLE001 -- a thread has nobody to raise to
            self._trouble = f"{type(error).__name__}: {error}"
        finally:
            self._begun.set()

    def _run(self) -> None:
        import ansible_runner  # noqa: PLC0415 -- costs 150 ms, which only runs have to pay

        folder = self.workspace.folder
        runner = ansible_runner.interface.init_runner(
            private_data_dir=str(folder),
            playbook=PLAYBOOK_FILE,
            # What Ansible decrypts and renders on the way goes the way of all else in that folder.
            envvars={**environment_of(self.config), "ANSIBLE_LOCAL_TEMP": str(folder)},
            suppress_env_files=True,
            quiet=True,
            event_handler=lambda _event: False,
            status_handler=self._on_status,
            cancel_callback=self._has_to_die,
        )
        command = [sys.executable, "-P", "-c", _STARTER, str(folder / REQUESTS_PIPE)]
        command += [STAYS] if self._stays else []
        config = runner.config
        config.pexpect_timeout = NOTICED_S
        config.suppress_output_file = True
        config.command = _redirected(command, folder / OUTPUT_PIPE)
        _restore(config.env)
        runner.run()

    def _on_status(self, told: dict[str, Any], **_options: Any) -> None:
        if told["status"] == "running":
            self._begun.set()

    def _ask_to_end(self) -> None:
        with suppress(OSError, ValueError):  # It has not begun to say who it is, or has gone.
            os.kill(int((self.workspace.folder / PID_FILE).read_text()), signal.SIGTERM)

    def _has_to_die(self) -> bool:
        return self._closed_at is not None and time.monotonic() - self._closed_at > GRACE_S


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


def environment_of(config: Path | None) -> dict[str, str]:
    """Return what the environment of Ansible and its tools gets beside our own."""
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
    if config is not None:
        environment["ANSIBLE_CONFIG"] = str(config)
    return environment
