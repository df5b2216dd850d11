"""Ansible for tests of roles, imported once and forked for each play, as it is for runs.

To import it anew costs a second of the processor, as much as all else that a small play does.
"""

import atexit
import json
import os
import select
import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cache
from itertools import count
from pathlib import Path

from runbook.executor.workspace import ARGUMENTS_FILE, ENDED_FILE, OUTPUT_PIPE
from tests.executor_harness import LIMIT_S, until

ROLES = Path(__file__).parents[1] / "roles"

_PROGRAM = "from runbook.executor.starter import main; main()"
_REQUESTS = "requests"
_ENVIRONMENT: Mapping[str, str] = {
    "ANSIBLE_LOCALHOST_WARNING": "false",
    "ANSIBLE_NOCOLOR": "true",
    "ANSIBLE_PIPELINING": "true",
    "ANSIBLE_ROLES_PATH": str(ROLES),
}


@cache
def ansible_here() -> "Ansible":
    """Return that of this process, which ends with it."""
    folder = Path(tempfile.mkdtemp(prefix="runbook-plays-"))
    ansible = Ansible.start(folder, sys.executable)
    atexit.register(shutil.rmtree, folder)
    atexit.register(ansible.close)
    return ansible


@dataclass(frozen=True, kw_only=True, slots=True)
class Ansible:
    """A process with Ansible imported; see `runbook.executor.starter`.

    `folder` is where it is told what to do, `inside` the same folder as it sees it.
    """

    folder: Path
    inside: Path
    _requests: int
    _process: subprocess.Popen[bytes]

    @classmethod
    def start(
        cls, folder: Path, python: str, *, within: Sequence[str] = (), inside: Path | None = None
    ) -> "Ansible":
        """Start it, for modules by this Python; `within` runs commands elsewhere."""
        inside = inside or folder
        os.mkfifo(folder / _REQUESTS, 0o600)
        # Both ends are ours, so that opening waits for nobody; it ends with this process.
        requests = os.open(folder / _REQUESTS, os.O_RDWR | os.O_CLOEXEC)
        with (folder / "said").open("wb") as said:
            process = subprocess.Popen(
                [*within, sys.executable, "-P", "-c", _PROGRAM, str(inside / _REQUESTS)],
                env={
                    **os.environ,
                    **_ENVIRONMENT,
                    "ANSIBLE_HOME": str(inside / "ansible"),
                    "ANSIBLE_PYTHON_INTERPRETER": python,
                },
                stdin=subprocess.DEVNULL,
                stdout=said,
                stderr=said,
            )
        return cls(folder=folder, inside=inside, _requests=requests, _process=process)

    @property
    def root(self) -> Path:
        """Its root folder, as seen from here."""
        return Path(f"/proc/{self._process.pid}/root")

    def play(self, *arguments: str | Path) -> str:
        """Be `ansible-playbook ARGUMENTS` with the roles of this repository; return what it prints."""
        name = f"play-{next(_numbers)}"
        folder = self.folder / name
        (folder / "project").mkdir(parents=True)
        words = ["ansible-playbook", *map(str, arguments)]
        (folder / ARGUMENTS_FILE).write_text(json.dumps(words))
        os.mkfifo(folder / OUTPUT_PIPE, 0o600)
        output = os.open(folder / OUTPUT_PIPE, os.O_RDONLY | os.O_NONBLOCK | os.O_CLOEXEC)
        try:
            os.write(self._requests, os.fsencode(self.inside / name) + b"\n")
            said = self._all_of(output)
        finally:
            os.close(output)
        until((folder / ENDED_FILE).exists)
        shutil.rmtree(folder)
        return said.decode()

    def _all_of(self, output: int) -> bytes:
        """Return what is printed there until nobody is left who could print more."""
        listening = select.poll()
        listening.register(output, select.POLLIN)
        ends = time.monotonic() + LIMIT_S
        said = b""
        while True:
            # Of a pipe that nobody has opened yet there is nothing to tell.
            if listening.poll(100):
                data = os.read(output, 1 << 16)
                if not data:
                    return said
                said += data
            assert self._process.poll() is None, (self.folder / "said").read_text()
            assert time.monotonic() < ends, said

    def close(self) -> None:
        """Have it end."""
        os.close(self._requests)
        self._process.wait()


_numbers = count(1)
