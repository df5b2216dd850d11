"""Kills around real Ansible and a real host: its sshd, the connection to it, itself."""

import os
import signal
import tempfile
import time
from collections.abc import Iterator
from contextlib import ExitStack, suppress
from dataclasses import dataclass
from functools import cache, partial
from multiprocessing.util import Finalize
from pathlib import Path
from subprocess import Popen

import yaml

from runbook.errors import RunbookError
from tests.acceptance.counted_fix import COUNTED_FIX
from tests.acceptance.program import Program, wait_until
from tests.crash.matrix import Played
from tests.crash.processes import Blow, During, Victim, aim_at_started, kill_all, play
from tests.lab.host import HostPlan, LabHost
from tests.lab.lab import Lab
from tests.lab.site import Manager, Site

LEASE = "/run/lock/runbook-lease"
"""Where a host's lease lies."""

_SLEEP_S = 3.0
_FLAG, _COUNTER = "/srv/flag", "/srv/counter"


@dataclass(frozen=True, kw_only=True, slots=True)
class OnHost:
    """A host of a lab, which is reached by ssh; the program's files are in a folder."""

    lab: Lab
    name: str
    folder: Path

    @property
    def _host(self) -> LabHost:
        return self.lab.hosts[self.name]

    @property
    def program(self) -> Program:
        """The program, with a home of its own, in the network of the lab."""
        return Program(
            home=self.folder / "home",
            folder=self.folder,
            environment={"XDG_RUNTIME_DIR": str(self.folder / "run")},
            before=tuple(self.lab.record.namespaces.connected([])),
        )

    @property
    def arguments(self) -> tuple[str, ...]:
        """The arguments that name the runbook, the inventory and the host."""
        inventories = ("-i", str(self.lab.inventory), "-i", "variables.yml")
        return ("counted-fix", *inventories, "--host", self.name)

    def lay_out(self) -> None:
        """Have the host not as it should be, and nothing counted there."""
        (self.folder / "run").mkdir(mode=0o700)
        (self.folder / "runbooks").mkdir()
        (self.folder / "runbooks" / "counted-fix.yml").write_text(COUNTED_FIX)
        variables = {"flag": _FLAG, "counter": _COUNTER}
        (self.folder / "variables.yml").write_text(yaml.safe_dump({"all": {"vars": variables}}))
        self._host.exec("rm", "-f", _FLAG, _COUNTER, f"{_COUNTER}-undo")

    def find(self, victim: Victim, running: "Popen[str]") -> Blow | None:
        """Return what kills a victim, None where it is not there now."""
        match victim:
            case Victim.CONNECTION:
                found = list(self._connections())
                return partial(kill_all, found) if found else None
            case Victim.SSHD:
                return partial(self._host.exec, "pkill", "-KILL", "sshd")
            case Victim.ASLEEP:
                return self._sleep
            case Victim.HOST:
                return partial(self.lab.restart, self.name)
            case _:
                return aim_at_started(victim, running, self.folder / "run")

    def is_mended(self) -> bool:
        """Say whether the file is there that the fix makes."""
        return self._has(_FLAG)

    def begun(self, *, undo: bool = False) -> int:
        """Return how often the host saw the fix begin, or its undo."""
        counter = f"{_COUNTER}-undo" if undo else _COUNTER
        return len(self._host.exec("cat", counter).strip()) if self._has(counter) else 0

    def let_go(self) -> bool:
        """Wait until nothing is at work there, and remove a lease that is left; say if one was."""
        wait_until(lambda: not self._host.exec("sh", "-c", "pgrep -x sleep || true"))
        left = self._has(LEASE)
        self._host.exec("rm", "-f", LEASE)
        return left

    def _sleep(self) -> None:
        """Stop all that runs here, as sleep does, for so long that the host gives connections up."""
        asleep = [process.pid for process in self.lab.record.namespaces.programs()]
        for pid in asleep:
            with suppress(ProcessLookupError):
                os.kill(pid, signal.SIGSTOP)
        # The sessions alone: who wakes up can connect anew.
        self._host.exec("sh", "-c", "pkill -KILL -f '^sshd.*: deploy' || true")
        time.sleep(_SLEEP_S)
        for pid in asleep:
            with suppress(ProcessLookupError):
                os.kill(pid, signal.SIGCONT)

    def _has(self, path: str) -> bool:
        with suppress(RunbookError):
            self._host.exec("test", "-e", path)
            return True
        return False

    def _connections(self) -> Iterator[int]:
        """Yield the ssh processes of this machine that are in the lab."""
        for process in self.lab.record.namespaces.programs():
            with suppress(OSError):
                name = (Path("/proc") / str(process.pid) / "comm").read_text().strip()
                if name == "ssh":
                    yield process.pid


def play_on(lab: Lab, name: str, victim: Victim, during: During, seed: int) -> Played:
    """Play on a host of a lab, in a folder that is gone afterwards."""
    with tempfile.TemporaryDirectory() as folder:
        ground = OnHost(lab=lab, name=name, folder=Path(folder))
        ground.lay_out()
        return play(ground, victim, during, seed)


def play_on_host(victim: Victim, seed: int, during: During) -> Played:
    """Play on a host that this process has for itself, in a lab that ends with it."""
    return play_on(_own_lab(), _OWN, victim, during, seed)


_OWN = "own"


@cache
def _own_lab() -> Lab:
    with ExitStack() as ready:
        folder = Path(ready.enter_context(tempfile.TemporaryDirectory()))
        lab = ready.enter_context(Lab.create(f"crash-{os.getpid()}", folder))
        site = Site(manager=Manager.SYSTEMD, postgresql=False)
        lab.up(HostPlan(name=_OWN, site=site))
        Finalize(None, ready.pop_all().close, exitpriority=0)
    return lab
