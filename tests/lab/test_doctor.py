"""The doctor on a real host: reached by SSH, with systemd, sudo, and somebody at a terminal."""

import json
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from tests.lab.lab import Lab

pytestmark = pytest.mark.lab

MACHINE_OF_OURS = "198.51.100.1"


@contextmanager
def at_a_terminal(lab: Lab) -> Iterator[None]:
    """Have somebody log in on web1, and stay there."""
    address = lab.hosts["web1"].address
    words = ["ssh", "-tt", "-i", str(lab.folder / "id_ed25519")]
    words += ["-o", f"UserKnownHostsFile={lab.folder / 'known_hosts'}", f"deploy@{address}"]
    session = subprocess.Popen(
        lab.record.namespaces.connected([*words, "echo there; sleep 300"]),
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
        text=True,
    )
    try:
        assert session.stdout is not None
        assert session.stdout.readline().strip() == "there"
        time.sleep(0.5)  # The session is written down once its first command runs.
        yield
    finally:
        session.kill()
        session.communicate()


def test_who_else_is_there_is_seen_by_way_of_ssh_and_sudo(lab: Lab, tmp_path: Path) -> None:
    """Our own session is not told; that of somebody at a terminal is, with where it is from."""
    with at_a_terminal(lab):
        done = lab.run(
            [
                *(sys.executable, "-m", "runbook", "doctor", "--json"),
                *("-i", str(lab.inventory), "--host", "web1"),
            ],
            folder=tmp_path,
            environment={"RUNBOOK_HOME": str(tmp_path / "home")},
        )

    found = {
        one["check"]: one for one in json.loads(done.stdout)["findings"] if one["host"] == "web1"
    }
    assert found["reachable"]["state"] == "good", done.stdout
    assert found["become"]["seen"] == "becomes root"
    assert found["clock-skew"]["state"] == "good"
    assert found["also-here"]["seen"].count("logged in") == 1
    assert f"deploy logged in from {MACHINE_OF_OURS}" in found["also-here"]["seen"]
