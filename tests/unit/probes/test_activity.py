"""What else goes on on a host, seen where it really does."""

import fcntl
import os
import shutil
import socket
import struct
import subprocess
import time
from collections.abc import Iterator
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from runbook.executor.content.module_utils.runbook_probes.activity import (
    deploys,
    is_quiet,
    locked_by,
    maintenance,
    packages_changed,
    parse_dpkg_log,
    parse_locks,
)
from runbook.executor.content.module_utils.runbook_probes.leases import lease_path
from runbook.executor.content.module_utils.runbook_probes.logins import (
    Login,
    Surroundings,
    parse_connections,
    parse_seat,
    parse_utmp,
    seats,
    ssh_origins,
)
from runbook.executor.content.module_utils.runbook_probes.procfs import Process
from runbook.executor.content.modules import runbook_lease
from tests.unit.probes.prober import facts, reason, wait_until

HOUR_S = 3600
NOTHING: dict[str, object] = {
    "maintenance": None,
    "lease": None,
    "operators": [],
    "connections": [],
    "package_managers": [],
    "packages_changed_s_ago": None,
    "packages_changed": [],
    "deploys": [],
    "rebooted_s_ago": None,
}


@pytest.fixture
def checkout(tmp_path: Path) -> Path:
    """Give a checkout with one commit, made just now."""
    folder = tmp_path / "app"
    folder.mkdir()
    who = ["-c", "user.name=ann", "-c", "user.email=ann@ops.example"]
    for words in (["init", "-q"], [*who, "commit", "-q", "--allow-empty", "-m", "first"]):
        subprocess.run(["git", *words], cwd=folder, check=True)
    return folder


@pytest.fixture
def at_work(tmp_path: Path) -> Iterator[list[subprocess.Popen[bytes]]]:
    """Give a list of processes, which are ended after the test."""
    started: list[subprocess.Popen[bytes]] = []
    yield started
    for process in started:
        process.kill()
        process.wait()


def paths_of(seen: dict[str, list[dict[str, object]]]) -> list[object]:
    """Return the paths of what was deployed."""
    return [each["path"] for each in seen["deploys"]]


def test_nothing_but_what_is_named_disturbs_the_quiet() -> None:
    """Without any finding it is quiet; each single one ends that."""
    assert is_quiet(NOTHING)
    for name, value in NOTHING.items():
        assert not is_quiet({**NOTHING, name: ["it"] if isinstance(value, list) else 0})


def test_a_package_manager_at_work(tmp_path: Path, at_work: list[subprocess.Popen[bytes]]) -> None:
    """A process of that name is told with its number; one that only mentions the name is not."""
    apt = tmp_path / "apt-get"
    shutil.copy("/bin/sleep", apt)
    at_work.append(subprocess.Popen([apt, "60"]))
    at_work.append(subprocess.Popen(["sh", "-c", "sleep 60; exit", "apt-get"]))

    seen = facts("activity")

    assert seen["quiet"] is False
    found = {each["pid"]: each["name"] for each in seen["package_managers"]}
    assert found[at_work[0].pid] == "apt-get"
    assert at_work[1].pid not in found


def test_who_holds_a_lock(tmp_path: Path) -> None:
    """The kernel tells who holds the lock of a package manager; who waits for it does not hold it."""
    lock = tmp_path / "lock-frontend"
    with lock.open("w") as file:
        assert locked_by((str(lock),)) == set()
        fcntl.lockf(file, fcntl.LOCK_EX)

        assert locked_by((str(lock), str(tmp_path / "none"))) == {os.getpid()}

    waits = (
        "1: POSIX  ADVISORY  WRITE 7 fe:01:42 0 EOF\n1: -> POSIX  ADVISORY  WRITE 8 fe:01:42 0 EOF"
    )
    assert parse_locks(waits, {"fe:01:42"}) == {7}


def test_packages_that_changed(tmp_path: Path) -> None:
    """Changes within the hour are told in dpkg's words, older ones and mere configuring are not."""

    def line(ago_s: float, what: str) -> str:
        moment = time.localtime(time.time() - ago_s)
        return f"{time.strftime('%Y-%m-%d %H:%M:%S', moment)} {what}\n"

    log = tmp_path / "dpkg.log"
    log.write_text(
        line(7200, "upgrade old:amd64 1 2")
        + line(60, "upgrade nginx:amd64 1.22 1.24")
        + line(50, "status installed nginx:amd64 1.24")
        + "no log line\n"
    )

    assert packages_changed(str(log), time.time(), HOUR_S) == ["upgrade nginx:amd64 1.22 1.24"]
    assert packages_changed(str(tmp_path / "none"), time.time(), HOUR_S) == []


def test_a_checkout_that_was_just_moved_on(checkout: Path) -> None:
    """A commit checked out within the hour is a deploy; one of two hours ago is not."""
    assert str(checkout) in paths_of(facts("activity", paths=[str(checkout)]))

    before = time.time() - 2 * HOUR_S
    os.utime(checkout / ".git/logs/HEAD", (before, before))
    assert str(checkout) not in paths_of(facts("activity", paths=[str(checkout)]))


def test_the_checkout_a_service_works_in(
    checkout: Path, at_work: list[subprocess.Popen[bytes]]
) -> None:
    """Nobody has to name it: the working folder of a process without a terminal leads there."""
    inner = checkout / "src"
    inner.mkdir()
    at_work.append(subprocess.Popen(["sleep", "60"], cwd=inner, start_new_session=True))

    assert str(checkout) in paths_of(facts("activity"))


def test_a_release_that_was_switched_and_a_file_that_was_written(tmp_path: Path) -> None:
    """A new `current` link and a new file of a named pattern are deploys, each by its kind."""
    (tmp_path / "current").symlink_to("releases/7")
    (tmp_path / "app.env").write_text("A=1")
    old = tmp_path / "old.env"
    old.write_text("A=0")
    os.utime(old, (1.0, 1.0))

    seen = facts("activity", paths=[str(tmp_path), str(tmp_path / "*.env")])

    kinds = {each["path"]: each["kind"] for each in seen["deploys"]}
    assert kinds[str(tmp_path / "current")] == "release"
    assert kinds[str(tmp_path / "app.env")] == "file"
    assert str(old) not in kinds


def test_maintenance(tmp_path: Path) -> None:
    """The first line of a flag file says why; an empty one is a flag all the same."""
    flag = tmp_path / "nologin"
    assert maintenance((str(flag),)) is None

    flag.write_text("Moving to the new rack\nBack at five\n")
    assert maintenance((str(tmp_path / "none"), str(flag))) == "Moving to the new rack"

    flag.write_text("")
    assert maintenance((str(flag),)) == f"there is {flag}"


def test_the_lease_of_another_run(tmp_path: Path) -> None:
    """A lease that counts is told with its holder; our own is not, nor one that is over."""
    place = tmp_path / "lease"
    runbook_lease.take(str(place), "theirs", "use", "bob on laptop", 60.0)

    seen = facts("activity", lease=str(place))
    ours = facts("activity", lease=str(place), run="theirs")

    assert (seen["lease"]["run"], seen["lease"]["holder"]) == ("theirs", "bob on laptop")
    assert ours["lease"] is None
    place.write_text("no lease")
    assert facts("activity", lease=str(place))["lease"] is None


@pytest.mark.parametrize("name", ["", "web1", "ä/.."])
def test_the_lease_is_looked_for_where_it_is_taken(name: str) -> None:
    """The probe and the module that takes leases mean the same file."""
    assert lease_path(name) == runbook_lease.lease_path("", name)


def test_connections_to_the_ssh_server() -> None:
    """The other ends of a port's connections are told; a listener has none."""
    with socket.socket() as server, socket.socket() as client:
        server.bind(("127.0.0.1", 0))
        server.listen()
        port = server.getsockname()[1]
        assert ssh_origins(port) == set()
        client.connect(("127.0.0.1", port))

        assert ssh_origins(port) == {"127.0.0.1"}

    six = "0: 0000000000000000FFFF00000100007F:0016 0000000000000000FFFF0000070200C0:C000 01 0"
    assert parse_connections(f"head\n{six}", 22) == {"192.0.2.7"}


def test_who_is_at_a_terminal() -> None:
    """Utmp and logind tell user, line, origin and since when; services have no terminal."""
    record = struct.pack(
        "hi32s4s32s256shhiii4i20x", 7, 42, b"pts/3", b"", b"deploy", b"192.0.2.7", 0, 0, 0, 99, 0,
        *[0] * 4,
    )  # fmt: skip
    deploy = Login("deploy", "pts/3", "192.0.2.7", 99)
    assert parse_utmp(record + b"half") == [(42, deploy)]

    seat = "UID=7\nUSER=deploy\nCLASS=user\nTTY=pts/3\nREMOTE_HOST=192.0.2.7\nREALTIME=99000000\n"
    assert parse_seat(seat + "LEADER=42\n") == (42, deploy)
    assert parse_seat("USER=deploy\nCLASS=manager\nLEADER=42\n") == (42, None)


def test_a_pipe_beside_the_sessions_keeps_nobody_waiting(tmp_path: Path) -> None:
    """systemd-logind keeps a pipe for each session: it is passed over, the session is read."""
    (tmp_path / "7").write_text("USER=deploy\nCLASS=user\nTTY=pts/3\nLEADER=42\n")
    os.mkfifo(tmp_path / "7.ref")

    assert seats(str(tmp_path)) == [(42, Login("deploy", "pts/3", None, None))]
    assert seats(str(tmp_path / "none")) == []


def test_the_log_in_we_came_by_is_not_somebody_else() -> None:
    """Processes above us are told from others; so is the connection we came by."""
    everything = [
        Process(1, 0, "S", "init", ("init",), 0, 0.0, 0.0, 0),
        Process(5, 1, "S", "sshd", ("sshd: ann@pts/1",), 0, 0.0, 0.0, 0),
        Process(6, 5, "S", "python", ("python",), 0, 0.0, 0.0, 0),
        Process(7, 6, "S", "python", ("python",), 0, 0.0, 0.0, 0),
        Process(9, 1, "S", "sshd", ("sshd: bob@pts/2",), 0, 0.0, 0.0, 0),
    ]

    around = Surroundings(everything, 7)

    assert (around.has(5), around.has(9)) == (True, False)
    assert 9 in {each.pid for each in around.others}


def test_an_hour_that_is_none() -> None:
    """What cannot be asked for is no answer."""
    assert reason("activity", within=0) == "within must be at least 1"
    assert "lease" in facts("activity", lease="/proc/self/mem/none")["unseen"]


def test_looking_writes_nothing(checkout: Path) -> None:
    """The checkout is as it was before."""
    before = {path: path.stat().st_mtime_ns for path in checkout.rglob("*")}

    facts("activity", paths=[str(checkout)])

    assert {path: path.stat().st_mtime_ns for path in checkout.rglob("*")} == before


@given(st.text(), st.binary(max_size=2000))
def test_no_text_breaks_the_readers(text: str, data: bytes) -> None:
    """Whatever a host shows, reading it ends without an error."""
    parse_locks(text, {text})
    parse_dpkg_log(text, 0.0)
    parse_dpkg_log(f"2026-01-02 03:04:05 upgrade {text}", 0.0)
    parse_connections(text, 22)
    parse_connections(f"0: {text}:0016 {text}:C000 01 0", 22)
    parse_utmp(data)
    parse_seat(text)
    deploys([], ["/no/such/*"], time.time(), 1)


def test_a_wait_for_nothing(at_work: list[subprocess.Popen[bytes]]) -> None:
    """A package manager that has ended, but nobody waited for, is not at work."""
    at_work.append(subprocess.Popen(["sh", "-c", "exec -a dpkg true"], executable="/bin/bash"))
    wait_until(lambda: Path(f"/proc/{at_work[0].pid}/stat").read_text().split()[2] == "Z", "over")

    assert at_work[0].pid not in {each["pid"] for each in facts("activity")["package_managers"]}
