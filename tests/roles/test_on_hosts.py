"""Roles on hosts of the lab, over ssh: real systemd, journald, supervisor, and users."""

import json
import os
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.lab.asking import ansible, get, wait_for
from tests.lab.host import HostPlan, LabHost
from tests.lab.lab import Lab
from tests.lab.site import Manager, Site
from tests.playbooks import ROLES

pytestmark = pytest.mark.lab


@pytest.fixture(scope="module")
def lab(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Lab]:
    """Give a lab with a backend under systemd, `web1`, and one under supervisor, `web2`."""
    with Lab.create(f"test-roles-{os.getpid()}", tmp_path_factory.mktemp("lab")) as made:
        made.up(
            HostPlan(name="web1", site=Site(manager=Manager.SYSTEMD)),
            HostPlan(name="web2", site=Site(manager=Manager.SUPERVISOR)),
        )
        yield made


def play(lab: Lab, host: LabHost, role: str, entry: str = "main", /, **variables: object) -> str:
    """Apply a role's entry point to a host and return all that Ansible says."""
    given = {f"{role}_{name}": value for name, value in variables.items()}
    said = ansible(
        *(lab, host.name, "-m", "include_role", "-a", f"name={role} tasks_from={entry}"),
        *("-e", json.dumps(given), "-e", "ansible_pipelining=true"),
        roles=ROLES,
    )
    assert "FAILED" not in said, said
    return said


def open_files(host: LabHost) -> str:
    """Return how many files the backend may open, says the kernel."""
    unit = host.variables()["backend_service"]
    pid = host.exec("systemctl", "show", str(unit), "--property=MainPID", "--value").strip()
    limits = host.exec("cat", f"/proc/{pid}/limits")
    return next(line.split()[3] for line in limits.splitlines() if "Max open files" in line)


def test_limits_of_a_real_unit(lab: Lab) -> None:
    """A unit runs under the raised limits after its restart; after the undo, as before."""
    host = lab.hosts["web1"]
    unit = str(host.variables()["backend_service"])
    before = open_files(host)
    assert int(before) < 15_000
    wanted: dict[str, Any] = {
        "manager": "systemd",
        "service": unit,
        "open_files": 15_000,
        "memory": "900M",
        "starts": 70,
    }

    assert "CHANGED" in play(lab, host, "limits_raised", **wanted)
    assert "CHANGED" not in play(lab, host, "limits_raised", **wanted)
    play(lab, host, "service", name=unit, manager="systemd")

    assert open_files(host) == "15000"
    shown = host.exec("systemctl", "show", unit, "--property=MemoryMax,StartLimitBurst")
    # None is the highest limit: it is not lowered to the one asked for.
    assert sorted(shown.split()) == ["MemoryMax=infinity", "StartLimitBurst=70"]
    play(lab, host, "limits_raised", "undo", manager="systemd", service=unit)
    play(lab, host, "service", name=unit, manager="systemd")
    assert open_files(host) == before
    wait_for(lambda: get(lab, host, "/health")[0] == 200)


def test_a_real_journal_is_vacuumed(lab: Lab) -> None:
    """Archives of journald go; what it writes to stays, and nothing else is touched."""
    host = lab.hosts["web1"]
    for _ in range(3):
        host.exec("logger", "some words")
        host.exec("journalctl", "--sync", "--rotate")
    count = ("sh", "-c", "find /var/log/journal /run/log/journal -name '*@*.journal' | wc -l")
    assert int(host.exec(*count)) >= 3

    said = play(
        *(lab, host, "disk_freed"), journal_size="1", log_directories=[], package_cache=False
    )

    assert "CHANGED" in said
    assert int(host.exec(*count)) == 0
    assert "some words" not in host.exec("journalctl", "--output=cat", "--lines=3")
    assert host.exec("systemctl", "is-active", "systemd-journald").strip() == "active"


def test_the_checkout_of_the_report_is_brought_forward(lab: Lab) -> None:
    """From the release of the incident, which cannot be imported, to the one that mends it."""
    host = lab.hosts["web2"]
    known = host.variables()
    site = host.plan.site
    git = ("git", "-C", "/var/www/webmagic")
    user = host.exec("stat", "--format=%U", str(site.directory)).strip()
    last = host.exec(*git, "rev-parse", "HEAD").strip()
    first = host.exec(*git, "rev-list", "--max-parents=0", "HEAD").strip()
    host.exec(*git, "reset", "--quiet", "--hard", first)
    wanted = {
        "path": "/var/www/webmagic",
        "directory": str(Path(str(site.directory)).relative_to("/var/www/webmagic")),
        "python": str(site.python),
        "user": user,
        "module": str(known["backend_application"]).partition(":")[0],
    }

    said = play(lab, host, "checkout_updated", **wanted)

    assert "CHANGED" in said
    assert host.exec(*git, "rev-parse", "HEAD").strip() == last
    assert host.exec(*git, "worktree", "list").count("\n") == 1
    owners = host.exec("sh", "-c", f"stat --format=%U {site.directory}/* | sort -u")
    assert owners.split() == [user]
    play(lab, host, "checkout_updated", "undo", **wanted)
    assert host.exec(*git, "rev-parse", "HEAD").strip() == first
    host.exec(*git, "reset", "--quiet", "--hard", last)
