"""What tasks take from the controller: nothing an approval does not cover, or a host chooses."""

from collections.abc import Iterator, Mapping

from runbook.errors import Problem
from runbook.model.definition import Json
from runbook.spec.ansible_words import module_keys, short
from runbook.spec.document import Path
from runbook.spec.draft import Draft, DraftStep
from runbook.spec.expressions import template_uses, texts
from runbook.spec.usage import expressions, tasks_of, told_by_hosts

_CODE: Mapping[str, tuple[str, ...]] = {
    "import_role": ("name", "tasks_from", "vars_from", "defaults_from", "handlers_from"),
    "import_tasks": ("file",),
    "include_role": ("name", "tasks_from", "vars_from", "defaults_from", "handlers_from"),
    "include_tasks": ("file",),
    "include_vars": ("file", "dir", "name"),
    "script": ("cmd",),
    "template": ("src",),
}
"""Modules and their arguments that name something of the controller's that is run or rendered."""

_PAYLOAD: Mapping[str, tuple[str, ...]] = {
    "assemble": ("src",),
    "copy": ("src",),
    "fetch": ("dest",),
    "patch": ("src",),
    "synchronize": ("src", "dest"),
    "unarchive": ("src",),
}
"""Those that name files of the controller that are only sent or written."""


def content_problems(draft: Draft) -> Iterator[Problem]:
    """Yield names of files that lead out of the runbook's folders, and those that a host chooses."""
    told = told_by_hosts(draft)
    for written in draft.steps:
        yield from _role_file(draft, written)
        for at, task in tasks_of(written):
            for path, text, code in _names(at, task):
                chosen = next((name for name in template_uses(text).names if name in told), None)
                if chosen is not None:
                    yield _chosen(draft, path, chosen)
                elif code and _leads_out(text):
                    yield _outside(draft, path)
        for found in expressions(written):
            yield from (
                _chosen(draft, found.path, name) for name in found.uses.sought if name in told
            )


def _outside(draft: Draft, path: Path) -> Problem:
    return Problem(
        reference="outside-content",
        message="this leads out of the folders that belong to the runbook",
        where=draft.document.value(path),
        context="What is approved is approved with those folders; a change elsewhere would not show.",
        hint="Put it beside the runbook, or into a role, and name it from there.",
    )


def _chosen(draft: Draft, path: Path, name: str) -> Problem:
    return Problem(
        reference="host-chooses-file",
        message=f'what a host said ("{name}") would choose what is read or written on the controller',
        where=draft.document.word(path, name),
        hint="Name it in the runbook, or by a param.",
    )


def _names(at: Path, task: Mapping[str, Json]) -> Iterator[tuple[Path, str, bool]]:
    """Yield the names of the controller's files in a task, and whether they are run or rendered."""
    for module in module_keys(task):
        kind = short(module)
        value = task[module]
        code = kind in _CODE
        keys = _CODE.get(kind) or _PAYLOAD.get(kind)
        if keys is None:
            continue
        if isinstance(value, str):
            if code:
                yield (*at, module), value.partition(" ")[0] if "{{" not in value else value, True
        elif isinstance(value, Mapping) and not (_is_remote(value) and not code):
            for key in keys:
                for path, text in texts(value.get(key), (*at, module, key)):
                    yield path, text, code


def _role_file(draft: Draft, written: DraftStep) -> Iterator[Problem]:
    undo = written.raw.get("undo")
    within: list[tuple[Path, Json]] = [(("role",), written.raw.get("role"))]
    if isinstance(undo, Mapping):
        within.append((("undo", "role"), undo.get("role")))
    for path, role in within:
        file = role.get("tasks_from") if isinstance(role, Mapping) else None
        if isinstance(file, str) and _leads_out(file):
            yield _outside(draft, (*written.path, *path, "tasks_from"))


def _is_remote(arguments: Mapping[str, Json]) -> bool:
    return arguments.get("remote_src") in (True, "yes", "true")


def _leads_out(text: str) -> bool:
    return text.startswith(("/", "~")) or ".." in text.replace("\\", "/").split("/")
