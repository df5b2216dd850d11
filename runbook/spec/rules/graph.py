"""Where the walk goes: every step can be reached, every walk ends, no result comes from nowhere."""

from collections.abc import Iterator, Mapping

from runbook.errors import Location, Problem
from runbook.model.definition import Ask, End, Fix, Goto, Json, Manual, Step
from runbook.model.verdict import Verdict
from runbook.spec.document import Path
from runbook.spec.draft import RESULT_KINDS, Call, Draft, DraftStep, Edge, edges
from runbook.spec.linker import Find
from runbook.spec.loops import Graph, cycles, reachable, reversed_graph, successors, without
from runbook.spec.usage import expressions, names_used
from runbook.spec.validation import VERDICTS, did_you_mean


def graph_problems(draft: Draft, find: Find) -> Iterator[Problem]:
    """Yield what is wrong with the way steps lead to each other."""
    yield from _duplicates(draft)
    yield from _unknown_steps(draft)
    yield from _unsuitable_checks(draft)
    # Where a step could not be read, an edge may be missing: nothing can be said of the whole.
    if not draft.broken and draft.steps:
        graph = successors(draft)
        reached = reachable(graph, [draft.steps[0].id or ""])
        yield from _unreachable(draft, reached)
        yield from _endless(draft, graph, reached)
        yield from _unbounded(draft, graph)
        yield from _results_from_nowhere(draft, reached)
        yield from _blind_fixes(draft, find)


def _duplicates(draft: Draft) -> Iterator[Problem]:
    first: dict[str, DraftStep] = {}
    for written in draft.steps:
        if written.id is None:
            continue
        if written.id in first:
            line = draft.document.key(_id_path(first[written.id])).line
            yield Problem(
                reference="duplicate-step",
                message=f'there is a step "{written.id}" already',
                where=draft.document.value(_id_path(written)),
                context=f"The first stands on line {line}.",
            )
        first.setdefault(written.id, written)


def _unknown_steps(draft: Draft) -> Iterator[Problem]:
    ids = {written.id: None for written in draft.steps if written.id is not None}
    for written in draft.steps:
        seen = set()
        for edge in edges(written):
            target = edge.target
            if isinstance(target, Goto) and target.step not in ids and edge.path not in seen:
                seen.add(edge.path)
                yield Problem(
                    reference="unknown-step",
                    message=f'{_title(written)} goes to "{target.step}" {_on(edge)}, '
                    "but no step has that id",
                    where=draft.document.value(edge.path),
                    hint=did_you_mean(target.step, ids) or _end_hint(target.step),
                )


def _unsuitable_checks(draft: Draft) -> Iterator[Problem]:
    kinds = {written.id: written.kind for written in draft.steps if written.id}
    checks = [id_ for id_, kind in kinds.items() if kind == "check"]
    for written in draft.steps:
        verify = written.raw.get("verify")
        named: list[tuple[Path, Json]] = [(("repeats",), written.raw.get("repeats"))]
        if isinstance(verify, Mapping):
            named += [(("verify", key), verify.get(key)) for key in ("symptom", "cause")]
        for path, name in named:
            if not isinstance(name, str) or name in checks:
                continue
            known = f'"{name}" is a {kinds[name]}, not a check' if name in kinds else None
            yield Problem(
                reference="not-a-check" if known else "unknown-step",
                message=known or f'no check has the id "{name}"',
                where=draft.document.value((*written.path, *path)),
                hint=did_you_mean(name, checks),
            )


def _unreachable(draft: Draft, reached: set[str]) -> Iterator[Problem]:
    used = {step.verify.symptom for _, step in draft.sound if isinstance(step, Fix)}
    used |= {step.verify.cause or "" for _, step in draft.sound if isinstance(step, Fix)}
    used |= {str(written.raw.get("repeats")) for written in draft.steps}
    for written in draft.steps:
        if written.id not in reached and written.id not in used:
            yield Problem(
                reference="unreachable-step",
                message=f'no step leads to "{written.id}"',
                where=draft.document.value(_id_path(written)),
                hint="Name it under the `next` of a step, or remove it.",
            )


def _endless(draft: Draft, graph: Graph, reached: set[str]) -> Iterator[Problem]:
    backwards = reversed_graph(graph)
    ending = reachable(backwards, [str(w.id) for w, s in draft.sound if _may_end(w, s)])
    for written in draft.steps:
        if written.id in reached and written.id not in ending:
            yield Problem(
                reference="no-end",
                message=f'from "{written.id}" no end(…) can be reached',
                where=draft.document.value(_id_path(written)),
                hint="Let one of the steps behind it lead to end(VERDICT).",
            )


def _may_end(written: DraftStep, step: Step | Call) -> bool:
    if isinstance(step, Call) and len(step.next) < len(VERDICTS):
        return True
    return any(isinstance(edge.target, End) for edge in edges(written))


def _unbounded(draft: Draft, graph: Graph) -> Iterator[Problem]:
    bounded = [step.id for written, step in draft.sound if written.bounded or isinstance(step, Fix)]
    places = {written.id: written for written in draft.steps}
    for group in cycles(without(graph, bounded)):
        chain = " → ".join((*group, group[0]))
        yield Problem(
            reference="unbounded-loop",
            message=f"these steps lead to each other without bound: {chain}",
            where=draft.document.value(_id_path(places[group[0]])),
            hint="Give one of them `max_visits`, or break the circle.",
        )


def _results_from_nowhere(draft: Draft, reached: set[str]) -> Iterator[Problem]:
    """Yield uses of results at steps to which no way leads from where they were seen.

    A fix ends what was known; only declining it changes nothing.
    """
    graph: dict[str, list[str]] = {}
    for written in draft.steps:
        kept = [
            edge
            for edge in edges(written)
            if not isinstance(written.step, Fix) or edge.result == "declined"
        ]
        graph[str(written.id)] = [e.target.step for e in kept if isinstance(e.target, Goto)]
    after: dict[str, set[str]] = {}
    seen = {written.id for written in draft.steps if written.kind in RESULT_KINDS}
    answered = {step.id for _, step in draft.sound if isinstance(step, Ask)}
    lasting = successors(draft)
    for written in draft.steps:
        if written.id not in reached:
            continue
        for name in names_used(written):
            if name == written.id or name not in seen or name in draft.params:
                continue
            ways: Graph = lasting if name in answered else graph
            if name not in after:
                after[name] = reachable(ways, ways[name])
            if written.id not in after[name]:
                yield Problem(
                    reference="unseen-result",
                    message=f'{_title(written)} uses the result of "{name}", '
                    "which cannot be known there",
                    where=_first_use(draft, written, name),
                    context="No way leads from there to here without a fix in between; "
                    "after a fix, everything is looked at again.",
                )


def _blind_fixes(draft: Draft, find: Find) -> Iterator[Problem]:
    """Yield steps that lead to a destructive fix on unknown, without its author writing so."""
    for written, step in draft.sound:
        for edge in edges(written):
            if not isinstance(edge.target, Goto):
                continue
            unnamed = edge.result == Verdict.UNKNOWN and not edge.named
            # A called check that could not look escalates, unless its author wrote otherwise.
            escalated = isinstance(step, Call) and edge.result == Verdict.ESCALATED
            fix = _follow(draft, edge.target.step, find) if unnamed or escalated else None
            if fix is not None:
                yield Problem(
                    reference="blind-fix",
                    message=f'{_title(written)} leads to the destructive fix "{fix}" '
                    "even where it could not look",
                    where=draft.document.value(edge.path),
                    hint="Let escalated lead elsewhere: what could not be looked at escalates too."
                    if escalated
                    else "Name the results one by one: `next: {passed: …, failed: …}`. "
                    "Only a written `unknown:` may lead to a destructive fix.",
                )


def _follow(draft: Draft, id_: str, find: Find) -> str | None:
    """Return the destructive fix that follows from a step whatever the steps between come to."""
    seen: set[tuple[str, str]] = set()
    while (draft.name, id_) not in seen:
        seen.add((draft.name, id_))
        written, step = next(((w, s) for w, s in draft.sound if s.id == id_), (None, None))
        if isinstance(step, Fix) and step.destructive:
            return id_
        if isinstance(step, Call) and (called := find(step.runbook)) is not None and called.steps:
            draft, id_ = called, called.steps[0].id or ""
            continue
        targets = {edge.target for edge in edges(written)} if written else set()
        if isinstance(step, Ask | Manual) or len(targets) != 1:
            return None
        (only,) = targets
        if not isinstance(only, Goto):
            return None
        id_ = only.step
    return None


def _first_use(draft: Draft, written: DraftStep, name: str) -> Location:
    for found in expressions(written):
        if name in found.uses.names:
            return draft.document.word(found.path, name)
    return draft.document.value(_id_path(written))


def _id_path(written: DraftStep) -> Path:
    return (*written.path, str(written.kind)) if written.kind else written.path


def _title(written: DraftStep) -> str:
    return f'{written.kind} "{written.id}"' if written.kind and written.id else "this step"


def _on(edge: Edge) -> str:
    match edge.result:
        case "next":
            return "next"
        case "case":
            return "in this case"
        case _ if not edge.named and edge.path[-1] == "next" and "choices" not in edge.path:
            return "next"
        case result:
            return f"on {result}"


def _end_hint(word: str) -> str | None:
    return f"Did you mean end({word})?" if word in VERDICTS else None
