"""Variables: each one is a param, a step of the runbook, a name of Ansible's, or a task's own."""

from collections.abc import Iterator, Mapping, Sequence

from runbook.errors import Location, Problem
from runbook.model.definition import Json, StepKind
from runbook.spec.ansible_words import (
    JINJA_GLOBALS,
    MAGIC_VARIABLES,
    OPENS_NAMES,
    READING_LOOKUPS,
    RESERVED,
    module_keys,
    short,
)
from runbook.spec.draft import RESULT_KINDS, Draft, DraftStep
from runbook.spec.loops import cycles
from runbook.spec.usage import Expression, Purpose, expressions, tasks_of, templates
from runbook.spec.validation import did_you_mean


def name_problems(draft: Draft) -> Iterator[Problem]:
    """Yield what is wrong with names, and with the expressions that use them."""
    yield from _unsuitable_names(draft)
    kinds = {step.id: step.kind for step in draft.steps if step.id is not None}
    yield from _defaults(draft)
    for written in draft.steps:
        own, closed = _task_names(written)
        for found in expressions(written):
            yield from _expression(draft, written, found)
            for name in _foreign_names(found, own if closed else None):
                if name not in draft.params:
                    yield from _unusable(draft, written, found, name, kinds)


def _unsuitable_names(draft: Draft) -> Iterator[Problem]:
    places = {name: draft.document.key(("params", name)) for name in draft.params}
    for name, where in places.items():
        if name in RESERVED or name.startswith("ansible_"):
            yield _reserved(name, where)
    for written in draft.steps:
        if written.id is None:
            continue
        where = draft.document.value((*written.path, str(written.kind)))
        if written.id in RESERVED or written.id.startswith("ansible_"):
            yield _reserved(written.id, where)
        if written.id in places:
            yield Problem(
                reference="duplicate-name",
                message=f'"{written.id}" is a param and a step; '
                "a condition could not tell them apart",
                where=where,
                context=f"The param stands on line {places[written.id].line}.",
            )


def _reserved(name: str, where: Location) -> Problem:
    return Problem(
        reference="reserved-name",
        message=f'"{name}" has a meaning of its own in Ansible',
        where=where,
        hint=f"Say more: for example backend_{name}.",
    )


def _defaults(draft: Draft) -> Iterator[Problem]:
    """Yield what is wrong with defaults that are templates: they see other params alone."""
    graph: dict[str, list[str]] = {}
    for param in draft.params.values():
        graph[param.name] = []
        for found in templates(param.default, ("params", param.name, "default"), Purpose.TEXT):
            yield from _expression(draft, None, found)
            for name in _foreign_names(found, frozenset()):
                graph[param.name].append(name)
                if name not in draft.params:
                    yield _undeclared(draft, found, name, [])
    for group in cycles(graph):
        yield Problem(
            reference="circular-default",
            message=f"defaults that need each other: {' → '.join((*group, group[0]))}",
            where=draft.document.key(("params", group[0], "default")),
        )


def _expression(draft: Draft, written: DraftStep | None, found: Expression) -> Iterator[Problem]:
    if found.uses.error is not None:
        message, line = found.uses.error
        yield Problem(
            reference="bad-expression",
            message=f"not a valid expression: {message}",
            where=draft.document.inside(found.path, line),
        )
    elif found.purpose is not Purpose.TASK:
        yield from _unsteady(draft, found)
        yield from _bad_escapes(draft, found)
    elif written is not None and "task" in written.raw:
        yield from _acting_lookups(draft, found)


def _foreign_names(found: Expression, own: frozenset[str] | None) -> Iterator[str]:
    """Yield the names that are neither Ansible's nor the task's own; `own` is None if any may be."""
    for name in found.uses.names:
        ansibles = name in MAGIC_VARIABLES or name in JINJA_GLOBALS or name.startswith("ansible_")
        if not ansibles and not (found.purpose is Purpose.TASK and (own is None or name in own)):
            yield name


def _unusable(
    draft: Draft,
    written: DraftStep,
    found: Expression,
    name: str,
    kinds: Mapping[str, StepKind | None],
) -> Iterator[Problem]:
    """Yield why a name, which is no param, cannot be used where it is used."""
    where = draft.document.word(found.path, name)
    if name == written.id:
        if found.purpose is not Purpose.JUDGE or written.kind is not StepKind.CHECK:
            yield Problem(
                reference="own-result",
                message=f'"{name}" has no result yet when this is evaluated',
                where=where,
                hint="Only `passes` of a check may use the check's own result.",
            )
    elif name not in kinds:
        usable = [id_ for id_, kind in kinds.items() if kind in RESULT_KINDS]
        yield _undeclared(draft, found, name, usable)
    elif kinds[name] not in RESULT_KINDS:
        yield Problem(
            reference="no-result",
            message=f'"{name}" is a {kinds[name]}, which leaves no result to use',
            where=where,
            hint="Results come from check, ask, watch and collect.",
        )


def _undeclared(draft: Draft, found: Expression, name: str, steps: Sequence[str]) -> Problem:
    return Problem(
        reference="undeclared-variable",
        message=f'the variable "{name}" is neither a param nor a step',
        where=draft.document.word(found.path, name),
        hint=did_you_mean(name, [*draft.params, *steps, *MAGIC_VARIABLES])
        or "Declare it under `params`; an inventory variable of that name then gives its value.",
    )


def _unsteady(draft: Draft, found: Expression) -> Iterator[Problem]:
    if found.uses.lookups:
        yield Problem(
            reference="lookup-refused",
            message="lookups are refused here: reading must not run or fetch anything",
            where=draft.document.value(found.path),
            hint="Look with a check, or give the value by a param.",
        )
    for word, what in (found.uses.unsteady or {}).items():
        yield Problem(
            reference="unsteady-expression",
            message=f'"{word}" depends on {what}',
            where=draft.document.word(found.path, word),
            hint="Use what a check has seen on the host.",
        )


def _bad_escapes(draft: Draft, found: Expression) -> Iterator[Problem]:
    for escape in found.uses.bad_escapes:
        yield Problem(
            reference="bad-escape",
            message=f"{escape} is no escape in a string; Python lets it pass for now",
            where=draft.document.escape(found.path, escape),
            hint=f"For a backslash write two: \\{escape}",
        )


def _acting_lookups(draft: Draft, found: Expression) -> Iterator[Problem]:
    for plugin in found.uses.lookups:
        if plugin is None or short(plugin) not in READING_LOOKUPS:
            name = f'the lookup "{plugin}"' if plugin else "a lookup whose name is computed"
            yield Problem(
                reference="lookup-refused",
                message=f"{name} may do more than read, which a check must not",
                where=draft.document.value(found.path),
                hint="A check may use lookups that read files or variables of the controller, "
                "such as file, template or env.",
            )


def _task_names(written: DraftStep) -> tuple[frozenset[str], bool]:
    """Return the names that a step's tasks make themselves, and whether these are all."""
    names: set[str] = set()
    closed = True
    for _, task in tasks_of(written):
        modules = [short(key) for key in module_keys(task)]
        closed = closed and not OPENS_NAMES.intersection(modules)
        if isinstance(task.get("register"), str):
            names.add(task["register"])
        names |= _keys(task.get("vars"))
        for key in module_keys(task):
            names |= _keys(task[key]) if short(key) == "set_fact" else set()
        control = task.get("loop_control")
        if isinstance(control, Mapping):
            names |= {str(control[key]) for key in ("loop_var", "index_var") if key in control}
        if "loop" in task or any(str(key).startswith("with_") for key in task):
            names.add("item")
    return frozenset(names), closed


def _keys(value: Json) -> set[str]:
    return {str(key) for key in value} if isinstance(value, Mapping) else set()
