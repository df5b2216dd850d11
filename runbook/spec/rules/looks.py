"""Checks and evidence: looking changes nothing, and everybody can tell what passing means."""

from collections.abc import Iterator, Mapping

from runbook.errors import Problem
from runbook.model.definition import AnsibleTask, Check, Collect, Json, Probe
from runbook.model.probes import effect_of
from runbook.spec.ansible_words import COMMANDS, NOT_IN_CHECKS, module_keys, short
from runbook.spec.document import Path
from runbook.spec.draft import Draft, DraftStep

_COMMAND_PROBE = "command"
_REFUSED_KEYWORDS = {
    "action": "Write the module's name as the task's key.",
    "always": "Make each task a check of its own.",
    "async": "Give the check a `timeout` instead.",
    "block": "Make each task a check of its own.",
    "check_mode": "Checks always run in check mode.",
    "delegate_facts": "A check leaves nothing behind but its result.",
    "local_action": "Write the module's name as the task's key, and `delegate_to`.",
    "notify": "Handlers change things; a fix may have them.",
    "poll": "Give the check a `timeout` instead.",
    "register": "The result has the check's own id as its name.",
    "rescue": "Make each task a check of its own.",
}


def look_problems(draft: Draft) -> Iterator[Problem]:
    """Yield what is wrong with probes and tasks that look."""
    for written, step in draft.sound:
        match step:
            case Check(look=AnsibleTask(body=body)):
                yield from _task(draft, written, body)
            case Check(look=Probe(type=kind), passes=passes):
                command = kind == _COMMAND_PROBE
                yield from _promises(draft, written, command=command, path=("probe", kind))
                if passes is None and not command:
                    yield _missing_passes(draft, written, f"a {kind} probe judges nothing")
            case Collect():
                yield from _collect(draft, written, step)


def _promises(draft: Draft, written: DraftStep, *, command: bool, path: Path) -> Iterator[Problem]:
    """Yield commands without their author's word that they only read, and empty words."""
    promised = written.raw.get("read_only", False)
    if command and not promised:
        yield Problem(
            reference="command-not-read-only",
            message="only its author knows whether a command changes anything",
            where=draft.document.key((*written.path, *path)),
            hint="Say `read_only: true` if it does not; make it a fix if it does.",
        )
    if command and written.kind == "check" and "passes" not in written.raw:
        yield _missing_passes(draft, written, "an exit code alone says little")
    if promised and not command:
        yield Problem(
            reference="useless-promise",
            message="read_only is for commands; this reads in any case",
            where=draft.document.key((*written.path, "read_only")),
        )


def _missing_passes(draft: Draft, written: DraftStep, why: str) -> Problem:
    return Problem(
        reference="missing-passes",
        message=f'check "{written.id}" has to say when it passes: {why}',
        where=draft.document.key((*written.path, str(written.kind))),
        hint=f"For example `passes: {written.id}.rc == 0`."
        if why.startswith("an exit")
        else f"Add `passes:` with a condition over `{written.id}`.",
    )


def _collect(draft: Draft, written: DraftStep, step: Collect) -> Iterator[Problem]:
    kinds = [probe.type for probe in step.probes.values()]
    for name, probe in step.probes.items():
        path: Path = ("probes", name)
        effect = effect_of(probe.type, probe.arguments)
        if effect is not None and probe.type != _COMMAND_PROBE:
            yield Problem(
                reference="effect-in-collect",
                message=f'the probe "{name}" {effect}',
                where=draft.document.key((*written.path, *path)),
                hint="Make it a check, which is asked for by the walk alone.",
            )
        if probe.type == _COMMAND_PROBE:
            yield from _promises(draft, written, command=True, path=(*path, probe.type))
    if _COMMAND_PROBE not in kinds:
        yield from _promises(draft, written, command=False, path=("probes",))


def _task(draft: Draft, written: DraftStep, body: Mapping[str, Json]) -> Iterator[Problem]:
    at: Path = (*written.path, "task")
    for keyword, hint in _REFUSED_KEYWORDS.items():
        # `check_mode: true` says what is so anyway.
        if keyword in body and not (keyword == "check_mode" and body[keyword] is True):
            yield Problem(
                reference="refused-in-check",
                message=f'"{keyword}" has no place in a check',
                where=draft.document.key((*at, keyword)),
                hint=hint,
            )
    modules = module_keys(body)
    for module in modules:
        if short(module) in NOT_IN_CHECKS:
            yield Problem(
                reference="refused-in-check",
                message=f'"{module}" has no place in a check',
                where=draft.document.key((*at, module)),
                hint="A check is one task that looks at the host.",
            )
    commands = [module for module in modules if short(module) in COMMANDS]
    path = ("task", commands[0]) if commands else ("task",)
    yield from _promises(draft, written, command=bool(commands), path=path)
