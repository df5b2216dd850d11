"""The table of probe types, the schema, the code on the host and the page say the same."""

import importlib.util
import json
import re
from pathlib import Path
from types import FunctionType
from typing import Any

import pytest
import yaml
from jsonschema import Draft202012Validator

from runbook.executor.content.module_utils.runbook_probes import registry
from runbook.executor.content.module_utils.runbook_probes.call import READERS
from runbook.model.probes import PROBE_TYPES, effect_of
from tests.unit.probes.prober import request

ROOT = Path(__file__).parents[3]
SCHEMA: dict[str, Any] = json.loads(
    (ROOT / "runbook" / "spec" / "schema" / "probes.schema.json").read_text(encoding="utf-8")
)
VALIDATOR = Draft202012Validator({**SCHEMA, "$ref": "#/$defs/probe"})
KINDS = sorted(PROBE_TYPES)


def _signature(function: FunctionType) -> tuple[set[str], dict[str, object]]:
    code = function.__code__
    names = code.co_varnames[code.co_argcount : code.co_argcount + code.co_kwonlyargcount]
    return set(names), dict(function.__kwdefaults__ or {})


def test_every_type_is_in_all_places() -> None:
    """The same types are in the table, the schema and the code."""
    assert set(registry.AREAS) == set(KINDS)
    assert set(SCHEMA["$defs"]) == {*KINDS, "templated", "probe"}
    assert set(SCHEMA["$defs"]["probe"]["properties"]) == set(KINDS)


@pytest.mark.parametrize("kind", KINDS)
def test_the_schema_takes_what_the_code_takes(kind: str) -> None:
    """Arguments, which of them are required, and defaults are those of the function."""
    function = registry.find(kind)
    names, defaults = _signature(function)
    schema = SCHEMA["$defs"][kind]
    properties = schema["properties"]
    required = set(schema.get("required", ()))
    documented = {name: each["default"] for name, each in properties.items() if "default" in each}
    # A program that is not named has a name all the same.
    documented = {
        name: None if isinstance(value, list) else value for name, value in documented.items()
    }

    assert set(properties) == names
    assert required == names - set(defaults)
    assert documented.items() <= defaults.items()
    assert schema["additionalProperties"] is False
    assert all(each["description"].endswith(".") for each in properties.values())
    for name in names:
        assert function.__annotations__[name].partition(" | ")[0] in READERS


@pytest.mark.parametrize("kind", KINDS)
def test_names_can_be_written_in_runbooks(kind: str) -> None:
    """No name is a boolean to YAML 1.1, and none hides behind a method of mappings in Jinja."""
    arguments = SCHEMA["$defs"][kind]["properties"]
    choices = [value for each in arguments.values() for value in each.get("enum", ())]
    for name in (kind, *arguments, *PROBE_TYPES[kind].facts, *choices):
        assert yaml.safe_load(name) == name
        assert not hasattr({}, name)


@pytest.mark.parametrize("kind", KINDS)
def test_the_default_condition_asks_for_facts_there_are(kind: str) -> None:
    """What a check passes by, if its author does not say, names facts of that probe only."""
    passes = PROBE_TYPES[kind].default_passes
    if passes is not None:
        assert set(re.findall(r"\{0\}\.(\w+)", passes)) <= set(PROBE_TYPES[kind].facts)
        assert re.findall(r"\{0\}\.(\w+)", passes)


def test_probes_of_a_whole_host_tell_all_their_facts() -> None:
    """Probes that need nothing in particular answer with every documented fact."""
    kinds = ["disk", "memory", "load", "file_descriptors", "time", "host"]
    told = request({"probes": [{"id": kind, "type": kind} for kind in kinds]})

    for kind in kinds:
        assert set(told["answers"][kind]["facts"]) == set(PROBE_TYPES[kind].facts)


@pytest.mark.parametrize(
    "probe",
    [
        {"http": {"url": "http://192.0.2.1/", "headers": {"Host": "a.example"}}},
        {"http": {"url": "{{ url }}", "verify_tls": "{{ strict }}", "body": {"a": [1]}}},
        {"port": {"port": "{{ backend_port }}"}},
        {"tcp": {"port": 8000}},
        {"command": {"argv": ["true"]}},
        {"process": {"name": "nginx"}},
        {"service": {"name": "backend"}},
        {"service": {"name": "{{ name }}", "manager": "{{ manager }}"}},
        {"service": {"manager": "process", "pattern": "uvicorn"}},
        {"nginx_config": {"command": ["nginx", "-c", "/srv/nginx.conf"]}},
        {"nginx_config": {"command": "{{ nginx_command }}"}},
        {"log": {"unit": "backend", "since": "{{ then }}", "patterns": {"gone": "refused"}}},
        {"memory": {}},
    ],
)
def test_the_schema_takes_sound_probes(probe: object) -> None:
    """Probes as runbooks have them are accepted."""
    assert not list(VALIDATOR.iter_errors(probe))


@pytest.mark.parametrize(
    "probe",
    [
        {},
        {"tcp": {"port": 1}, "memory": {}},
        {"horoscope": {}},
        {"tcp": {}},
        {"tcp": {"port": 0}},
        {"tcp": {"port": 65536}},
        {"tcp": {"port": "8000"}},
        {"tcp": {"port": True}},
        {"tcp": {"port": 1, "speed": 2}},
        {"http": {"url": ""}},
        {"http": {"url": "http://192.0.2.1/", "method": "{{ method }}"}},
        {"http": {"url": "http://192.0.2.1/", "method": "BREW"}},
        {"command": {}},
        {"command": {"argv": ["true"], "shell": "true"}},
        {"command": {"argv": []}},
        {"process": {"name": "a", "pattern": "a"}},
        {"service": {}},
        {"service": {"manager": "process"}},
        {"service": {"manager": "launchd", "name": "a"}},
        {"log": {"path": "/a", "unit": "a"}},
        {"file_descriptors": {"pid": 1, "pattern": "a"}},
        {"memory": {"swap": True}},
    ],
)
def test_the_schema_refuses_unsound_probes(probe: object) -> None:
    """What no probe could make sense of is refused before any host is touched."""
    assert list(VALIDATOR.iter_errors(probe))


def test_the_schema_itself_is_sound() -> None:
    """The schema is one, by the rules of its draft."""
    Draft202012Validator.check_schema(SCHEMA)


@pytest.mark.parametrize(
    ("kind", "arguments", "effect"),
    [
        ("http", {}, None),
        ("http", {"method": "HEAD"}, None),
        ("http", {"method": "POST"}, "sends a POST request"),
        ("tcp", {}, None),
        ("command", {}, None),
        (
            "python_imports",
            {},
            "runs the application's code as far as importing it does",
        ),
    ],
)
def test_what_looking_does(kind: str, arguments: dict[str, object], effect: str | None) -> None:
    """Only requests that may change something and the application's own code are effects."""
    assert effect_of(kind, arguments) == effect


def test_the_page_of_probes_is_current() -> None:
    """docs/reference/probes.md is what docs/generate_probes.py writes."""
    place = ROOT / "docs" / "generate_probes.py"
    spec = importlib.util.spec_from_file_location("generate_probes", place)
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)

    assert module.PAGE.read_text(encoding="utf-8") == module.page()
