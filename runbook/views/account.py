"""What a report tells of a run: each host's path, causes and repairs, and a timeline."""

from collections.abc import Mapping
from dataclasses import dataclass

from runbook.journal import RunSummary
from runbook.model.definition import CheckResult, End, FixResult, Goto, Json
from runbook.model.event import Answered, FixApproved, FixDeclined, FixEnded, Notified
from runbook.model.observation import Observation, Texts, Verification
from runbook.model.sketch import SketchedStep
from runbook.model.verdict import Verdict
from runbook.views.evidence import bundle_of


@dataclass(frozen=True, kw_only=True, slots=True)
class Passed:
    """One step of the path: its result, why, and where it led.

    `answer` is a person's; `told` is what they were told to do by hand, as rendered for the host.
    """

    step: str
    title: str
    result: str
    at: float
    next: Goto | End
    evidence: Observation | None = None
    reason: str | None = None
    answer: Answered | None = None
    told: Texts | None = None

    @property
    def bundle(self) -> Mapping[str, Json]:
        """The answers that a collect step gathered, by the names of its probes."""
        return {} if self.evidence is None else bundle_of(self.evidence)


@dataclass(frozen=True, kw_only=True, slots=True)
class Cause:
    """A cause, with the step that found it first and what was seen there.

    Where a branch found it, that is the last check that failed before.
    """

    id: str
    title: str
    step: str
    at: float
    evidence: Observation | None = None


@dataclass(frozen=True, kw_only=True, slots=True)
class Repair:
    """A fix that was done, or begun.

    `outcome` is unknown until it was concluded; `verified` says that looking again showed it.
    """

    step: str
    title: str
    impact: str
    attempt: int
    begun_at: float
    approval: FixApproved | None = None
    ended: FixEnded | None = None
    verification: Verification | None = None
    outcome: FixResult = FixResult.UNKNOWN
    verified: bool = False
    reason: str | None = None


@dataclass(frozen=True, kw_only=True, slots=True)
class Moment:
    """A line of the timeline; `host` is empty where it is about the whole run."""

    at: float
    who: str
    host: str
    text: str


@dataclass(frozen=True, kw_only=True, slots=True)
class Notice:
    """A message to somebody about the run: what has become of it, and since when."""

    at: float
    said: Notified


@dataclass(frozen=True, kw_only=True, slots=True)
class HostAccount:
    """One host's walk. `verdict` is None while it has none.

    `titles` are those of steps by id: as rendered for the host, else as written. `also_here` is what
    else was seen to go on there before its first fix.
    """

    host: str
    params: Mapping[str, Json]
    verdict: Verdict | None
    reason: str | None
    path: tuple[Passed, ...]
    causes: tuple[Cause, ...]
    repairs: tuple[Repair, ...]
    refusals: tuple[FixDeclined, ...]
    titles: Mapping[str, str]
    also_here: tuple[str, ...] = ()

    @property
    def uneventful(self) -> bool:
        """Whether it was healthy at first sight, so that there is nothing to tell of its path."""
        return (
            self.verdict is Verdict.HEALTHY
            and not (self.causes or self.repairs)
            and len(self.path) <= 1
            and all(step.result == CheckResult.PASSED.value for step in self.path)
            and not any(step.bundle for step in self.path)
        )


@dataclass(frozen=True, kw_only=True, slots=True)
class RunAccount:
    """A whole run. `took_s` is seconds to its end, or to the last entry while there is none.

    `tree` is the runbook's decision tree as it was, `titles` those of its steps as written; both
    are empty for runs that did not write them down. `notices` are in the order of their first try.
    """

    summary: RunSummary
    title: str
    tree: tuple[SketchedStep, ...]
    titles: Mapping[str, str]
    verdict: Verdict
    finished: bool
    interrupted: str | None
    took_s: float
    entries: int
    head: str
    hosts: Mapping[str, HostAccount]
    moments: tuple[Moment, ...]
    notices: tuple[Notice, ...] = ()

    @property
    def unfinished(self) -> str:
        """Why a host has no verdict."""
        if self.interrupted:
            return f"the run stopped: {self.interrupted}"
        return "the run ended before" if self.finished else "the run has not ended"
