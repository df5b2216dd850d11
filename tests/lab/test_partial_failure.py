"""What fails on some hosts of a run, before a fix and in the midst of one, and leaves the others be."""

import json
import os
import signal
import subprocess
import sys
import time
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing, suppress
from pathlib import Path
from typing import Any

import pytest
import yaml

from runbook.errors import RunbookError
from runbook.journal import RunFilter
from runbook.journal.sqlite import open_journal
from runbook.model.event import FixApproved
from tests.acceptance.counted_fix import COUNTED_FIX
from tests.lab.host import HostPlan, LabHost
from tests.lab.lab import Lab
from tests.lab.site import Site

pytestmark = pytest.mark.lab

BEFORE = {
    # Both say so at once: the one that is asked for a password, and the one that runs nothing.
    "sudoless": "rm /etc/sudoers.d/*; sed -i '/deploy/d' /etc/sudoers; gpasswd -d deploy sudo || true",
    "pythonless": "chmod 0 /usr/bin/python3*",
    "full": "dd if=/dev/zero of=/var/log/filler bs=64k 2>&- || true",
}
"""What is wrong with a host before the run begins."""

LEASE = "/run/lock/runbook-lease"

DURING = ("rebooting", "sshd", "cut")
"""Hosts on which something is killed in the midst of the fix: the host, its sshd, our connection."""


def run_on(lab: Lab, pattern: str, home: Path) -> subprocess.CompletedProcess[str]:
    """Run the runbook whose fix is counted on hosts, approving what there is to approve."""
    (home / "counted-fix.yml").write_text(COUNTED_FIX)
    variables = {"flag": "/srv/flag", "counter": "/srv/counter"}
    (home / "variables.yml").write_text(yaml.safe_dump({"all": {"vars": variables}}))
    inventories = ["-i", str(lab.inventory), "-i", str(home / "variables.yml")]
    command = [sys.executable, "-m", "runbook", "run", str(home / "counted-fix.yml"), *inventories]
    options = ["--host", pattern, "--set", "takes=6", "--yes", "--json"]
    environment = {"RUNBOOK_HOME": str(home / "state")}
    return lab.run([*command, *options], environment=environment, within_s=400)


def in_the_fix(host: LabHost) -> None:
    """Wait until the fix has begun on a host."""
    deadline = time.monotonic() + 300
    while time.monotonic() < deadline:
        with suppress(RunbookError):
            host.exec("test", "-s", "/srv/counter")
            return
        time.sleep(0.2)
    pytest.fail(f"the fix never began on {host.name}")


def kill_connections_to(host: LabHost) -> None:
    """Kill the ssh processes of this machine that lead to a host."""
    for process in Path("/proc").glob("[0-9]*"):
        with suppress(OSError):
            words = (process / "cmdline").read_bytes().split(b"\0")
            if words[0].startswith(b"ssh") and any(host.address.encode() in word for word in words):
                os.kill(int(process.name), signal.SIGKILL)


def begun(host: LabHost) -> int:
    """Return how often the fix began on a host."""
    return len(host.exec("cat", "/srv/counter").strip())


@pytest.fixture
def told(
    lab: Lab, bare: Site, tmp_path: Path
) -> tuple[dict[str, Any], subprocess.CompletedProcess[str]]:
    """Give what a run over one sound host and seven with troubles says of each."""
    names = ("sound", *BEFORE, *DURING, "off")
    lab.up(*(HostPlan(name=name, site=bare, disk_mb=60) for name in names))
    lab.down("off")
    for name, script in BEFORE.items():
        lab.hosts[name].exec("sh", "-c", script)
    with ThreadPoolExecutor(max_workers=1) as pool:
        running = pool.submit(run_on, lab, ":".join(names), tmp_path)
        for name in DURING:
            in_the_fix(lab.hosts[name])
        lab.hosts["sshd"].exec("pkill", "-KILL", "sshd")
        kill_connections_to(lab.hosts["cut"])
        lab.down("rebooting")
        done = running.result()
    document = json.loads(done.stdout)
    hosts = document.get("hosts")
    assert isinstance(hosts, dict), done.stdout + done.stderr
    return hosts, done


def test_each_trouble_has_its_outcome_and_disturbs_nobody(
    told: tuple[dict[str, Any], subprocess.CompletedProcess[str]], lab: Lab, tmp_path: Path
) -> None:
    """The sound host is repaired; each other one has a verdict and its reason, and no fix twice.

    Hosts that lost their connection in mid-fix keep their lease, as the fix may be at work; once that
    is seen to be over they are repaired by the next run, on a new approval.
    """
    hosts, done = told
    found = {name: (host["verdict"], host["reason"]) for name, host in hosts.items()}
    print(json.dumps(found, indent=1))

    assert done.returncode == 4, done.stderr
    assert "Traceback" not in done.stderr
    assert found["sound"][0] == "resolved", found
    assert begun(lab.hosts["sound"]) == 1
    for name, words in {
        "sudoless": ("password", "sudo"),
        "pythonless": ("python",),
        "off": ("unreachable", "reached"),
        "rebooting": ("unreachable", "interrupted", "reached", "unknown"),
    }.items():
        verdict, reason = found[name]
        assert verdict == "unknown", found
        assert any(word in reason.lower() for word in words), found
    assert found["full"][0] == "unresolved", found
    assert "No usable temporary directory" in found["full"][1], found
    for name in ("sshd", "cut"):
        assert found[name][0] == "unknown", found
        assert found[name][1].startswith("unreachable"), found
        assert name != "cut" or "the connection was cut" in found[name][1], found
        # What was begun there may be at work still: nobody else is let in while that may be.
        lab.hosts[name].exec("test", "-e", LEASE)
        lab.hosts[name].exec("sh", "-c", "while pgrep -x sleep; do sleep 0.2; done")
        lab.hosts[name].exec("rm", LEASE)
    with pytest.raises(RunbookError, match="lab-command-failed"):
        lab.hosts["sound"].exec("test", "-e", LEASE)

    again = run_on(lab, "sshd:cut:sound", tmp_path)

    assert again.returncode == 0, again.stderr
    with closing(open_journal(tmp_path / "state" / "journal.sqlite")) as journal:
        runs = [run.id for run in journal.runs(RunFilter()) if journal.verify(run.id)]
        approved = [
            entry.event.host
            for run in runs
            for entry in journal.entries(run)
            if isinstance(entry.event, FixApproved)
        ]
    for name in ("sshd", "cut", "sound"):
        assert begun(lab.hosts[name]) <= approved.count(name)
    for name in ("sound", *BEFORE, "sshd", "cut"):
        lab.down(name)
