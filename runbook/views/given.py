"""Values of `--set KEY=VALUE`, by the types that a runbook's params declare."""

from collections.abc import Iterable, Mapping
from math import isfinite

from runbook.errors import Problem, RunbookError
from runbook.model.definition import Json, Param, Runbook
from runbook.model.masking import mask_value
from runbook.spec.validation import did_you_mean, value_problem

_WORDS = {"true": True, "false": False}


def parse_settings(pairs: Iterable[str], params: Mapping[str, Param]) -> dict[str, Json]:
    """Return the values by param; of two for the same one, the later.

    Text is taken as it is; numbers and booleans by their type; lists and mappings as YAML, which
    JSON is too. Raises RunbookError naming everything that is wrong. A secret's value is not shown.
    """
    values: dict[str, Json] = {}
    problems: list[Problem] = []
    for pair in pairs:
        name, equals, text = pair.partition("=")
        param = params.get(name)
        if not equals:
            problems.append(
                Problem(
                    reference="bad-set",
                    message=f'--set takes KEY=VALUE, and got "{pair}"',
                )
            )
        elif param is None:
            problems.append(
                Problem(
                    reference="unknown-param",
                    message=f'the runbook has no param "{name}"',
                    hint=did_you_mean(name, params)
                    or (f"It has {', '.join(params)}." if params else "It has none."),
                )
            )
        else:
            value = _value(text, str(param.schema.get("type")))
            wrong = value_problem(value, param.schema)
            if wrong is None:
                values[name] = value
            else:
                problems.append(_wrong_value(param, wrong))
    if problems:
        raise RunbookError(*problems)
    return values


def refuse_in_queue(pairs: Iterable[str], runbook: Runbook) -> None:
    """Raise RunbookError `secret-in-queue` where a value would have to be kept secret.

    That is one of a secret param, and one that looks like a secret.
    """
    given = [pair.partition("=")[::2] for pair in pairs]
    params = runbook.params
    hidden = dict.fromkeys(
        name
        for name, text in given
        if (name in params and params[name].secret) or mask_value({name: text}) != {name: text}
    )
    if hidden:
        raise RunbookError.of(
            "secret-in-queue",
            f"{', '.join(hidden)} is secret, and the queue would keep its value",
            hint="Put it into the inventory, with Ansible's vault.",
        )


def _wrong_value(param: Param, wrong: str) -> Problem:
    kind = param.schema.get("type")
    return Problem(
        reference="bad-value",
        message=f"{param.name} is secret, and its value does not fit its type"
        if param.secret
        else f"{param.name} {wrong}",
        hint={
            "boolean": f"Write {param.name}=true or {param.name}=false.",
            "array": f"Write a list as in YAML: {param.name}='[a, b]'.",
            "object": f"Write a mapping as in YAML: {param.name}='{{a: b}}'.",
        }.get(str(kind)),
    )


def _value(text: str, kind: str) -> Json:
    """Return a text as a value of a type; the text itself where it cannot be one."""
    match kind:
        case "integer":
            return _number(text, int)
        case "number":
            return _number(text, int) if text.lstrip("+-").isdecimal() else _number(text, float)
        case "boolean":
            return _WORDS.get(text.lower(), text)
        case "array" | "object":
            import yaml  # noqa: PLC0415  # for these two types only

            try:
                return yaml.safe_load(text)
            except yaml.YAMLError:
                return text
        case _:
            return text


def _number(text: str, kind: type[int] | type[float]) -> Json:
    try:
        number = kind(text)
        # JSON, in which values reach Ansible, has no word for nan and inf.
        return number if isfinite(number) else text
    except (ValueError, OverflowError):
        return text
