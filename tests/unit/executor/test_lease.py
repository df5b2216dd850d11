"""The lease of a machine: who gets it, and what becomes of whatever lies in its place."""

import json
import multiprocessing
import os
import time
from multiprocessing.synchronize import Barrier
from pathlib import Path
from typing import Any

import pytest

from runbook.executor.content.modules import runbook_lease as lease
from runbook.executor.leasing import Leases, lease_arguments
from runbook.executor.plan import Plan

BOOT = lease.boot_id()
DAY_S = 86_400.0
UP_S = lease.uptime_s() or 0.0


def test_what_killed_modules_of_ours_left_is_removed(tmp_path: Path) -> None:
    """A folder of one that may be at work, of other modules, or that is a link to one, stays."""
    old = time.time() - DAY_S - 60
    names = ("ansible_runbook_lease_payload_7z_2ftce", "ansible_runbook_probe_payload_x0")
    stay = ("ansible_ansible.legacy.command_payload_03i66mwy", "ansible_runbook_lease_payload_")
    for name in (*names, *stay):
        (tmp_path / name).mkdir()
        (tmp_path / name / "payload.zip").touch()
        os.utime(tmp_path / name, (old, old))
    (tmp_path / "ansible_runbook_lease_payload_new").mkdir()
    (tmp_path / "elsewhere").mkdir()
    (tmp_path / "ansible_runbook_lease_payload_link").symlink_to(tmp_path / "elsewhere")
    os.utime(tmp_path / "ansible_runbook_lease_payload_link", (old, old), follow_symlinks=False)

    lease.clear_up(str(tmp_path))
    lease.clear_up(str(tmp_path / "none"))

    gone = {name for name in (*names, *stay) if not (tmp_path / name).exists()}
    assert gone == set(names)
    assert (tmp_path / "ansible_runbook_lease_payload_new").is_dir()
    assert (tmp_path / "ansible_runbook_lease_payload_link").is_dir()


@pytest.fixture
def path(tmp_path: Path) -> Path:
    """Return where the lease lies."""
    return tmp_path / "lease"


def take(path: Path, run: str = "ours", user: str = "i web1", seconds: float = 60.0) -> str | None:
    """Take the lease; return the run that stands against it."""
    against = lease.take(str(path), run, user, "ann on laptop", seconds)
    return None if against is None else str(against["run"])


def release(path: Path, run: str = "ours", user: str = "i web1") -> None:
    """Release it."""
    lease.release(str(path), run, user)


def written(**lease: Any) -> str:
    """Return the text of a lease of another run, changed as told."""
    other = {"run": "theirs", "holder": "bob", "expires_at": time.time() + DAY_S, "boot": BOOT}
    return json.dumps({**other, **lease})


@pytest.mark.parametrize(
    ("text", "against"),
    [
        (written(), "theirs"),
        (written(expires_at=time.time() - 1), None),
        (written(expires_at=0), None),
        (written(boot="another-boot"), None),
        (written(boot=None), None),
        (written(run="ours"), None),
        (written(expires_at="soon"), None),
        (written(expires_at=float("inf")), None),
        (written(expires_at=float("nan")), None),
        (written(holder=["x"] * 5, users=7), "theirs"),
        (written(ends_at_uptime_s=None), "theirs"),
        (written(expires_at=0, ends_at_uptime_s=UP_S + DAY_S), "theirs"),
        (written(ends_at_uptime_s=UP_S - 1), None),
        (written(ends_at_uptime_s="soon"), None),
        (written(ends_at_uptime_s=float("inf")), None),
        ("", None),
        ("not json", None),
        ("[]", None),
        ('"text"', None),
        ("{}", None),
        ("[" * 60_000, None),
        ("\x00\xff", None),
    ],
    ids=[
        f"text{number}" for number in range(22)
    ],  # The texts hold times, and each worker of the tests has to name them alike.
)
def test_only_a_lease_that_counts_stands_against_us(
    path: Path, text: str, against: str | None
) -> None:
    """Expired, of another boot, or no lease at all: it is ours then; otherwise it stays as it is."""
    path.write_text(text)

    assert take(path) == against

    if against is None:
        assert json.loads(path.read_text())["run"] == "ours"
    else:
        assert path.read_text() == text


def test_a_lease_says_who_holds_it_and_for_how_long(path: Path) -> None:
    """Whoever is refused is told."""
    before = time.time()

    assert take(path, seconds=60.0) is None

    held = json.loads(path.read_text())
    assert (held["run"], held["holder"], held["boot"]) == ("ours", "ann on laptop", BOOT)
    assert before + 60 <= held["expires_at"] <= time.time() + 60
    assert take(path, run="theirs") == "ours"


@pytest.mark.parametrize("by_s", [-DAY_S, DAY_S])
def test_a_clock_that_is_set_neither_ends_nor_prolongs_it(
    path: Path, by_s: float, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It counts by the time since the host's boot, which nobody sets."""
    assert take(path, seconds=60.0) is None
    took_at = lease.uptime_s()
    assert took_at is not None

    monkeypatch.setattr("time.time", lambda: time.monotonic() + by_s)
    assert take(path, run="theirs") == "ours"

    monkeypatch.setattr(lease, "uptime_s", lambda: took_at + 59.0)
    assert take(path, run="theirs") == "ours"
    monkeypatch.setattr(lease, "uptime_s", lambda: took_at + 61.0)
    assert take(path, run="theirs") is None


def test_a_controller_knows_when_its_leases_are_over() -> None:
    """Each counts from before it was asked for, on its own clock, whatever is taken later."""
    now = 100.0
    leases = Leases(seconds=30.0, clock=lambda: now)
    leases.take("web1")
    now = 110.0
    leases.take("web1")
    leases.take("web2")
    now = 129.9
    assert leases.over() == ()
    now = 130.0
    assert leases.over() == ("web1",)
    now = 140.0
    assert leases.over() == ("web1", "web2")


def test_it_ends_with_its_last_use(path: Path) -> None:
    """Two hosts of a run that use the same delegate do not take it from one another."""
    take(path, user="i web1", seconds=90.0)
    take(path, user="i web2", seconds=10.0)
    assert json.loads(path.read_text())["expires_at"] > time.time() + 60

    release(path, user="i web1")
    assert take(path, run="theirs") == "ours"
    release(path, user="i web1")
    assert take(path, run="theirs") == "ours"

    release(path, user="i web2")
    assert not path.exists()
    assert take(path, run="theirs") is None


def test_another_run_releases_nothing(path: Path) -> None:
    """Nor does the release of what is not there, or no lease at all."""
    release(path)
    take(path)

    release(path, run="theirs")

    assert take(path, run="theirs") == "ours"


@pytest.mark.parametrize("trap", ["link", "dangling", "fifo", "folder", "second name"])
def test_what_is_no_plain_file_is_left_alone(path: Path, tmp_path: Path, trap: str) -> None:
    """Anybody may put something in the place of the lease: it is refused, and not followed."""
    victim = tmp_path / "victim"
    victim.write_text("precious")
    if trap == "link":
        path.symlink_to(victim)
    elif trap == "dangling":
        path.symlink_to(tmp_path / "nowhere")
    elif trap == "fifo":
        os.mkfifo(path)
    elif trap == "folder":
        path.mkdir()
    else:
        os.link(victim, path)

    with pytest.raises(OSError, match=r"."):
        take(path)

    assert victim.read_text() == "precious"
    assert not (tmp_path / "nowhere").exists()


def _contend(path: str, run: str, start: Barrier, results: Any) -> None:
    start.wait()
    results.put(lease.take(path, run, "i web1", "x", 60.0) is None)


def test_of_many_that_want_it_at_once_one_gets_it(path: Path) -> None:
    """Processes of different runs that start together: exactly one wins."""
    context = multiprocessing.get_context("fork")
    for _ in range(5):
        start, results = context.Barrier(6), context.SimpleQueue()
        racers = [
            context.Process(target=_contend, args=(str(path), f"run-{number}", start, results))
            for number in range(6)
        ]
        for racer in racers:
            racer.start()
        won = [results.get() for _ in racers]
        for racer in racers:
            racer.join()
        assert sum(won) == 1
        path.unlink()


def _take_and_release(path: str, run: str, start: Barrier, results: Any) -> None:
    start.wait()
    for _ in range(200):
        if lease.take(path, run, "i web1", "x", 60.0) is None:
            marker = Path(path + ".inside")
            descriptor = os.open(marker, os.O_CREAT | os.O_EXCL)
            os.close(descriptor)
            marker.unlink()
            lease.release(path, run, "i web1")
    results.put(run)


def test_a_lease_that_comes_and_goes_never_has_two_holders(path: Path) -> None:
    """Removing the file while others wait for its lock gives it to one of them at most."""
    context = multiprocessing.get_context("fork")
    start, results = context.Barrier(3), context.SimpleQueue()
    racers = [
        context.Process(target=_take_and_release, args=(str(path), f"run-{n}", start, results))
        for n in range(3)
    ]
    for racer in racers:
        racer.start()
    for racer in racers:
        racer.join(60)

    assert [racer.exitcode for racer in racers] == [0, 0, 0]
    assert not path.exists()


def test_a_machine_has_one_lease_whatever_it_is_called() -> None:
    """Hosts that are this machine by name only have one each; all others one for the machine."""
    plan = Plan(run="r", request="i", joining=False, operator="ann", lease_s=9.0)
    remote = {"inventory_hostname": "web1"}
    here = {"inventory_hostname": "web1", "ansible_connection": "local"}
    both = {**remote, "ansible_delegated_vars": {"lb": {"runbook_lease_path": "/x"}}}

    assert lease_arguments(plan, remote, action="take", delegate=None)["name"] == ""
    assert lease_arguments(plan, here, action="take", delegate=None)["name"] == "web1"
    delegated = lease_arguments(plan, both, action="take", delegate="lb")
    assert (delegated["path"], delegated["user"], delegated["seconds"]) == ("/x", "i web1", 9.0)
    assert lease.lease_path("/x", "web1") == "/x"
    assert lease.lease_path("", "web1") != lease.lease_path("", "web2")
    assert "/../" not in lease.lease_path("", "/../etc/passwd")
