"""A fix begins on few hosts, and on more once it has helped these."""

from dataclasses import replace

import pytest

from runbook.driver.ramping import Ramping
from runbook.executor.scripted import ScriptedFix
from runbook.model.definition import FixResult
from runbook.model.event import FixDeclined
from runbook.model.observation import Verification
from runbook.model.policy import Ramp
from runbook.model.verdict import Verdict
from tests.unit.driver.stage import FAULTY, ONE_FIX, Stage, host

USELESS = ScriptedFix(verification=Verification(result=FixResult.NO_EFFECT))


def names(count: int) -> list[str]:
    """Return names of hosts in their order."""
    return [f"web{number}" for number in range(1, count + 1)]


def test_waves_double_while_they_help() -> None:
    """Ten hosts, one approval: 1, 2, 4 and the last 3, each wave after the one before it is over."""
    stage = Stage(runbook=ONE_FIX, hosts={name: host() for name in names(10)}, ramp=Ramp())

    assert stage.play() is Verdict.RESOLVED

    assert [len(request.hosts) for request in stage.fixes] == [1, 2, 4, 3]
    assert [host for request in stage.fixes for host in request.hosts] == names(10)
    intents = [type(event).__name__ for event in stage.events if "Fix" in type(event).__name__]
    assert intents.index("FixConcluded") < intents.index(
        "FixIntended", intents.index("FixIntended") + 1
    )


def test_a_wave_that_does_not_help_is_the_last() -> None:
    """The second wave leaves one host broken: the other hosts are declined, with the guard's name."""
    hosts = {name: host() for name in names(8)}
    hosts["web3"] = host({"up": [FAULTY]}, {"restart": [USELESS]})
    stage = Stage(runbook=ONE_FIX, hosts=hosts, ramp=Ramp(first=2))
    stage.play()

    assert [request.hosts for request in stage.fixes] == [
        ("web1", "web2"),
        ("web3", "web4", "web5", "web6"),
    ]
    declined = [event for event in stage.of(FixDeclined) if isinstance(event, FixDeclined)]
    assert [(event.host, event.guard) for event in declined] == [("web7", "ramp"), ("web8", "ramp")]
    assert declined[0].reason == "ramp: the wave before did not help on web3"


@pytest.mark.parametrize(("count", "waves"), [(4, [4]), (5, [1, 2, 2])])
def test_few_hosts_are_no_crowd(count: int, waves: list[int]) -> None:
    """Below the policy's crowd all begin at once."""
    stage = Stage(runbook=ONE_FIX, hosts={name: host() for name in names(count)}, ramp=Ramp())
    stage.play()

    assert [len(request.hosts) for request in stage.fixes] == waves


def test_a_pause_lies_between_waves() -> None:
    """The next wave waits until the pause is over, by the clock; then all of it may begin."""
    stage = Stage(runbook=ONE_FIX, hosts={name: host() for name in names(5)}, ramp=Ramp())
    stage.play()
    assert stage.driver is not None
    states = dict(stage.driver.states)
    begun = {name: states[name] for name in ("web1",)}
    blank = {name: replace(states[name], fixes=(), verdict=None) for name in names(5)[1:]}
    now = 100.0
    ramping = Ramping(ramp=Ramp(pause_s=60.0), states=lambda: {**begun, **blank}, clock=lambda: now)

    assert ramping.let("restart", ("web2", "web3", "web4")) == ((), "")
    assert (list(ramping.due()), ramping.next_due_s()) == ([], 60.0)
    now = 130.0
    assert (list(ramping.due()), ramping.next_due_s()) == ([], 30.0)
    now = 160.0
    assert list(ramping.due()) == ["web2", "web3", "web4"]
    assert ramping.let("restart", ("web2", "web3", "web4")) == (("web2", "web3"), "")
