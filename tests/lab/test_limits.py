"""A host's memory and disk are as small as they are said to be."""

import pytest

from runbook.errors import RunbookError
from tests.lab.host import HostPlan
from tests.lab.lab import Lab
from tests.lab.site import Site

pytestmark = pytest.mark.lab

TAKE = ("python3", "-c", "import sys; len(bytearray(int(sys.argv[1]) << 20))")
"""Takes as many megabytes of memory as it is told."""


def test_memory_is_limited(lab: Lab, bare: Site) -> None:
    """What takes more memory than the host has is killed; the host shows its limit."""
    (host,) = lab.up(HostPlan(name="small", site=bare, disk_mb=50, memory_mb=200))

    host.exec(*TAKE, "50")
    with pytest.raises(RunbookError, match="ended with code -9"):
        host.exec(*TAKE, "300")
    files = "/sys/fs/cgroup/memory.max /sys/fs/cgroup/memory/memory.limit_in_bytes"
    limit = host.exec("sh", "-c", f"cat {files} 2>/dev/null || true")
    lab.down("small")

    assert int(limit) == 200 << 20


def test_memory_of_a_unit_is_limited(lab: Lab) -> None:
    """Limits that a host's own systemd sets hold as well."""
    limited = ("systemd-run", "--quiet", "--wait", "--property=MemoryMax=30M", "--unit=hungry")
    host = lab.hosts["web1"]

    with pytest.raises(RunbookError, match="lab-command-failed"):
        host.exec(*limited, *TAKE, "60")
    status = host.exec("systemctl", "show", "--property=ExecMainStatus", "hungry")
    host.exec("systemctl", "reset-failed", "hungry")

    assert status.strip() == "ExecMainStatus=9"  # killed


def test_the_disk_is_small(lab: Lab, bare: Site) -> None:
    """Writing beyond the disk's size fails with ENOSPC, and other hosts still have room."""
    (host,) = lab.up(HostPlan(name="full", site=bare, disk_mb=60))
    fill = ("dd", "if=/dev/zero", "of=/var/log/filler", "bs=1M", "count=100")

    with pytest.raises(RunbookError, match="No space left on device"):
        host.exec(*fill)
    size, free = host.exec("df", "--output=size,avail", "--block-size=1M", "/").split()[-2:]
    lab.hosts["web1"].exec(*fill)
    lab.hosts["web1"].exec("rm", "/var/log/filler")
    lab.down("full")

    assert (int(size), int(free)) == (60, 0)
