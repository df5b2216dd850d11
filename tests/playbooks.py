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

ROLES = Path(__file__).parents[1] / "roles"
LONGEST_S = 300.0
"""No play of a test takes longer, however busy the machine is."""

_PROGRAM = "from runbook.executor.starter import main; main()"
_REQUESTS = "requests"
_ENVIRONMENT: Mapping[str, str] = {
    "ANSIBLE_LOCALHOST_WARNING": "false",
    "ANSIBLE_NOCOLOR": "true",
    "ANSIBLE_PIPELINING": "true",
    "ANSIBLE_PYTHON_INTERPRETER": sys.executable,
    "ANSIBLE_ROLES_PATH": str(ROLES),
}


def play(*arguments: str | Path) -> str:
    """Be `ansible-playbook ARGUMENTS` with the roles of this repository; return what it prints."""
    return _ansible().play([str(each) for each in arguments])


@cache
def _ansible() -> "_Ansible":
    folder = Path(tempfile.mkdtemp(prefix="runbook-plays-"))
    os.mkfifo(folder / _REQUESTS, 0o600)
    # Both ends are ours, so that opening waits for nobody; Ansible ends with this process.
    requests = os.open(folder / _REQUESTS, os.O_RDWR | os.O_CLOEXEC)
    with (folder / "said").open("wb") as said:
        process = subprocess.Popen(
            [sys.executable, "-P", "-c", _PROGRAM, str(folder / _REQUESTS)],
            env={**os.environ, **_ENVIRONMENT, "ANSIBLE_HOME": str(folder / "ansible")},
            stdin=subprocess.DEVNULL,
            stdout=said,
            stderr=said,
        )
    ansible = _Ansible(folder=folder, requests=requests, process=process)
    atexit.register(ansible.close)
    return ansible


@dataclass(frozen=True, kw_only=True, slots=True)
class _Ansible:
    """A starter, which reads `requests`; see `runbook.executor.starter`."""

    folder: Path
    requests: int
    process: subprocess.Popen[bytes]

    def play(self, arguments: Sequence[str]) -> str:
        folder = self.folder / f"play-{next(_numbers)}"
        (folder / "project").mkdir(parents=True)
        (folder / ARGUMENTS_FILE).write_text(json.dumps(["ansible-playbook", *arguments]))
        os.mkfifo(folder / OUTPUT_PIPE, 0o600)
        with os.fdopen(
            os.open(folder / OUTPUT_PIPE, os.O_RDONLY | os.O_NONBLOCK | os.O_CLOEXEC), "rb", 0
        ) as output:
            os.write(self.requests, os.fsencode(folder) + b"\n")
            said = self._all_of(output.fileno())
        ends = time.monotonic() + LONGEST_S
        while not (folder / ENDED_FILE).exists():
            assert time.monotonic() < ends, said
            time.sleep(0.005)
        shutil.rmtree(folder)
        return said.decode()

    def _all_of(self, output: int) -> bytes:
        """Return what is printed there until nobody is left who could print more."""
        listening = select.poll()
        listening.register(output, select.POLLIN)
        ends = time.monotonic() + LONGEST_S
        said = b""
        while True:
            # Of a pipe that nobody has opened yet there is nothing to tell.
            if listening.poll(100):
                data = os.read(output, 1 << 16)
                if not data:
                    return said
                said += data
            assert self.process.poll() is None, (self.folder / "said").read_text()
            assert time.monotonic() < ends, said

    def close(self) -> None:
        os.close(self.requests)
        self.process.wait()
        shutil.rmtree(self.folder)


_numbers = count(1)
