"""What happened: the engine's input and the journal's content. All of it is plain data.

Every event but those of the whole run names its host (`host_event`). Folding a run's events in order
gives the state of each host, which is how a run resumes.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import StrEnum

from runbook.model.definition import Json
from runbook.model.host_event import (
    Acted,
    ActivitySeen,
    Answered,
    ByHand,
    CauseFound,
    EvidenceExpired,
    FixApproved,
    FixConcluded,
    FixDeclined,
    FixEnded,
    FixIntended,
    FixRechecked,
    FixVerified,
    HostEvent,
    HostFinished,
    HostJoined,
    LookAgain,
    Observed,
    Reach,
    StepAllowed,
    StepConcluded,
    StepJumped,
    SteppingSet,
    StepSkipped,
    UndoEnded,
    UndoEvent,
    UndoIntended,
    WalkEvent,
)
from runbook.model.observation import Observation, Verification
from runbook.model.sketch import SketchedStep
from runbook.model.slices import Slice
from runbook.model.verdict import Verdict


class Mode(StrEnum):
    """What a run may do: walk read-only, or fix as well."""

    DIAGNOSE = "diagnose"
    RUN = "run"


@dataclass(frozen=True, kw_only=True, slots=True)
class RunStarted:
    """A run began. `closure` is the keyed hash of everything it would execute.

    `title`, `causes` and `steps` (id to title, of steps as written: templates are not rendered) are
    the runbook's own words, and `tree` its decision tree, in the order written: kept here because a
    report is read when the file has long changed.
    """

    runbook: str
    closure: str
    pattern: str
    mode: Mode
    title: str = ""
    causes: Mapping[str, str] = field(default_factory=dict)
    steps: Mapping[str, str] = field(default_factory=dict)
    tree: tuple[SketchedStep, ...] = ()
    inventories: tuple[str, ...] = ()
    settings: Mapping[str, Json] = field(default_factory=dict)
    operator: str = ""


@dataclass(frozen=True, kw_only=True, slots=True)
class RunSliced:
    """The run names more hosts than one process is to see to: from here on its slices are the run.

    `hosts` are those of each slice, in the slices' order. None of them was contacted.
    """

    hosts: tuple[tuple[str, ...], ...]


@dataclass(frozen=True, kw_only=True, slots=True)
class WaveLookBegun:
    """A slice looks again at all hosts of the earlier waves of the fix `step`, for all slices.

    `begun` is how many hosts had the fix then.
    """

    step: str
    begun: int


@dataclass(frozen=True, kw_only=True, slots=True)
class WaveLookEnded:
    """What such a look came to. `unseen` is a host that could not be seen, "" where all were.

    `seen` has the hosts of other slices, as `FixRechecked` has them; those of its own have that.
    """

    step: str
    begun: int
    unseen: str = ""
    seen: Mapping[str, Verification] = field(default_factory=dict)


@dataclass(frozen=True, kw_only=True, slots=True)
class RunInterrupted:
    """The run stopped before its end, by signal or error; it can be resumed."""

    reason: str


@dataclass(frozen=True, kw_only=True, slots=True)
class RunResumed:
    """The run goes on."""

    operator: str = ""


@dataclass(frozen=True, kw_only=True, slots=True)
class RunFinished:
    """All hosts have a verdict."""

    verdict: Verdict


@dataclass(frozen=True, kw_only=True, slots=True)
class Noted:
    """Somebody wrote down a remark while asked about the fix `step` on these hosts."""

    hosts: tuple[str, ...]
    step: str
    text: str
    by: str


@dataclass(frozen=True, kw_only=True, slots=True)
class OwnLook:
    """Somebody asked about the fix `step` looked at the host by a probe of their own.

    `probe` is as they wrote it. `seen` judges nothing: it is `passed` or, where the probe could not
    look, `unknown`.
    """

    host: str
    step: str
    probe: str
    seen: Observation
    by: str


class Delivery(StrEnum):
    """What became of a message: `failed` is tried again, `given_up` is not."""

    DELIVERED = "delivered"
    FAILED = "failed"
    GIVEN_UP = "given_up"


@dataclass(frozen=True, kw_only=True, slots=True)
class Notified:
    """Somebody was told of the run, or could not be; written by whoever tells, also after its end.

    `target` is whom, by the name that the file of notifications has for them, `text` what they were
    told. One `message` may fail first and come to another end after `attempts` tries; `reason` says
    why the last one failed.
    """

    target: str
    message: str
    text: str
    delivery: Delivery
    attempts: int = 1
    reason: str = ""


AsideEvent = Noted | OwnLook | Notified
"""What is done beside deciding, by operators and by who tells people; nothing depends on it."""

Milestone = FixIntended | FixEnded | FixConcluded | FixRechecked | HostFinished | UndoEnded
"""What a host's walk came to, and what became of it: what is looked back at over many runs."""

WaveEvent = WaveLookBegun | WaveLookEnded
"""What the slices of a run tell each other of the waves they begin a fix in."""

RunEvent = RunStarted | Slice | RunSliced | WaveEvent | RunInterrupted | RunResumed | RunFinished
Event = HostEvent | AsideEvent | UndoEvent | RunEvent

__all__ = [
    "Acted",
    "ActivitySeen",
    "Answered",
    "AsideEvent",
    "ByHand",
    "CauseFound",
    "Delivery",
    "Event",
    "EvidenceExpired",
    "FixApproved",
    "FixConcluded",
    "FixDeclined",
    "FixEnded",
    "FixIntended",
    "FixRechecked",
    "FixVerified",
    "HostEvent",
    "HostFinished",
    "HostJoined",
    "LookAgain",
    "Milestone",
    "Mode",
    "Noted",
    "Notified",
    "Observed",
    "OwnLook",
    "Reach",
    "RunEvent",
    "RunFinished",
    "RunInterrupted",
    "RunResumed",
    "RunSliced",
    "RunStarted",
    "StepAllowed",
    "StepConcluded",
    "StepJumped",
    "StepSkipped",
    "SteppingSet",
    "UndoEnded",
    "UndoEvent",
    "UndoIntended",
    "WalkEvent",
    "WaveEvent",
    "WaveLookBegun",
    "WaveLookEnded",
]
