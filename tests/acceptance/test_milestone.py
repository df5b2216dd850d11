"""One check and one destructive fix on two hosts, one of them a black hole."""

import signal
import time
from pathlib import Path

from tests.acceptance.program import PATIENCE_S, Program, kill, wait_until

RUN = ("run", "counted-fix", "-i", "inventory.yml")


def test_a_fix_is_confirmed_done_and_verified(program: Program, tmp_path: Path) -> None:
    """With --yes the fault is found, fixed once, seen to be gone, and said so with exit code 0."""
    done = program(*RUN, "--host", "alive", "--yes", "--json")

    assert done.code == 0, done.stderr
    host = done.document["hosts"]["alive"]
    assert host["verdict"] == "resolved"
    assert [cause["id"] for cause in host["causes"]] == ["missing"]
    assert host["path"] == ["present", "make"]
    assert host["fixes"] == [{"step": "make", "outcome": "resolved", "verified": True}]
    assert (tmp_path / "alive.counter").read_text() == "x"
    assert program(*RUN, "--host", "alive", "--yes", "--json").document["verdict"] == "healthy"
    assert (tmp_path / "alive.counter").read_text() == "x"


def test_without_a_terminal_nothing_destructive_is_done(program: Program, tmp_path: Path) -> None:
    """Nobody to ask and no --yes: the fix is declined, exit code 3, the host untouched."""
    done = program(*RUN, "--host", "alive", "--json")

    assert done.code == 3, done.stderr
    assert done.document["hosts"]["alive"]["verdict"] == "declined"
    assert not (tmp_path / "alive.counter").exists()
    assert "--yes" in done.stderr


def test_a_black_hole_does_not_hold_the_other_host(program: Program, tmp_path: Path) -> None:
    """The healthy host is done before the other's connection gives up; its verdict is unknown."""
    done = program(*RUN, "--host", "pair", "--yes", "--json")

    assert done.code == 4, done.stderr
    assert done.document["hosts"]["alive"]["verdict"] == "resolved"
    assert done.document["hosts"]["hole"]["verdict"] == "unknown"
    assert (tmp_path / "alive.counter").read_text() == "x"
    entries = program("report", "last", "--format", "json").document
    assert entries["hosts"]["hole"]["reason"]


def test_diagnose_finds_the_cause_and_touches_nothing(program: Program, tmp_path: Path) -> None:
    """The read-only walk says what it would do, exit code 1, and changes nothing."""
    done = program("diagnose", "counted-fix", "-i", "inventory.yml", "--host", "alive", "--json")

    assert done.code == 1, done.stderr
    host = done.document["hosts"]["alive"]
    assert (host["verdict"], host["path"]) == ("unresolved", ["present"])
    assert [cause["id"] for cause in host["causes"]] == ["missing"]
    assert not (tmp_path / "alive.counter").exists()


def test_killed_in_mid_fix_it_is_resumed_and_nothing_is_done_twice(
    program: Program, tmp_path: Path
) -> None:
    """After kill -9 the orphaned fix is waited for and looked at, not repeated."""
    with program.started(*RUN, "--host", "alive", "--yes", "--set", "takes=20") as running:
        wait_until((tmp_path / "alive.counter").exists)
        kill(running)

    other = program(*RUN, "--host", "alive", "--yes")
    assert other.code == 2
    assert "resume" in other.stderr
    resumed = program("resume", "last", "--yes", "--json")

    assert resumed.code == 0, resumed.stderr
    assert resumed.document["hosts"]["alive"]["verdict"] == "resolved"
    assert (tmp_path / "alive.counter").read_text() == "x"


def test_interrupted_gently_it_finishes_the_fix_and_can_be_resumed(
    program: Program, tmp_path: Path
) -> None:
    """One Ctrl-C in mid-fix: the fix ends and is verified, exit code 130, resume says the verdict."""
    with program.started(*RUN, "--host", "alive", "--yes", "--set", "takes=2") as running:
        wait_until((tmp_path / "alive.counter").exists)
        running.send_signal(signal.SIGINT)
        said, told = running.communicate(timeout=PATIENCE_S)

    assert running.returncode in (0, 130), told
    assert (tmp_path / "alive.counter").read_text() == "x"
    assert (tmp_path / "alive.flag").exists()
    if running.returncode == 130:
        assert "runbook resume" in said + told
        assert program("resume", "last", "--yes").code == 0
    assert (tmp_path / "alive.counter").read_text() == "x"


def test_interrupted_twice_it_stops_at_once(program: Program, tmp_path: Path) -> None:
    """Two Ctrl-C give the fix up within seconds; resuming looks again before anything is done."""
    with program.started(*RUN, "--host", "alive", "--yes", "--set", "takes=600") as running:
        wait_until((tmp_path / "alive.counter").exists)
        began = time.monotonic()
        running.send_signal(signal.SIGINT)
        time.sleep(0.3)
        running.send_signal(signal.SIGINT)
        said, told = running.communicate(timeout=PATIENCE_S)

    assert running.returncode == 130, told
    assert time.monotonic() - began < 300
    assert "runbook resume" in said + told
    assert "Ctrl-C again gives it up." in told
    assert "Stopping now: the fix under way is given up." in told
    (tmp_path / "alive.flag").write_text("somebody made it by hand")
    assert program("resume", "last", "--yes").code == 0
    assert (tmp_path / "alive.counter").read_text() == "x"


def test_two_runs_on_one_host_are_refused(program: Program, tmp_path: Path) -> None:
    """The second run says who holds the host, exit code 2; told to wait, it looks at it afterwards."""
    with program.started(*RUN, "--host", "alive", "--yes", "--set", "takes=15") as first:
        wait_until((tmp_path / "alive.counter").exists)
        second = program(*RUN, "--host", "alive", "--yes")
        waited = program(*RUN, "--host", "alive", "--yes", "--wait", "--json")
        first.communicate(timeout=PATIENCE_S)

    assert second.code == 2
    assert "held by run" in second.stderr
    assert str(first.pid) in second.stderr
    assert first.returncode == 0
    assert waited.code == 0, waited.stderr
    assert waited.document["verdict"] == "healthy"
    assert "… waiting for run" in waited.stderr
    assert (tmp_path / "alive.counter").read_text() == "x"
