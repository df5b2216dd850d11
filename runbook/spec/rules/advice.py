"""Secrets and variables in tasks: what works, and will hurt one day, most often as a warning."""

from collections.abc import Iterable, Iterator, Mapping
from typing import Any

from runbook.errors import Problem, Severity
from runbook.model.definition import Json
from runbook.spec.ansible_words import COMMANDS, module_keys, short
from runbook.spec.document import Document, Path
from runbook.spec.draft import Draft
from runbook.spec.expressions import template_uses, texts
from runbook.spec.rules.commands import is_for_a_shell
from runbook.spec.usage import ansible_expressions, tasks_of, told_by_hosts


def advice(draft: Draft) -> Iterator[Problem]:
    """Yield warnings about tasks and commands."""
    secrets = frozenset(name for name, param in draft.params.items() if param.secret)
    told = told_by_hosts(draft)
    for written in draft.steps:
        yield from task_advice(draft.document, tasks_of(written), told, secrets)
        probe = written.raw.get("probe")
        command = probe.get("command") if isinstance(probe, Mapping) else None
        if isinstance(command, Mapping) and isinstance(command.get("shell"), str):
            at = (*written.path, "probe", "command", "shell")
            yield from _unquoted_text(draft.document, at, command["shell"], told)


def task_advice(
    document: Document,
    tasks: Iterable[tuple[Path, Mapping[Any, Json]]],
    told: frozenset[str],
    secrets: frozenset[str],
) -> Iterator[Problem]:
    """Yield what is wrong with tasks of a document, a block before what is in it.

    `told` are the variables that hosts have a say in, `secrets` those that must not be shown.
    """
    hidden: list[Path] = []
    for at, task in tasks:
        yield from _unquoted(document, at, task, told | _looped_over(task, told))
        if task.get("no_log") is True:
            hidden.append(at)
        elif "block" not in task and not any(at[: len(block)] == block for block in hidden):
            yield from _shown_secrets(document, at, task, secrets)


def _looped_over(task: Mapping[Any, Json], told: frozenset[str]) -> frozenset[str]:
    """Return the name of each of a loop's items, where hosts have a say in what is looped over."""
    for key, value in task.items():
        if key == "loop" or str(key).startswith("with_"):
            for _, text in texts(value):
                if not told.isdisjoint(template_uses(text).names):
                    control = task.get("loop_control")
                    name = control.get("loop_var") if isinstance(control, Mapping) else None
                    return frozenset([name if isinstance(name, str) else "item"])
    return frozenset()


def _unquoted(
    document: Document, at: Path, task: Mapping[Any, Json], told: frozenset[str]
) -> Iterator[Problem]:
    for module in module_keys(task):
        if short(module) not in COMMANDS:
            continue
        value = task[module]
        # Without a shell, what a host said can become further arguments, and nothing else.
        dangerous = told if is_for_a_shell(module) else frozenset[str]()
        if isinstance(value, str):
            yield from _unquoted_text(document, (*at, module), value, dangerous)
        elif isinstance(value, Mapping):
            for key in ("cmd", "_raw_params"):
                if isinstance(value.get(key), str):
                    yield from _unquoted_text(document, (*at, module, key), value[key], dangerous)


def _unquoted_text(
    document: Document, path: Path, text: str, dangerous: frozenset[str]
) -> Iterator[Problem]:
    for name in template_uses(text).unquoted:
        if name in dangerous:
            yield Problem(
                reference="host-data-in-shell",
                message=f'what a host said ("{name}") becomes part of a shell\'s command as it is',
                where=document.word(path, name),
                context="Whoever writes the log, file or answer it comes from could run anything.",
                hint="Write `{{ … | quote }}`, or give the command as `argv`.",
            )
            continue
        yield Problem(
            reference="unquoted-variable",
            message=f'the value of "{name}" becomes part of a command as it is',
            where=document.word(path, name),
            hint="Write `{{ … | quote }}`, or give the command as `argv`.",
            severity=Severity.WARNING,
        )


def _shown_secrets(
    document: Document, at: Path, task: Mapping[Any, Json], secrets: frozenset[str]
) -> Iterator[Problem]:
    for found in ansible_expressions(task, at):
        for name in found.uses.names:
            if name in secrets:
                yield Problem(
                    reference="secret-without-no-log",
                    message=f'this task uses the secret "{name}", and Ansible may show it',
                    where=document.word(found.path, name),
                    hint="Add `no_log: true` to the task.",
                    severity=Severity.WARNING,
                )
                return
