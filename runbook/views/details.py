"""What stands behind a fix that a person is asked about: its documentation, and all that was seen."""

from collections.abc import Mapping
from dataclasses import replace

from runbook.driver.collisions import collisions
from runbook.driver.operator import ApprovalRequest
from runbook.model.definition import Json, Runbook
from runbook.model.observation import Observation
from runbook.model.state import HostState
from runbook.views.description import describe_fix
from runbook.views.folding import fold
from runbook.views.safe_text import printable, printable_lines
from runbook.views.words import say_hosts, say_moment


def documentation(request: ApprovalRequest, runbook: Runbook) -> str:
    """Return what its runbook says of a fix, and where that stands."""
    fix = replace(request.fix, title=request.title, impact=request.impact)
    lines = [*describe_fix(fix, runbook)]
    if fix.help:
        lines += ["", *printable_lines(fix.help.strip())]
    if fix.where is not None:
        lines += ["", f"written in  {printable(fix.where.path)}:{fix.where.line}"]
    return "\n".join([*lines, f"the whole   runbook show {runbook.name}"])


def own_look(answers: Mapping[str, Observation]) -> str:
    """Return what the operator's own probe answered, as YAML, host by host where they differ."""
    import yaml  # noqa: PLC0415 -- only where somebody asks

    lines: list[str] = []
    for hosts, (facts, reason) in fold(
        (host, (_said(seen.facts), seen.reason)) for host, seen in answers.items()
    ):
        lines.append(f"{say_hosts(hosts, most=len(hosts))}:")
        if reason is not None:
            lines.append(f"  could not look: {printable(reason)}")
        if facts:
            text = yaml.safe_dump(facts, allow_unicode=True, sort_keys=False, width=76)
            lines += [f"  {line}" for line in printable_lines(text)]
    return "\n".join(lines) or "No host answered."


def _said(facts: Mapping[str, Json]) -> dict[str, Json]:
    return {name: value for name, value in facts.items() if value not in (None, [], {})}


def whole_evidence(states: Mapping[str, HostState], evidence: Mapping[str, Observation]) -> str:
    """Return, as YAML, all that was seen on the way to where hosts stand, host by host.

    `evidence` is what speaks for the cause, by host.
    """
    import yaml  # noqa: PLC0415 -- only where somebody asks

    document = {host: _all_seen(state, evidence.get(host)) for host, state in states.items()}
    text = yaml.safe_dump(document, allow_unicode=True, sort_keys=False, width=100)
    return "\n".join(printable_lines(text))


def _all_seen(state: HostState, evidence: Observation | None) -> dict[str, Json]:
    on_path = [visit.step for visit in state.path if visit.epoch == state.epoch]
    seen = {step: state.known[step] for step in on_path if step in state.known}
    if evidence is not None and evidence not in seen.values():
        seen["what speaks for the cause"] = evidence
    told = {step: _as_data(observation) for step, observation in seen.items()}
    also_here = going_on(state)
    return {**told, "also here": list(also_here)} if also_here else told


def _as_data(seen: Observation) -> dict[str, Json]:
    return {
        "result": seen.result.value,
        "expected": seen.expected,
        "reason": seen.reason,
        "seen_at": say_moment(seen.seen_at),
        "facts": dict(seen.facts),
    }


def going_on(state: HostState) -> tuple[str, ...]:
    """Return what else was seen to go on on a host, or why that could not be seen."""
    activity = state.activity
    if activity is None:
        return ()
    if activity.reason is not None:
        unseen = f"what else goes on could not be seen: {activity.reason}"
        return (*(each.text for each in collisions(activity)), unseen)
    return tuple(each.text for each in collisions(activity))
