"""The quick yes or no about a schema is jsonschema's answer."""

import json
from copy import deepcopy
from pathlib import Path
from typing import Any

import pytest
import yaml
from hypothesis import given, settings
from hypothesis import strategies as st
from jsonschema import Draft202012Validator
from referencing import Registry, Resource

from runbook.spec.fitting import fits
from runbook.spec.validation import load_schema

ROOT = Path(__file__).parents[3]
LANGUAGE = load_schema("runbook.schema.json")
PROBES = load_schema("probes.schema.json")
JUDGE = Draft202012Validator(
    LANGUAGE,
    registry=Registry().with_resource("probes.schema.json", Resource.from_contents(PROBES)),
)
RUNBOOKS = [
    yaml.safe_load(path.read_text(encoding="utf-8"))
    for path in (ROOT / "tests/runbooks/all-kinds.yml", ROOT / "runbooks/fix-502.yml")
]
WORDS = ["", "site", "end(healthy)", "{{ x }}", "5m", "host", "integer", "GET", "x" * 70, "A b"]
VALUES = st.recursive(
    st.none() | st.booleans() | st.integers(-2, 70000) | st.sampled_from([0.5, 1.0, *WORDS]),
    lambda inner: (
        st.lists(inner, max_size=3)
        | st.dictionaries(
            st.sampled_from([*WORDS, "type", "probe", "http", "next", "passed", "title", "task"]),
            inner,
            max_size=3,
        )
    ),
    max_leaves=4,
)


def find(reference: str) -> Any:
    """Return a definition by name, which is unique."""
    name = reference.rsplit("/", 1)[-1]
    return {**LANGUAGE["$defs"], **PROBES["$defs"]}[name]


def nothing(reference: str) -> Any:
    """Know no definition."""
    raise KeyError(reference)


def test_a_name_is_defined_once() -> None:
    """The two files share no name of a definition, so that a name alone finds it."""
    assert not LANGUAGE["$defs"].keys() & PROBES["$defs"].keys()


@pytest.mark.parametrize("example", RUNBOOKS)
def test_sound_runbooks_fit(example: Any) -> None:
    """The quick way is taken at all: every keyword of our schemas is known."""
    assert fits(example, LANGUAGE, find)


@settings(max_examples=300, deadline=None)
@given(st.data())
def test_the_answer_is_that_of_jsonschema(data: st.DataObject) -> None:
    """Whatever is changed in a sound runbook, both say the same of the result."""
    changed = deepcopy(data.draw(st.sampled_from(RUNBOOKS)))
    for _ in range(data.draw(st.integers(1, 2))):
        holder, key = data.draw(st.sampled_from(_places(changed)))
        how = data.draw(st.sampled_from(["replace", "remove", "add"]))
        if how == "remove":
            del holder[key]
        elif how == "add" and isinstance(holder, dict):
            holder[data.draw(st.sampled_from(["as", "from", "role", "extra", "Bad Name"]))] = (
                data.draw(VALUES)
            )
        else:
            holder[key] = data.draw(VALUES)

    assert fits(changed, LANGUAGE, find) == JUDGE.is_valid(changed)


@settings(max_examples=300, deadline=None)
@given(
    st.fixed_dictionaries(
        {},
        optional={
            "type": st.sampled_from(
                ["string", "integer", "number", "boolean", "array", "object", "null"]
            )
            | st.just(["integer", "null"]),
            "enum": st.lists(st.sampled_from([1, 1.0, True, False, 0, "site", None]), min_size=1),
            "const": st.sampled_from([1, True, 0.0, "site"]),
            "minimum": st.integers(-1, 3),
            "maximum": st.floats(-1, 3, allow_nan=False),
            "pattern": st.sampled_from(["^s", "e$", "[0-9]"]),
            "minLength": st.integers(0, 5),
            "maxLength": st.integers(0, 5),
            "minItems": st.integers(0, 2),
            "items": st.sampled_from([{"type": "integer"}, {"minLength": 1}, True, False]),
            "minProperties": st.integers(0, 2),
            "maxProperties": st.integers(0, 2),
            "required": st.just(["type"]),
            "properties": st.just({"type": {"type": "string"}, "next": False}),
            "additionalProperties": st.sampled_from([False, {"type": "null"}]),
            "propertyNames": st.just({"maxLength": 4}),
            "oneOf": st.just([{"type": "integer"}, {"minimum": 1}]),
            "if": st.just({"type": "string"}),
            "then": st.just({"minLength": 3}),
            "else": st.just({"not": {}}) | st.just({"type": "integer"}),
        },
    ),
    VALUES,
)
def test_it_never_accepts_what_jsonschema_refuses(schema: Any, value: Any) -> None:
    """For any schema a yes is a yes of jsonschema; a no, where all keywords are known, a no."""
    valid = Draft202012Validator(schema).is_valid(value)

    if fits(value, schema, nothing):
        assert valid
    elif "not" not in json.dumps(schema):
        assert not valid


def test_what_is_not_known_is_never_a_yes() -> None:
    """A keyword that is not known makes it a no, also where it would turn a no into a yes."""
    assert not fits(1, {"uniqueItems": True}, nothing)
    assert not fits(1, {"oneOf": [{"multipleOf": 1}, {"type": "integer"}]}, nothing)
    assert not fits(1, {"if": {"not": {"type": "string"}}, "then": False}, nothing)


def _places(value: Any) -> list[tuple[Any, Any]]:
    """Return every container of a document with each of its keys."""
    keys = value.keys() if isinstance(value, dict) else range(len(value))
    found = [(value, key) for key in keys]
    for key in keys:
        if isinstance(value[key], dict | list):
            found += _places(value[key])
    return found
