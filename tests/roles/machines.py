"""A copy of this machine to break: what is written there stays there, and it is alone."""

import os
import shutil
import subprocess
from dataclasses import dataclass
from pathlib import Path

TOOLS = ("iptables", "nftables", "ufw", "iproute2")
# All of this machine, copied on write into memory; a network with nothing but a loopback.
_BOOT = """\
set -e
mount -t tmpfs tmpfs "$1"
mkdir "$1/upper" "$1/work" "$1/root"
mount -t overlay -o "lowerdir=/,upperdir=$1/upper,workdir=$1/work" overlay "$1/root"
for part in proc sys dev; do mount --rbind "/$part" "$1/root/$part"; done
mount -t tmpfs tmpfs "$1/root/run"
exec chroot "$1/root" sh -c '
  set -e
  packages=$(find "$1" -name "*.deb")
  [ -z "$packages" ] || dpkg --install --no-triggers $packages >/dev/null 2>&1
  ip link set lo up
  ip address add 192.0.2.1/32 dev lo
  echo ready
  exec sleep 3600' sh "$2"
"""


@dataclass(frozen=True, kw_only=True, slots=True)
class Machine:
    """A copy of this machine, kept up by `process`."""

    process: subprocess.Popen[str]

    @property
    def within(self) -> list[str]:
        """What runs a command there."""
        pid = str(self.process.pid)
        return ["nsenter", "--target", pid, "--mount", "--net", "--root", "--wd", "--"]

    @property
    def root(self) -> Path:
        """Its root folder, as seen from here."""
        return Path(f"/proc/{self.process.pid}/root")

    def __call__(self, command: str) -> str:
        """Run a shell command there and return what it prints."""
        done = subprocess.run(
            [*self.within, "sh", "-c", command], capture_output=True, text=True, check=False
        )
        assert done.returncode == 0, done.stderr
        return done.stdout

    def connects(self, address: str, port: int) -> bool:
        """Tell whether a connection from there to there is let through to whoever listens."""
        code = f"import socket; socket.create_connection(({address!r}, {port}), 1)"
        tried = subprocess.run(
            [*self.within, "/usr/bin/python3", "-c", code], capture_output=True, check=False
        )
        return tried.returncode == 0


def download_tools(folder: Path) -> None:
    """Download what this machine lacks of the firewalls' tools, with apt; nothing is installed."""
    (folder / "partial").mkdir(parents=True)
    subprocess.run(
        [
            *("apt-get", "install", "--quiet=2", "--yes", "--no-install-recommends"),
            *("--download-only", "-o", f"Dir::Cache::archives={folder}"),
            # The lock is on what is installed, which stays as it is.
            *("-o", "APT::Sandbox::User=root", "-o", "Debug::NoLocking=true", *TOOLS),
        ],
        check=True,
        stdin=subprocess.DEVNULL,
        stdout=subprocess.DEVNULL,
    )


def start(folder: Path, packages: Path) -> Machine:
    """Start a machine with those packages installed; needs root."""
    folder.mkdir()
    assert shutil.which("unshare")
    process = subprocess.Popen(
        [
            *("unshare", "--mount", "--net", "--propagation", "private"),
            *("sh", "-c", _BOOT, "sh", str(folder), str(packages)),
        ],
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        text=True,
        env={**os.environ, "DEBIAN_FRONTEND": "noninteractive"},
    )
    assert process.stdout
    assert process.stdout.readline() == "ready\n"
    return Machine(process=process)
