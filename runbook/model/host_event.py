"""What happened on a host: the engine's input, an event after the other. All of it is plain data.

Folding a host's events in order gives the state of its walk (`engine.evolve`).
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import StrEnum

from runbook.model.definition import End, FixResult, Goto, Json
from runbook.model.observation import Activity, Observation, TaskChange, Texts, Verification
from runbook.model.verdict import Verdict


@dataclass(frozen=True, kw_only=True, slots=True)
class HostJoined:
    """A host of the target set, with its params as rendered (secrets masked) and its groups.

    `typed` says that its name, or that of one of its groups, has to be typed before a fix.
    """

    host: str
    params: Mapping[str, Json] = field(default_factory=dict)
    groups: tuple[str, ...] = ()
    typed: bool = False


@dataclass(frozen=True, kw_only=True, slots=True)
class Observed:
    """Results of looking at a host in its current epoch, for any number of steps."""

    host: str
    observations: Mapping[str, Observation]
    texts: Mapping[str, Texts] = field(default_factory=dict)


@dataclass(frozen=True, kw_only=True, slots=True)
class ActivitySeen:
    """Before the first fix on a host, somebody looked at what else goes on there."""

    host: str
    activity: Activity


@dataclass(frozen=True, kw_only=True, slots=True)
class StepConcluded:
    """The walk passed a step that changes nothing: its result, and where it goes from there.

    `result` is passed, failed or unknown for a check and a watch; `case N` (from 1), otherwise or
    unknown for a branch; passed or unknown for a collect; the choice's id or expired for an ask;
    done, not_done or expired for a manual. `cause` is the one a failed check names.
    """

    host: str
    step: str
    result: str
    next: Goto | End
    cause: str | None = None
    evidence: Observation | None = None


@dataclass(frozen=True, kw_only=True, slots=True)
class CauseFound:
    """The walk has come to the fix `step`, so its cause is concluded.

    `evidence` is the failed look that speaks for it: that of the fix's `verify.cause`, else of the
    last check that failed in this epoch.
    """

    host: str
    step: str
    cause: str
    evidence: Observation | None = None


@dataclass(frozen=True, kw_only=True, slots=True)
class EvidenceExpired:
    """What was seen is too old to act upon with the fix `step`; `age_s` is how old.

    Below zero the clock was set back meanwhile, so that nobody knows how old it is.
    The host is observed again from where its epoch began: the start, or where a fix sent it. What
    people said meanwhile (approval, refusals, answers) stands.
    """

    host: str
    step: str
    age_s: float


@dataclass(frozen=True, kw_only=True, slots=True)
class LookAgain:
    """Whoever was asked about the fix `step` wants the host looked at again before deciding.

    So is a host whose walk was suspended at a fix or a question. As where evidence has expired, but
    for the limit to that. At an instruction it only wakes the walk: whether it was carried out is
    asked before anything is looked at.
    """

    host: str
    step: str
    by: str


@dataclass(frozen=True, kw_only=True, slots=True)
class FixApproved:
    """Somebody said yes to this fix on this host; `digest` binds it to closure and evidence."""

    host: str
    step: str
    by: str
    digest: str
    reason: str = ""


class Reach(StrEnum):
    """What else of a run a no is for: nothing, hosts that come to this fix later, or every fix."""

    HOST = "host"
    FIX = "fix"
    RUN = "run"


@dataclass(frozen=True, kw_only=True, slots=True)
class FixDeclined:
    """Somebody, or the lack of anybody to ask, said no.

    `guard` names the limit of the policy that stood in the way, "" where none did.
    `reach` is how far they want it to go: whoever it covers later in the run is not asked about.
    """

    host: str
    step: str
    by: str
    reason: str = ""
    guard: str = ""
    reach: Reach = Reach.HOST


@dataclass(frozen=True, kw_only=True, slots=True)
class FixIntended:
    """Written and synced before the fix starts; without its end, nobody knows what it did."""

    host: str
    step: str
    attempt: int
    invocation: str


class Acted(StrEnum):
    """What the action itself reported, which proves nothing about the fault.

    `withheld`: it never began on this host (lease held by another run, unreachable at the start).
    """

    CHANGED = "changed"
    UNCHANGED = "unchanged"
    FAILED = "failed"
    WITHHELD = "withheld"
    UNKNOWN = "unknown"


@dataclass(frozen=True, kw_only=True, slots=True)
class FixEnded:
    """The action is over.

    `interrupted` is true where the end was not seen by the one who began it.
    """

    host: str
    step: str
    acted: Acted
    changes: tuple[TaskChange, ...] = ()
    reason: str | None = None
    interrupted: bool = False


@dataclass(frozen=True, kw_only=True, slots=True)
class FixVerified:
    """The host was looked at again after a fix."""

    host: str
    step: str
    verification: Verification


@dataclass(frozen=True, kw_only=True, slots=True)
class FixRechecked:
    """A host whose walk is over was looked at again, before the next wave of hosts got the fix.

    The result is `resolved` where the fix still holds, `recurred` where it does not, which is not
    the host's end: a `HostFinished` with its new verdict follows. `unknown` changes nothing.
    """

    host: str
    step: str
    verification: Verification


@dataclass(frozen=True, kw_only=True, slots=True)
class FixConcluded:
    """The walk goes on from a fix. It ends the epoch unless the fix was declined or withheld.

    `cause` is the one the fix is for.
    """

    host: str
    step: str
    result: FixResult
    next: Goto | End
    reason: str | None = None
    cause: str | None = None


@dataclass(frozen=True, kw_only=True, slots=True)
class Answered:
    """The operator's answer to `ask` (a choice id), `manual` (done, not_done); or `expired`.

    `title` is what the choice was called when it was made, "" where nothing was chosen.
    """

    host: str
    step: str
    answer: str
    by: str
    note: str = ""
    title: str = ""


@dataclass(frozen=True, kw_only=True, slots=True)
class SteppingSet:
    """From here on a person is asked before each step of this host's walk, or no longer."""

    host: str
    on: bool
    by: str


@dataclass(frozen=True, kw_only=True, slots=True)
class StepAllowed:
    """Somebody let a step be done, of a walk that asks before each."""

    host: str
    step: str
    by: str


@dataclass(frozen=True, kw_only=True, slots=True)
class StepSkipped:
    """Somebody had the walk go on as if a step had come to `result`; nothing was seen of it."""

    host: str
    step: str
    result: str
    next: Goto | End
    by: str
    reason: str = ""


@dataclass(frozen=True, kw_only=True, slots=True)
class StepJumped:
    """Somebody had the walk leave `step` and begin anew at `to`: what was seen counts no more."""

    host: str
    step: str
    to: str
    by: str
    reason: str = ""


@dataclass(frozen=True, kw_only=True, slots=True)
class UndoIntended:
    """Written and synced before the undo of a fix starts, after the run itself is over."""

    host: str
    step: str
    invocation: str
    by: str
    reason: str = ""


@dataclass(frozen=True, kw_only=True, slots=True)
class UndoEnded:
    """The undo of a fix is over; `observations` are the looks at its cause and symptom after it."""

    host: str
    step: str
    acted: Acted
    changes: tuple[TaskChange, ...] = ()
    reason: str | None = None
    observations: Mapping[str, Observation] = field(default_factory=dict)


@dataclass(frozen=True, kw_only=True, slots=True)
class HostFinished:
    """The host's walk is over. `causes` are all that were found on it, in order."""

    host: str
    verdict: Verdict
    reason: str | None = None
    causes: tuple[str, ...] = ()


ByHand = SteppingSet | StepAllowed | StepSkipped | StepJumped
"""What a person does with a walk that asks before each step."""

WalkEvent = (
    HostJoined
    | Observed
    | ActivitySeen
    | StepConcluded
    | CauseFound
    | EvidenceExpired
    | LookAgain
    | FixApproved
    | FixDeclined
    | FixIntended
    | FixEnded
    | FixVerified
    | FixRechecked
    | FixConcluded
    | Answered
    | HostFinished
)
HostEvent = WalkEvent | ByHand
UndoEvent = UndoIntended | UndoEnded
"""What happens to a host after its walk; the walk's state does not depend on it."""
