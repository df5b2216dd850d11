"""A lab leaves nothing behind, however it ends."""

import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path

import pytest

from tests.lab import records
from tests.lab.asking import ansible, wait_for
from tests.lab.host import HostPlan
from tests.lab.lab import Lab
from tests.lab.processes import Process
from tests.lab.records import PLACE
from tests.lab.site import Site

pytestmark = pytest.mark.lab

CRASHES = """
import os, sys
from pathlib import Path
from tests.lab.host import HostPlan
from tests.lab.lab import Lab
from tests.lab.site import Manager, Site

lab = Lab.create(sys.argv[1], Path(sys.argv[2]))
lab.up(HostPlan(name="web1", site=Site(manager=Manager.SYSTEMD, postgresql=False)))
leader = lab.hosts["web1"].leader
print(lab.record.namespaces.network, leader.pid, leader.started, flush=True)
os.kill(os.getpid(), 9)
"""

HANDS_ON = """
set -e
ip link set lo up
mkdir -p /run/runbook-lab
mount -t tmpfs place /run/runbook-lab
"$1" -m tests.lab up "$2"
"$3" -i "$2/inventory.yml" prod -m ping
curl --silent --fail --max-time 5 http://198.51.100.11/health
"$1" -m tests.lab down
ls /run/runbook-lab "$2"
ip -oneline link
"""


def traces(name: str, network: int) -> list[str]:
    """Return what the machine still shows of a lab: files, mounts, groups, cards, processes."""
    found = [str(PLACE / name)] if (PLACE / name).exists() else []
    found += [line for line in Path("/proc/mounts").read_text().splitlines() if name in line]
    found += [path for path, _, _ in os.walk("/sys/fs/cgroup") if f"/{name}-" in path]
    found += [card for card in os.listdir("/sys/class/net") if card.startswith("runbook")]  # noqa: PTH208
    for process in Path("/proc").glob("[0-9]*"):
        with suppress(OSError):  # it ended meanwhile, or is a zombie and holds nothing
            if (process / "ns/net").stat().st_ino == network:
                found.append((process / "cmdline").read_text())
    return found


@pytest.fixture
def name() -> Iterator[str]:
    """Give the name of a lab that a test takes away in an unusual manner."""
    chosen = f"test-gone-{os.getpid()}"
    yield chosen
    with records.changing():
        record = records.read(chosen)
        if record is not None:
            record.clear()


def test_nothing_is_left(name: str, tmp_path: Path, bare: Site) -> None:
    """Files, mounts, network, groups and processes go, ssh's shared connections too."""
    with Lab.create(name, tmp_path) as lab:
        hosts = lab.up(HostPlan(name="web1", site=bare), HostPlan(name="web2", site=bare))
        assert ansible(lab, "prod", "-m", "ping").count("SUCCESS") == 2
        network = lab.record.namespaces.network
        before = " ".join(traces(name, network))

    assert "ControlPersist" in before or "[mux]" in before
    assert "/sys/fs/cgroup" in before
    assert traces(name, network) == []
    assert not any(host.leader.is_alive for host in hosts)
    assert list(tmp_path.iterdir()) == []


def test_a_crash_leaves_nothing_that_runs(name: str, tmp_path: Path, repository: Path) -> None:
    """Killed with its lab up, a run takes its hosts with it; the rest is cleared by the next."""
    program = [sys.executable, "-c", CRASHES, name, str(tmp_path)]
    done = subprocess.run(program, cwd=repository, capture_output=True, text=True, check=False)
    assert done.returncode == -signal.SIGKILL, done.stderr
    network, pid, started = map(int, done.stdout.split())
    leader = Process(pid=pid, started=started)

    wait_for(lambda: not leader.is_alive)
    assert (PLACE / name).exists()
    with records.changing():
        cleared = records.clear_stale()

    assert name in cleared
    assert traces(name, network) == []
    assert not (tmp_path / "id_ed25519").exists()


def test_labs_of_others_are_left_alone(lab: Lab) -> None:
    """What is cleared as stale is never a lab that runs."""
    with records.changing():
        assert lab.record.name not in records.clear_stale()

    assert lab.hosts["web1"].leader.is_alive


def test_make_lab_is_for_hands_on_use(tmp_path: Path, repository: Path) -> None:
    """From the machine's own network its hosts are reached as the inventory says; down, all goes."""
    ansible_program = Path(sys.executable).with_name("ansible")
    # A lab that a person has up is not to be disturbed: this machine is one of its own.
    apart = ["unshare", "--mount", "--propagation=private", "--net", "sh", "-c", HANDS_ON, "sh"]
    program = [*apart, sys.executable, str(tmp_path), str(ansible_program)]

    done = subprocess.run(program, cwd=repository, capture_output=True, text=True, check=False)

    assert done.returncode == 0, done.stdout + done.stderr
    assert done.stdout.count('"pong"') == 3
    assert '"status":"healthy"' in done.stdout
    after = done.stdout.partition("taken away")[2]
    assert "lock" in after
    assert "inventory.yml" not in after
    assert "runbook-lab@" not in after
    assert list(tmp_path.iterdir()) == []
