"""Params and causes: their declarations make sense, and each cause is concluded somewhere."""

import re
from collections.abc import Iterator, Mapping
from pathlib import Path as FilePath

from runbook.errors import Problem
from runbook.model.definition import End, Json, Param
from runbook.spec.document import Path
from runbook.spec.draft import Draft, DraftStep, edges
from runbook.spec.validation import did_you_mean, shown, value_problem

_APPLIES = {
    "minimum": ("integer", "number"),
    "maximum": ("integer", "number"),
    "pattern": ("string",),
    "items": ("array",),
}


def metadata_problems(draft: Draft) -> Iterator[Problem]:
    """Yield what is wrong above the steps."""
    stem = FilePath(draft.document.path).stem
    if draft.name and draft.name != stem:
        yield Problem(
            reference="name-differs",
            message=f'the runbook is called "{draft.name}", its file "{stem}"',
            where=draft.document.value(("runbook",)),
            hint=f"Runbooks are found by their file's name: call it {draft.name}.yml.",
        )
    for param in draft.params.values():
        yield from _param_problems(draft, param)
    yield from _cause_problems(draft)
    yield from _likelihood_problems(draft)


def _param_problems(draft: Draft, param: Param) -> Iterator[Problem]:
    path: Path = ("params", param.name)
    found = list(_constraint_problems(draft, path, param.schema))
    yield from found
    if found or not param.schema:
        return
    for index, value in enumerate(param.schema.get("enum", ())):
        kind = {key: item for key, item in param.schema.items() if key != "enum"}
        wrong = value_problem(value, kind)
        if wrong:
            yield Problem(
                reference="wrong-value",
                message=f'a value of the param "{param.name}" {wrong}',
                where=draft.document.value((*path, "enum", index)),
            )
    if param.required or (isinstance(param.default, str) and "{{" in param.default):
        return
    wrong = value_problem(param.default, param.schema)
    if wrong:
        yield Problem(
            reference="wrong-default",
            message=f'the default of the param "{param.name}" {wrong}',
            where=draft.document.value((*path, "default")),
        )


def _constraint_problems(draft: Draft, path: Path, schema: Mapping[str, Json]) -> Iterator[Problem]:
    kind = schema.get("type")
    for key, kinds in _APPLIES.items():
        if key in schema and kind not in kinds:
            yield Problem(
                reference="useless-constraint",
                message=f'"{key}" says nothing about a param of type {kind}',
                where=draft.document.key((*path, key)),
                hint=f"It is for {' and '.join(kinds)}.",
            )
    low, high = schema.get("minimum"), schema.get("maximum")
    if low is not None and high is not None and low > high:
        yield Problem(
            reference="empty-range",
            message=f"no number is at least {low} and at most {high}",
            where=draft.document.value((*path, "minimum")),
        )
    if "pattern" in schema:
        try:
            re.compile(schema["pattern"])
        except (re.error, OverflowError, RecursionError) as error:
            yield Problem(
                reference="bad-pattern",
                message=f"not a regular expression: {error}",
                where=draft.document.value((*path, "pattern")),
            )
    if isinstance(schema.get("items"), Mapping):
        yield from _constraint_problems(draft, (*path, "items"), schema["items"])


def _cause_problems(draft: Draft) -> Iterator[Problem]:
    concluded: set[str] = set()
    for written in draft.steps:
        seen = set()
        for path, cause in _named_causes(written):
            concluded.add(cause)
            # The cause of a fix is also that of its end(resolved), which nobody wrote.
            if cause not in draft.causes and cause not in seen:
                seen.add(cause)
                yield Problem(
                    reference="unknown-cause",
                    message=f'there is no cause "{shown(cause)}"',
                    where=draft.document.value(path),
                    hint=did_you_mean(cause, draft.causes) or "Declare it under `causes`.",
                )
    if not draft.broken:
        for cause in draft.causes:
            if cause not in concluded:
                yield Problem(
                    reference="unconcluded-cause",
                    message=f'no step concludes the cause "{cause}"',
                    where=draft.document.key(("causes", cause)),
                    hint="Give it to the check that finds it, the fix that removes it, "
                    "or an end(VERDICT, CAUSE).",
                )


def _named_causes(written: DraftStep) -> Iterator[tuple[Path, str]]:
    own = written.raw.get("cause")
    if isinstance(own, str):
        yield (*written.path, "cause"), own
    for edge in edges(written):
        if isinstance(edge.target, End) and edge.target.cause is not None:
            yield edge.path, edge.target.cause


def _likelihood_problems(draft: Draft) -> Iterator[Problem]:
    total = sum(cause.likelihood or 0 for cause in draft.causes.values())
    # Shares written with two digits may add up to a little more than 1.
    if total > 1.01:
        yield Problem(
            reference="likelihoods-over-one",
            message=f"the likelihoods of the causes add up to {total:.2f}",
            where=draft.document.key(("causes",)),
            hint="They are shares of all incidents: together at most 1.",
        )
