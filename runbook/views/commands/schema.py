"""`runbook schema`: the shape of runbooks, for editors."""

from importlib import resources
from typing import Any

import click

from runbook.spec.validation import load_schema
from runbook.views import options
from runbook.views.output import write, write_json

_LANGUAGE = "runbook.schema.json"
_PROBES = "probes.schema.json"


@click.command("schema")
@click.option("--path", is_flag=True, help="Print where the schema is, instead of the schema.")
@options.no_colour
@options.verbose
def schema_command(path: bool) -> None:
    r"""Print the JSON Schema of runbooks, for editors.

    It is one JSON document (draft 2020-12) that needs no other. An editor with a YAML language
    server completes and checks a runbook whose first line names it.

    \b
    Examples:
      runbook schema > runbook.schema.json
      echo "# yaml-language-server: \$schema=$(runbook schema --path)"
    """
    if path:
        write(str(resources.files("runbook.spec.schema").joinpath(_LANGUAGE)))
    else:
        write_json(bundled())


def bundled() -> dict[str, Any]:
    """Return the language's schema with that of the probes in it.

    Definitions of the probes are renamed `probes.NAME`, and referred to within the one document:
    not every editor follows a reference to an embedded document's `$id`.
    """
    language, probes = load_schema(_LANGUAGE), load_schema(_PROBES)
    inner = {f"probes.{name}": _moved(body, "#/$defs/") for name, body in probes["$defs"].items()}
    outer: dict[str, Any] = _moved(language, f"{_PROBES}#/$defs/")
    return {**outer, "$defs": {**outer["$defs"], **inner}}


def _moved(node: Any, prefix: str) -> Any:
    """Return a schema with references that begin with `prefix` pointing to the moved definitions."""
    if isinstance(node, list):
        return [_moved(item, prefix) for item in node]
    if not isinstance(node, dict):
        return node
    reference = node.get("$ref")
    moved = {key: _moved(value, prefix) for key, value in node.items()}
    if isinstance(reference, str) and reference.startswith(prefix):
        moved["$ref"] = "#/$defs/probes." + reference.removeprefix(prefix)
    return moved
