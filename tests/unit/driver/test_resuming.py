"""A run that stopped anywhere at all is gone on with, or closed."""

import os
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path

import pytest

from runbook.driver.launch import abandon
from runbook.driver.stopping import InterruptedRunError, Stop
from runbook.errors import RunbookError
from runbook.executor.scripted import ScriptedFix, ScriptedHost
from runbook.journal import RunSummary
from runbook.journal.holder import this_process
from runbook.journal.memory import MemoryJournal
from runbook.model.definition import FixResult
from runbook.model.event import (
    Acted,
    Event,
    FixApproved,
    FixIntended,
    HostFinished,
    HostJoined,
    Mode,
    RunFinished,
    RunInterrupted,
)
from runbook.model.observation import Verification
from runbook.model.verdict import Verdict
from tests.engine_harness import book, check, fix
from tests.unit.driver.stage import (
    FINE,
    MENDED,
    ONE_FIX,
    RUN,
    Cancellable,
    Stage,
    host,
)

USELESS = Verification(result=FixResult.NO_EFFECT)

TRIES = {
    "resolved": MENDED,
    "no effect": ScriptedFix(verification=USELESS),
    "failed": ScriptedFix(acted=Acted.FAILED, reason="it broke", verification=USELESS),
    "timed out": ScriptedFix(acted=Acted.UNKNOWN, reason="too long", verification=USELESS),
    "withheld": ScriptedFix(acted=Acted.WITHHELD, reason="leased", verification=USELESS),
}

TWO_FIXES = book(
    check("up", failed="restart"),
    fix("restart", symptom="up", no_effect="replace", declined="replace"),
    fix("replace", symptom="up"),
)


def _hosts(first: ScriptedFix) -> dict[str, ScriptedHost]:
    fixes = {"restart": [first], "replace": [MENDED]}
    return {
        "web1": host(fixes=fixes),
        "web2": host(fixes={"restart": [MENDED]}),
        "web3": host({"up": [FINE]}),
    }


def _written(events: Sequence[Event]) -> MemoryJournal:
    """Return a journal that holds these events and no more, as a kill leaves it."""
    journal = MemoryJournal()
    journal.begin(
        RunSummary(
            id=RUN,
            runbook=TWO_FIXES.name,
            mode=Mode.RUN,
            pattern="all",
            operator="ann",
            started_at=0.0,
            holder=this_process(),
        )
    )
    journal.append(RUN, events, at=0.0, who="ann")
    return journal


@pytest.mark.parametrize("first", TRIES.values(), ids=TRIES)
def test_from_every_prefix_of_its_journal_a_run_comes_to_the_same_end(first: ScriptedFix) -> None:
    """Cut after any entry and resumed, every host gets the verdict it had; no fix without a yes."""
    whole = Stage(runbook=TWO_FIXES, hosts=_hosts(first))
    whole.play()
    events = whole.events
    assert isinstance(events[-1], RunFinished)

    joined = sum(isinstance(event, HostJoined) for event in events)
    for length in (1, *range(1 + joined, len(events))):  # All hosts join in one write.
        stage = Stage(runbook=TWO_FIXES, hosts=_hosts(first), journal=_written(events[:length]))
        stage.resume()

        assert stage.verdicts == whole.verdicts, f"cut after {length} entries"
        stage.journal.verify(RUN)
        begun = Counter((e.host, e.step) for e in stage.events if isinstance(e, FixIntended))
        approved = Counter((e.host, e.step) for e in stage.events if isinstance(e, FixApproved))
        assert begun <= approved, f"cut after {length} entries"


def test_a_run_is_not_gone_on_with_in_another_closure() -> None:
    """The runbook was edited since: nothing is looked at, and the hint says how to close it."""
    whole = Stage(runbook=ONE_FIX, hosts={"web1": host()})
    whole.play()
    stage = Stage(
        runbook=ONE_FIX,
        hosts={"web1": host()},
        journal=_written(whole.events[:4]),
        closure="another",
    )

    with pytest.raises(RunbookError) as caught:
        stage.resume()

    assert caught.value.problems[0].reference == "changed-meanwhile"
    assert f"resume {RUN} --abandon" in str(caught.value)
    assert not stage.script.requests


@dataclass(kw_only=True)
class WithOrphan(Cancellable):
    """Says that the fix of a dead driver is at work, so many times."""

    looks_until_over: int
    asked_for: set[str] = field(default_factory=set)

    def orphan(self, invocation: str) -> bool:
        """Say yes until it is over."""
        self.asked_for.add(invocation)
        self.looks_until_over -= 1
        return self.looks_until_over >= 0


def test_a_fix_left_running_is_waited_for_and_then_looked_at() -> None:
    """The orphan of the interrupted invocation ends first; then its effect is verified."""
    whole = Stage(runbook=ONE_FIX, hosts={"web1": host()})
    whole.play()
    at = next(n for n, event in enumerate(whole.events) if isinstance(event, FixIntended))
    intended = whole.events[at]
    assert isinstance(intended, FixIntended)
    hosts = {"web1": host()}
    executor = WithOrphan(hosts=hosts, looks_until_over=2)
    stage = Stage(
        runbook=ONE_FIX,
        hosts=hosts,
        journal=_written(whole.events[: at + 1]),
        executor=executor,
    )

    assert stage.resume() is Verdict.RESOLVED
    assert executor.asked_for == {intended.invocation}
    assert executor.looks_until_over < 0
    assert len(stage.of(FixIntended)) == 1


def _interrupted(*, acting: bool = False) -> Stage:
    """Return a run of two hosts that stopped: web2 hangs, and web1's fix may be open."""
    stuck = ["up", "restart"] if acting else ["up"]
    stage = Stage(
        runbook=ONE_FIX, hosts={"web1": host(), "web2": host(None, None, *stuck)}, gather_s=0.0
    )

    def on_event(event: Event) -> None:
        if isinstance(event, HostFinished):
            assert stage.driver is not None
            stage.driver.stop(Stop(reason="enough"))

    stage.on_event = on_event
    with pytest.raises(InterruptedRunError):
        stage.play()
    return stage


def test_an_abandoned_run_is_closed_and_its_hosts_are_free() -> None:
    """Without runbook or hosts: the open host is aborted, with who and why; none is held."""
    stage = _interrupted()
    assert stage.journal.claims()

    closed = abandon(
        stage.journal.find(RUN),
        stage.journal,
        who="bob",
        reason="web2 is gone",
        at_work=lambda _: False,
    )

    assert closed == ("web2",)
    assert not stage.journal.claims()
    summary = stage.journal.find(RUN)
    assert summary.verdict is Verdict.ABORTED
    (last,) = [event for event in stage.of(HostFinished) if event == stage.events[-2]]
    assert isinstance(last, HostFinished)
    assert last.reason == "abandoned by bob: web2 is gone"
    assert RunInterrupted(reason="abandoned by bob: web2 is gone") in stage.events
    stage.journal.verify(RUN)
    with pytest.raises(RunbookError, match="has ended"):
        stage.resume()


def test_a_run_whose_fix_is_still_at_work_is_not_abandoned() -> None:
    """Its host must not be given to others while something is changing it."""
    whole = Stage(runbook=ONE_FIX, hosts={"web1": host()})
    whole.play()
    at = next(n for n, event in enumerate(whole.events) if isinstance(event, FixIntended))
    journal = _written(whole.events[: at + 1])

    with pytest.raises(RunbookError) as caught:
        abandon(journal.find(RUN), journal, who="bob", reason="", at_work=lambda _: True)

    assert caught.value.problems[0].reference == "fix-at-work"
    assert journal.find(RUN).verdict is None


def test_a_fix_that_ended_does_not_stand_in_the_way_of_abandoning() -> None:
    """Only what has begun and not ended is looked for among the processes."""
    whole = Stage(runbook=ONE_FIX, hosts={"web1": host()})
    whole.play()
    journal = _written(whole.events[:-2])

    closed = abandon(journal.find(RUN), journal, who="bob", reason="", at_work=lambda _: True)

    assert closed == ("web1",)


def test_a_run_that_a_living_process_drives_is_not_abandoned() -> None:
    """Another process that lives is its driver: refused, nothing is written."""
    journal = MemoryJournal()
    stat = Path(f"/proc/{os.getppid()}/stat").read_text()
    started = int(stat.rpartition(")")[2].split()[19])
    parent = replace(this_process(), pid=os.getppid(), started=started)
    journal.begin(
        RunSummary(
            id=RUN,
            runbook="example",
            mode=Mode.RUN,
            pattern="all",
            operator="ann",
            started_at=0.0,
            holder=parent,
        )
    )
    with pytest.raises(RunbookError, match="living process"):
        abandon(journal.find(RUN), journal, who="bob", reason="", at_work=lambda _: False)
    assert not list(journal.entries(RUN))
