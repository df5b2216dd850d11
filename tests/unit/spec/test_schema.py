"""The schema as a file: for editors, for the page of reference, and closed throughout."""

import runpy
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from jsonschema import Draft202012Validator

from runbook.model.definition import CheckResult, FixResult, StepKind
from runbook.model.verdict import Verdict
from runbook.spec.validation import VERDICTS, load_schema

ROOT = Path(__file__).parents[3]
SCHEMA = load_schema("runbook.schema.json")


def _mappings(schema: Any, path: str = "#") -> Iterator[tuple[str, dict[str, Any]]]:
    if isinstance(schema, dict):
        if "properties" in schema and "type" in schema:
            yield path, schema
        for key, item in schema.items():
            yield from _mappings(item, f"{path}/{key}")
    elif isinstance(schema, list):
        for index, item in enumerate(schema):
            yield from _mappings(item, f"{path}/{index}")


def _choices(schema: Any) -> Iterator[Any]:
    if isinstance(schema, dict):
        yield from schema.get("enum", ()) if isinstance(schema.get("enum"), list) else ()
        for item in schema.values():
            yield from _choices(item)


def test_the_schema_is_one() -> None:
    """The file is valid JSON Schema 2020-12."""
    Draft202012Validator.check_schema(SCHEMA)


def test_every_mapping_is_closed_and_every_key_described() -> None:
    """No mapping takes keys it does not know, and an editor has a word to say about each key."""
    found = dict(_mappings(SCHEMA))

    assert len(found) > 15
    for path, schema in found.items():
        assert schema["additionalProperties"] is False, path
        for key, value in schema["properties"].items():
            reference = value.get("$ref", "").rpartition("/")[2]
            assert "description" in value or "description" in SCHEMA["$defs"][reference], (
                path,
                key,
            )


def test_no_word_of_ours_is_a_boolean_of_yaml_1_1() -> None:
    """No key or choice of the language needs quotes."""
    words = {key for _, schema in _mappings(SCHEMA) for key in schema["properties"]}
    words |= {word for word in _choices(SCHEMA) if isinstance(word, str)}

    assert not words & {"on", "off", "yes", "no", "y", "n", "true", "false"}


def test_the_schema_has_the_models_words() -> None:
    """Kinds, results and verdicts are the same in the schema and in the model."""
    definitions = SCHEMA["$defs"]
    kinds = [option["required"][0] for option in definitions["step"]["oneOf"]]

    assert kinds == [str(kind) for kind in StepKind]
    assert set(definitions["check"]["properties"]["next"]["anyOf"][1]["properties"]) == set(
        CheckResult
    )
    assert set(definitions["fix"]["properties"]["next"]["anyOf"][1]["properties"]) == set(FixResult)
    assert set(definitions["call"]["properties"]["next"]["anyOf"][1]["properties"]) == set(VERDICTS)
    assert set(VERDICTS) < set(Verdict)


def test_the_page_of_reference_is_current() -> None:
    """docs/reference/language.md says what the schema says."""
    page = runpy.run_path(str(ROOT / "docs" / "generate_language.py"))["page"]()

    assert (ROOT / "docs" / "reference" / "language.md").read_text(encoding="utf-8") == page
