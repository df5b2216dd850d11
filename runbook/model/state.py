"""Where one host's walk stands: the fold of its events."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import StrEnum

from runbook.model.definition import Json
from runbook.model.event import Acted, FixApproved, FixDeclined, FixEnded, FixVerified
from runbook.model.observation import Activity, Observation, Texts
from runbook.model.verdict import Verdict


@dataclass(frozen=True, kw_only=True, slots=True)
class Visit:
    """One step passed, with its result, in an epoch (0 is before any fix).

    `reason` is why: of an observation, a fix's conclusion, a refusal. `by_hand` says that a person
    had the walk go on from there: nobody looked, and `result` is what they said instead.
    """

    step: str
    result: str
    epoch: int
    reason: str | None = None
    by_hand: bool = False


@dataclass(frozen=True, kw_only=True, slots=True)
class FoundCause:
    """A cause concluded, with the step that found it and what was seen."""

    cause: str
    step: str
    epoch: int
    evidence: Observation | None = None


@dataclass(frozen=True, kw_only=True, slots=True)
class FixRecord:
    """One fix done, or begun, on this host.

    `result` is a `FixResult`, unknown until it is concluded. `verified` says that the result was
    seen by looking again, `acted` what the action itself reported.
    """

    step: str
    attempt: int
    result: str
    verified: bool
    acted: Acted = Acted.UNKNOWN


class FixPhase(StrEnum):
    """How far the fix at the current position has come."""

    NONE = "none"
    APPROVED = "approved"
    DECLINED = "declined"
    INTENDED = "intended"
    ENDED = "ended"
    VERIFIED = "verified"


@dataclass(frozen=True, kw_only=True, slots=True)
class FixProgress:
    """The fix at the current position; the events it has seen so far."""

    phase: FixPhase = FixPhase.NONE
    approval: FixApproved | None = None
    refusal: FixDeclined | None = None
    ended: FixEnded | None = None
    verified: FixVerified | None = None


@dataclass(frozen=True, kw_only=True, slots=True)
class Approval:
    """A standing yes: it holds while the walk finds the same results again."""

    step: str
    walked: tuple[tuple[str, str], ...]
    event: FixApproved


@dataclass(frozen=True, kw_only=True, slots=True)
class Refusal:
    """A standing no: who declined is not asked again while the walk finds the same results."""

    step: str
    walked: tuple[tuple[str, str], ...]
    event: FixDeclined


@dataclass(frozen=True, kw_only=True, slots=True)
class HostState:
    """One host's walk.

    `position` is the step it stands at (None once a target has closed the path), `origin` the one
    where its epoch began. `typed` says that its name, or a group's, has to be typed before a fix.
    `known` are the observations of this epoch that still count, `path` all steps passed in the
    whole run. `visits` counts arrivals at each step in this epoch; `attempts` counts concluded
    tries of each fix in the run, interrupted ones left out. `answers` are those of people to `ask`
    and `manual` steps, `activity` is what else was seen to go on before the first fix. `expiries`
    counts how often evidence grew old since somebody last answered or a fix acted. While
    `stepping`, a person is asked before each step: `allowed` says that they said yes to the one at
    the position, `retraced` are those they said yes to before what was seen there grew old.
    `fault_seen` says that a check or watch failed, or a cause was found, on the path. `closing` is
    the verdict the path reached, `verdict` the one declared finished.
    """

    host: str
    position: str | None
    origin: str
    epoch: int = 0
    params: Mapping[str, Json] = field(default_factory=dict)
    groups: tuple[str, ...] = ()
    typed: bool = False
    known: Mapping[str, Observation] = field(default_factory=dict)
    answers: Mapping[str, str] = field(default_factory=dict)
    texts: Mapping[str, Texts] = field(default_factory=dict)
    visits: Mapping[str, int] = field(default_factory=dict)
    attempts: Mapping[str, int] = field(default_factory=dict)
    path: tuple[Visit, ...] = ()
    causes: tuple[FoundCause, ...] = ()
    fixes: tuple[FixRecord, ...] = ()
    fix: FixProgress = field(default_factory=FixProgress)
    approval: Approval | None = None
    refusals: tuple[Refusal, ...] = ()
    expiries: int = 0
    stepping: bool = False
    allowed: bool = False
    retraced: frozenset[str] = frozenset()
    activity: Activity | None = None
    fault_seen: bool = False
    closing: Verdict | None = None
    verdict: Verdict | None = None
    reason: str | None = None

    @property
    def walked(self) -> tuple[tuple[str, str], ...]:
        """Steps passed in this epoch with their results: what an approval is bound to."""
        return tuple((visit.step, visit.result) for visit in self.path if visit.epoch == self.epoch)

    @property
    def acting(self) -> bool:
        """Whether a fix has begun whose end is not recorded."""
        return self.fix.phase is FixPhase.INTENDED


__all__ = [
    "Approval",
    "FixPhase",
    "FixProgress",
    "FixRecord",
    "FoundCause",
    "HostState",
    "Refusal",
    "Visit",
]
