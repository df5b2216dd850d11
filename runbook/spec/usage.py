"""Every expression of a step: where it stands, of what kind it is, and what it refers to."""

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from enum import Enum
from functools import lru_cache
from typing import Any

from runbook.model.definition import Json, StepKind
from runbook.spec.ansible_words import flat_tasks
from runbook.spec.document import Path
from runbook.spec.draft import RESULT_KINDS, Draft, DraftStep
from runbook.spec.expressions import Uses, condition_uses, template_uses, texts

_CONDITIONS = {"when", "until", "changed_when", "failed_when", "that", "break_when"}
_LOOKS = RESULT_KINDS - {StepKind.ASK}
_TEMPLATES = ("title", "impact", "instruction", "commands", "as", "from", "params")


class Purpose(Enum):
    """Who evaluates an expression, and so what it may refer to."""

    TEXT = "text"
    JUDGE = "judge"
    TASK = "task"


@dataclass(frozen=True, kw_only=True, slots=True)
class Expression:
    """An expression of a runbook. `text` is a condition or a template; `path` is the document's."""

    path: Path
    text: str
    purpose: Purpose
    uses: Uses


@lru_cache(maxsize=4096)
def expressions(written: DraftStep) -> tuple[Expression, ...]:
    """Return all expressions of a step, also where its shape is wrong."""
    return tuple(_expressions(written))


def _expressions(written: DraftStep) -> Iterator[Expression]:
    base, raw = written.path, written.raw
    for key in _TEMPLATES:
        yield from templates(raw.get(key), (*base, key), Purpose.TEXT)
    for key in ("probe", "probes"):
        yield from templates(raw.get(key), (*base, key), Purpose.TEXT)
    for choice, item in _mapping(raw.get("choices")).items():
        yield from templates(
            {key: _mapping(item).get(key) for key in ("title", "help")},
            (*base, "choices", choice),
            Purpose.TEXT,
        )
    if isinstance(raw.get("passes"), str):
        yield _condition(raw["passes"], (*base, "passes"), Purpose.JUDGE)
    cases = raw.get("cases")
    for index, case in enumerate(cases if isinstance(cases, list) else []):
        if isinstance(when := _mapping(case).get("when"), str):
            yield _condition(when, (*base, "cases", index, "when"), Purpose.JUDGE)
    for key in ("task", "tasks", "role", "undo"):
        yield from ansible_expressions(raw.get(key), (*base, key))


def ansible_expressions(value: Json, path: Path) -> Iterator[Expression]:
    """Yield the expressions of Ansible content: templates, and the conditions of its keywords."""
    if isinstance(value, Mapping):
        for key, item in value.items():
            below = (*path, key)
            if key in _CONDITIONS:
                for inner, text in texts(item, below):
                    if "{{" not in text:
                        yield _condition(text, inner, Purpose.TASK)
                    else:
                        yield from templates(text, inner, Purpose.TASK)
            else:
                yield from ansible_expressions(item, below)
    elif isinstance(value, list | tuple):
        for index, item in enumerate(value):
            yield from ansible_expressions(item, (*path, index))
    else:
        yield from templates(value, path, Purpose.TASK)


def tasks_of(written: DraftStep) -> Iterator[tuple[Path, Mapping[Any, Json]]]:
    """Yield all Ansible tasks written in a step, a block before what is in it."""
    undo = _mapping(written.raw.get("undo"))
    if isinstance(task := written.raw.get("task"), Mapping):
        yield (*written.path, "task"), task
    for path, tasks in (
        (("tasks",), written.raw.get("tasks")),
        (("undo", "tasks"), undo.get("tasks")),
    ):
        for below, task in flat_tasks(tasks):
            yield (*written.path, *path, *below), task


def told_by_hosts(draft: Draft) -> frozenset[str]:
    """Return the names of what hosts said: results of looks, and what tasks register."""
    told = {step.id for step in draft.steps if step.kind in _LOOKS and step.id is not None}
    for written in draft.steps:
        told |= registered_by(task for _, task in tasks_of(written))
    return frozenset(told)


def registered_by(tasks: Iterable[Mapping[Any, Json]]) -> set[str]:
    """Return the names under which tasks register their results."""
    return {task["register"] for task in tasks if isinstance(task.get("register"), str)}


@lru_cache(maxsize=4096)
def names_used(written: DraftStep) -> tuple[str, ...]:
    """Return the variables a step refers to, in the order written."""
    return tuple(dict.fromkeys(name for found in expressions(written) for name in found.uses.names))


def templates(value: Json, path: Path, purpose: Purpose) -> Iterator[Expression]:
    """Yield the templates in a value, each with its own path."""
    for inner, text in texts(value, path):
        uses = template_uses(text)
        if uses != _NOTHING:
            yield Expression(path=inner, text=text, purpose=purpose, uses=uses)


def _condition(text: str, path: Path, purpose: Purpose) -> Expression:
    return Expression(path=path, text=text, purpose=purpose, uses=condition_uses(text))


def _mapping(value: Json) -> Mapping[str, Any]:
    return value if isinstance(value, Mapping) else {}


_NOTHING = Uses()
