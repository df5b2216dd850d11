"""What a run's entries add up to in its summary. Stores fold it in as entries are written."""

from collections.abc import Iterable
from dataclasses import dataclass, field

from runbook.journal import Entry, RunSummary
from runbook.journal.problems import bad_summary
from runbook.model.definition import End, FixResult
from runbook.model.event import (
    CauseFound,
    Event,
    FixConcluded,
    FixEnded,
    FixIntended,
    FixRechecked,
    HostFinished,
    HostJoined,
    RunFinished,
    RunInterrupted,
    RunResumed,
    RunStarted,
    StepConcluded,
    UndoEnded,
    UndoIntended,
)
from runbook.model.verdict import Verdict

DIED = RunInterrupted(reason="its process died")
"""What is written, by `UNDERTAKER`, into a run whose hosts another run takes."""

UNDERTAKER = "runbook"


@dataclass(frozen=True, kw_only=True, slots=True)
class Standing:
    """How a run as a whole stands: all None while it is going on."""

    verdict: Verdict | None = None
    ended_at: float | None = None
    interrupted: str | None = None


@dataclass(kw_only=True, slots=True)
class Tally:
    """What events change in a summary: added up over all of a run, the summary itself.

    `acting` has the hosts whose last fix event was an intent (True) or an end (False), `finished`
    those that got their verdict, `standing` is None where nothing was said about the run as a whole.
    """

    hosts: dict[str, None] = field(default_factory=dict)
    causes: dict[str, None] = field(default_factory=dict)
    acting: dict[str, bool] = field(default_factory=dict)
    finished: dict[str, None] = field(default_factory=dict)
    standing: Standing | None = None

    def add(self, events: Iterable[Event], *, at: float) -> None:
        """Take in events in their order."""
        for event in events:
            self._add(event, at)

    def _add(self, event: Event, at: float) -> None:
        match event:
            case HostJoined():
                self.hosts[event.host] = None
            case StepConcluded() | FixConcluded():
                self._found(event.cause)
                if isinstance(event.next, End):
                    self._found(event.next.cause)
            case CauseFound():
                self._found(event.cause)
            case HostFinished():
                self.finished[event.host] = None
                for cause in event.causes:
                    self._found(cause)
            case FixIntended() | UndoIntended():
                self.acting[event.host] = True
            case FixEnded() | UndoEnded():
                self.acting[event.host] = False
            case RunInterrupted() | RunResumed() | RunFinished():
                self.standing = _standing(event, at)
            case _:
                pass

    def _found(self, cause: str | None) -> None:
        if cause is not None:
            self.causes[cause] = None


def _standing(event: RunInterrupted | RunResumed | RunFinished, at: float) -> Standing:
    match event:
        case RunInterrupted():
            return Standing(interrupted=event.reason)
        case RunResumed():
            return Standing()
        case RunFinished():
            return Standing(verdict=event.verdict, ended_at=at)


def is_of_fix(event: Event) -> bool:
    """Say whether an event is of a fix that was begun, or was about to be."""
    match event:
        case FixIntended() | FixEnded() | FixRechecked() | UndoEnded():
            return True
        case FixConcluded(result=result):
            return result is not FixResult.DECLINED
        case _:
            return False


def check_summary(summary: RunSummary, entries: Iterable[Entry]) -> None:
    """Raise `journal-broken` where a run's summary is not what its entries add up to."""
    tally = Tally()
    started: RunStarted | None = None
    for entry in entries:
        tally.add([entry.event], at=entry.at)
        if started is None and isinstance(entry.event, RunStarted):
            started = entry.event
    standing = tally.standing or Standing()
    told: dict[str, object] = {
        "verdict": standing.verdict,
        "ended_at": standing.ended_at,
        "interrupted": standing.interrupted,
        "hosts": tuple(tally.hosts),
        "causes": tuple(tally.causes),
    }
    if started is not None:
        told |= {
            "runbook": started.runbook,
            "mode": started.mode,
            "pattern": started.pattern,
            "operator": started.operator,
        }
    wrong = [name for name, value in told.items() if getattr(summary, name) != value]
    if wrong:
        raise bad_summary(summary.id, ", ".join(wrong))
