"""The real program diagnoses hosts of a lab over ssh, as deploy with sudo."""

import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from runbook.errors import RunbookError
from tests.lab.host import HostPlan, LabHost
from tests.lab.lab import Lab
from tests.lab.site import Site

pytestmark = pytest.mark.lab

RUNBOOKS = Path(__file__).with_name("runbooks")

STEPS = [
    *("room", "memory", "load", "looked_as", "key", "logs"),
    *("nginx", "config", "process", "backend", "site", "listener"),
]


def diagnose(lab: Lab, name: str, pattern: str, home: Path) -> subprocess.CompletedProcess[str]:
    """Run `runbook diagnose` in the lab's network, with a journal in `home`."""
    command = [sys.executable, "-m", "runbook", "diagnose", str(RUNBOOKS / f"{name}.yml")]
    options = ["-i", str(lab.inventory), "--host", pattern, "--json"]
    return lab.run([*command, *options], environment={"RUNBOOK_HOME": str(home)})


def hosts_of(done: subprocess.CompletedProcess[str]) -> dict[str, Any]:
    """Return what a diagnosis says of each host."""
    hosts = json.loads(done.stdout)["hosts"]
    assert isinstance(hosts, dict)
    return hosts


def sudo_calls(host: LabHost) -> int:
    """Return how often sudo was used on a host since it is up."""
    lines = host.exec("journalctl", "--quiet", "--output=cat", "_COMM=sudo")
    return lines.count("COMMAND=")


def logins(host: LabHost) -> int:
    """Return how often somebody logged in by ssh since the host is up."""
    lines = host.exec("journalctl", "--quiet", "--output=cat", "_COMM=sshd")
    return lines.count("Accepted publickey for deploy")


def test_hosts_are_diagnosed_and_a_stopped_one_is_unknown(
    lab: Lab, tmp_path: Path, bare: Site
) -> None:
    """Three hosts pass all looks, also those as www-data; the fourth is off and says nothing."""
    lab.up(HostPlan(name="off", site=bare))
    lab.down("off")

    done = diagnose(lab, "twelve-looks", "web1:web2:web3:off", tmp_path)

    assert done.returncode == 4, done.stderr
    hosts = hosts_of(done)
    assert {name: host["verdict"] for name, host in hosts.items()} == {
        "web1": "healthy",
        "web2": "healthy",
        "web3": "healthy",
        "off": "unknown",
    }
    assert all(hosts[name]["path"] == STEPS for name in ("web1", "web2", "web3"))


def test_twelve_looks_are_one_round_trip(lab: Lab, tmp_path: Path, bare: Site) -> None:
    """All twelve are made by one command through sudo, on one connection."""
    (host,) = lab.up(HostPlan(name="counted", site=bare))

    done = diagnose(lab, "twelve-looks", "counted", tmp_path)
    counted = sudo_calls(host), logins(host)
    lab.down("counted")

    assert done.returncode == 0, done.stderr
    assert hosts_of(done)["counted"]["path"] == STEPS
    assert counted == (1, 1)


def test_a_full_disk_is_found(lab: Lab, tmp_path: Path, bare: Site) -> None:
    """Nothing has to be written to a host to look at it: modules come through the connection."""
    (host,) = lab.up(HostPlan(name="filled", site=bare, disk_mb=60))
    with pytest.raises(RunbookError, match="No space left on device"):
        host.exec("dd", "if=/dev/zero", "of=/var/log/filler", "bs=64k")

    done = diagnose(lab, "twelve-looks", "filled", tmp_path)
    lab.down("filled")

    assert done.returncode == 3, done.stderr
    found = hosts_of(done)["filled"]
    assert [cause["id"] for cause in found["causes"]] == ["disk_full"]


@pytest.mark.parametrize(("stopped", "code"), [(False, 0), (True, 3)])
def test_a_site_is_asked_from_the_controller(
    lab: Lab, tmp_path: Path, *, stopped: bool, code: int
) -> None:
    """A look from the controller crosses the network to the host, and sees what others see."""
    if stopped:
        lab.hosts["web1"].exec("systemctl", "stop", "nginx")

    done = diagnose(lab, "from-outside", "web1", tmp_path)
    lab.hosts["web1"].exec("systemctl", "start", "nginx")

    assert done.returncode == code, done.stderr
    causes = [cause["id"] for cause in hosts_of(done)["web1"]["causes"]]
    assert causes == (["not_reached"] if stopped else [])
