"""Several hosts in a network of their own, with keys and an inventory."""

import http.client
import os
import socket
import subprocess
import time
from collections.abc import Callable, Iterable, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Self, TypeVar

import yaml

from runbook.errors import RunbookError
from runbook.model.definition import Json
from tests.lab import host, namespaces, network, obstacles, records
from tests.lab.cgroups import Group
from tests.lab.commands import run
from tests.lab.host import HostPlan, LabHost
from tests.lab.records import Record

Result = TypeVar("Result")

# Each systemd needs a few; the usual limit of 128 is used up by some twenty hosts.
_WATCHERS = Path("/proc/sys/fs/inotify/max_user_instances")
_WATCHERS_NEEDED = 2048


@dataclass(kw_only=True)
class Lab:
    """A lab and its hosts.

    In `folder` are `inventory.yml`, `known_hosts` and the key `id_ed25519` of the user `deploy`.
    """

    record: Record
    folder: Path
    hosts: dict[str, LabHost] = field(default_factory=dict)

    @classmethod
    def create(cls, name: str, folder: Path, *, hands_on: bool = False) -> Self:
        """Create a lab without hosts; what is left of crashed ones is cleared first.

        For `hands_on` use it stays when this process ends, and the machine is connected to its
        network; else it ends with the calling thread, and only programs run by it are connected.
        Raises `RunbookError`: `lab-refused`, `lab-is-up` and what commands raise.
        """
        obstacle = obstacles.find()
        if obstacle is not None:
            raise RunbookError.of("lab-refused", f"there can be no lab here: {obstacle}")
        folder = folder.absolute()
        folder.mkdir(parents=True, exist_ok=True)
        with records.changing():
            records.clear_stale()
            if records.read(name) is not None:
                raise RunbookError.of("lab-is-up", f"the lab {name} is up", hint="make lab-down")
            lab = cls(record=_create(name, folder, hands_on=hands_on), folder=folder)
        if int(_WATCHERS.read_text()) < _WATCHERS_NEEDED:
            _WATCHERS.write_text(str(_WATCHERS_NEEDED))
        key = folder / "id_ed25519"
        run(["ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-C", "deploy", "-f", str(key)])
        return lab

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_error: object) -> None:
        self.close()

    def up(self, *plans: HostPlan) -> list[LabHost]:
        """Bring hosts up, all at once, and wait until ssh and their sites answer.

        They have two minutes for that, and ten seconds more for each. Raises `RunbookError` `lab-host-not-ready` and what commands raise.
        """
        key = (self.folder / "id_ed25519.pub").read_text()
        started = []
        for plan in plans:
            if plan.name in self.hosts:
                raise RunbookError.of("lab-host-is-up", f"the host {plan.name} is up")
            one = host.up(
                plan,
                number=self._free_number(),
                namespaces=self.record.namespaces,
                hosts=self.record.folder / "hosts",
                group=Group.named(f"{self.record.group}/{plan.name}"),
                console=self._console(plan.name),
                authorized_key=key,
            )
            self.hosts[plan.name] = one
            started.append(one)
        self._write_inventory()
        self._wait_until_all_ready(started)
        return started

    def down(self, name: str) -> None:
        """End a host; it stays in the inventory, and is unreachable."""
        self.hosts.pop(name).down()

    def restart(self, name: str) -> LabHost:
        """Cut a host's power and start it again with its disk as it was; raises as `up`."""
        self.hosts[name] = self.hosts[name].restart(self._console(name))
        self._wait_until_all_ready([self.hosts[name]])
        return self.hosts[name]

    def run(
        self,
        arguments: Sequence[str],
        *,
        folder: Path | None = None,
        environment: Mapping[str, str] | None = None,
        within_s: float = 120.0,
    ) -> subprocess.CompletedProcess[str]:
        """Run a program of this machine in the lab's network; its exit code is not judged."""
        return subprocess.run(
            self.record.namespaces.connected(list(arguments)),
            cwd=folder or self.folder,
            env={**_environment(), **(environment or {})},
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            timeout=within_s,
            check=False,
        )

    def call(self, function: Callable[[], Result]) -> Result:
        """Call a function in the lab's network: its sockets are the lab's."""
        return self.record.namespaces.call(function)

    @property
    def inventory(self) -> Path:
        """The Ansible inventory of the hosts, as group `prod`."""
        return self.folder / "inventory.yml"

    def close(self) -> None:
        """Take the lab away with all its hosts, unless that was done already."""
        with records.changing():
            if records.read(self.record.name) == self.record:
                self.record.clear()
        self.hosts.clear()

    def _free_number(self) -> int:
        taken = {one.number for one in self.hosts.values()}
        return next(number for number in range(1, network.MOST_HOSTS + 1) if number not in taken)

    def _console(self, name: str) -> Path:
        return self.record.folder / f"{name}.console"

    def _write_inventory(self) -> None:
        hosts = self.hosts.values()
        keys = "".join(f"{one.address} {one.public_key}" for one in hosts)
        (self.folder / "known_hosts").write_text(keys)
        document = {
            "prod": {
                "hosts": {one.name: one.variables() for one in hosts},
                "vars": self._common_variables(),
            }
        }
        text = yaml.safe_dump(document, sort_keys=False)
        self.inventory.write_text(f"# Written by the lab. Do not edit.\n{text}")

    def _common_variables(self) -> dict[str, Json]:
        options = {
            "UserKnownHostsFile": f"'{self.folder / 'known_hosts'}'",
            "StrictHostKeyChecking": "yes",
            "IdentitiesOnly": "yes",
        }
        return {
            "ansible_user": "deploy",
            "ansible_become": True,
            "ansible_python_interpreter": "/usr/bin/python3",
            "ansible_ssh_private_key_file": str(self.folder / "id_ed25519"),
            "ansible_ssh_common_args": " ".join(
                f"-o {name}={value}" for name, value in options.items()
            ),
            # A lab's own: with the usual folder, a connection to a host of an earlier lab at the
            # same address would be used again.
            "ansible_control_path_dir": str(self.record.folder / "connections"),
        }

    def _wait_until_all_ready(self, hosts: Sequence[LabHost]) -> None:
        # A start costs a processor three seconds, and others may use it as well.
        deadline = time.monotonic() + 120.0 + 10.0 * len(hosts)
        for one in hosts:
            self._wait_until_ready(one, deadline)

    def _wait_until_ready(self, one: LabHost, deadline: float) -> None:
        checks: Iterable[tuple[str, Callable[[], bool]]] = (
            ("ssh", lambda: _greets(one.address)),
            ("the site", lambda: _is_healthy(one.address, one.plan.site.server_name)),
        )
        for what, is_ready in checks:
            while not self.call(is_ready):
                if time.monotonic() > deadline or not one.leader.is_alive:
                    console = self._console(one.name)
                    raise RunbookError.of(
                        "lab-host-not-ready",
                        f"{what} on {one.name} does not answer",
                        context=console.read_text(errors="replace").strip() or None,
                    )
                time.sleep(0.05)


def _create(name: str, folder: Path, *, hands_on: bool) -> Record:
    """Create the namespaces and the bridge, and write down how to take them away."""
    place = records.PLACE / name
    (place / "hosts").mkdir(parents=True)
    written = [folder / one for one in ("inventory.yml", "known_hosts")]
    written += [folder / one for one in ("id_ed25519", "id_ed25519.pub")]
    ground = namespaces.create(place / "hosts", place / "console", outlive=hands_on)
    record = Record(
        name=name,
        namespaces=ground,
        group=f"runbook-lab/{name}-{ground.holder.pid}",
        has_door=hands_on,
        written=tuple(written),
    )
    record.write()
    network.create(ground)
    if hands_on:
        network.open_door(ground)
    (place / "connections").mkdir(mode=0o700)
    return record


def _environment() -> dict[str, str]:
    """Return this machine's environment without settings of Ansible and of runbook."""
    settings = ("ANSIBLE_", "RUNBOOK_")
    return {name: value for name, value in os.environ.items() if not name.startswith(settings)}


def _greets(address: str) -> bool:
    """Say whether an ssh server answers."""
    with suppress(OSError), socket.create_connection((address, 22), timeout=1) as connection:
        connection.settimeout(2)
        return connection.recv(4) == b"SSH-"
    return False


def _is_healthy(address: str, server_name: str) -> bool:
    """Say whether a site's own backend answers through nginx, and complains of no server of its own."""
    connection = http.client.HTTPConnection(address, 80, timeout=2)
    try:
        connection.request("GET", "/health", headers={"Host": server_name})
        response = connection.getresponse()
        body = response.read(65536)
    except (OSError, http.client.HTTPException):
        return False
    finally:
        connection.close()
    return response.status == 200 and b'"healthy"' in body and b"disconnected" not in body
