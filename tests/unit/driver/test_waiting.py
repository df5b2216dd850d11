"""A host that another run holds: waited for as told, and looked at anew once it is free."""

import os
import signal
from collections.abc import Callable

import pytest

from runbook.driver.stopping import InterruptedRunError, Stop
from runbook.errors import RunbookError
from runbook.journal import Holder, RunSummary
from runbook.journal.holder import this_process
from runbook.journal.memory import MemoryJournal
from runbook.model.event import FixIntended, HostFinished, Mode, Observed
from runbook.model.verdict import Verdict
from tests.contract.journals import dead, living
from tests.unit.driver.stage import FAULTY, FINE, ONE_FIX, Stage, host

OTHER = "20260102-030000-aaaa"


def held_by(holder: Holder, *, acting: bool = False) -> MemoryJournal:
    """Return a journal in which another run holds web1, and may be in a fix there."""
    journal = MemoryJournal()
    journal.begin(
        RunSummary(
            id=OTHER,
            runbook="disk-full",
            mode=Mode.RUN,
            pattern="all",
            operator="bob",
            started_at=0.0,
            holder=holder,
        )
    )
    journal.claim(OTHER, ["web1"], at=0.0)
    if acting:
        intended = FixIntended(host="web1", step="clean", attempt=1, invocation="i")
        journal.append(OTHER, [intended], at=0.0, who="bob")
    return journal


def stage(journal: MemoryJournal, wait_s: float, told: Callable[[str], None]) -> Stage:
    """Return a run on web1, which is down when it is looked at first, and well afterwards."""
    looks = {"web1": host({"up": [FAULTY, FINE]}), "web2": host({"up": [FINE]})}
    return Stage(
        runbook=ONE_FIX, hosts=looks, journal=journal, wait_s=wait_s, on_working=told, gather_s=0.0
    )


def reference(waiting: Stage) -> tuple[str, str]:
    """Return the reference and the text of the error a run ends with."""
    with pytest.raises(RunbookError) as caught:
        waiting.play()
    return caught.value.problems[0].reference, str(caught.value)


def test_the_holder_is_waited_for_and_the_host_looked_at_anew() -> None:
    """It is said who holds it and since when; what was seen meanwhile counts for nothing."""
    journal = held_by(this_process())
    said: list[str] = []

    def told(what: str) -> None:
        if what.startswith("waiting for run"):
            said.append(what)
            over = HostFinished(host="web1", verdict=Verdict.RESOLVED)
            journal.append(OTHER, [over], at=1.0, who="bob")

    waiting = stage(journal, 60.0, told)

    assert waiting.play() is Verdict.HEALTHY
    assert waiting.verdicts == {"web1": Verdict.HEALTHY, "web2": Verdict.HEALTHY}
    assert [request.joining for request in waiting.looks] == [True, True]
    seen = {e.host: e.observations["up"] for e in waiting.of(Observed) if isinstance(e, Observed)}
    assert seen["web1"].result == FINE.result
    (line,) = said
    assert line.startswith(
        f"waiting for run {OTHER} (disk-full), which holds web1 since 1970-01-01"
    )
    assert f"process {this_process().pid} on" in line


@pytest.mark.parametrize("wait_s", [0.0, 0.1])
def test_a_wait_that_is_over_leaves_as_no_wait_does(wait_s: float) -> None:
    """The error names the run that holds the host; nothing was taken, not even the free host."""
    waiting = stage(held_by(this_process()), wait_s, lambda _: None)

    name, text = reference(waiting)

    assert name == "host-held"
    assert f"web1: held by run {OTHER} (disk-full) since 1970-01-01" in text
    assert "--wait" in text
    assert [claim.host for claim in waiting.journal.claims()] == ["web1"]
    assert waiting.journal.find(waiting.run).verdict is Verdict.ABORTED


def test_a_run_that_died_in_a_fix_is_not_waited_for() -> None:
    """It never ends by itself: only resuming it finds out what the fix did."""
    name, text = reference(stage(held_by(dead(), acting=True), 60.0, lambda _: None))

    assert name == "host-held"
    assert "died while a fix was under way" in text
    assert f"runbook resume {OTHER}" in text
    assert "--wait" not in text


def test_a_run_that_dies_while_it_is_waited_for_loses_its_hosts() -> None:
    """It was in no fix: whoever waits takes the host over, and the dead run is told to be one."""
    with living() as holder:
        journal = held_by(holder)

        def told(what: str) -> None:
            if what.startswith("waiting for run"):
                os.kill(holder.pid, signal.SIGKILL)

        assert stage(journal, 60.0, told).play() is Verdict.HEALTHY
    assert journal.find(OTHER).interrupted == "its process died"


def test_who_waits_can_be_stopped() -> None:
    """Ctrl-C ends the wait, and the run can be resumed once the host is free."""
    journal = held_by(this_process())
    waiting = stage(journal, 60.0, lambda _: None)

    def told(what: str) -> None:
        if what.startswith("waiting for run"):
            assert waiting.driver is not None
            waiting.driver.stop(Stop(reason="enough"))

    waiting.on_working = told
    with pytest.raises(InterruptedRunError, match="enough"):
        waiting.play()

    journal.release(OTHER, ["web1"])
    assert waiting.resume() is Verdict.HEALTHY
