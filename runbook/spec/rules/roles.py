"""Tasks of roles that a runbook's fixes use: what they do with what hosts said, and with secrets."""

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from pathlib import Path as FilePath
from typing import Any

from runbook.errors import Problem
from runbook.model.definition import Action, AnsibleRole, Fix, Json
from runbook.spec.ansible_words import flat_tasks, module_keys, short
from runbook.spec.draft import Draft
from runbook.spec.expressions import Uses, template_uses, texts
from runbook.spec.role_files import is_include, role_content, roles_used
from runbook.spec.rules.advice import task_advice
from runbook.spec.usage import registered_by, told_by_hosts

_Assigned = Sequence[tuple[str, Json]]


def role_task_problems(draft: Draft, folders: Sequence[FilePath]) -> Iterator[Problem]:
    """Yield them with their places in the roles' files, each once.

    How a role quotes its own parameters is for its author's linter to say.
    """
    told = told_by_hosts(draft)
    secrets = frozenset(name for name, param in draft.params.items() if param.secret)
    found: dict[Problem, None] = {}
    for _, step in draft.sound:
        if isinstance(step, Fix):
            for action in (step.action, step.undo):
                found |= dict.fromkeys(_problems(action, folders, told, secrets))
    yield from (problem for problem in found if problem.reference != "unquoted-variable")


def _problems(
    action: Action | None,
    folders: Sequence[FilePath],
    told: frozenset[str],
    secrets: frozenset[str],
) -> Iterator[Problem]:
    content = role_content(roles_used(action), folders)
    if not content.files:
        return
    tasks = [task for file in content.files.values() for _, task in file.tasks]
    assigned = [
        *(item for variables in content.variables for item in variables.items()),
        *_assigned_by(action),
        *(item for task in tasks for item in _assigned_in(task)),
    ]
    said = _carriers(told | registered_by(tasks), assigned, lambda uses: uses.unquoted)
    hidden = _carriers(secrets, assigned, lambda uses: uses.names)
    for file in content.files.values():
        shown = [(at, task) for at, task in file.tasks if not is_include(task)]
        yield from task_advice(file.document, shown, said, hidden)


def _assigned_by(action: Action | None) -> Iterator[tuple[str, Json]]:
    if isinstance(action, AnsibleRole):
        yield from action.variables.items()
    elif action is not None:
        for _, task in flat_tasks(action.bodies):
            yield from _assigned_in(task)


def _assigned_in(task: Mapping[Any, Json]) -> Iterator[tuple[str, Json]]:
    values = [task.get("vars")]
    values += [task[module] for module in module_keys(task) if short(module) == "set_fact"]
    for value in values:
        if isinstance(value, Mapping):
            yield from value.items()


def _carriers(
    names: Iterable[str], assigned: _Assigned, part: Callable[[Uses], Iterable[str]]
) -> frozenset[str]:
    """Return the names, and those of variables to which one of them is passed on."""
    known = frozenset(names)
    while True:
        passed = {
            name
            for name, value in assigned
            if name not in known
            and any(not known.isdisjoint(part(template_uses(text))) for _, text in texts(value))
        }
        if not passed:
            return known
        known |= passed
