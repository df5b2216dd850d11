"""What the doctor finds about a host from what was seen there."""

from typing import Any

from runbook.doctor import Finding, State
from runbook.doctor.hosts import judged
from runbook.executor import HostObserved
from runbook.model.definition import CheckResult
from runbook.model.observation import Activity, Observation

NOW = 1_700_000_000.0
MANY = 1 << 40


def seen(**facts: Any) -> Observation:
    """Return a look that came to these facts."""
    return Observation(result=CheckResult.PASSED, facts=facts, seen_at=NOW)


def unseen(reason: str) -> Observation:
    """Return a look that came to nothing."""
    return Observation(result=CheckResult.UNKNOWN, reason=reason)


def judge(activity: Activity | None = None, **looks: Observation) -> dict[str, Finding]:
    """Return the findings about a host that is in order but for these looks."""
    observations = {
        "host": seen(hostname="web1", os="Debian", python="3.11.2"),
        "clock": seen(now_s=NOW),
        "disk": seen(free_bytes=MANY, read_only=False),
        "disk_tmp": seen(free_bytes=MANY, read_only=False),
        "become": seen(rc=0, stdout="0"),
        **looks,
    }
    told = HostObserved(
        request="r",
        host="web1",
        observations=observations,
        activity=activity or Activity(facts={"quiet": True}, seen_at=NOW),
    )
    found = list(judged(told))
    assert all(finding.host == "web1" for finding in found)
    return {finding.check: finding for finding in found}


def test_a_host_that_is_in_order() -> None:
    """Every line is good, and there is one for each thing looked at."""
    found = judge()

    assert {finding.state for finding in found.values()} == {State.GOOD}
    assert set(found) == {
        "reachable",
        "python-on-host",
        "become",
        "clock-skew",
        "disk",
        "disk-tmp",
        "also-here",
    }


def test_a_host_that_does_not_answer() -> None:
    """Unreachable and without Python are two things; of such a host nothing else is told."""
    away = judge(host=unseen("unreachable: Connection refused"))
    bare = judge(host=unseen("the probe module did not answer: no Python was found"))

    assert {check: finding.state for check, finding in away.items()} == {
        "reachable": State.UNREACHABLE
    }
    assert away["reachable"].seen == "Connection refused"
    assert {check: finding.state for check, finding in bare.items()} == {
        "python-on-host": State.BAD
    }


def test_an_old_python() -> None:
    """What ansible-core does not support any more is bad."""
    old = judge(host=seen(hostname="web1", os="x", python="3.6.8"))["python-on-host"]

    assert (old.state, old.seen) == (State.BAD, "3.6.8")


def test_become_that_fails() -> None:
    """What sudo says is told, and how to try it alone."""
    failed = Observation(
        result=CheckResult.FAILED,
        facts={"module_stderr": "sudo: a password is required\n", "msg": "MODULE FAILURE"},
    )

    found = judge(become=failed)["become"]

    assert (found.state, found.seen) == (State.BAD, "sudo: a password is required")
    assert found.remedy is not None
    assert "ansible web1 -b" in found.remedy
    assert judge(become=seen(rc=0, stdout="33"))["become"].seen == (
        "becomes the user with the id 33"
    )


def test_a_clock_that_is_off() -> None:
    """How far and in which direction; some seconds are what looking takes."""
    assert judge(clock=seen(now_s=NOW - 5))["clock-skew"].state is State.GOOD
    late = judge(clock=seen(now_s=NOW - 90))["clock-skew"]
    assert (late.state, late.seen) == (State.NOTE, "90 s behind ours")
    assert judge(clock=seen(now_s=NOW + 90))["clock-skew"].seen == "90 s ahead of ours"
    assert judge(clock=unseen("not permitted"))["clock-skew"].seen == "not permitted"


def test_disks_of_a_host() -> None:
    """Full and read-only are bad; one that could not be looked at is told as that."""
    full = judge(disk=seen(free_bytes=1 << 20, read_only=False))["disk"]
    assert (full.state, full.seen) == (State.BAD, "1 MB free")
    assert full.remedy == "runbook run disk-full --host web1"
    fixed = judge(disk_tmp=seen(free_bytes=MANY, read_only=True))["disk-tmp"]
    assert fixed.state is State.BAD
    assert "read-only" in fixed.seen
    assert judge(disk=unseen("no such path"))["disk"].state is State.NOTE


def test_what_else_goes_on_there() -> None:
    """A lease that was left, people and packages are worth knowing; so is that nobody could look."""
    lease = {"run": "20260102-030405-aaaa", "holder": "bob", "until_s": NOW + 9}
    held = judge(Activity(facts={"lease": lease}, seen_at=NOW))["also-here"]

    assert held.state is State.NOTE
    assert "run 20260102-030405-aaaa by bob" in held.seen
    assert held.remedy is not None
    hidden = judge(Activity(reason="not permitted: /proc"))["also-here"]
    assert (hidden.state, hidden.seen) == (State.NOTE, "not permitted: /proc")
