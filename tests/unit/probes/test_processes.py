"""Ports, processes and open files, looked at in the kernel's own tables."""

import os
import signal
import socket
import struct
import subprocess
import sys
import time
import uuid
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from runbook.executor.content.module_utils.runbook_probes.ports import covers
from runbook.executor.content.module_utils.runbook_probes.processes import (
    parse_open_files_limit,
    without_ourselves,
)
from runbook.executor.content.module_utils.runbook_probes.procfs import (
    Process,
    listeners,
    parse_address,
    parse_listeners,
    parse_stat,
    read_text,
)
from runbook.executor.content.module_utils.runbook_probes.sock_diag import (
    RefusedError,
    parse,
)
from tests.unit.probes.prober import IS_ROOT, facts, reason, request, wait_until

Spawn = Callable[..., subprocess.Popen[bytes]]

LISTEN = """
import socket, sys, time
s = socket.socket(socket.AF_INET6 if ":" in sys.argv[1] else socket.AF_INET)
s.bind((sys.argv[1], 0)); s.listen()
print(s.getsockname()[1], flush=True)
time.sleep(60)
"""
SLEEP = "import time; print('ready', flush=True); time.sleep(60)"


def _line(process: subprocess.Popen[bytes]) -> str:
    assert process.stdout is not None
    return process.stdout.readline().decode().strip()


def unheard_of() -> str:
    """Return a pattern that fits no process, not even one that another test looks for just now."""
    return f"unheard-of-{uuid.uuid4().hex}"


def test_port_with_a_listener(spawn: Spawn) -> None:
    """The process that listens is named, with its command line and its user."""
    process = spawn(LISTEN, "127.0.0.1", "the-backend")
    port = int(_line(process))
    seen = facts("port", port=port)

    assert (seen["listening"], seen["addresses"]) == (True, ["127.0.0.1"])
    assert (seen["owner_known"], seen["pid"]) == (True, process.pid)
    assert seen["command"].endswith("127.0.0.1 the-backend")
    assert seen["user"] == seen["listeners"][0]["user"]
    assert seen["listeners"][0]["pid"] == process.pid
    assert seen["listeners"][0]["ppid"] == os.getpid()
    assert 0 <= seen["listeners"][0]["started_s_ago"] < 60


def test_port_without_a_listener(closed_port: int) -> None:
    """Nothing listens on a closed port, and that is certain."""
    seen = facts("port", port=closed_port)

    assert (seen["listening"], seen["owner_known"], seen["pid"]) == (False, True, None)
    assert (seen["addresses"], seen["listeners"]) == ([], [])


def test_port_of_a_client_does_not_listen(server_socket: socket.socket) -> None:
    """A port from which somebody is connected elsewhere is not listened on."""
    with socket.create_connection(server_socket.getsockname()) as client:
        assert not facts("port", port=client.getsockname()[1])["listening"]


@pytest.fixture
def server_socket() -> Iterator[socket.socket]:
    """Return a listening socket of the test's own process."""
    with socket.create_server(("127.0.0.1", 0)) as listening:
        yield listening


@pytest.mark.parametrize(
    ("bound", "wanted", "listening"),
    [
        ("127.0.0.1", "127.0.0.1", True),
        ("127.0.0.1", "localhost", True),
        ("127.0.0.1", "192.0.2.1", False),
        ("0.0.0.0", "192.0.2.1", True),
        ("0.0.0.0", "2001:db8::1", False),
    ],
)
def test_port_at_an_address(spawn: Spawn, bound: str, wanted: str, listening: bool) -> None:
    """Only a socket that takes connections to the address counts; the wildcard takes all."""
    port = int(_line(spawn(LISTEN, bound)))

    assert facts("port", port=port, address=wanted)["listening"] is listening


@pytest.mark.parametrize(
    ("bound", "wanted", "takes"),
    [
        ("::", "127.0.0.1", True),
        ("::", "2001:db8::1", True),
        ("::1", "127.0.0.1", False),
        ("::ffff:127.0.0.1", "127.0.0.1", True),
    ],
)
def test_addresses_that_cover_others(bound: str, wanted: str, takes: bool) -> None:
    """The IPv6 wildcard takes both versions; mapped addresses are IPv4 ones."""
    assert covers(bound, wanted) is takes


def test_port_shared_by_a_master_and_its_workers(spawn: Spawn) -> None:
    """Of several processes with the same socket the one that opened it is named first."""
    code = LISTEN.replace("time.sleep", "import os; os.fork(); time.sleep")
    process = spawn(code, "127.0.0.1")
    port = int(_line(process))
    wait_until(lambda: len(facts("port", port=port)["listeners"]) == 2, "there is a worker")
    seen = facts("port", port=port)
    os.kill(next(row["pid"] for row in seen["listeners"] if row["pid"] != process.pid), 9)

    assert seen["pid"] == process.pid


def test_port_of_a_process_we_may_not_see(shared_folder: Path) -> None:
    """Who may not look into a process still learns that somebody listens, and which user."""
    with socket.create_server(("127.0.0.1", 0)) as listening:
        if IS_ROOT:
            seen = facts("port", port=listening.getsockname()[1], nobody_in=shared_folder)
            assert (seen["owner_known"], seen["pid"], seen["user"]) == (False, None, "root")
        else:
            seen = facts("port", port=listening.getsockname()[1])
            assert seen["owner_known"]
        assert seen["listening"]


def test_port_at_an_address_that_is_none() -> None:
    """An address that is none is the author's mistake."""
    assert reason("port", port=1, address="here") == "address must be an IP address"


def test_processes_by_pattern_and_by_name(spawn: Spawn) -> None:
    """A process is found by its command line and by its program, with what it is and does."""
    process = spawn(SLEEP, "a-backend-of-ours", name="ours-alone")
    _line(process)
    seen = facts("process", pattern="a-backend-of-[o]urs$")
    row = seen["processes"][0]

    assert (seen["count"], seen["states"]) == (1, "S")
    assert (row["pid"], row["ppid"], row["state"]) == (process.pid, os.getpid(), "S")
    assert row["command"].endswith("a-backend-of-ours")
    assert 0 <= row["started_s_ago"] < 30
    assert row["rss_bytes"] > 1_000_000
    assert facts("process", pattern="a-backend-of-ours", user=row["user"])["count"] == 1
    assert facts("process", pattern="a-backend-of-ours", user="no-such-user")["count"] == 0
    found = facts("process", name="ours-alone")["processes"]
    assert [each["pid"] for each in found] == [process.pid]


def test_processes_that_are_not_there() -> None:
    """A process that is not there is not found: not in the arguments of whoever looks either."""
    pattern = unheard_of()
    probes = [
        {"id": "look", "type": "process", "args": {"pattern": pattern}},
        {
            "id": "other",
            "type": "command",
            "args": {"argv": ["sh", "-c", f"sleep 0.5; : {pattern}"]},
        },
    ]
    told = request({"probes": probes}, prefix=["sh", "-c", '"$@"; : ', pattern])

    assert told["answers"]["look"]["facts"]["count"] == 0


def test_states_of_processes(spawn: Spawn) -> None:
    """A stopped process and a dead one nobody waited for are seen for what they are."""
    stopped = spawn(SLEEP, "stopped-one")
    _line(stopped)
    os.kill(stopped.pid, signal.SIGSTOP)
    dead = spawn("", name="dead-one")
    wait_until(lambda: facts("process", pattern="stopped-one")["states"] == "T", "it is stopped")
    wait_until(lambda: dead.pid in _zombies("dead-one"), "it died")


def _zombies(name: str) -> list[int]:
    rows = facts("process", name=name)["processes"]
    return [row["pid"] for row in rows if row["state"] == "Z"]


def test_patterns_that_are_none() -> None:
    """A broken pattern, or neither pattern nor name, is the author's mistake."""
    assert reason("process", pattern="(").startswith("not a regular expression")
    assert reason("process") == "give either a pattern or a name"


def test_a_pattern_without_end_costs_only_its_own_answer(tmp_path: Path) -> None:
    """A pattern that would search for years is ended by its time-out."""
    (tmp_path / "text").write_text("a" * 60 + "!", encoding="utf-8")
    started = time.monotonic()
    told = reason("file", timeout=0.3, path=str(tmp_path / "text"), pattern="(a+)+$")

    assert told == "not finished within 0.3 s"
    assert time.monotonic() - started < 60


def _process(pid: int, ppid: int, *words: str) -> Process:
    return Process(pid, ppid, "S", "it", words, 0, 0.0, 0.0, 0)


def test_whoever_looks_is_left_out() -> None:
    """Our ancestors, their forks and everything the request started are not counted."""
    table = [
        _process(1, 0, "init", "backend"),
        _process(10, 1, "ansible-playbook", "-e", "backend"),
        _process(11, 10, "ansible-playbook", "-e", "backend"),
        _process(12, 10, "backend"),
        _process(20, 11, "python", "module"),
        _process(21, 20, "python", "module"),
        _process(22, 20, "pgrep", "backend"),
        _process(23, 22, "sh", "backend"),
        _process(30, 1, "backend"),
    ]
    kept = without_ourselves({each.pid: each for each in table}, 21)

    assert [each.pid for each in kept] == [1, 12, 30]


def test_open_files_of_a_process(spawn: Spawn, tmp_path: Path) -> None:
    """A process near its limit of open files is seen to be."""
    code = (
        "import resource, time\n"
        "resource.setrlimit(resource.RLIMIT_NOFILE, (50, 60))\n"
        "kept = [open('/dev/null') for _ in range(40)]\n" + SLEEP
    )
    process = spawn(code, "hoarder-of-files")
    _line(process)
    (tmp_path / "pid").write_text(f"{process.pid}\n", encoding="utf-8")

    for args in (
        {"pid": process.pid},
        {"pidfile": str(tmp_path / "pid")},
        {"pattern": "hoarder-of"},
    ):
        seen = facts("file_descriptors", **args)
        assert (seen["found"], seen["pid"]) == (True, process.pid)
        assert (seen["soft_limit"], seen["hard_limit"]) == (50, 60)
        assert 40 < seen["opened"] < 50
        assert seen["used_percent"] == 2.0 * seen["opened"]


def test_open_files_of_nobody(tmp_path: Path) -> None:
    """Where there is no such process there is nothing to count; the system is always there."""
    assert not facts("file_descriptors", pidfile=str(tmp_path / "missing"))["found"]
    assert not facts("file_descriptors", pattern=unheard_of())["found"]
    whole = facts("file_descriptors")
    assert (whole["found"], whole["pid"]) == (True, None)
    assert 0 < whole["opened"] <= whole["soft_limit"]


def test_open_files_we_may_not_count(shared_folder: Path) -> None:
    """Who may not look into a process cannot tell how many files it has open."""
    if IS_ROOT:
        told = reason("file_descriptors", pid=os.getpid(), nobody_in=shared_folder)
    else:
        told = reason("file_descriptors", pid=1)
    assert told.startswith("not permitted: ")


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        (
            "Max open files            1024                 524288               files",
            (1024, 524288),
        ),
        ("Max open files            1024                 unlimited            files", (1024, None)),
        ("Max cpu time              unlimited            unlimited            seconds", None),
        ("", None),
    ],
)
def test_limits(text: str, expected: object) -> None:
    """The limits of open files are read from the kernel's table, unlimited ones too."""
    assert parse_open_files_limit(text) == expected


HEADER = "  sl  local_address rem_address   st tx_queue rx_queue tr tm->when retrnsmt   uid  timeout inode"
ROWS = {
    "   0: 0100007F:1F40 00000000:0000 0A 00000000:00000000 00:00000000 00000000  1000        0 71 1 0": (
        "127.0.0.1", 8000, 1000, 71,
    ),
    "   1: 0100007F:1F40 0100007F:C350 01 00000000:00000000 00:00000000 00000000     0        0 72 1 0": None,
    "   2: 00000000000000000000000001000000:0050 00000000000000000000000000000000:0000 0A 0:0 0:0 0 33 0 73 1": (
        "::1", 80, 33, 73,
    ),
    "   3: B80D0120000000000000000001000000:01BB 0:0 0A 0:0 0:0 0 0 0 74": ("2001:db8::1", 443, 0, 74),
    "   4: 0000007:1F40 00000000:0000 0A 0:0 0:0 0 0 0 75": None,
    "   5: 00000000:ZZZZ 00000000:0000 0A 0:0 0:0 0 0 0 76": None,
}  # fmt: skip


@pytest.mark.parametrize("row", ROWS)
def test_rows_of_the_socket_table(row: str) -> None:
    """Listening sockets are read in both IP versions; other states and odd rows are passed over."""
    found = [tuple(each) for each in parse_listeners(f"{HEADER}\n{row}\n")]

    assert found == ([] if ROWS[row] is None else [ROWS[row]])


def test_the_kernel_tells_the_same_as_its_tables() -> None:
    """Asked for listening sockets alone, where that is possible, it names ours as in its tables."""
    with (
        socket.create_server(("127.0.0.1", 0)) as four,
        socket.create_server(("::1", 0), family=socket.AF_INET6) as six,
    ):
        told = listeners()
        tables = parse_listeners(read_text("/proc/net/tcp") + read_text("/proc/net/tcp6"))
        inodes = {os.fstat(each.fileno()).st_ino for each in (four, six)}

    ours = sorted(each for each in told if each.inode in inodes)
    assert ours == sorted(each for each in tables if each.inode in inodes)
    assert [each.address for each in ours] == ["127.0.0.1", "::1"]


@given(st.binary(max_size=200))
def test_no_answer_of_the_kernel_is_half_an_answer(data: bytes) -> None:
    """What is no message of its own, cut off, an error, or of a moment that passed, is refused."""
    for kind, flags in ((20, 0x10), (2, 0), (3, 0x10)):
        head = struct.pack("=IHHII", 16 + len(data), kind, flags, 0, 0)
        with pytest.raises(RefusedError):
            parse(head + data, [])
    with pytest.raises(RefusedError):
        parse(struct.pack("=IHHII", 88, 20, 0, 0, 0) + data[:71], [])
    assert not parse(struct.pack("=IHHII", 20, 3, 0, 0, 0) + data, [])


@given(st.text())
def test_no_text_breaks_the_readers_of_kernel_tables(text: str) -> None:
    """Whatever stands in a table of /proc, reading it ends without an error."""
    parse_listeners(text)
    parse_listeners(f"0: {text} 0:0 0A 0 0 0 {text} 0 5")
    parse_stat(text)
    parse_stat(f"1 ({text}) S 1 2 3 {text}")
    parse_open_files_limit(text)


@given(st.ip_addresses())
def test_addresses_of_the_kernel(address: object) -> None:
    """The kernel's notation of an address is read back to that address."""
    raw: bytes = address.packed  # type: ignore[attr-defined]
    words = [raw[start : start + 4] for start in range(0, len(raw), 4)]
    text = b"".join(word[::-1] if sys.byteorder == "little" else word for word in words).hex()
    family = socket.AF_INET if len(raw) == 4 else socket.AF_INET6

    assert parse_address(text) == socket.inet_ntop(family, raw)


def test_names_of_programs_may_hold_anything() -> None:
    """A program's name with spaces and parentheses does not shift the fields after it."""
    fields = " ".join(str(number) for number in range(1, 40))
    found = parse_stat(f"7 (a) S (b) R {fields}")

    assert found is not None
    assert found[:2] == ("a) S (b", "R")
    assert found[2][0] == 1
