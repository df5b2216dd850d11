"""`--set KEY=VALUE` becomes a value of the param's type, or an error that says why not."""

from contextlib import suppress
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from runbook.errors import RunbookError
from runbook.model.definition import Param
from runbook.views.given import parse_settings

SCHEMAS: dict[str, dict[str, Any]] = {
    "text": {"type": "string"},
    "short": {"type": "string", "pattern": "^[a-z]+$"},
    "port": {"type": "integer", "minimum": 1, "maximum": 65535},
    "share": {"type": "number"},
    "deep": {"type": "boolean"},
    "codes": {"type": "array", "items": {"type": "integer"}},
    "labels": {"type": "object"},
    "mode": {"type": "string", "enum": ["fast", "safe"]},
    "pin": {"type": "integer", "maximum": 9999},
}
PARAMS = {
    name: Param(name=name, schema=schema, secret=name == "pin") for name, schema in SCHEMAS.items()
}


@pytest.mark.parametrize(
    ("pair", "value"),
    [
        ("text=", ""),
        ("text=a=b", "a=b"),
        ("text=8000", "8000"),
        ("text=true", "true"),
        ("port=8000", 8000),
        ("share=0.5", 0.5),
        ("share=-1", -1),
        ("share=1e3", 1000.0),
        ("deep=true", True),
        ("deep=False", False),
        ("codes=[200, 204]", [200, 204]),
        ("codes=[]", []),
        ('labels={"a": "b"}', {"a": "b"}),
        ("labels={a: {b: 1}}", {"a": {"b": 1}}),
        ("mode=safe", "safe"),
    ],
)
def test_a_value_has_its_params_type(pair: str, value: object) -> None:
    """What is typed arrives as the type declared, and no other."""
    [(_, got)] = parse_settings([pair], PARAMS).items()

    assert got == value
    assert type(got) is type(value)


@given(st.text())
def test_text_arrives_as_it_is(text: str) -> None:
    """Nothing in a text is taken for something else."""
    assert parse_settings([f"text={text}"], PARAMS) == {"text": text}


@given(st.sampled_from(sorted(SCHEMAS)), st.text())
def test_any_value_is_taken_or_refused(name: str, text: str) -> None:
    """No text makes anything but a value or an error of ours."""
    taken = False
    with suppress(RunbookError):
        taken = set(parse_settings([f"{name}={text}"], PARAMS)) == {name}
    assert taken or SCHEMAS[name] != {"type": "string"}


def test_the_later_value_wins() -> None:
    """A value given twice overrides, so that a script's can be."""
    assert parse_settings(["port=1", "port=2"], PARAMS) == {"port": 2}


@pytest.mark.parametrize(
    ("pair", "words"),
    [
        ("port", 'KEY=VALUE, and got "port"'),
        ("prot=1", 'no param "prot"'),
        ("prot=1", 'Did you mean "port"?'),
        ("zzz=1", "It has text, short,"),
        ("port=x", '"x", not a whole number'),
        ("port=0", "at least 1"),
        ("port=1.5", '"1.5", not a whole number'),
        ("share=much", "not a number"),
        ("share=nan", "not a number"),
        ("share=-inf", "not a number"),
        ("deep=yes", "deep=true or deep=false"),
        ("codes=200", "codes='[a, b]'"),
        ("codes=[a]", "codes"),
        ("codes=[", "codes='[a, b]'"),
        ("labels=x", "labels='{a: b}'"),
        ("mode=slow", "fast"),
        ("short=A", "short"),
    ],
)
def test_what_does_not_fit_is_said(pair: str, words: str) -> None:
    """The message names the param, what is wrong, and what to write."""
    with pytest.raises(RunbookError) as caught:
        parse_settings([pair], PARAMS)

    assert words in caught.value.render()


def test_all_wrong_values_are_named_at_once() -> None:
    """Three mistakes are three problems."""
    with pytest.raises(RunbookError) as caught:
        parse_settings(["port=x", "prot=1", "text=fine", "deep"], PARAMS)

    assert [problem.reference for problem in caught.value.problems] == [
        "bad-value",
        "unknown-param",
        "bad-set",
    ]


def test_a_secret_is_not_repeated() -> None:
    """The value of a secret param stays out of the message."""
    with pytest.raises(RunbookError) as caught:
        parse_settings(["pin=12345"], PARAMS)

    assert "12345" not in caught.value.render()
    assert "pin is secret" in caught.value.render()


def test_a_runbook_without_params_says_so() -> None:
    """There is nothing to choose from where there are no params."""
    with pytest.raises(RunbookError, match="It has none"):
        parse_settings(["a=1"], {})
