"""Reading a probe that an operator types, on one line."""

import json
import re

from runbook.errors import Problem, RunbookError
from runbook.model.definition import Collect, Json, Probe
from runbook.model.probes import PROBE_TYPES, effect_of
from runbook.spec.expressions import template_uses, texts
from runbook.spec.parser import parse
from runbook.spec.reader import read

_MAIN_ARGUMENT = {
    "certificate": "host",
    "disk": "path",
    "dns": "name",
    "file": "path",
    "file_descriptors": "pid",
    "firewall": "port",
    "git": "path",
    "http": "url",
    "log": "path",
    "port": "port",
    "process": "name",
    "python_traceback": "path",
    "service": "name",
    "tcp": "port",
}
"""What a value that stands alone is taken for: `port: 8000` means `port: {port: 8000}`."""


_UNQUOTED = re.compile(r"^(\w+:)\s*(\{\{.*\}\}\S*)\s*$")
"""A template that begins a value; YAML would take it for a mapping."""


def read_own_probe(text: str) -> Probe:
    """Return the probe of a line: `port: 8000`, `memory`, or in full as a runbook has it.

    Raises RunbookError `bad-probe`, also for a probe that does more than look, and for a `command`,
    which may do anything.
    """
    text = _UNQUOTED.sub(lambda found: f"{found[1]} {json.dumps(found[2])}", text)
    document = read(text.strip().encode(), "your check", foreign=lambda _: False)
    if document.problems:
        raise _bad(document.problems[0])
    written = _in_full(document.data)
    if isinstance(written, dict) and "command" in written:
        raise RunbookError.of("bad-probe", "a command may do more than look")
    step = {"collect": "look", "title": "Look", "probes": {"look": written}, "next": "end(unknown)"}
    frame = {"runbook": "own-probe", "title": "Typed by an operator", "steps": [step]}
    draft, problems = parse(json.dumps(frame).encode(), "your check")
    if draft is None or problems:
        raise _bad(problems[0])
    (look,) = (sound for _, sound in draft.sound)
    assert isinstance(look, Collect)  # noqa: S101 -- as written above
    probe = look.probes["look"]
    if any(template_uses(part).lookups for _, part in texts(probe.arguments)):
        raise RunbookError.of("bad-probe", "a lookup may do more than look")
    effect = effect_of(probe.type, probe.arguments)
    if effect is not None:
        raise RunbookError.of("bad-probe", f"this {effect}, which is more than to look")
    return probe


def _in_full(written: Json) -> Json:
    if isinstance(written, str) and written in PROBE_TYPES:
        return {written: {}}
    if not isinstance(written, dict):
        return written
    return {
        kind: {_MAIN_ARGUMENT[kind]: value}
        if kind in _MAIN_ARGUMENT and isinstance(value, str | int)
        else value
        for kind, value in written.items()
    }


def _bad(problem: Problem) -> RunbookError:
    message = problem.message.replace('"probes.look"', "a probe").replace("probes.look.", "")
    return RunbookError.of(
        "bad-probe",
        message.replace(' of collect "look"', ""),
        hint=problem.hint or "for example `port: 8000`; docs/reference/probes.md has all of them",
    )
