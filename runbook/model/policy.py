"""What may be done without asking: rules, and the guards that hold whatever the rules say.

A policy answers for destructive fixes only; looking is always allowed. Clock times are those of a
named zone, so that "at night" means the same on both sides of a clock change.
"""

from dataclasses import dataclass, field
from datetime import datetime
from enum import StrEnum
from zoneinfo import ZoneInfo

DAY_S = 86400.0


class Permission(StrEnum):
    """What a policy says of a fix: do it, ask a person first, or leave it."""

    AUTO = "auto"
    ASK = "ask"
    DENY = "deny"


class Source(StrEnum):
    """What a run was started by."""

    PERSON = "person"
    SCHEDULE = "schedule"
    ALERT = "alert"
    TRIGGER = "trigger"


@dataclass(frozen=True, kw_only=True, slots=True)
class Window:
    """A recurring span of clock time in `zone`.

    `start` and `end` are minutes since midnight; where `end` is not after `start` the span runs
    over midnight and belongs to the day it begins on. `days` are weekdays, 0 for Monday; none means
    every day.
    """

    start: int
    end: int
    zone: ZoneInfo
    days: frozenset[int] = frozenset()


@dataclass(frozen=True, kw_only=True, slots=True)
class Situation:
    """A fix that is about to be done, as a policy sees it.

    `at` has a time zone. `groups` are all inventory groups of the host. `severity` is the alert's,
    "" where there is none. `verified` is how many times in a row the fix was approved by a person
    and seen to have worked, on those the rule counts by.
    """

    runbook: str
    fix: str
    host: str
    at: datetime
    cause: str = ""
    groups: frozenset[str] = frozenset()
    severity: str = ""
    source: Source = Source.PERSON
    verified: int = 0


@dataclass(frozen=True, kw_only=True, slots=True)
class Rule:
    """Holds where all that it names fits; what it leaves empty fits everything.

    Names are patterns of the shell (`restart_*`). `people` is how many different persons have to
    say yes where the answer is `ask`, `expires_s` for how long they are waited for where nobody
    watches. `autonomy` is after how many fixes in a row that people approved and that were seen to
    have worked `ask` becomes `auto`, on the hosts of each of `groups` by itself; None means never.
    """

    name: str
    permission: Permission
    runbooks: tuple[str, ...] = ()
    fixes: tuple[str, ...] = ()
    causes: tuple[str, ...] = ()
    hosts: tuple[str, ...] = ()
    groups: tuple[str, ...] = ()
    severities: tuple[str, ...] = ()
    sources: tuple[Source, ...] = ()
    windows: tuple[Window, ...] = ()
    people: int = 1
    expires_s: float = DAY_S
    autonomy: int | None = None


class Scope(StrEnum):
    """What a budget counts fixes by."""

    HOST = "host"
    FIX = "fix"
    RUNBOOK = "runbook"
    ALL = "all"


@dataclass(frozen=True, kw_only=True, slots=True)
class Budget:
    """At most `fixes` fixes for each value of `scope` within any span of `within_s` seconds."""

    fixes: int
    scope: Scope
    within_s: float


@dataclass(frozen=True, kw_only=True, slots=True)
class Flapping:
    """A host whose same cause came back `times` times within `within_s` is flapping.

    It is left alone until `quiet_s` seconds have passed without that cause: the hysteresis.
    """

    times: int
    within_s: float
    quiet_s: float


@dataclass(frozen=True, kw_only=True, slots=True)
class Blackout:
    """A span in which nothing destructive is done unattended."""

    name: str
    window: Window


@dataclass(frozen=True, kw_only=True, slots=True)
class Ramp:
    """A fix gets `first` hosts of a run, then twice as many each time all of a wave were helped.

    `pause_s` seconds pass between the end of a wave and the next one. It counts where a run has at
    least `crowd` hosts.
    """

    first: int = 1
    pause_s: float = 0.0
    crowd: int = 5


@dataclass(frozen=True, kw_only=True, slots=True)
class Guards:
    """Limits on unattended fixes, whatever the rules allow; None and empty mean no such limit.

    `cooldown_s` is the least time between two fixes of one step on one host. `failures` fixes
    without success stop the fixes of a run. `healthy_share` is the least share (0 to 1) of a run's
    hosts that must not be in need of a fix or in the midst of one; `shared_cause` the share of a
    run's hosts with one and the same cause from which on it is taken to lie elsewhere. Shares count only
    where a run has at least `crowd` hosts. `ramp` has a fix begin in waves.
    """

    budgets: tuple[Budget, ...] = ()
    cooldown_s: float | None = None
    failures: int | None = None
    healthy_share: float | None = None
    shared_cause: float | None = None
    flapping: Flapping | None = None
    blackouts: tuple[Blackout, ...] = ()
    crowd: int = 5
    ramp: Ramp | None = None


@dataclass(frozen=True, kw_only=True, slots=True)
class Expectation:
    """A line of a policy's own table of tests: in this situation it is to say that."""

    situation: Situation
    permission: Permission
    rule: str | None = None
    line: int = 1


@dataclass(frozen=True, kw_only=True, slots=True)
class Policy:
    """Rules in order, guards, and the policy's own tests.

    `otherwise` is what holds where no rule fits.
    """

    name: str
    rules: tuple[Rule, ...] = ()
    guards: Guards = field(default_factory=Guards)
    tests: tuple[Expectation, ...] = ()
    otherwise: Permission = Permission.DENY


@dataclass(frozen=True, kw_only=True, slots=True)
class Judgement:
    """What a policy says of a situation, and by which rule: None where none fitted.

    Where the rule lets a fix earn its autonomy, `autonomy` is after how many, and `counted` are the
    groups of the host on each of which that is counted ("" stands for all hosts). `earned` says that
    the answer is `auto` for that reason.
    """

    permission: Permission
    rule: str | None
    people: int = 1
    expires_s: float = DAY_S
    autonomy: int | None = None
    counted: tuple[str, ...] = ()
    earned: bool = False


@dataclass(frozen=True, kw_only=True, slots=True)
class PastFix:
    """A fix of the past, and when it began (POSIX seconds).

    `runbook` is "" where it is another one than that of the situation it is held against.
    """

    runbook: str
    fix: str
    host: str
    at: float
    cause: str = ""


@dataclass(frozen=True, kw_only=True, slots=True)
class Tripped:
    """A guard that stands in the way: its name, the figure that tripped it and its limit, in words.

    `until` is the POSIX time from which on it would let the fix pass, None where none can be named.
    """

    guard: str
    figure: str
    until: float | None = None
