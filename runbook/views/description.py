"""What `runbook show` says of a runbook, in words and as plain data."""

from collections.abc import Iterator
from typing import Any

from runbook.model.definition import (
    Action,
    AnsibleRole,
    Cause,
    Check,
    End,
    Fix,
    Json,
    Param,
    Probe,
    Runbook,
    Step,
)
from runbook.model.masking import MASK
from runbook.model.yaml_nodes import Tagged
from runbook.views.drawing import tree
from runbook.views.paths import KINDS, sketched, titles_of, ways
from runbook.views.safe_text import printable, printable_lines
from runbook.views.words import count, say_duration, say_share, shorten


def describe(runbook: Runbook) -> list[str]:
    """Return a runbook in words, as lines."""
    lines = [f"{runbook.name}: {printable(runbook.title)}"]
    if runbook.description:
        lines += ["", *printable_lines(runbook.description.strip())]
    lines += ["", *(f"File: {printable(source)}" for source in runbook.sources[:1])]
    if len(runbook.sources) > 1:
        lines.append(f"Calls: {', '.join(map(printable, runbook.sources[1:]))}")
    if runbook.symptoms:
        lines += ["", "Symptoms", *(f"  {printable(text)}" for text in runbook.symptoms)]
    if runbook.params:
        lines += ["", "Params", *_params(runbook)]
    if runbook.causes:
        lines += ["", "Causes", *_causes(runbook)]
    lines += ["", "Steps", *(f"  {line}" for line in tree(sketched(runbook), titles_of(runbook)))]
    fixes = [step for step in runbook.steps.values() if isinstance(step, Fix)]
    if fixes:
        lines += ["", "Fixes"]
        for fix in fixes:
            lines += (f"  {line}" for line in describe_fix(fix, runbook))
    return lines


def document(runbook: Runbook) -> dict[str, Any]:
    """Return a runbook as plain data; a secret param's default is masked."""
    return {
        "runbook": runbook.name,
        "title": runbook.title,
        "description": runbook.description,
        "symptoms": list(runbook.symptoms),
        "files": list(runbook.sources),
        "params": [_param_document(param) for param in runbook.params.values()],
        "causes": [
            {"id": cause.id, "title": cause.title, "likelihood": cause.likelihood}
            for cause in runbook.causes.values()
        ],
        "start": runbook.start,
        "steps": [_step_document(step) for step in runbook.steps.values()],
    }


def _params(runbook: Runbook) -> Iterator[str]:
    width = max(map(len, runbook.params))
    for param in runbook.params.values():
        parts = [_type(param.schema)]
        parts.append("required" if param.required else f"default {_default(param)}")
        if param.secret:
            parts.append("secret")
        yield f"  {param.name:<{width}}  {', '.join(parts)}"
        if param.title:
            yield f"  {'':<{width}}  {printable(param.title)}"


def _type(schema: Json) -> str:
    """Say in words which values a param takes."""
    text = {"array": "list", "object": "mapping"}.get(schema["type"], schema["type"])
    if "items" in schema:
        text += f" of {_type(schema['items'])}"
    if "enum" in schema:
        text += f", one of {', '.join(_value(value) for value in schema['enum'])}"
    if "minimum" in schema:
        text += f", at least {schema['minimum']}"
    if "maximum" in schema:
        text += f", at most {schema['maximum']}"
    if "pattern" in schema:
        text += f", matching {printable(schema['pattern'])}"
    return str(text)


def _default(param: Param) -> str:
    return MASK if param.secret and param.default else _value(param.default)


def _value(value: Json) -> str:
    import json  # noqa: PLC0415  # the other views have no use for it

    return shorten(printable(json.dumps(value, ensure_ascii=False)), 60)


def _causes(runbook: Runbook) -> Iterator[str]:
    width = max(map(len, runbook.causes))
    shares = {cause.id: _likelihood(cause) for cause in runbook.causes.values()}
    column = max(4, *map(len, shares.values()))
    for cause in runbook.causes.values():
        share = shares[cause.id]
        yield f"  {share:>{column}}  {cause.id:<{width}}  {printable(cause.title)}"


def _likelihood(cause: Cause) -> str:
    return "" if cause.likelihood is None else say_share(cause.likelihood)


def describe_fix(fix: Fix, runbook: Runbook) -> Iterator[str]:
    """Yield what a fix is, in lines."""
    yield f"{fix.id}: {printable(fix.title)}"
    yield f"  changes the host  {'DESTRUCTIVE' if fix.destructive else 'harmless, says its author'}"
    if fix.cause is not None:
        cause = runbook.causes.get(fix.cause)
        title = f" ({printable(cause.title)})" if cause else ""
        yield f"  cause             {fix.cause}{title}"
    if fix.impact:
        yield f"  impact            {printable(fix.impact)}"
    if fix.affects:
        yield f"  affects           {printable(', '.join(fix.affects))}"
    yield f"  action            {_action(fix.action)}, at most {say_duration(fix.timeout_s)}"
    looks = ", ".join(dict.fromkeys(filter(None, (fix.verify.cause, fix.verify.symptom))))
    holds = f", must hold {say_duration(fix.verify.hold_s)}" if fix.verify.hold_s else ""
    yield f"  verified by       {looks} within {say_duration(fix.verify.within_s)}{holds}"
    yield f"  undo              {_action(fix.undo) if fix.undo else 'none'}"


def _action(action: Action) -> str:
    if isinstance(action, AnsibleRole):
        return f"role {printable(action.name)}"
    names = [str(body["name"]) for body in action.bodies if "name" in body]
    said = f" ({printable('; '.join(names))})" if names else ""
    return count(len(action.bodies), "task") + said


def _param_document(param: Param) -> dict[str, Any]:
    return {
        "name": param.name,
        "title": param.title,
        "schema": dict(param.schema),
        "required": param.required,
        "default": MASK if param.secret and param.default else _plain(param.default),
        "secret": param.secret,
    }


def _step_document(step: Step) -> dict[str, Any]:
    said: dict[str, Any] = {
        "id": step.id,
        "kind": KINDS[type(step)].value,
        "title": step.title,
        "next": [
            {
                "results": list(way.results),
                **(
                    {"end": way.target.verdict.value, "cause": way.target.cause}
                    if isinstance(way.target, End)
                    else {"step": way.target.step}
                ),
            }
            for way in ways(step)
        ],
    }
    match step:
        case Check():
            probe = step.look.type if isinstance(step.look, Probe) else None
            said |= {"probe": probe, "passes": step.passes, "effect": step.effect}
            said["cause"] = step.cause
        case Fix():
            said |= {
                "cause": step.cause,
                "impact": step.impact,
                "destructive": step.destructive,
                "affects": list(step.affects),
                "role": step.action.name if isinstance(step.action, AnsibleRole) else None,
                "undo": step.undo is not None,
                "verify": {
                    "cause": step.verify.cause,
                    "symptom": step.verify.symptom,
                    "within_s": step.verify.within_s,
                    "hold_s": step.verify.hold_s,
                },
            }
        case _:
            pass
    return said


def _plain(value: Json) -> Json:
    return value.value if isinstance(value, Tagged) else value
