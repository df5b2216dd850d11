"""What was seen on a host, masked, and what it was judged to mean."""

from collections.abc import Mapping
from dataclasses import dataclass, field

from runbook.model.definition import CheckResult, FixResult, Json


@dataclass(frozen=True, kw_only=True, slots=True)
class Observation:
    """One look at one host.

    For a check, `result` is its judgement and `facts` what the probe answered or the task would
    change. For a branch, `facts` is `{"cases": ["true" | "false" | "unknown", …]}` and `result` is
    passed. For a collect step, `facts` maps each probe's name to its answer. `reason` says why a
    result is unknown or what a task would change. `expected` is the condition in words.
    `seen_at` is POSIX seconds; `took_s` seconds.
    """

    result: CheckResult
    facts: Mapping[str, Json] = field(default_factory=dict)
    reason: str | None = None
    expected: str | None = None
    seen_at: float = 0.0
    took_s: float = 0.0


@dataclass(frozen=True, kw_only=True, slots=True)
class Activity:
    """What else goes on on a host that is about to be changed.

    `facts` are those of the probe `activity`, none where it could not look, which `reason` says.
    `blocking` are the kinds of collisions that the inventory lets block a fix, None where it leaves
    that to the settings. `seen_at` is POSIX seconds.
    """

    facts: Mapping[str, Json] = field(default_factory=dict)
    reason: str | None = None
    blocking: tuple[str, ...] | None = None
    seen_at: float = 0.0


@dataclass(frozen=True, kw_only=True, slots=True)
class TaskChange:
    """What one Ansible task of a fix did on a host; `status` is ok, changed, failed or skipped.

    `rendered` is its module with the arguments as they came to this host, as YAML: of a prediction
    only, "" where it is not known.
    """

    name: str
    status: str
    message: str = ""
    diff: str = ""
    rendered: str = ""


@dataclass(frozen=True, kw_only=True, slots=True)
class Verification:
    """The judgement after a fix, with the last looks at the cause and the symptom."""

    result: FixResult
    observations: Mapping[str, Observation] = field(default_factory=dict)
    reason: str | None = None
    took_s: float = 0.0


@dataclass(frozen=True, kw_only=True, slots=True)
class Texts:
    """A step's texts as rendered for one host; those that its kind of step has.

    `instruction` and `commands` are what a person is told to do by hand. `choices` are the titles of
    a question's choices, in their order, `helps` what explains each.
    """

    title: str
    impact: str = ""
    instruction: str = ""
    commands: tuple[str, ...] = ()
    choices: tuple[str, ...] = ()
    helps: tuple[str, ...] = ()
