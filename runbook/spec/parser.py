"""Data to an unlinked runbook; what has the wrong shape is reported, the rest still parsed."""

from collections.abc import Iterable, Mapping
from typing import Any

from runbook.errors import Problem
from runbook.model.definition import Cause, Json, Param, StepKind
from runbook.spec.document import Document, Path
from runbook.spec.draft import Draft, DraftStep
from runbook.spec.reader import read
from runbook.spec.steps import parse_step, seconds
from runbook.spec.validation import shape_problems

_CONSTRAINTS = ("type", "enum", "minimum", "maximum", "pattern", "items")


def parse(content: bytes, path: str) -> tuple[Draft | None, list[Problem]]:
    """Return a runbook file as a draft, with all problems of reading and shape.

    The draft is None where there is nothing to go on with.
    """
    document = read(content, path, foreign=is_ansible_content)
    problems = list(document.problems)
    if not document.values:
        return None, problems
    if not isinstance(document.data, dict):
        problems.append(
            Problem(
                reference="not-a-runbook",
                message="a runbook is a mapping of keys such as runbook, title and steps",
                where=document.at(1),
            )
        )
        return None, problems
    found = shape_problems(document)
    problems += [problem for _, problem in found]
    return _draft(document, {place for place, _ in found}), problems


def is_ansible_content(path: Path) -> bool:
    """Say whether Ansible content begins at this path of a runbook file."""
    match path:
        case ("steps", int(), "task" | "tasks" | "undo"):
            return True
        case ("steps", int(), "role", "vars"):
            return True
        case _:
            return False


def _draft(document: Document, wrong: Iterable[Path]) -> Draft:
    data: Mapping[str, Any] = document.data
    spoilt = {place[:length] for place in wrong for length in range(1, len(place) + 1)}

    def sound(key: str, fallback: Json) -> Json:
        return data[key] if key in data and (key,) not in spoilt else fallback

    params = _mapping(data.get("params"))
    causes = _mapping(data.get("causes"))
    steps = data.get("steps")
    return Draft(
        document=document,
        name=sound("runbook", ""),
        title=sound("title", ""),
        description=sound("description", ""),
        symptoms=tuple(sound("symptoms", ())),
        params={
            name: _param(document, name, raw if ("params", name) not in spoilt else {})
            for name, raw in params.items()
        },
        causes={
            name: _cause(name, raw if ("causes", name) not in spoilt else {})
            for name, raw in causes.items()
        },
        steps=tuple(_steps(document, steps if isinstance(steps, list) else [], spoilt)),
        evidence_max_age_s=seconds(sound("evidence_max_age", 60)),
    )


def _param(document: Document, name: str, raw: Mapping[str, Any]) -> Param:
    return Param(
        name=name,
        schema={key: raw[key] for key in _CONSTRAINTS if key in raw},
        default=raw.get("default"),
        required="default" not in raw,
        secret=raw.get("secret", False),
        title=raw.get("title", ""),
        where=document.key(("params", name)),
    )


def _cause(id_: str, raw: Mapping[str, Any]) -> Cause:
    return Cause(id=id_, title=raw.get("title", id_), likelihood=raw.get("likelihood"))


def _steps(document: Document, raws: list[Any], spoilt: set[Path]) -> Iterable[DraftStep]:
    first = next((id_ for id_ in map(_step_id, raws) if id_), "")
    for index, raw in enumerate(raws):
        path: Path = ("steps", index)
        kind, id_ = _kind(raw), _step_id(raw)
        where = document.key((*path, str(kind))) if kind else document.key(path)
        yield DraftStep(
            id=id_,
            kind=kind,
            path=path,
            raw=_mapping(raw),
            step=(
                parse_step(kind, raw, where, first) if kind and id_ and path not in spoilt else None
            ),
        )


def _kind(raw: Json) -> StepKind | None:
    found = [kind for kind in StepKind if kind in _mapping(raw)]
    return found[0] if len(found) == 1 else None


def _step_id(raw: Json) -> str | None:
    kind = _kind(raw)
    id_ = raw[kind] if kind else None
    return id_ if isinstance(id_, str) else None


def _mapping(value: Json) -> Mapping[str, Any]:
    return value if isinstance(value, dict) else {}
