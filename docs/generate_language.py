"""Write docs/reference/language.md from the schema of the language.

python docs/generate_language.py
"""

import json
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parent.parent
PAGE = ROOT / "docs" / "reference" / "language.md"
SCHEMA = ROOT / "runbook" / "spec" / "schema" / "runbook.schema.json"
EXAMPLE = ROOT / "tests" / "runbooks" / "all-kinds.yml"

Schema = Mapping[str, Any]

_INTRODUCTION = """\
# The language

<!-- Written by docs/generate_language.py. Change runbook.schema.json instead. -->

A runbook is one YAML file, called like the runbook it holds. An editor that knows JSON Schema
completes and checks it with this first line:

```yaml
# yaml-language-server: $schema=PATH/TO/runbook/spec/schema/runbook.schema.json
```

`runbook lint` finds what a schema cannot say: steps that lead nowhere, loops without bound, names
nobody declared. All problems are named at once, each with its line and column.

**Targets.** `next` leads to a step's id, or closes the path: `end(VERDICT)`, or `end(VERDICT, CAUSE)`
where the cause is known; the verdicts are healthy, resolved, unresolved, escalated, declined and
unknown. Within braces a target with a cause has to be quoted, because YAML ends a value at the comma:
`next: {passed: end(healthy), failed: "end(escalated, disk_full)"}`.

**Durations** are `500ms`, `30s`, `5m`, `2h`, or a number of seconds.

**Names.** Templates (`{{ … }}`) and conditions see the runbook's params, the results of checks, asks,
watches and collects by their ids, and Ansible's own variables (`inventory_hostname`, `groups`,
`hostvars`, `ansible_facts`, …). An inventory variable has to be declared as a param. Conditions are
Ansible conditionals without braces; they must come to true or false, and what is undefined makes them
unknown. Lookups, the clock and chance are refused in them.

**Ansible content** (`task`, `tasks`, `undo` and a role's `vars`) is carried to Ansible as it is
written, `!vault` and `!unsafe` included. Everywhere else the words yes, no, on and off have to be
quoted, and `!vault` belongs into the inventory.
"""

_RULES = {
    "check": """\
A probe passes by its own condition, or by `passes`. A task runs in check mode: ok is passed, changed
is failed ("not as it should be"), failed or skipped is unknown. Commands (the probe `command`, and the
modules command, shell, raw, script, win_command and win_shell) need their author's `read_only: true`
and a `passes`; such a task really runs, and `ID.rc` and `ID.stdout` are in its result.

A task check has no `check_mode: false`, `async`, `poll`, `register`, `notify`, `delegate_facts`, block,
role or include, and of lookups only those that read on the controller.""",
    "fix": """\
Unknown never leads to a destructive fix unless its author wrote the key `unknown`: a single target
for all results does not do. After a fix everything is looked at again, so what lies behind it cannot
use what was seen before.""",
    "watch": "It passes if every look passed.",
    "call": """\
The other runbook sees its own params only, and its steps are called `ID/STEP` in what is shown. A step
of this runbook cannot use its results. Runbooks must not call each other in a circle.""",
}


def page() -> str:
    """Return the text of the page."""
    schema: dict[str, Any] = json.loads(SCHEMA.read_text(encoding="utf-8"))
    definitions = schema["$defs"]
    parts = [_INTRODUCTION, "## The runbook", *_table(schema, definitions)]
    parts += ["### A param: `params.NAME`", *_table(definitions["param"], definitions)]
    parts += ["### A cause: `causes.ID`", *_table(definitions["cause"], definitions)]
    parts.append("## Steps")
    parts.append(
        "A step's first key is its kind, and carries its id: `check: site`. Every step has these keys:"
    )
    kinds = [option["required"][0] for option in definitions["step"]["oneOf"]]
    common = [
        key for key in definitions["check"]["properties"] if _everywhere(key, definitions, kinds)
    ]
    parts += _table(definitions["check"], definitions, only=common)
    for kind in kinds:
        definition = definitions[kind]
        parts.append(f"### {kind}")
        parts.append(definition["description"])
        parts += _table(definition, definitions, without=[*common, kind])
        if kind in _RULES:
            parts.append(_RULES[kind])
    parts.append("## An example with everything")
    parts.append(f"```yaml\n{EXAMPLE.read_text(encoding='utf-8').strip()}\n```")
    return "\n\n".join(part.strip("\n") for part in parts) + "\n"


def _everywhere(key: str, definitions: Schema, kinds: list[str]) -> bool:
    return all(key in definitions[kind]["properties"] for kind in kinds)


def _table(
    schema: Schema,
    definitions: Schema,
    *,
    only: list[str] | None = None,
    without: list[str] | None = None,
) -> list[str]:
    rows = list(_rows(schema, definitions, ""))
    chosen = [
        text
        for key, text in rows
        if (only is None or key in only) and key.partition(".")[0] not in (without or [])
    ]
    return ["\n".join(["| key | takes | default | meaning |", "|---|---|---|---|", *chosen])]


def _rows(schema: Schema, definitions: Schema, prefix: str) -> Iterator[tuple[str, str]]:
    choices = {option["required"][0] for option in schema.get("oneOf", ())}
    for name, written in schema["properties"].items():
        definition = _resolved(written, definitions)
        default = ""
        if name in schema.get("required", ()):
            default = "required"
        elif name in choices:
            default = "one of them"
        elif "default" in written:
            default = f"`{json.dumps(written['default'])}`".replace('"', "")
        meaning = written.get("description") or definition.get("description", "")
        key = f"{prefix}{name}"
        row = f"| `{key}` | {_cell(_kind(written, definitions))} | {default} | {_cell(meaning)} |"
        yield key, row
        below = _below(definition)
        # Params, causes and steps have tables of their own.
        if below is not None and "$ref" not in below[1]:
            yield from _rows(below[1], definitions, f"{key}{below[0]}.")


def _below(schema: Schema) -> tuple[str, Schema] | None:
    """Return the mapping inside a key, with how a path goes there, if there is a closed one."""
    for option in (schema, *schema.get("anyOf", ())):
        if "properties" in option:
            return "", option
        inside = option.get("additionalProperties")
        if isinstance(inside, Mapping):
            return (".ID", inside) if "properties" in inside or "$ref" in inside else None
        if "properties" in option.get("items", {}) or "$ref" in option.get("items", {}):
            return "[]", option["items"]
    return None


def _resolved(schema: Schema, definitions: Schema) -> Schema:
    reference = schema.get("$ref", "")
    found: Schema = (
        definitions[reference.rsplit("/", 1)[-1]] if reference.startswith("#") else schema
    )
    return found


def _kind(schema: Schema, definitions: Schema) -> str:
    if schema.get("$ref", "").startswith("probes."):
        return "[a probe](probes.md)"
    if schema.get("$ref") == "#/$defs/target":
        return "a target"
    schema = _resolved(schema, definitions)
    if "title" in schema:
        # What follows is for error messages, which stand alone.
        return str(schema["title"]).partition(" such as")[0]
    if "enum" in schema:
        return " ".join(f"`{value}`" for value in schema["enum"])
    if "anyOf" in schema:
        return ", or ".join(_kind(option, definitions) for option in schema["anyOf"])
    names = {
        "string": "text",
        "integer": "a whole number",
        "number": "a number",
        "boolean": "true or false",
        "array": "a list",
        "object": "a mapping",
    }
    return names.get(str(schema.get("type")), "any value")


def _cell(text: str) -> str:
    return text.replace("|", "\\|")


if __name__ == "__main__":
    PAGE.parent.mkdir(parents=True, exist_ok=True)
    PAGE.write_text(page(), encoding="utf-8")
