"""What a runbook takes from elsewhere: other runbooks, and roles."""

import re
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path as FilePath

from runbook.errors import Problem
from runbook.model.definition import Json
from runbook.spec.document import Path
from runbook.spec.draft import Call, Draft
from runbook.spec.linker import Find
from runbook.spec.validation import did_you_mean, value_problem


def call_problems(draft: Draft, find: Find, searched: Sequence[FilePath]) -> Iterator[Problem]:
    """Yield what is wrong with calls of other runbooks; `searched` is where they were looked for."""
    for written, step in draft.sound:
        if not isinstance(step, Call):
            continue
        called = find(step.runbook)
        if called is None:
            names = [path.stem for folder in searched for path in sorted(folder.glob("*.y*ml"))]
            yield Problem(
                reference="unknown-runbook",
                message=f'there is no runbook "{step.runbook}"',
                where=draft.document.value((*written.path, "runbook")),
                context=f"Looked in: {', '.join(map(str, searched))}.",
                hint=did_you_mean(step.runbook, names),
            )
            continue
        yield from _arguments(draft, (*written.path, "params"), step, called)


def _arguments(draft: Draft, at: Path, step: Call, called: Draft) -> Iterator[Problem]:
    for name, value in step.arguments.items():
        param = called.params.get(name)
        if param is None:
            yield Problem(
                reference="unknown-param",
                message=f'the runbook "{called.name}" has no param "{name}"',
                where=draft.document.key((*at, name)),
                hint=did_you_mean(name, called.params)
                or f"Its params are: {', '.join(called.params) or 'none'}.",
            )
        elif not (isinstance(value, str) and "{{" in value):
            wrong = value_problem(value, param.schema)
            if wrong:
                yield Problem(
                    reference="wrong-value",
                    message=f'the param "{name}" {wrong}',
                    where=draft.document.value((*at, name)),
                )
    for name, param in called.params.items():
        if param.required and name not in step.arguments:
            yield Problem(
                reference="missing-param",
                message=f'the runbook "{called.name}" needs its param "{name}"',
                where=step.where,
                hint=f'Pass it: `params: {{{name}: "{{{{ … }}}}"}}`.',
            )


def role_problems(draft: Draft, folders: Sequence[FilePath]) -> Iterator[Problem]:
    """Yield the roles that are in none of the folders; roles of collections are Ansible's to find."""
    for written in draft.steps:
        undo = written.raw.get("undo")
        within: list[tuple[Path, Json]] = [(("role",), written.raw.get("role"))]
        if isinstance(undo, Mapping):
            within.append((("undo", "role"), undo.get("role")))
        for path, role in within:
            name = role.get("name") if isinstance(role, Mapping) else None
            if not isinstance(name, str) or _COLLECTION_ROLE.fullmatch(name):
                continue
            if not any(_is_role(folder, name) for folder in folders):
                known = {p.name for folder in folders if folder.is_dir() for p in folder.iterdir()}
                yield Problem(
                    reference="unknown-role",
                    message=f'there is no role "{name}"',
                    where=draft.document.value((*written.path, *path, "name")),
                    context=f"Looked in: {', '.join(map(str, folders))}.",
                    hint=did_you_mean(name, sorted(known)),
                )


_COLLECTION_ROLE = re.compile(r"\w+\.\w+(?:\.\w+)+", re.ASCII)


def _is_role(folder: FilePath, name: str) -> bool:
    try:
        return "/" not in name and name not in (".", "..") and (folder / name).is_dir()
    except (OSError, ValueError):
        return False
