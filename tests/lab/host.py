"""One host of a lab: bring it up, run programs on it, take it away."""

import secrets
from dataclasses import dataclass, replace
from pathlib import Path

from runbook.errors import RunbookError
from runbook.model.definition import Json
from tests.lab import image, network, processes
from tests.lab.cgroups import Group
from tests.lab.commands import run
from tests.lab.namespaces import Namespaces
from tests.lab.processes import Process
from tests.lab.site import Site

_BOOT = Path(__file__).with_name("boot.sh")
_INIT = ("/lib/systemd/systemd", "--system")
_ENVIRONMENT = (
    "HOME=/root",
    "LANG=C.UTF-8",
    "TERM=dumb",
    "PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin",
)


@dataclass(frozen=True, kw_only=True, slots=True)
class HostPlan:
    """What a host is to be.

    Its disk is in memory and counts as its own: `disk_mb` should be well below `memory_mb`, or a
    full disk is also a full memory. No `memory_mb` is no limit.
    """

    name: str
    site: Site
    disk_mb: int = 300
    memory_mb: int | None = None


@dataclass(frozen=True, kw_only=True, slots=True)
class LabHost:
    """A host that was brought up.

    `folder` holds its file systems, inside the lab. `leader` is its process 1 as this machine
    counts, `outer` the process that waits for it. `public_key` is its ssh host key.
    """

    plan: HostPlan
    number: int
    namespaces: Namespaces
    folder: Path
    group: Group
    outer: Process
    leader: Process
    public_key: str

    @property
    def name(self) -> str:
        """Its name, in the inventory as well."""
        return self.plan.name

    @property
    def address(self) -> str:
        """Its address in the lab's network."""
        return network.address(self.number)

    def exec(self, *arguments: str, stdin: str = "", within_s: float = 180.0) -> str:
        """Run a program on the host as root and return what it prints.

        Raises `RunbookError` `lab-command-failed`.
        """
        inside = [
            *("nsenter", f"--target={self.leader.pid}"),
            *("--mount", "--uts", "--ipc", "--net", "--pid", "--cgroup", "--root", "--wd"),
            *("--", "env", "-i", *_ENVIRONMENT, *arguments),
        ]
        joined = self.group.part("exec").joined(inside)
        return run(joined, stdin=stdin, within_s=within_s, shown=[f"{self.name}:", *arguments])

    def variables(self) -> dict[str, Json]:
        """Return what describes the host to Ansible and to the runbooks."""
        return {"ansible_host": self.address, **self.plan.site.variables()}

    def down(self) -> None:
        """End the host as a power cut would; its address answers no more."""
        self._cut_off()
        self.namespaces.run("umount", str(self.folder / "root"))
        self.namespaces.run("umount", str(self.folder))
        self.namespaces.run("rmdir", str(self.folder))
        self.group.remove()

    def restart(self, console: Path) -> "LabHost":
        """Cut the host's power and start it again, with its disk as it was.

        It is not ready yet when this returns. Raises as `up`.
        """
        self._cut_off()
        network.connect(self.namespaces, self.number, self.folder / "net")
        outer, leader = _boot(self.plan, self.namespaces, self.folder, self.group, console)
        return replace(self, outer=outer, leader=leader)

    def _cut_off(self) -> None:
        self.leader.kill()
        self.outer.kill()
        network.disconnect(self.namespaces, self.number, self.folder / "net")


def up(
    plan: HostPlan,
    *,
    number: int,
    namespaces: Namespaces,
    hosts: Path,
    group: Group,
    console: Path,
    authorized_key: str,
) -> LabHost:
    """Start a host in the lab's folder `hosts`; it is not ready yet when this returns.

    `authorized_key` is who may log in as `deploy`. What goes wrong before systemd runs is written
    to `console`. Raises `lab-command-failed`, `lab-host-did-not-start`.
    """
    folder = hosts / plan.name
    root = folder / "root"
    _mount(plan, namespaces, folder)
    network.connect(namespaces, number, folder / "net")
    public_key = _install(plan, namespaces.path(root), network.address(number), authorized_key)
    group.create()
    if plan.memory_mb is not None:
        group.limit_memory(plan.memory_mb)
    outer, leader = _boot(plan, namespaces, folder, group, console)
    return LabHost(
        plan=plan,
        number=number,
        namespaces=namespaces,
        folder=folder,
        group=group,
        outer=outer,
        leader=leader,
        public_key=public_key,
    )


def _boot(
    plan: HostPlan, namespaces: Namespaces, folder: Path, group: Group, console: Path
) -> tuple[Process, Process]:
    """Start systemd on the root that is in a folder; return its `outer` process and its `leader`."""
    boot = [
        *("nsenter", f"--net={folder / 'net'}"),
        *("unshare", "--mount", "--uts", "--ipc", "--pid", "--cgroup", "--fork", "--kill-child"),
        *("sh", str(_BOOT), str(folder / "root"), plan.name, group.mount_options, *_INIT),
    ]
    outer = processes.spawn(group.joined(namespaces.inside(boot)), console)
    return outer, _wait_for_leader(plan.name, outer, console)


def _mount(plan: HostPlan, namespaces: Namespaces, folder: Path) -> None:
    """Put the host's root together: its own small disk upon the layers of its image."""
    layers = ":".join(map(str, image.layers(*plan.site.layers)))
    parts = [folder / name for name in ("upper", "work", "root")]
    namespaces.run("mkdir", str(folder))
    size = f"size={plan.disk_mb}m,mode=0755"
    namespaces.run("mount", "-t", "tmpfs", "-o", size, "disk", str(folder))
    namespaces.run("mkdir", *map(str, parts))
    upper, work, root = parts
    stack = f"lowerdir={layers},upperdir={upper},workdir={work}"
    namespaces.run("mount", "-t", "overlay", "-o", stack, "root", str(root))


def _install(plan: HostPlan, root: Path, address: str, authorized_key: str) -> str:
    """Make this host differ from its image; return its public ssh key."""
    site = plan.site
    names = f"127.0.0.1 localhost\n{address} {plan.name} {site.server_name}\n"
    for path, text in {
        "etc/hostname": f"{plan.name}\n",
        "etc/hosts": names,
        "etc/machine-id": f"{secrets.token_hex(16)}\n",
        "home/deploy/.ssh/authorized_keys": authorized_key,
    }.items():
        (root / path).write_text(text)
    key = root / "etc/ssh/ssh_host_ed25519_key"
    run(["ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-C", plan.name, "-f", str(key)])
    site.install(root)
    return key.with_suffix(".pub").read_text()


def _wait_for_leader(name: str, outer: Process, console: Path) -> Process:
    """Return the host's process 1: the child of the child of `outer`."""
    found: list[Process] = []

    def started() -> bool:
        inner = processes.first_child(outer)
        leader = processes.first_child(inner) if inner else None
        found.extend([leader] if leader else [])
        return bool(found) or not outer.is_alive

    processes.wait_until(started, f"{name} does not start", within_s=60.0)
    if not found:
        raise RunbookError.of(
            "lab-host-did-not-start",
            f"{name} did not start",
            context=console.read_text(errors="replace").strip() or None,
        )
    return found[0]
