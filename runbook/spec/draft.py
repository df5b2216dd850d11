"""One runbook file as parsed, before the runbooks it calls are joined to it."""

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field

from runbook.model.definition import (
    Ask,
    Branch,
    Cause,
    Check,
    Collect,
    End,
    Fix,
    Goto,
    Json,
    Manual,
    Param,
    Step,
    StepBase,
    StepKind,
    Target,
    Watch,
)
from runbook.model.verdict import Verdict
from runbook.spec.document import Document, Path

RESULT_KINDS = frozenset({StepKind.ASK, StepKind.CHECK, StepKind.COLLECT, StepKind.WATCH})
"""Steps whose ids are variables in conditions and templates behind them."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Call(StepBase):
    """A step that walks another runbook; gone once linked. `next` misses verdicts that end alike.

    `max_visits` is that of the called runbook's first step.
    """

    runbook: str
    arguments: Mapping[str, Json]
    next: Mapping[Verdict, Target]


@dataclass(frozen=True, kw_only=True, slots=True, eq=False)
class DraftStep:
    """A step with unqualified ids, and where in the document it was written.

    It is itself and no other, however equal, so that what was found out of it can be remembered.
    """

    id: str | None
    kind: StepKind | None
    path: Path
    raw: Mapping[str, Json]
    step: Step | Call | None = None

    @property
    def bounded(self) -> bool:
        """Whether its author said how often the walk may come here."""
        return "max_visits" in self.raw


@dataclass(frozen=True, kw_only=True, slots=True)
class Edge:
    """One way out of a step: under which result, where to, and where that was written.

    `named` is true where the author wrote this result by name, not as one target for all.
    """

    result: str
    target: Target
    path: Path
    named: bool = False


@dataclass(frozen=True, kw_only=True, slots=True)
class Draft:
    """One runbook file. `steps` keeps the order written; broken ones have no `step`."""

    document: Document
    name: str
    title: str
    description: str = ""
    symptoms: tuple[str, ...] = ()
    params: Mapping[str, Param] = field(default_factory=dict)
    causes: Mapping[str, Cause] = field(default_factory=dict)
    steps: tuple[DraftStep, ...] = ()
    evidence_max_age_s: float = 60.0

    @property
    def sound(self) -> Iterator[tuple[DraftStep, Step | Call]]:
        """The steps whose shape is right."""
        for written in self.steps:
            if written.step is not None:
                yield written, written.step

    @property
    def broken(self) -> bool:
        """Whether any step's shape is wrong, so that nothing can be said of the whole graph."""
        return any(written.step is None for written in self.steps)


def edges(written: DraftStep) -> list[Edge]:
    """Return the ways out of a step, also those that nobody wrote but the language supplies.

    Of a broken step, these are the targets that can be told from its text.
    """
    base = written.path
    below = written.raw.get("next")
    match written.step:
        case Check(next=ways) | Fix(next=ways) | Watch(next=ways) | Call(next=ways):
            found = [_edge(base, below, str(result), target) for result, target in ways.items()]
        case Branch(cases=cases, otherwise=otherwise, unknown=unknown):
            found = [
                Edge(result="case", target=case.next, path=(*base, "cases", index, "next"))
                for index, case in enumerate(cases)
            ]
            found.append(_edge(base, below, "otherwise", otherwise))
            found.append(_edge(base, below, "unknown", unknown))
        case Ask(choices=choices, expires=expires):
            found = [
                Edge(
                    result=choice.id, target=choice.next, path=(*base, "choices", choice.id, "next")
                )
                for choice in choices
            ]
            found.append(
                Edge(result="expired", target=expires.next, path=(*base, "expires", "next"))
            )
        case Manual(done=done, not_done=not_done, expires=expires):
            found = [_edge(base, below, "done", done), _edge(base, below, "not_done", not_done)]
            found.append(
                Edge(result="expired", target=expires.next, path=(*base, "expires", "next"))
            )
        case Collect(next=target):
            found = [_edge(base, below, "next", target)]
        case None:
            found = [
                Edge(result="next", target=target, path=(*base, *path))
                for path, target in _written_targets(written.raw, ())
            ]
    return found


def _edge(base: Path, below: Json, result: str, target: Target) -> Edge:
    if isinstance(below, Mapping) and result in below:
        return Edge(result=result, target=target, path=(*base, "next", result), named=True)
    return Edge(result=result, target=target, path=(*base, "next"))


def _written_targets(value: Json, path: Path) -> Iterator[tuple[Path, Target]]:
    if isinstance(value, Mapping):
        for key, item in value.items():
            yield from _written_targets(item, (*path, key))
    elif isinstance(value, list):
        for index, item in enumerate(value):
            yield from _written_targets(item, (*path, index))
    elif isinstance(value, str) and "next" in path:
        target = parse_target(value)
        if target is not None:
            yield path, target


_TARGET = re.compile(r"([a-z][a-z0-9_]*)|end\(([a-z]+)(?: *, *([a-z][a-z0-9_]*))?\)")


def parse_target(text: str) -> Target | None:
    """Return the target that a text names; None if it is none."""
    match = _TARGET.fullmatch(text)
    if match is None:
        return None
    step, verdict, cause = match.groups()
    if step is not None:
        return Goto(step=step)
    return End(verdict=Verdict(verdict), cause=cause) if verdict in set(Verdict) else None
