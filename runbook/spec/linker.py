"""Joins a runbook with those it calls into one flat graph of steps."""

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path as FilePath

from runbook.errors import RunbookError
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
    Runbook,
    Scope,
    Step,
    Target,
    Watch,
)
from runbook.model.verdict import Verdict
from runbook.spec.draft import Call, Draft, DraftStep
from runbook.spec.expressions import template_uses, texts
from runbook.spec.loops import visit_bounds
from runbook.spec.usage import names_used

MAX_STEPS = 2000
"""Of a whole linked runbook: calls of calls multiply."""

Find = Callable[[str], Draft | None]
"""Returns the sound draft of a runbook by name; None where it is missing or unsound."""


def link(draft: Draft, find: Find) -> Runbook:
    """Return the runbook with all calls expanded. The drafts have been found sound.

    Raises RunbookError `recursive-call` or `too-many-steps`.
    """
    linking = _Linking(find)
    linking.expand(draft, _Frame(draft=draft, prefix="", chain=(draft.name,)))
    folder, *called = dict.fromkeys(str(FilePath(path).parent) for path in linking.sources)
    return Runbook(
        name=draft.name,
        title=draft.title,
        start=next(iter(linking.steps)),
        steps=linking.steps,
        params=draft.params,
        causes=linking.causes,
        scopes=linking.scopes,
        symptoms=draft.symptoms,
        description=draft.description,
        folder=folder,
        called_folders=tuple(called),
        sources=tuple(dict.fromkeys(linking.sources)),
        evidence_max_age_s=draft.evidence_max_age_s,
    )


@dataclass(frozen=True, kw_only=True, slots=True)
class _Frame:
    """One runbook being joined: where it is called from, and what becomes of its verdicts."""

    draft: Draft
    prefix: str
    chain: tuple[str, ...]
    caller: "_Frame | None" = None
    verdicts: Mapping[Verdict, Target] = field(default_factory=dict)
    visits: int = 1
    arguments: Mapping[str, Json] = field(default_factory=dict)

    calls: Mapping[str, Call] = field(init=False)
    ids: frozenset[str] = field(init=False)

    def __post_init__(self) -> None:
        steps = [step for _, step in self.draft.sound]
        calls = {step.id: step for step in steps if isinstance(step, Call)}
        object.__setattr__(self, "calls", calls)
        object.__setattr__(self, "ids", frozenset(step.id for step in steps) - calls.keys())

    def qualify(self, name: str) -> str:
        return f"{self.prefix}/{name}" if self.prefix else name


class _Linking:
    def __init__(self, find: Find) -> None:
        self._find = find
        self.steps: dict[str, Step] = {}
        self.causes: dict[str, Cause] = {}
        self.scopes: dict[str, Scope] = {}
        self.sources: list[str] = []

    def expand(self, draft: Draft, frame: _Frame) -> None:
        self.sources.append(draft.document.path)
        if frame.caller is not None:
            self.scopes[frame.prefix] = Scope(
                prefix=frame.prefix,
                runbook=draft.name,
                parent=frame.caller.prefix,
                params=draft.params,
                arguments=frame.arguments,
            )
        for cause in draft.causes.values():
            id_ = frame.qualify(cause.id)
            self.causes[id_] = replace(cause, id=id_)
        bounds = visit_bounds(draft)
        for written, step in draft.sound:
            if isinstance(step, Call):
                self._call(step, frame, bounds.get(step.id, step.max_visits))
                continue
            visits = bounds.get(step.id, step.max_visits)
            # How often a fix may be done in a run is its own author's to say.
            bounded = (
                step if isinstance(step, Fix) else replace(step, max_visits=visits * frame.visits)
            )
            linked = self._qualified(bounded, written, frame)
            self.steps[linked.id] = linked
            if len(self.steps) > MAX_STEPS:
                raise RunbookError.of(
                    "too-many-steps",
                    f"more than {MAX_STEPS} steps once calls are expanded",
                    where=step.where,
                    hint="Call fewer runbooks, or the same ones less often.",
                )

    def _call(self, step: Call, frame: _Frame, visits: int) -> None:
        called = self._find(step.runbook)
        if called is None:
            raise RunbookError.of(
                "unknown-runbook", f'no runbook "{step.runbook}"', where=step.where
            )
        if step.runbook in frame.chain:
            start = frame.chain.index(step.runbook)
            chain = " → ".join((*frame.chain[start:], step.runbook))
            raise RunbookError.of(
                "recursive-call", f"runbooks call each other in a circle: {chain}", where=step.where
            )
        inner = _Frame(
            draft=called,
            prefix=frame.qualify(step.id),
            chain=(*frame.chain, step.runbook),
            caller=frame,
            verdicts={verdict: self._target(to, frame) for verdict, to in step.next.items()},
            visits=visits * frame.visits,
            arguments=step.arguments,
        )
        self.expand(called, inner)

    def _entry(self, id_: str, frame: _Frame) -> str:
        """Return the qualified id of the step that arriving at `id_` arrives at."""
        call = frame.calls.get(id_)
        called = self._find(call.runbook) if call else None
        # A circle of calls is reported when it is expanded.
        if call is None or called is None or call.runbook in frame.chain or not called.steps:
            return frame.qualify(id_)
        inner = _Frame(
            draft=called,
            prefix=frame.qualify(id_),
            chain=(*frame.chain, call.runbook),
            caller=frame,
        )
        return self._entry(called.steps[0].id or "", inner)

    def _target(self, target: Target, frame: _Frame) -> Target:
        match target:
            case Goto(step=id_):
                return Goto(step=self._entry(id_, frame))
            case End(verdict=verdict, cause=cause):
                above: _Frame | None = frame
                while above is not None:
                    if verdict in above.verdicts:
                        return above.verdicts[verdict]
                    above = above.caller
                return End(verdict=verdict, cause=frame.qualify(cause) if cause else None)

    def _qualified(  # noqa: C901  # one arm for each kind of step
        self, step: Step, written: DraftStep, frame: _Frame
    ) -> Step:
        needs = tuple(dict.fromkeys(self._needs(names_used(written), frame)))
        id_ = frame.qualify(step.id)
        needs = tuple(need for need in needs if need != id_)

        def to(target: Target) -> Target:
            return self._target(target, frame)

        def cause(name: str | None) -> str | None:
            return frame.qualify(name) if name else None

        match step:
            case Check():
                return replace(
                    step,
                    id=id_,
                    scope=frame.prefix,
                    needs=needs,
                    cause=cause(step.cause),
                    next={result: to(target) for result, target in step.next.items()},
                )
            case Fix():
                verify = replace(
                    step.verify,
                    symptom=frame.qualify(step.verify.symptom),
                    cause=cause(step.verify.cause),
                )
                return replace(
                    step,
                    id=id_,
                    scope=frame.prefix,
                    needs=needs,
                    cause=cause(step.cause),
                    verify=verify,
                    next={result: to(target) for result, target in step.next.items()},
                )
            case Branch():
                return replace(
                    step,
                    id=id_,
                    scope=frame.prefix,
                    needs=needs,
                    cases=tuple(replace(case, next=to(case.next)) for case in step.cases),
                    otherwise=to(step.otherwise),
                    unknown=to(step.unknown),
                )
            case Ask():
                return replace(
                    step,
                    id=id_,
                    scope=frame.prefix,
                    needs=needs,
                    choices=tuple(replace(choice, next=to(choice.next)) for choice in step.choices),
                    expires=replace(step.expires, next=to(step.expires.next)),
                )
            case Manual():
                return replace(
                    step,
                    id=id_,
                    scope=frame.prefix,
                    needs=needs,
                    done=to(step.done),
                    not_done=to(step.not_done),
                    expires=replace(step.expires, next=to(step.expires.next)),
                )
            case Watch():
                watched = next((w for w in frame.draft.steps if w.id == step.check), None)
                if watched is not None:
                    needs = (*needs, *self._needs(names_used(watched), frame))
                return replace(
                    step,
                    id=id_,
                    scope=frame.prefix,
                    check=frame.qualify(step.check),
                    needs=tuple(
                        dict.fromkeys(
                            need for need in needs if need not in {id_, frame.qualify(step.check)}
                        )
                    ),
                    next={result: to(target) for result, target in step.next.items()},
                )
            case Collect():
                return replace(step, id=id_, scope=frame.prefix, needs=needs, next=to(step.next))

    def _needs(self, names: tuple[str, ...], frame: _Frame) -> Iterator[str]:
        """Yield the steps whose results names stand for, also through a caller's arguments."""
        for name in names:
            if name in frame.ids:
                yield frame.qualify(name)
            elif name in frame.arguments and frame.caller is not None:
                inner = (template_uses(text).names for _, text in texts(frame.arguments[name]))
                for used in inner:
                    yield from self._needs(used, frame.caller)
