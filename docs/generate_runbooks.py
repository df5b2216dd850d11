"""Write docs/runbooks/NAME.md from each runbook of the library, and an overview of them.

python docs/generate_runbooks.py
"""

import json
import sys
from collections.abc import Iterator, Mapping
from pathlib import Path

from runbook.model.definition import (
    Action,
    AnsibleRole,
    Ask,
    Check,
    Collect,
    Fix,
    Json,
    Manual,
    Param,
    Probe,
    Runbook,
    Scope,
    Step,
    Watch,
)
from runbook.spec.library import load
from runbook.spec.places import runbook_files
from runbook.views.drawing import mermaid
from runbook.views.paths import KINDS, say_target, sketched, titles_of, ways
from runbook.views.titles import written_title
from runbook.views.words import say_duration, say_share

ROOT = Path(__file__).resolve().parent.parent
LIBRARY = ROOT / "runbooks"
FOLDER = ROOT / "docs" / "runbooks"

_WRITTEN = "<!-- Written by docs/generate_runbooks.py. Change the runbook instead. -->"

_OVERVIEW = f"""\
# The library of runbooks

{_WRITTEN}

Each page is made from its runbook: what it is for, what it asks for, which causes it tells apart,
and step by step what it looks at and what it does. `runbook diagnose NAME --host HOST` walks one
without changing anything. What is deliberately not done, and what is done instead:
[why not](../how-to/why-not.md).

| runbook | for |
|---|---|
"""


def pages() -> dict[Path, str]:
    """Return the text of every page by its place."""
    runbooks = [load(path.stem, [LIBRARY]) for path in runbook_files(LIBRARY)]
    rows = [f"| [{each.name}]({each.name}.md) | {_cell(each.title)} |" for each in runbooks]
    found = {FOLDER / "README.md": _OVERVIEW + "\n".join(rows) + "\n"}
    for each in runbooks:
        found[FOLDER / f"{each.name}.md"] = "\n\n".join(_page(each)) + "\n"
    return found


def _page(runbook: Runbook) -> Iterator[str]:
    yield f"# {runbook.name}"
    yield _WRITTEN
    yield f"**{runbook.title}.**"
    if runbook.description:
        yield runbook.description.strip()
    changes = any(isinstance(step, Fix) for step in runbook.steps.values())
    command = "run" if changes else "diagnose"
    yield f"```console\n$ runbook {command} {runbook.name} --host HOST\n```"
    if runbook.symptoms:
        yield "**When to use it**, by what one sees: " + ", ".join(
            f"`{text}`" for text in runbook.symptoms
        )
    called = {scope.runbook: None for scope in runbook.scopes.values() if scope.prefix}
    if called:
        links = ", ".join(f"[{name}]({name}.md)" for name in called)
        yield f"**It calls** {links}."
    if runbook.params:
        yield "## Params"
        yield "Inventory variables of these names give their values, and `--set NAME=VALUE`."
        yield "\n".join(_params(runbook.params))
    if runbook.causes:
        yield "## Causes"
        yield "\n".join(_causes(runbook))
    yield "## The tree"
    yield f"```mermaid\n{mermaid(sketched(runbook), titles_of(runbook)).rstrip()}\n```"
    yield "## Steps"
    for step in runbook.steps.values():
        if not step.scope:
            yield "\n\n".join(_step(step, runbook))
    for prefix, scope in runbook.scopes.items():
        if prefix and scope.parent == "":
            yield "\n\n".join(_call(prefix, scope))


def _params(params: Mapping[str, Param]) -> Iterator[str]:
    yield "| param | takes | default | meaning |"
    yield "|---|---|---|---|"
    for param in params.values():
        default = "required" if param.required else f"`{_json(param.default)}`"
        meaning = _cell(param.title) + (" (secret)" if param.secret else "")
        yield f"| `{param.name}` | {_takes(param.schema)} | {_cell(default)} | {meaning} |"


def _takes(schema: Json) -> str:
    if "enum" in schema:
        return " ".join(f"`{value}`" for value in schema["enum"])
    word = {"array": "list", "object": "mapping"}.get(schema["type"], str(schema["type"]))
    if "items" in schema:
        word += f" of {_takes(schema['items'])}s"
    least, most = schema.get("minimum"), schema.get("maximum")
    if least is not None and most is not None:
        return f"{word}, {least} to {most}"
    return word if least is None else f"{word}, at least {least}"


def _causes(runbook: Runbook) -> Iterator[str]:
    likely = any(cause.likelihood is not None for cause in runbook.causes.values())
    yield "| cause | id |" + (" share of incidents |" if likely else "")
    yield "|---|---|" + ("---|" if likely else "")
    for cause in runbook.causes.values():
        share = "" if cause.likelihood is None else say_share(cause.likelihood)
        yield f"| {_cell(cause.title)} | `{cause.id}` |" + (f" {share} |" if likely else "")


def _step(step: Step, runbook: Runbook) -> Iterator[str]:
    kind = KINDS[type(step)].value
    yield f"### {kind} `{step.id}`"
    yield f"**{written_title(step.title)}**"
    if step.help:
        yield step.help.strip()
    facts = [*_facts(step, runbook)]
    for way in ways(step):
        results = " or ".join(f"`{' '.join(result.split())}`" for result in way.results)
        facts.append(f"{results} → `{say_target(way.target)}`")
    yield "\n".join(f"- {fact}" for fact in facts)


def _facts(step: Step, runbook: Runbook) -> Iterator[str]:
    match step:
        case Check():
            yield from _check(step, runbook)
        case Watch():
            yield (
                f"repeats `{step.check}` for {say_duration(step.for_s)}, "
                f"each {say_duration(step.every_s)}"
            )
        case Collect():
            for name, probe in step.probes.items():
                yield f"{name}: {_probe(probe)}"
        case Fix():
            yield from _fix(step, runbook)
        case Manual():
            yield f"to do: {step.instruction.strip()}"
            yield from (f"`{command}`" for command in step.commands)
        case Ask():
            yield from (f"`{choice.id}`: {choice.title}" for choice in step.choices)
        case _:
            pass


def _check(check: Check, runbook: Runbook) -> Iterator[str]:
    yield f"looks at: {_look(check)}"
    if check.passes:
        yield f"expected: `{' '.join(check.passes.split())}`"
    if check.effect:
        yield f"effect of looking: {_lower(check.effect)}"
    if check.cause:
        yield f"cause, if it fails: {runbook.causes[check.cause].title}"


def _fix(fix: Fix, runbook: Runbook) -> Iterator[str]:
    yield "asks first" if fix.destructive else "harmless: is done without asking"
    if fix.cause:
        yield f"cause: {runbook.causes[fix.cause].title}"
    yield f"does: {_action(fix.action)}"
    yield f"impact: {fix.impact}"
    yield f"undo: {_action(fix.undo) if fix.undo else 'none'}"
    looks = dict.fromkeys(name for name in (fix.verify.cause, fix.verify.symptom) if name)
    hold = f", and through {say_duration(fix.verify.hold_s)} more" if fix.verify.hold_s else ""
    yield (
        f"verified by {' and '.join(f'`{name}`' for name in looks)} "
        f"within {say_duration(fix.verify.within_s)}{hold}"
    )


def _call(prefix: str, scope: Scope) -> Iterator[str]:
    yield f"### call `{prefix.rstrip('/')}`"
    yield f"Walks [{scope.runbook}]({scope.runbook}.md), whose steps are `{prefix.rstrip('/')}/…`."


def _look(check: Check) -> str:
    if isinstance(check.look, Probe):
        return _probe(check.look)
    return f"the Ansible task `{next(iter(check.look.body))}`, in check mode"


def _probe(probe: Probe) -> str:
    arguments = {
        name: value for name, value in probe.arguments.items() if value not in (None, {}, [])
    }
    acting = f", as `{probe.acting_as}`" if probe.acting_as else ""
    place = f", from the {probe.origin}" if probe.origin != "host" else ""
    page = f"[{probe.type}](../reference/probes.md#{probe.type})"
    return f"{page} `{_json(arguments)}`{acting}{place}" if arguments else page + acting + place


def _action(action: Action) -> str:
    if isinstance(action, AnsibleRole):
        entry = f", its `{action.tasks_from}`" if action.tasks_from else ""
        return f"the role [{action.name}](../../roles/{action.name}/README.md){entry}"
    return "; ".join(str(body.get("name", "a task without a name")) for body in action.bodies)


def _json(value: Json) -> str:
    return json.dumps(value, ensure_ascii=False)


def _lower(text: str) -> str:
    return text[:1].lower() + text[1:]


def _cell(text: str) -> str:
    return text.replace("|", "\\|")


if __name__ == "__main__":
    FOLDER.mkdir(parents=True, exist_ok=True)
    written = pages()
    for stale in set(FOLDER.glob("*.md")) - set(written):
        stale.unlink()
    for place, text in written.items():
        place.write_text(text, encoding="utf-8")
    sys.stdout.write(f"{len(written)} pages\n")
