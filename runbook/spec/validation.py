"""The shape of a runbook: JSON Schema's findings, said the way a person would say them."""

import json
from collections.abc import Iterable, Iterator, Sequence
from difflib import get_close_matches
from functools import cache
from importlib import resources
from typing import TYPE_CHECKING, Any

from runbook.errors import Problem
from runbook.model.definition import Json, StepKind
from runbook.spec.document import Document, Path
from runbook.spec.fitting import fits

if TYPE_CHECKING:
    from jsonschema import Draft202012Validator

# jsonschema declares every field of its errors as possibly unset; none is, once it yields them.
_Error = Any

_TYPES = {
    "string": "text",
    "integer": "a whole number",
    "number": "a number",
    "boolean": "true or false",
    "array": "a list",
    "object": "a mapping",
    "null": "nothing",
}
_SCHEMAS = (
    "runbook.schema.json",
    "probes.schema.json",
    "policy.schema.json",
    "schedules.schema.json",
    "notify.schema.json",
)
VERDICTS = ("healthy", "resolved", "unresolved", "escalated", "declined", "unknown")
"""The verdicts that a runbook may write; the others are for the engine to give."""


@cache
def load_schema(name: str) -> dict[str, Any]:
    """Return one of the shipped schemas by its file name."""
    content = resources.files("runbook.spec.schema").joinpath(name).read_text(encoding="utf-8")
    loaded: dict[str, Any] = json.loads(content)
    return loaded


@cache
def _validator(schema: str) -> "Draft202012Validator":
    from jsonschema import Draft202012Validator  # noqa: PLC0415  # 100 ms the command line saves
    from referencing import Registry, Resource  # noqa: PLC0415

    registry: Registry[Any] = Registry().with_resources(
        (name, Resource.from_contents(load_schema(name)))
        for name in ("probes.schema.json", "policy.schema.json")
    )
    return Draft202012Validator(load_schema(schema), registry=registry)


def shape_problems(
    document: Document, schema: str = "runbook.schema.json"
) -> list[tuple[Path, Problem]]:
    """Return what is wrong with the shape of a document, each with the path it is wrong at.

    `schema` is the file name of one of the shipped schemas.
    """
    if fits(document.data, load_schema(schema), _definition):
        return []
    errors = list(_validator(schema).iter_errors(document.data))
    # Of a step whose kind is unclear nothing more can be said than that.
    unclear = {tuple(error.absolute_path) for error in errors if _is_kind_error(error)}
    found: dict[tuple[Path, str], Problem] = {}
    for error in errors:
        path = tuple(error.absolute_path)
        if _is_kind_error(error) or not any(path[:n] in unclear for n in range(len(path) + 1)):
            for place, problem in _translate(document, error):
                found.setdefault((place, problem.message), problem)
    return [(place, problem) for (place, _), problem in found.items()]


def value_problem(value: Json, schema: Json) -> str | None:
    """Say in words what is wrong with a value under a param's schema; None if it is sound."""
    if fits(value, schema, _definition):
        return None
    from jsonschema import Draft202012Validator  # noqa: PLC0415

    for error in Draft202012Validator(schema).iter_errors(value):
        return _wrong_value(error)
    return None


def did_you_mean(word: str, known: Iterable[str]) -> str | None:
    """Return a hint naming the known word that is nearest, if one is near."""
    near = get_close_matches(word, known, n=1, cutoff=0.6)
    return f'Did you mean "{near[0]}"?' if near else None


def shown(value: Json) -> str:
    """Return a value as a message shows it, cut to a line."""
    text = value if isinstance(value, str) else json.dumps(value, default=str)
    return text if len(text) <= 60 else f"{text[:57]}..."


def _is_kind_error(error: _Error) -> bool:
    return error.validator == "oneOf" and StepKind.CHECK in _options(error)


def _options(error: _Error) -> list[str]:
    """Return the keys of which exactly one is needed, if that is what a `oneOf` is about."""
    options = [option.get("required", []) for option in error.validator_value]
    return [option[0] for option in options if len(option) == 1]


def _translate(  # noqa: C901  # one arm for each keyword of JSON Schema
    document: Document, error: _Error
) -> Iterator[tuple[Path, Problem]]:
    path: Path = tuple(error.absolute_path)
    if "propertyNames" in error.schema_path:
        below = (*path, error.instance)
        message = f'"{shown(error.instance)}" is not {_words(error.schema)}'
        yield below, Problem(reference="bad-name", message=message, where=document.key(below))
        return
    match error.validator:
        case "additionalProperties":
            known = list(error.schema.get("properties", {}))
            cut = any(_is_cut(value) for value in error.instance.values())
            for key in error.instance:
                # The rest of a target that a comma has cut in two is no key of its own.
                if key not in known and not (cut and str(key).endswith(")")):
                    yield (*path, key), _unknown_key(document, (*path, key), known)
        case "required":
            for key in error.validator_value:
                if key not in error.instance:
                    yield path, _missing_key(document, path, key, error.schema)
        case "oneOf" if _options(error):
            yield path, _one_of(document, path, _options(error), error.instance)
        case "anyOf" | "oneOf" if branch := _nearest(error):
            for inner in branch:
                yield from _translate(document, inner)
        case "maxProperties" if error.validator_value == 1:
            keys = " and ".join(f'"{key}"' for key in error.instance)
            message = f"{_name(document, path)} takes one key, and has {keys}"
            yield path, Problem(reference="wrong-value", message=message, where=document.key(path))
        case _:
            yield (
                path,
                Problem(
                    reference="wrong-value",
                    message=f"{_name(document, path)} {_wrong_value(error)}",
                    where=document.value(path),
                    hint=_target_hint(error.instance),
                ),
            )


def _unknown_key(document: Document, path: Path, known: Sequence[str]) -> Problem:
    *above, key = path
    inside = f" in {_name(document, tuple(above))}" if above else ""
    return Problem(
        reference="unknown-key",
        message=f'unknown key "{shown(key)}"{inside}',
        where=document.key(path),
        hint=did_you_mean(str(key), known) or f"Known here: {', '.join(known)}.",
    )


def _missing_key(document: Document, path: Path, key: str, schema: Json) -> Problem:
    description = schema.get("properties", {}).get(key, {}).get("description")
    return Problem(
        reference="fix-without-verify" if key == "verify" else "missing-key",
        message=f'{_name(document, path)} lacks the key "{key}"',
        where=document.key(path),
        context=f"{key}: {description}" if description else None,
    )


def _one_of(document: Document, path: Path, options: Sequence[str], value: Json) -> Problem:
    if not isinstance(value, dict):
        message = f'{_name(document, path)} is "{shown(value)}", not a mapping'
        return Problem(reference="wrong-value", message=message, where=document.value(path))
    given = [option for option in options if option in value]
    if given:
        count = "both" if len(given) == 2 else "all of"
        message = f"{_name(document, path)} has {count} {_list(given, 'and')}; it takes one of them"
        return Problem(
            reference="too-many-keys", message=message, where=document.key((*path, given[-1]))
        )
    hints = (did_you_mean(str(key), options) for key in value)
    return Problem(
        reference="missing-key",
        message=f"{_name(document, path)} needs one of {_list(options, 'or')}",
        where=document.key(path),
        hint=next((hint for hint in hints if hint), None),
    )


def _nearest(error: _Error) -> list[_Error]:
    """Return the errors of the one alternative that has the value's own type, if only one has.

    Of a scalar nothing more is to be said than what all alternatives are in words.
    """
    if not isinstance(error.instance, dict | list) or not error.context:
        return []
    branches: dict[Any, list[_Error]] = {}
    for inner in error.context:
        branches.setdefault(inner.schema_path[0], []).append(inner)
    fitting = [
        inners
        for inners in branches.values()
        if not any(inner.validator == "type" and not inner.path for inner in inners)
    ]
    return fitting[0] if len(fitting) == 1 else []


def _wrong_value(error: _Error) -> str:
    value = shown(error.instance)
    match error.validator:
        case "type" | "pattern" | "const" | "anyOf" | "oneOf" | "enum":
            kind = _TYPES.get(_type_name(error.instance), "this")
            quoted = f'"{value}"' if isinstance(error.instance, str) else value
            seen = kind if isinstance(error.instance, dict | list) else quoted
            return f"is {seen}, not {_words(error.schema)}"
        case "minimum" | "exclusiveMinimum":
            bound = "at least" if error.validator == "minimum" else "more than"
            return f"is {value}, and must be {bound} {error.validator_value}"
        case "maximum" | "exclusiveMaximum":
            bound = "at most" if error.validator == "maximum" else "less than"
            return f"is {value}, and must be {bound} {error.validator_value}"
        case "minLength" | "minItems" | "minProperties":
            return "is empty"
        case "maxLength":
            return f"is longer than {error.validator_value} characters"
        case _:
            return f'is "{value}", which does not fit: {shown(error.message)}'


def _target_hint(value: Json) -> str | None:
    if not isinstance(value, str) or not value.startswith("end("):
        return None
    if _is_cut(value):
        return f'Quote it, as in "{value}, CAUSE)": within braces a comma ends a value.'
    word = value.removeprefix("end(").rstrip(")").split(",")[0].strip()
    return did_you_mean(word, VERDICTS) or f"The verdicts are {', '.join(VERDICTS)}."


def _is_cut(value: Json) -> bool:
    return isinstance(value, str) and value.startswith("end(") and ")" not in value


def _words(schema: Json) -> str:
    """Say in words what values a schema takes."""
    if not isinstance(schema, dict):
        return "what is expected here"
    if "title" in schema:
        return str(schema["title"])
    if "$ref" in schema:
        return _words(_definition(str(schema["$ref"])))
    for key in ("anyOf", "oneOf"):
        if key in schema:
            return ", or ".join(dict.fromkeys(_words(option) for option in schema[key]))
    if "enum" in schema:
        return "one of " + ", ".join(shown(value) for value in schema["enum"])
    if "const" in schema:
        return shown(schema["const"])
    if "pattern" in schema:
        return f"text that matches {schema['pattern']}"
    kinds = schema.get("type", "object")
    kinds = [kinds] if isinstance(kinds, str) else kinds
    return " or ".join(_TYPES[kind] for kind in kinds)


def _definition(reference: str) -> Json:
    name = reference.rsplit("/", 1)[-1]
    for file in _SCHEMAS:
        if name in (definitions := load_schema(file).get("$defs", {})):
            return definitions[name]
    return None


def _type_name(value: Json) -> str:
    match value:
        case bool():
            return "boolean"
        case None:
            return "null"
        case int() | float():
            return "number"
        case list():
            return "array"
        case dict():
            return "object"
        case _:
            return "string"


def _name(document: Document, path: Path) -> str:
    """Return a path as people speak of it: `"next.passed" of check "site"`."""
    match path:
        case ():
            return document.noun
        case ("steps", int() as index, *rest):
            step = step_name(document.data["steps"][index], index)
            return f'"{_dotted(rest)}" of {step}' if rest else step
        case _:
            return f'"{_dotted(path)}"'


def step_name(raw: Json, index: int) -> str:
    """Return what to call a step in a message: by kind and id, else by its number from 1."""
    kinds = [kind for kind in StepKind if isinstance(raw, dict) and kind in raw]
    if len(kinds) == 1 and isinstance(raw[kinds[0]], str):
        return f'{kinds[0]} "{raw[kinds[0]]}"'
    return f"step {index + 1}"


def _dotted(path: Sequence[str | int]) -> str:
    text = ""
    for part in path:
        text += f"[{part}]" if isinstance(part, int) else f".{part}"
    return text.lstrip(".")


def _list(words: Sequence[str], conjunction: str) -> str:
    quoted = [f'"{word}"' for word in words]
    if len(quoted) == 1:
        return quoted[0]
    return f"{', '.join(quoted[:-1])} {conjunction} {quoted[-1]}"
