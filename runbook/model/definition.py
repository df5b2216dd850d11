"""What a runbook says: parameters, causes and steps, as parsed and linked.

Step ids of a runbook joined by `call` are qualified with the calling step: `deploy/imports` is the
step `imports` of the runbook that the step `deploy` calls. `Step.scope` is that prefix ("" at the
top); conditions and templates of a step see the steps of their own scope under their short names.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Any

from runbook.errors import Location
from runbook.model.verdict import Verdict

Json = Any
"""What JSON can hold. Ansible content may hold tagged YAML nodes (`!vault`, `!unsafe`) instead."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Goto:
    """Go on at the step with this (qualified) id."""

    step: str


@dataclass(frozen=True, kw_only=True, slots=True)
class End:
    """Close the path with a verdict, naming the cause where one was found."""

    verdict: Verdict
    cause: str | None = None


Target = Goto | End


@dataclass(frozen=True, kw_only=True, slots=True)
class Param:
    """A typed input. `schema` is a JSON Schema of its value; `required` means it has no default."""

    name: str
    schema: Mapping[str, Json]
    default: Json = None
    required: bool = True
    secret: bool = False
    title: str = ""
    where: Location | None = None


@dataclass(frozen=True, kw_only=True, slots=True)
class Cause:
    """A fault a runbook can find. `likelihood` is its declared share of incidents, 0 to 1."""

    id: str
    title: str
    likelihood: float | None = None


@dataclass(frozen=True, kw_only=True, slots=True)
class Probe:
    """A built-in read: `type` names it, `arguments` are templated on the host's behalf.

    `acting_as` is the user to look as, `origin` where to look from: "host" (the target itself),
    "controller", or the inventory name of another host. `timeout_s` bounds one look.
    """

    type: str
    arguments: Mapping[str, Json]
    acting_as: str | None = None
    origin: str = "host"
    timeout_s: float = 10.0


@dataclass(frozen=True, kw_only=True, slots=True)
class AnsibleTask:
    """An Ansible task as its author wrote it; never interpreted here."""

    body: Mapping[str, Json]


@dataclass(frozen=True, kw_only=True, slots=True)
class AnsibleTasks:
    """A list of Ansible tasks, run in order."""

    bodies: tuple[Mapping[str, Json], ...]


@dataclass(frozen=True, kw_only=True, slots=True)
class AnsibleRole:
    """An Ansible role with its variables; `tasks_from` as in `import_role`."""

    name: str
    variables: Mapping[str, Json] = field(default_factory=dict)
    tasks_from: str | None = None


Action = AnsibleTasks | AnsibleRole


class CheckResult(StrEnum):
    """What a check came to. `unknown` means it could not look; never read it as either other."""

    PASSED = "passed"
    FAILED = "failed"
    UNKNOWN = "unknown"


class FixResult(StrEnum):
    """What a fix came to, judged by looking again; `failed` and `unknown` speak of the action."""

    RESOLVED = "resolved"
    CAUSE_REMOVED = "cause_removed"
    RECURRED = "recurred"
    NO_EFFECT = "no_effect"
    FAILED = "failed"
    UNKNOWN = "unknown"
    DECLINED = "declined"


@dataclass(frozen=True, kw_only=True, slots=True)
class StepBase:
    """What every step has.

    `max_visits` bounds how often one walk (an epoch) may arrive here; for a fix, how often it may
    be done in a run. `needs` are the ids of steps whose results its templates and conditions use.
    """

    id: str
    title: str
    scope: str = ""
    max_visits: int = 1
    needs: tuple[str, ...] = ()
    where: Location | None = None
    help: str = ""


@dataclass(frozen=True, kw_only=True, slots=True)
class Check(StepBase):
    """A read-only step: a probe with a condition, or an Ansible task in check mode.

    `passes` is an Ansible conditional over the step's own id and other variables. `effect` says
    what looking does to the host where it is not nothing; such a check is never run ahead of need,
    nor is a `lazy` one. `cause` is concluded when the check fails.
    """

    look: Probe | AnsibleTask
    next: Mapping[CheckResult, Target]
    passes: str | None = None
    lazy: bool = False
    effect: str | None = None
    cause: str | None = None

    @property
    def ahead_of_need(self) -> bool:
        """Whether it may run before the walk has reached it."""
        return not self.lazy and self.effect is None


@dataclass(frozen=True, kw_only=True, slots=True)
class Case:
    """One arm of a branch: an Ansible conditional and where to go when it holds."""

    when: str
    next: Target


@dataclass(frozen=True, kw_only=True, slots=True)
class Branch(StepBase):
    """The first case that holds is taken; an unknown condition before that goes to `unknown`."""

    cases: tuple[Case, ...]
    otherwise: Target
    unknown: Target


@dataclass(frozen=True, kw_only=True, slots=True)
class Verify:
    """How a fix is judged.

    `cause` and `symptom` are check ids; both must pass within `within_s` seconds, sampled each
    `every_s`, and then stay passed through `hold_s` seconds.
    """

    symptom: str
    cause: str | None = None
    within_s: float = 30.0
    hold_s: float = 0.0
    every_s: float = 1.0


@dataclass(frozen=True, kw_only=True, slots=True)
class Fix(StepBase):
    """A step that changes a host, followed by its verification. `timeout_s` bounds the action."""

    action: Action
    verify: Verify
    next: Mapping[FixResult, Target]
    cause: str | None = None
    impact: str = ""
    destructive: bool = True
    undo: Action | None = None
    affects: tuple[str, ...] = ()
    facts: bool = False
    timeout_s: float = 600.0


@dataclass(frozen=True, kw_only=True, slots=True)
class Choice:
    """One answer to a question."""

    id: str
    title: str
    next: Target
    help: str = ""


@dataclass(frozen=True, kw_only=True, slots=True)
class Expiry:
    """Where a wait for a person ends, `after_s` seconds from its start."""

    after_s: float
    next: Target


@dataclass(frozen=True, kw_only=True, slots=True)
class Ask(StepBase):
    """A question to the operator; `ID.choice` is the answer in later conditions."""

    choices: tuple[Choice, ...]
    expires: Expiry


@dataclass(frozen=True, kw_only=True, slots=True)
class Manual(StepBase):
    """An instruction a person carries out and confirms; `commands` can be copied."""

    instruction: str
    commands: tuple[str, ...]
    done: Target
    not_done: Target
    expires: Expiry


@dataclass(frozen=True, kw_only=True, slots=True)
class Watch(StepBase):
    """Repeat a check for `for_s` seconds, each `every_s`: does it hold all the time."""

    check: str
    for_s: float
    every_s: float
    next: Mapping[CheckResult, Target]


@dataclass(frozen=True, kw_only=True, slots=True)
class Collect(StepBase):
    """Gather a bundle of evidence, by probes that do not judge."""

    probes: Mapping[str, Probe]
    next: Target


Step = Check | Branch | Fix | Ask | Manual | Watch | Collect


class StepKind(StrEnum):
    """The words of the language for kinds of steps; `call` is gone once a runbook is linked."""

    CHECK = "check"
    FIX = "fix"
    BRANCH = "branch"
    ASK = "ask"
    MANUAL = "manual"
    WATCH = "watch"
    COLLECT = "collect"
    CALL = "call"


@dataclass(frozen=True, kw_only=True, slots=True)
class Scope:
    """The names a called runbook sees: its own params, given as templates by the caller.

    `arguments` are rendered in the caller's scope (`parent`); `params` are the called runbook's. With
    `inherits` a host's own variables give what no argument does, before the defaults of `params`.
    """

    prefix: str
    runbook: str
    parent: str | None = None
    params: Mapping[str, Param] = field(default_factory=dict)
    arguments: Mapping[str, Json] = field(default_factory=dict)
    inherits: bool = False


@dataclass(frozen=True, kw_only=True, slots=True)
class Runbook:
    """A linked runbook: a flat graph of steps in the order written, calls already expanded.

    `steps` keeps order; `start` is the id of the first. `sources` are the files it was read from,
    `folder` the one that Ansible content (templates, roles) is relative to; `called_folders` are those
    of runbooks it calls that lie elsewhere.
    """

    name: str
    title: str
    start: str
    steps: Mapping[str, Step]
    params: Mapping[str, Param] = field(default_factory=dict)
    causes: Mapping[str, Cause] = field(default_factory=dict)
    scopes: Mapping[str, Scope] = field(default_factory=dict)
    symptoms: tuple[str, ...] = ()
    description: str = ""
    folder: str = "."
    called_folders: tuple[str, ...] = ()
    sources: tuple[str, ...] = ()
    evidence_max_age_s: float = 60.0
