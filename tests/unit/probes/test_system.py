"""The host's resources and its clock."""

import os
import struct
import subprocess
import time
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from runbook.executor.content.module_utils.runbook_probes.system import (
    find_mount,
    parse_pressure,
    parse_table,
    parse_users,
)
from tests.unit.probes.prober import facts, reason

MOUNTS = r"""
22 1 254:0 / / rw,relatime shared:1 - ext4 /dev/vda rw
30 22 0:26 / /srv rw shared:5 - tmpfs tmpfs rw
31 30 254:1 / /srv/data\040files rw master:1 shared:5 - xfs /dev/vdb ro
32 22 254:2 / /srv rw - ext4 /dev/vdc rw
broken line
"""


def test_disk_as_df_tells_it(tmp_path: Path) -> None:
    """Sizes, free space and the mount are those that df shows."""
    seen = facts("disk", path=str(tmp_path))
    df = ["df", "--output=size,avail,itotal,iavail,source,target", "--block-size=1", str(tmp_path)]
    shown = subprocess.run(df, capture_output=True, text=True, check=True).stdout.split("\n")[1]
    size, free, inodes, inodes_free, device, mount = shown.split()

    assert (seen["size_bytes"], seen["inodes_total"]) == (int(size), int(inodes))
    assert seen["free_bytes"] == pytest.approx(int(free), rel=0.05)
    assert seen["inodes_free"] == pytest.approx(int(inodes_free), rel=0.05)
    assert (seen["device"], seen["mount_point"]) == (device, mount)
    assert 0 <= seen["used_percent"] <= 100
    assert seen["read_only"] is False


def test_disk_of_a_path_that_is_not_there() -> None:
    """Without the path there is no file system to measure."""
    assert reason("disk", path="/no/such/path") == "no such path: /no/such/path"


@pytest.mark.parametrize(
    ("path", "device"),
    [
        ("/", "/dev/vda"),
        ("/etc/nginx", "/dev/vda"),
        ("/srv", "/dev/vdc"),
        ("/srvother", "/dev/vda"),
        ("/srv/data files/a", "/dev/vdb"),
    ],
)
def test_the_mount_of_a_path(path: str, device: str) -> None:
    """The longest mount point above a path counts, of equal ones the last."""
    mount = find_mount(path, MOUNTS)

    assert mount is not None
    assert mount.device == device


def test_memory_as_the_kernel_tells_it() -> None:
    """Sizes are in bytes, and shares of the whole."""
    seen = facts("memory")

    assert seen["total_bytes"] == os.sysconf("SC_PHYS_PAGES") * os.sysconf("SC_PAGE_SIZE")
    assert 0 < seen["available_bytes"] < seen["total_bytes"]
    share = 100 * (1 - seen["available_bytes"] / seen["total_bytes"])
    assert seen["used_percent"] == pytest.approx(share, abs=0.1)
    assert seen["oom_kills"] is None or seen["oom_kills"] >= 0


def test_load_as_the_kernel_tells_it() -> None:
    """Load averages are those of the kernel; nothing is busier than everything, once measured."""
    seen = facts("load", sample_s=0.05)

    assert seen["load1"] == pytest.approx(os.getloadavg()[0], abs=1.0)
    assert seen["cpus"] == len(os.sched_getaffinity(0))
    assert 0 <= seen["cpu_percent"] <= 100
    assert facts("load")["cpu_percent"] is None
    assert seen["load1_per_cpu"] == pytest.approx(seen["load1"] / seen["cpus"], abs=0.01)


def test_time_and_host() -> None:
    """The clock and the name of the host are those of the host."""
    clock, host = facts("time"), facts("host")

    assert clock["now_s"] == pytest.approx(time.time(), abs=30)
    assert clock["synchronised"] in (True, False, None)
    assert host["hostname"] == os.uname().nodename
    assert host["kernel"] == os.uname().release
    assert host["boot_s"] + host["uptime_s"] == pytest.approx(time.time(), abs=60)


def test_tables_of_the_kernel() -> None:
    """Numbers are read from both kinds of tables, those in kB as bytes."""
    text = "MemTotal:       16384 kB\nHugePages_Total:  3\noom_kill 7\nodd\nName: x\n"

    assert parse_table(text) == {"MemTotal": 16384 * 1024, "HugePages_Total": 3, "oom_kill": 7}


def test_pressure() -> None:
    """The share of time in which something waited is that of the last ten seconds."""
    assert parse_pressure("some avg10=1.50 avg60=0.9 avg300=0.1 total=5\nfull avg10=9") == 1.5
    assert parse_pressure("") is None


def test_users_logged_in() -> None:
    """Of a utmp file only log-ins of users count, each user once."""

    def record(kind: int, user: bytes) -> bytes:
        return struct.pack("hi32s4s32s256shhiii4i20x", kind, 1, b"", b"", user, b"", *[0] * 9)

    data = record(7, b"anna") + record(2, b"reboot") + record(7, b"anna") + record(8, b"gone")

    assert parse_users(data + b"half a record") == ["anna"]


@given(st.text(), st.binary(max_size=2000))
def test_no_text_breaks_the_readers(text: str, data: bytes) -> None:
    """Whatever the kernel shows, reading it ends without an error."""
    parse_table(text)
    parse_pressure(text)
    parse_pressure(f"some avg10={text}")
    find_mount(text, text)
    find_mount("/a", f"1 2 3 4 /a {text} - ext4 {text}")
    parse_users(data)
