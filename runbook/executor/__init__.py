"""Doing what the engine decides: the executor's contract.

An executor takes a request, works in the background, and delivers reports. For every host of a
request exactly one final report arrives before `InvocationEnded`, and nothing after it:
`HostObserved` for an observation, `HostPreviewed` for a preview; for a fix `HostActed`, followed by
`HostVerified` where the action did not fail. What could not be found out is said (`unknown`,
`withheld`), never left out. `tests/contract/` holds every executor to this.
"""

from __future__ import annotations  # As names alone, so that starting Ansible needs no model.

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from typing import TYPE_CHECKING, Protocol

if TYPE_CHECKING:
    from runbook.model.definition import Json, Probe
    from runbook.model.event import Acted
    from runbook.model.observation import Activity, Observation, TaskChange, Texts, Verification


@dataclass(frozen=True, kw_only=True, slots=True)
class ObserveRequest:
    """Look at steps of many hosts in one go.

    `pattern` is an Ansible host pattern. With `joining`, it is the run's target set: the hosts it
    names are reported first (`HostsResolved`) and `steps` are wanted of each. Otherwise `wants`
    says which steps are wanted of which host. `known` are facts seen earlier in the epoch, and the
    operator's answers, by host and step id: data that is never templated. With `activity`, what else
    goes on on the hosts is asked as well, where that costs no round trip of its own. A target set of
    more than `at_most` hosts is only reported, without its params, and none of them is contacted.
    """

    id: str
    pattern: str
    joining: bool = False
    steps: tuple[str, ...] = ()
    wants: Mapping[str, tuple[str, ...]] = field(default_factory=dict)
    known: Mapping[str, Mapping[str, Json]] = field(default_factory=dict)
    activity: bool = False
    at_most: int | None = None


@dataclass(frozen=True, kw_only=True, slots=True)
class FixRequest:
    """Do one fix on a cohort of hosts, and look again."""

    id: str
    fix: str
    hosts: tuple[str, ...]
    known: Mapping[str, Mapping[str, Json]] = field(default_factory=dict)


@dataclass(frozen=True, kw_only=True, slots=True)
class VerifyRequest:
    """Look at the cause and the symptom of a fix, as after it, without doing it."""

    id: str
    fix: str
    hosts: tuple[str, ...]
    known: Mapping[str, Mapping[str, Json]] = field(default_factory=dict)


@dataclass(frozen=True, kw_only=True, slots=True)
class PreviewRequest:
    """Ask Ansible's check mode what a fix would change, or its undo."""

    id: str
    fix: str
    hosts: tuple[str, ...]
    known: Mapping[str, Mapping[str, Json]] = field(default_factory=dict)
    undo: bool = False


@dataclass(frozen=True, kw_only=True, slots=True)
class WatchRequest:
    """Repeat the check of a watch step through its period; reported as `HostObserved`."""

    id: str
    step: str
    hosts: tuple[str, ...]
    known: Mapping[str, Mapping[str, Json]] = field(default_factory=dict)


OWN_LOOK = "own look"
"""What a probe of the operator's own is called; no step can have this id."""


@dataclass(frozen=True, kw_only=True, slots=True)
class LookRequest:
    """Look at hosts by a probe that is none of the runbook's.

    Reported as `HostObserved` with one observation, `OWN_LOOK`, which judges nothing: it is passed,
    or unknown where the probe could not look.
    """

    id: str
    probe: Probe
    hosts: tuple[str, ...]
    known: Mapping[str, Mapping[str, Json]] = field(default_factory=dict)


@dataclass(frozen=True, kw_only=True, slots=True)
class UndoRequest:
    """Run the undo action of a fix; reported as `HostActed`."""

    id: str
    fix: str
    hosts: tuple[str, ...]
    known: Mapping[str, Mapping[str, Json]] = field(default_factory=dict)


Request = (
    ObserveRequest
    | FixRequest
    | VerifyRequest
    | PreviewRequest
    | WatchRequest
    | LookRequest
    | UndoRequest
)


@dataclass(frozen=True, kw_only=True, slots=True)
class ParamProblem:
    """A parameter whose value, rendered for this host, is missing or of the wrong type."""

    host: str
    param: str
    message: str


@dataclass(frozen=True, kw_only=True, slots=True)
class HostsResolved:
    """The target set, with each host's params (secrets masked) and what is wrong with them.

    `groups` are all inventory groups of each host, in order of their names, without `all`.
    `typed` are the hosts of which the inventory wants a name typed before a fix. Of more hosts than
    were wanted there are only the names.
    """

    request: str
    hosts: tuple[str, ...]
    params: Mapping[str, Mapping[str, Json]] = field(default_factory=dict)
    groups: Mapping[str, tuple[str, ...]] = field(default_factory=dict)
    problems: tuple[ParamProblem, ...] = ()
    typed: frozenset[str] = frozenset()


@dataclass(frozen=True, kw_only=True, slots=True)
class HostObserved:
    """Everything that was wanted of this host, with texts of steps rendered for it.

    `activity` is what else goes on there, None where nobody asked or looked.
    """

    request: str
    host: str
    observations: Mapping[str, Observation]
    texts: Mapping[str, Texts] = field(default_factory=dict)
    activity: Activity | None = None


@dataclass(frozen=True, kw_only=True, slots=True)
class HostActed:
    """The action of a fix is over on this host."""

    request: str
    host: str
    acted: Acted
    changes: tuple[TaskChange, ...] = ()
    reason: str | None = None


@dataclass(frozen=True, kw_only=True, slots=True)
class HostVerified:
    """The host was looked at after the fix."""

    request: str
    host: str
    verification: Verification


@dataclass(frozen=True, kw_only=True, slots=True)
class HostPreviewed:
    """What Ansible predicts: a change for each task; `skipped` ones could not be predicted.

    `failed` says why check mode itself failed, if it did.
    """

    request: str
    host: str
    changes: tuple[TaskChange, ...]
    failed: str | None = None


@dataclass(frozen=True, kw_only=True, slots=True)
class Progress:
    """Something is going on; for the eye only, as hosts can forge it."""

    request: str
    host: str | None
    text: str


class Ending(StrEnum):
    """How an invocation ended as a process."""

    COMPLETED = "completed"
    TIMED_OUT = "timed_out"
    CANCELLED = "cancelled"
    BROKEN = "broken"


@dataclass(frozen=True, kw_only=True, slots=True)
class InvocationEnded:
    """Nothing more comes of this request. `reason` says what is wrong where it is BROKEN."""

    request: str
    ending: Ending
    reason: str | None = None


Report = (
    HostsResolved
    | HostObserved
    | HostActed
    | HostVerified
    | HostPreviewed
    | Progress
    | InvocationEnded
)
Deliver = Callable[[Report], None]


class Invocation(Protocol):
    """A request under way."""

    def cancel(self) -> None:
        """Stop it as soon as possible; reports still arrive as promised."""

    def wait(self, timeout_s: float | None = None) -> bool:
        """Wait until `InvocationEnded` has been delivered; say whether it has."""


class Executor(Protocol):
    """Starts requests; any number may be under way at once, `deliver` is called from any thread."""

    def start(self, request: Request, deliver: Deliver) -> Invocation:
        """Begin, and return at once."""

    def orphan(self, invocation: str) -> bool:
        """Say whether an invocation of an earlier process of ours is still at work."""
