"""Diagnosing and repairing hosts of the lab, by runbook and by its peers, on the same evidence."""

import os
import shlex
import subprocess
import sys
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path

from benchmarks.measuring import Contender, Standing, Timed, in_turn, peak_memory_mib
from benchmarks.rows import Row, row
from tests.lab import obstacles
from tests.lab.host import HostPlan
from tests.lab.lab import Lab
from tests.lab.site import Manager, Site

ROOT = Path(__file__).parent.parent
PEERS = Path(__file__).parent / "peers"
MANY = 50
FORKS = 4 * (os.cpu_count() or 1)
"""How many hosts are worked on at once, on all sides: those of the lab share its processors, and
with all fifty at once ssh gives up many, whoever asks."""

OWN = "runbook"
WARM = "runbook, warm"
KEPT = "runbook, Ansible kept ready"
PIPELINED = "playbook with pipelining"
PLAIN = "playbook as installed"
PYINFRA = "pyinfra"
BASH = "one bash script over ssh"

FAULTS = {
    "the backend is stopped": "systemctl stop bandarupay-backend",
    "the upstream's port is wrong": "sed -i 's/server 127.0.0.1:8000/server 127.0.0.1:8999/'"
    " /etc/nginx/sites-available/backend && systemctl reload nginx",
    "nginx is stopped": "systemctl stop nginx",
}


def diagnose(folder: Path, peers: Path, count: int, rounds: int, only: frozenset[str]) -> list[Row]:
    """Diagnose so many healthy hosts, and repair one."""
    obstacle = obstacles.find()
    if obstacle is not None:
        print(f"{count} hosts are left out: {obstacle}", file=sys.stderr)
        return []
    with _hosts(folder, peers, count) as bench:
        rows: list[Row] = []
        if not only or "diagnose" in only:
            rows += bench.diagnosis(count, rounds)
        if count == 1 and (not only or "repair" in only):
            rows += bench.repair(rounds)
        return rows


@contextmanager
def _hosts(folder: Path, peers: Path, count: int) -> Iterator["Bench"]:
    with Lab.create(f"bench-{count}", folder / f"lab{count}") as lab:
        site = Site(manager=Manager.SYSTEMD, postgresql=False)
        lab.up(*(HostPlan(name=f"web{number}", site=site) for number in range(1, count + 1)))
        yield Bench(lab, peers, folder)


@contextmanager
def one_host(folder: Path) -> Iterator["Bench"]:
    """Bring up one host; raise RunbookError where there can be no lab."""
    with _hosts(folder, folder, 1) as bench:
        yield bench


def growth(rows: Sequence[Row]) -> list[Row]:
    """Compare our own diagnoses of many hosts and of one."""
    ours = {each.work: float(each.ours.split()[0]) for each in rows if each.against == PIPELINED}
    one, many = ours.get(_work(1)), ours.get(_work(50))
    if one is None or many is None:
        return []
    return [row(_work(50), "our own diagnosis of one host", many, one, 12.0, "s")]


def _work(count: int) -> str:
    return f"diagnose {count} host{'s' * (count > 1)}"


class Bench:
    """The contenders in one lab."""

    def __init__(self, lab: Lab, peers: Path, folder: Path) -> None:
        self._lab = lab
        self._peers = peers
        self._home = folder / "home"
        self._pyinfra_inventory = lab.folder / "hosts.py"
        hosts = [
            (
                one.address,
                {
                    "ssh_user": "deploy",
                    "ssh_key": str(lab.folder / "id_ed25519"),
                    "ssh_known_hosts_file": str(lab.folder / "known_hosts"),
                },
            )
            for one in lab.hosts.values()
        ]
        self._pyinfra_inventory.write_text(f"prod = {hosts!r}\n")

    def diagnosis(self, count: int, rounds: int) -> list[Row]:
        """Diagnose all hosts of the lab, which are healthy."""
        ours = self.own("diagnose")
        playbook = self._playbook(PIPELINED, "diagnose.yml", pipelining=True)
        with self._standing() as warm:
            contenders: list[Timed] = [ours, warm, playbook, self._pyinfra(), self.bash()]
            if count == 1:
                kept = self.own("diagnose", environment={"RUNBOOK_KEEP_ANSIBLE": "1"}, name=KEPT)
                contenders.append(kept)
            else:
                # The playbook takes minutes for many hosts: its connections are opened by less.
                for one in (self.bash(), ours, self._connecting()):
                    one.once()
            took = in_turn(contenders, max(1, rounds // count), warm_up=count == 1)
        if count == 1:
            # Once, as it has no target and takes longer than all the others together.
            took[PLAIN] = self._playbook(PLAIN, "diagnose.yml", pipelining=False).once()
        targets = {PIPELINED: 0.28, PYINFRA: 0.80, BASH: 4.0}
        if count > 1:
            targets = {PIPELINED: 0.20} if count >= MANY else {}
        rows = [
            row(_work(count), name, took[OWN], seconds, targets.get(name), "s")
            for name, seconds in took.items()
            if name not in (OWN, WARM, KEPT)
        ]
        if count == 1:
            work = f"{_work(count)}, Ansible kept ready"
            rows.append(row(work, BASH, took[KEPT], took[BASH], 4.0, "s"))
        against, target = (BASH, 2.0) if count == 1 else (PIPELINED, None)
        rows.append(row(f"{_work(count)}, warm", against, took[WARM], took[against], target, "s"))
        if count >= MANY:
            held, theirs = (peak_memory_mib(each) for each in (ours, playbook))
            rows.append(row(f"memory, {_work(count)}", PIPELINED, held, theirs, 1.3, "MiB"))
        return rows

    def repair(self, rounds: int) -> list[Row]:
        """Repair each fault."""
        rows = []
        for fault, command in FAULTS.items():
            contenders = [
                self.own("run", "--yes", prepare=self._breaking(command)),
                self._playbook(
                    PIPELINED, "repair.yml", pipelining=True, prepare=self._breaking(command)
                ),
            ]
            # Half a minute each, most of it waiting for what holds: three tell as much as five.
            took = in_turn(contenders, min(3, rounds), warm_up=False)
            rows.append(row(f"repair: {fault}", PIPELINED, took[OWN], took[PIPELINED], 0.50, "s"))
        return rows

    def cpu_there_ms(self) -> float:
        """Return what the hosts of the lab have used of the processors so far, all they run included."""
        return 1000 * sum(one.group.cpu_s() for one in self._lab.hosts.values())

    def _breaking(self, command: str) -> Callable[[], None]:
        def prepare() -> None:
            host = next(iter(self._lab.hosts.values()))
            # Systemd counts starts; a limit reached by our rounds would be a fault of its own.
            host.exec(
                "sh", "-c", "systemctl reset-failed; systemctl start nginx bandarupay-backend"
            )
            host.exec("sh", "-c", command)

        return prepare

    def _here(self, *command: str | Path) -> list[str]:
        """Return the arguments that run a command in the lab's network."""
        return self._lab.record.namespaces.connected([str(word) for word in command])

    def own(
        self,
        *words: str,
        prepare: Callable[[], None] | None = None,
        environment: Mapping[str, str] | None = None,
        name: str = OWN,
    ) -> Contender:
        """Return runbook, doing what the first of its words says to all hosts."""
        command, *options = words
        return Contender(
            name=name,
            command=self._here(
                *(sys.executable, "-m", "runbook", command, "fix-502", "--host", "prod"),
                *("-i", str(self._lab.inventory), "--json", *options),
            ),
            environment={
                "RUNBOOK_HOME": str(self._home),
                "RUNBOOK_FORKS": str(FORKS),
                "PYTHONPATH": str(ROOT),
                **(environment or {}),
            },
            prepare=prepare,
        )

    @contextmanager
    def _standing(self) -> Iterator[Standing]:
        """Give the program that keeps Ansible imported, ended afterwards."""
        command = (sys.executable, "-m", "benchmarks.warm", "fix-502", str(self._lab.inventory))
        environment = {
            "RUNBOOK_HOME": str(self._home),
            "RUNBOOK_FORKS": str(FORKS),
            "PYTHONPATH": str(ROOT),
        }
        with subprocess.Popen(
            self._here(*command),
            env={**os.environ, **environment},
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
        ) as process:
            yield Standing(name=WARM, process=process, line="prod", answer="healthy")

    def _playbook(
        self,
        name: str,
        playbook: str,
        *,
        pipelining: bool,
        prepare: Callable[[], None] | None = None,
    ) -> Contender:
        return Contender(
            name=name,
            command=self._here(
                Path(sys.executable).with_name("ansible-playbook"),
                *("-i", str(self._lab.inventory), "--forks", str(FORKS), str(PEERS / playbook)),
            ),
            environment={"ANSIBLE_PIPELINING": str(pipelining)},
            prepare=prepare,
        )

    def _pyinfra(self) -> Contender:
        return Contender(
            name=PYINFRA,
            command=self._here(
                self._peers / "pyinfra",
                *("-y", "--parallel", str(FORKS), str(self._pyinfra_inventory)),
                PEERS / "diagnose_pyinfra.py",
            ),
        )

    def _connecting(self) -> Contender:
        """Return what opens the connections that a playbook then uses, and does nothing else."""
        return Contender(
            name="ansible",
            command=self._here(
                Path(sys.executable).with_name("ansible"),
                *("-i", str(self._lab.inventory), "--forks", str(FORKS)),
                *("--module-name", "raw", "--args", "true", "prod"),
            ),
        )

    def bash(self) -> Contender:
        """Return the script, over one ssh to each host."""
        options = {
            "IdentityFile": self._lab.folder / "id_ed25519",
            "UserKnownHostsFile": self._lab.folder / "known_hosts",
            "ControlMaster": "auto",
            "ControlPersist": "600s",
            "ControlPath": self._lab.record.folder / "connections" / "bash-%h",
        }
        words = [word for name, value in options.items() for word in ("-o", f"{name}={value}")]
        script = PEERS / "diagnose.sh"
        addresses = [one.address for one in self._lab.hosts.values()]
        if len(addresses) == 1:
            return Contender(
                name=BASH,
                command=self._here("ssh", *words, f"deploy@{addresses[0]}", "sudo bash -s"),
                stdin=script.read_text(),
            )
        to_each = shlex.join(["ssh", *words, "deploy@HOST", "sudo bash -s"])
        return Contender(
            name=BASH,
            command=self._here(
                *("xargs", "--max-procs", str(FORKS), "--replace=HOST"),
                *("sh", "-c", f"{to_each} < {shlex.quote(str(script))}"),
            ),
            stdin="\n".join(addresses),
        )
