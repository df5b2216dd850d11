"""What to do next for one host. The engine says it; the driver does it."""

from dataclasses import dataclass

from runbook.model.event import CauseFound, FixConcluded, HostFinished, StepConcluded


@dataclass(frozen=True, kw_only=True, slots=True)
class Record:
    """Nothing has to be done but to write this event down."""

    event: StepConcluded | CauseFound | FixConcluded | HostFinished


@dataclass(frozen=True, kw_only=True, slots=True)
class Observe:
    """Look at these steps (checks, branches, one collect), all in one go.

    A step comes after those of the set whose results it uses. One of them is the step the walk
    stands at, unless that is a fix, a question or a watch which uses results nobody has seen in
    this epoch; all others are free of effects and looked at ahead of need.
    """

    steps: tuple[str, ...]


@dataclass(frozen=True, kw_only=True, slots=True)
class RequestApproval:
    """Ask whether this fix may be done."""

    fix: str


@dataclass(frozen=True, kw_only=True, slots=True)
class StartFix:
    """Journal the intent, do the fix, look again. `attempt` counts its intents in the run, from 1."""

    fix: str
    attempt: int


@dataclass(frozen=True, kw_only=True, slots=True)
class AwaitFix:
    """A fix has begun and its end is not recorded: wait for it, or find out after a crash."""

    fix: str


@dataclass(frozen=True, kw_only=True, slots=True)
class VerifyFix:
    """The action is over, its effect unseen: look."""

    fix: str


@dataclass(frozen=True, kw_only=True, slots=True)
class AskOperator:
    """Put an `ask` or `manual` step to the operator."""

    step: str


@dataclass(frozen=True, kw_only=True, slots=True)
class AskStep:
    """Ask a person whether to go on with the step the walk stands at.

    `looks` are the steps that would be looked at then, in one go; `result` is the step's own where
    it is known already, "" where it is not.
    """

    step: str
    looks: tuple[str, ...] = ()
    result: str = ""


@dataclass(frozen=True, kw_only=True, slots=True)
class WatchCheck:
    """Repeat a watch step's check through its period."""

    step: str


@dataclass(frozen=True, kw_only=True, slots=True)
class Done:
    """The host has its verdict."""


Decision = (
    Record
    | Observe
    | RequestApproval
    | StartFix
    | AwaitFix
    | VerifyFix
    | AskOperator
    | AskStep
    | WatchCheck
    | Done
)
