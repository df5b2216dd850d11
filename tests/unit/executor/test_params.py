"""Params are checked as they are rendered for a host."""

from typing import Any

import pytest

from runbook.executor.params import problem_with


@pytest.mark.parametrize(
    ("value", "schema"),
    [
        ("text", {"type": "string"}),
        (8000, {"type": "integer", "minimum": 1, "maximum": 65535}),
        (1.5, {"type": "number"}),
        (2, {"type": "number", "minimum": 2}),
        (True, {"type": "boolean"}),
        ([200, 204], {"type": "array", "items": {"type": "integer"}}),
        ({"a": 1}, {"type": "object"}),
        ("b", {"type": "string", "enum": ["a", "b"]}),
        ("web-1", {"type": "string", "pattern": "^web-[0-9]+$"}),
        (None, {}),
    ],
)
def test_what_fits_has_no_problem(value: Any, schema: dict[str, Any]) -> None:
    """Each keyword is met."""
    assert problem_with(value, schema, secret=False) is None


@pytest.mark.parametrize(
    ("value", "schema", "problem"),
    [
        (8000, {"type": "string"}, "8000 is not of type string"),
        ("8000", {"type": "integer"}, "'8000' is not of type integer"),
        (True, {"type": "integer"}, "True is not of type integer"),
        (1.0, {"type": "integer"}, "1.0 is not of type integer"),
        ("x", {"type": "array"}, "'x' is not of type list"),
        (0, {"type": "integer", "minimum": 1}, "0 is less than 1"),
        (9, {"type": "integer", "maximum": 8}, "9 is more than 8"),
        ("c", {"type": "string", "enum": ["a", "b"]}, "'c' is not one of 'a', 'b'"),
        ("db", {"type": "string", "pattern": "^web"}, "'db' does not match ^web"),
        (
            [200, "x"],
            {"type": "array", "items": {"type": "integer"}},
            "item 2: 'x' is not of type integer",
        ),
    ],
)
def test_what_does_not_fit_is_said(value: Any, schema: dict[str, Any], problem: str) -> None:
    """The message names the value and what is wanted."""
    assert problem_with(value, schema, secret=False) == problem


@pytest.mark.parametrize(
    "schema",
    [
        {"type": "integer"},
        {"type": "string", "enum": ["a"]},
        {"type": "string", "pattern": "^a$"},
        {"type": "array"},
    ],
)
def test_a_secret_value_is_never_in_the_message(schema: dict[str, Any]) -> None:
    """It is called the value."""
    problem = problem_with("s3cr3t", schema, secret=True)

    assert problem is not None
    assert problem.startswith("the value ")
    assert "s3cr3t" not in problem
