"""Write docs/reference/probes.md from the table of probe types and the schema of their arguments.

python docs/generate_probes.py
"""

import json
import sys
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parent.parent
PAGE = ROOT / "docs" / "reference" / "probes.md"
SCHEMA = ROOT / "runbook" / "spec" / "schema" / "probes.schema.json"

_INTRODUCTION = """\
# Probes

<!-- Written by docs/generate_probes.py. Change runbook/model/probes.py or the schema instead. -->

A probe is a built-in read of a host's state. A check names one and says when it passes:

```yaml
- check: backend_port
  title: The backend listens
  probe: {port: {port: "{{ backend_port }}"}}
  passes: backend_port.listening
```

A probe answers with *facts*: what was seen. A refused connection or an HTTP time-out is seen as well
as an answer. Where a probe could not look (it is not permitted to, a tool is missing, its time ran
out) the check is unknown; so it is where `passes` asks for a fact that the probe left undefined.

Every scalar argument also takes a template, apart from those with a fixed choice. Each answer has the
fact `truncated`: whether something was cut to keep it within its bounds. Regular expressions are
Python's.
"""


def page() -> str:
    """Return the text of the page."""
    from runbook.model.probes import PROBE_TYPES  # noqa: PLC0415  # after the path is set

    schema: dict[str, Any] = json.loads(SCHEMA.read_text(encoding="utf-8"))
    parts = [_INTRODUCTION, "| probe | looks at |\n|---|---|"]
    parts[-1] += "".join(
        f"\n| [`{kind.name}`](#{kind.name}) | {_cell(kind.summary.partition('. ')[0].rstrip('.'))} |"
        for kind in PROBE_TYPES.values()
    )
    for kind in PROBE_TYPES.values():
        arguments = schema["$defs"][kind.name]
        passes = kind.default_passes
        parts.append(f"## {kind.name}\n\n{kind.summary}")
        if passes is None:
            parts.append("The check has to say when it `passes`.")
        else:
            parts.append(f"Passes unless the check says otherwise: `{passes.format('CHECK')}`")
        if kind.effect is not None:
            parts.append(f"Looking is not free of effects: it {kind.effect}.")
        parts.append("\n".join(_arguments(arguments)))
        facts = {name: text for name, text in kind.facts.items() if name != "truncated"}
        rows = [f"| `{name}` | {_cell(text)} |" for name, text in facts.items()]
        parts.append("\n".join(["| fact | meaning |", "|---|---|", *rows]))
    return "\n\n".join(parts) + "\n"


def _arguments(schema: Mapping[str, Any]) -> Iterator[str]:
    properties: Mapping[str, Mapping[str, Any]] = schema["properties"]
    if not properties:
        yield "It takes no arguments."
        return
    yield "| argument | takes | default | meaning |"
    yield "|---|---|---|---|"
    choices = {name for option in schema.get("oneOf", ()) for name in option["required"]}
    for name, argument in properties.items():
        default = (
            f"`{json.dumps(argument['default'])}`" if argument.get("default") is not None else ""
        )
        if name in schema.get("required", ()):
            default = "required"
        elif name in choices:
            default = "one of them"
        meaning = _cell(str(argument["description"]))
        yield f"| `{name}` | {_kind(argument)} | {default} | {meaning} |"


def _kind(argument: Mapping[str, Any]) -> str:
    if "enum" in argument:
        return " ".join(f"`{value}`" for value in argument["enum"])
    options = [_kind(each) for each in argument.get("anyOf", ()) if "$ref" not in each]
    return " or ".join(options) or str(argument["title"])


def _cell(text: str) -> str:
    return text.replace("|", "\\|")


if __name__ == "__main__":
    sys.path.insert(0, str(ROOT))
    PAGE.parent.mkdir(parents=True, exist_ok=True)
    PAGE.write_text(page(), encoding="utf-8")
