"""A journal or a machine that fails: nothing more is begun, and what was done is not forgotten."""

from collections.abc import Sequence
from dataclasses import dataclass

import pytest

from runbook.errors import RunbookError
from runbook.executor import Deliver, FixRequest, Invocation, Request
from runbook.journal.memory import MemoryJournal
from runbook.model.event import (
    Acted,
    Event,
    FixEnded,
    FixIntended,
    FixVerified,
    HostFinished,
    HostJoined,
    Observed,
    RunInterrupted,
)
from runbook.model.verdict import Verdict
from tests.unit.driver.stage import ONE_FIX, RUN, Cancellable, Stage, host


@dataclass(kw_only=True)
class FullDisk(MemoryJournal):
    """Fails to write the first event of a kind, and everything after it, until there is room."""

    kind: type[Event] | None
    full: bool = False

    def __post_init__(self) -> None:
        super().__init__()

    def append(self, run: str, events: Sequence[Event], *, at: float, who: str) -> None:
        """Write, or raise."""
        if self.kind is not None and any(isinstance(event, self.kind) for event in events):
            self.full = True
        if self.full:
            raise RunbookError.of("journal-unusable", "the disk is full")
        super().append(run, events, at=at, who=who)

    def free_some_space(self) -> None:
        """Let writing succeed from now on."""
        self.kind, self.full = None, False


def test_an_intent_that_cannot_be_written_starts_no_fix() -> None:
    """The disk is full at the intent: the executor is never asked to act."""
    journal = FullDisk(kind=FixIntended)
    stage = Stage(runbook=ONE_FIX, hosts={"web1": host()}, journal=journal)

    with pytest.raises(RunbookError) as caught:
        stage.play()

    assert not stage.fixes
    assert [problem.reference for problem in caught.value.problems] == [
        "journal-unusable",
        "run-stopped",
    ]
    assert caught.value.exit_code == 2
    assert RUN in str(caught.value)


@pytest.mark.parametrize("kind", [HostJoined, Observed, FixEnded, FixVerified, HostFinished])
def test_a_journal_that_fails_midway_ends_the_run_and_resuming_repeats_nothing(
    kind: type[Event],
) -> None:
    """Nothing is begun after the failure; with room again, the run comes to its end, one fix."""
    journal = FullDisk(kind=kind)
    stage = Stage(runbook=ONE_FIX, hosts={"web1": host()}, journal=journal)

    with pytest.raises(RunbookError, match="disk is full"):
        stage.play()
    fixes = len(stage.fixes)
    begun = kind in (FixEnded, FixVerified, HostFinished)
    assert fixes == begun

    journal.free_some_space()
    assert stage.resume() is Verdict.RESOLVED
    assert len(stage.fixes) == 1
    journal.verify(RUN)


def test_a_fix_under_way_is_not_killed_by_a_full_journal() -> None:
    """web1's news cannot be written while web2's fix is under way: that comes to its own end."""
    journal = FullDisk(kind=FixEnded)
    stage = Stage(runbook=ONE_FIX, hosts={"web1": host(), "web2": host()}, journal=journal)

    with pytest.raises(RunbookError, match="disk is full"):
        stage.play()

    assert all(invocation.wait(0) for invocation in stage.script.invocations)
    assert [event.host for event in stage.of(FixIntended) if isinstance(event, FixIntended)] == [
        "web1",
        "web2",
    ]


@dataclass(kw_only=True)
class NoRoomToWork(Cancellable):
    """Cannot start fixes."""

    def start(self, request: Request, deliver: Deliver) -> Invocation:  # type: ignore[override]
        """Begin, unless it is a fix."""
        if isinstance(request, FixRequest):
            raise RunbookError.of("workspace-unusable", "there is no room to work in")
        return super().start(request, deliver)


def test_a_fix_that_cannot_be_started_is_known_not_to_have_begun() -> None:
    """The intent is followed by "withheld", so that nobody has to wonder what the fix did."""
    hosts = {"web1": host()}
    stage = Stage(runbook=ONE_FIX, hosts=hosts, executor=NoRoomToWork(hosts=hosts))

    with pytest.raises(RunbookError) as caught:
        stage.play()

    assert caught.value.problems[0].reference == "workspace-unusable"
    (ended,) = stage.of(FixEnded)
    assert isinstance(ended, FixEnded)
    assert ended.acted is Acted.WITHHELD
    assert isinstance(stage.events[-1], RunInterrupted)
    assert not any(claim.acting for claim in stage.journal.claims())
