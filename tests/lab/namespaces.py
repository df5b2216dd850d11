"""What a lab stands on: namespaces that one process holds.

Mounts, network and processes of a lab are in namespaces of their own. So the machine sees none of
them, and they are gone with the process that holds them, however it ends.
"""

import ctypes
import os
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from typing import TypeVar

from runbook.errors import RunbookError
from tests.lab import processes
from tests.lab.commands import run
from tests.lab.processes import Process

_HOLDER = Path(__file__).with_name("holder.sh")
_NEW_NETWORK = 0x40000000  # CLONE_NEWNET; os.setns exists from Python 3.12 on

Result = TypeVar("Result")


@dataclass(frozen=True, kw_only=True, slots=True)
class Namespaces:
    """The namespaces of a lab.

    `holder` is process 1 inside, `outer` its parent. `network` is the inode number of the network
    namespace.
    """

    outer: Process
    holder: Process
    network: int

    def inside(self, arguments: list[str]) -> list[str]:
        """Return the arguments that run a program where the lab's mounts and processes are."""
        target = str(self.holder.pid)
        return ["nsenter", f"--target={target}", "--mount", "--net", "--pid", "--", *arguments]

    def connected(self, arguments: list[str]) -> list[str]:
        """Return the arguments that run a program of this machine in the lab's network."""
        marked = ["env", self._mark]
        return [*marked, "nsenter", f"--target={self.holder.pid}", "--net", "--", *arguments]

    @property
    def _mark(self) -> str:
        return f"RUNBOOK_LAB={self.holder.pid}-{self.holder.started}"

    def programs(self) -> list[Process]:
        """Return the programs of this machine that are in the lab's network."""
        return processes.in_network(self.network, self._mark)

    def run(self, *arguments: str, stdin: str = "") -> str:
        """Run a program inside; raises `lab-command-failed`."""
        return run(self.inside(list(arguments)), stdin=stdin)

    def path(self, path: Path) -> Path:
        """Return how a path inside is reached from outside.

        Symbolic links with absolute targets lead outside: don't follow them.
        """
        return Path(f"/proc/{self.holder.pid}/root{path}")

    def end(self) -> None:
        """End every process of the lab, wherever it is; mounts and network go with them."""
        # Programs of this machine in the lab's network would keep it: ssh, for one, which Ansible
        # leaves behind to share its connection.
        while programs := self.programs():
            for process in programs:
                process.kill()
        # The inner one first, so that the outer one collects it: process 1 may be slow to.
        self.holder.kill()
        self.outer.kill()

    def call(self, function: Callable[[], Result]) -> Result:
        """Call a function in the lab's network: its sockets are the lab's."""

        def enter_and_call() -> Result:
            descriptor = os.open(f"/proc/{self.holder.pid}/ns/net", os.O_RDONLY | os.O_CLOEXEC)
            try:
                if ctypes.CDLL(None, use_errno=True).setns(descriptor, _NEW_NETWORK) != 0:
                    number = ctypes.get_errno()
                    raise OSError(number, os.strerror(number))
            finally:
                os.close(descriptor)
            return function()

        # A namespace belongs to a thread, and this thread ends here.
        with ThreadPoolExecutor(max_workers=1) as pool:
            return pool.submit(enter_and_call).result()


def create(folder: Path, console: Path, *, outlive: bool) -> Namespaces:
    """Create namespaces; `folder`, which must exist, is inside an empty file system in memory.

    Unless they shall `outlive` the calling thread, the kernel ends them with it. What goes wrong
    is written to `console`. Raises `lab-namespaces-refused`.
    """
    unshare = [
        *("unshare", "--mount", "--propagation=private", "--net", "--pid"),
        *("--fork", "--kill-child", "sh", str(_HOLDER), str(folder)),
    ]
    bound = ["setpriv", "--pdeathsig=KILL", *unshare]
    reader, writer = os.pipe2(os.O_CLOEXEC)
    with open(reader) as output:  # noqa: PTH123 - a descriptor
        try:
            outer = processes.spawn(unshare if outlive else bound, console, stdout=writer)
        finally:
            os.close(writer)
        said = output.readline()
    holder = processes.first_child(outer)
    if said != "ready\n" or holder is None:
        outer.kill()
        raise RunbookError.of(
            "lab-namespaces-refused",
            "this machine refuses the namespaces of a lab",
            context=console.read_text().strip() or None,
        )
    inode = Path(f"/proc/{holder.pid}/ns/net").stat().st_ino
    return Namespaces(outer=outer, holder=holder, network=inode)
