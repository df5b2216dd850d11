"""What a rehearsal consists of, as read from its file."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

from runbook.executor.scripted import ScriptedFix
from runbook.model.definition import CheckResult, Runbook
from runbook.model.event import Mode
from runbook.model.observation import Observation
from runbook.model.verdict import Verdict


@dataclass(frozen=True, kw_only=True, slots=True)
class Outcome:
    """What a host's walk comes to; in an expectation, None means whatever it is.

    `path` are the steps in order, `fixes` each fix tried with its result.
    """

    verdict: Verdict
    causes: tuple[str, ...] | None = None
    path: tuple[str, ...] | None = None
    fixes: tuple[tuple[str, str], ...] | None = None

    def lines(self) -> list[str]:
        """Return it as lines of text, what is None left out."""
        lines = [f"verdict: {self.verdict}"]
        if self.causes is not None:
            lines += ["causes:", *(f"  {cause}" for cause in self.causes)]
        if self.path is not None:
            lines += ["path:", *(f"  {step}" for step in self.path)]
        if self.fixes is not None:
            lines += ["fixes:", *(f"  {fix}: {result}" for fix, result in self.fixes)]
        return lines


@dataclass(frozen=True, kw_only=True, slots=True)
class Actor:
    """One host of a case: what its steps come to, and what its walk has to.

    `looks` and `fixes` are successive outcomes by step id, the last one for ever. A step that is
    not mentioned comes to `unlisted`. `unreachable` is why the host never answers, if it does not.
    """

    expected: Outcome
    looks: Mapping[str, tuple[Observation, ...]] = field(default_factory=dict)
    fixes: Mapping[str, tuple[ScriptedFix, ...]] = field(default_factory=dict)
    unlisted: CheckResult = CheckResult.UNKNOWN
    unreachable: str | None = None


@dataclass(frozen=True, kw_only=True, slots=True)
class Case:
    """One run: its hosts, and the person at it.

    `approved` are the fixes that are approved, None for all; `answers` are those to `ask` and
    `manual` steps, which expire without one.
    """

    title: str
    hosts: Mapping[str, Actor]
    mode: Mode = Mode.RUN
    approved: frozenset[str] | None = None
    answers: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True, kw_only=True, slots=True)
class Rehearsal:
    """The cases of one runbook, and the file they stand in."""

    runbook: Runbook
    path: Path
    cases: tuple[Case, ...]
