"""A fix begins on few hosts, and on more once it has helped these."""

from dataclasses import dataclass, replace

import pytest

from runbook.driver.ramping import Ramping
from runbook.engine.evolve import replay
from runbook.errors import RunbookError
from runbook.executor import Deliver, HostVerified, Request, VerifyRequest
from runbook.executor.scripted import ScriptedFix, ScriptedInvocation
from runbook.model.definition import FixResult
from runbook.model.event import FixDeclined, FixRechecked, HostFinished, RunFinished
from runbook.model.observation import Verification
from runbook.model.policy import Ramp
from runbook.model.state import HostState
from runbook.model.verdict import Verdict
from tests.unit.driver.stage import FAULTY, MENDED, ONE_FIX, Cancellable, Stage, host

USELESS = ScriptedFix(verification=Verification(result=FixResult.NO_EFFECT))
UNSEEN = ScriptedFix(verification=Verification(result=FixResult.UNKNOWN, reason="unreachable"))


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
    """The next wave waits until the pause is over, by the clock, and the last one looked at again."""
    stage = Stage(runbook=ONE_FIX, hosts={name: host() for name in names(5)}, ramp=Ramp())
    stage.play()
    assert stage.driver is not None
    states = dict(stage.driver.states)
    begun = {name: states[name] for name in ("web1",)}
    blank = {name: replace(states[name], fixes=(), verdict=None) for name in names(5)[1:]}
    now = 100.0
    ramping = Ramping(ramp=Ramp(pause_s=60.0), own=lambda: {**begun, **blank}, clock=lambda: now)

    assert ramping.let("restart", ("web2", "web3", "web4")) == ((), "")
    assert (list(ramping.due()), ramping.next_due_s()) == ([], 60.0)
    now = 130.0
    assert (list(ramping.due()), ramping.next_due_s()) == ([], 30.0)
    now = 160.0
    assert (list(ramping.due()), list(ramping.looks())) == ([], [("restart", ("web1",))])
    ramping.look(VerifyRequest(id="again", fix="restart", hosts=("web1",)))
    assert (list(ramping.looks()), ramping.next_due_s()) == ([], None)
    seen = HostVerified(request="again", host="web1", verification=MENDED.verification)
    assert ramping.take(seen) is not None
    ramping.end("again")
    assert list(ramping.due()) == ["web2", "web3", "web4"]
    assert ramping.let("restart", ("web2", "web3", "web4")) == (("web2", "web3"), "")


@dataclass(kw_only=True)
class FallsBack(Cancellable):
    """After its fix, `web1` does well for a while; looked at again, it is as `then` says."""

    then: ScriptedFix

    def start(self, request: Request, deliver: Deliver) -> ScriptedInvocation:
        """Have it fall back just before it is looked at again."""
        if isinstance(request, VerifyRequest):
            self.hosts = {**self.hosts, "web1": host({"up": [FAULTY]}, {"restart": [self.then]})}
        return super().start(request, deliver)


@pytest.mark.parametrize(
    ("then", "verdict", "why"),
    [
        (USELESS, Verdict.UNRESOLVED, "ramp: what a wave before did has not lasted on web1"),
        (UNSEEN, Verdict.RESOLVED, "ramp: nobody could see whether web1 is still well"),
    ],
)
def test_a_host_that_falls_back_ends_the_ramp(
    then: ScriptedFix, verdict: Verdict, why: str
) -> None:
    """Five hosts: the first one does well, and not any more before the next wave: no other begins.

    It is unresolved then, also for whoever replays the journal. One that cannot be seen stays what
    it was, but nothing is begun on its word.
    """
    hosts = {name: host() for name in names(5)}
    stage = Stage(runbook=ONE_FIX, hosts=hosts, ramp=Ramp())
    stage.executor = FallsBack(hosts=hosts, then=then)
    stage.play()

    assert stage.verdicts["web1"] is verdict
    assert {stage.verdicts[name] for name in names(5)[1:]} == {Verdict.DECLINED}
    [again] = stage.of(FixRechecked)
    assert isinstance(again, FixRechecked)
    assert (again.host, again.step) == ("web1", "restart")
    reasons = {event.reason for event in stage.of(FixDeclined) if isinstance(event, FixDeclined)}
    assert reasons == {why}
    ends = [one for one in stage.of(HostFinished) if isinstance(one, HostFinished)]
    assert [one.verdict for one in ends if one.host == "web1"][-1] is verdict
    assert stage.driver is not None
    assert replay(ONE_FIX, stage.events) == stage.driver.states
    assert [type(event) for event in stage.events][-1] is RunFinished


def test_only_what_is_over_can_be_looked_back_at() -> None:
    """A journal that tells of a second look before the fix was done there is not gone on from."""
    stage = Stage(runbook=ONE_FIX, hosts={"web1": host()})
    stage.play()
    again = FixRechecked(host="web1", step="restart", verification=MENDED.verification)

    def after(*events: object) -> HostState:
        return replay(ONE_FIX, events)["web1"]  # type: ignore[arg-type]  # those of the journal

    assert after(*stage.events, again) == after(*stage.events)
    with pytest.raises(RunbookError, match="does not follow"):
        after(*stage.events[:3], again)
