"""What a person sees before saying yes to a fix."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace
from typing import TypeVar

from rich.console import Group, RenderableType
from rich.table import Table
from rich.text import Text

from runbook.driver.collisions import collisions
from runbook.driver.operator import ApprovalRequest
from runbook.executor import HostPreviewed
from runbook.model.definition import AnsibleRole, Fix, Json, Runbook
from runbook.model.observation import Observation, TaskChange
from runbook.model.state import HostState
from runbook.views.description import describe_fix
from runbook.views.heading import Heading
from runbook.views.line import Line
from runbook.views.past import say_fix_experience, say_times
from runbook.views.safe_text import printable, printable_lines
from runbook.views.telling import Mark, Told, tell_visits, title_of
from runbook.views.titles import common_title
from runbook.views.words import (
    FIX_RESULTS,
    RESULTS,
    count,
    say_expected,
    say_hosts,
    say_moment,
    say_observation,
    say_share,
    shorten,
)

_MOST_GROUPS = 4
_MOST_TASKS = 6
_MOST_STEPS = 6
_MOST_TURNS = 1
_MOST_DIFF = 10
_LEAST_DIFF = 3
_TITLE_ROWS = 2
_MOST_COLLISIONS = 4

_PREDICTED = {
    "changed": "would change",
    "ok": "no change",
    "skipped": "cannot be previewed",
    "failed": "would fail",
}

Key = TypeVar("Key")


def confirmation(
    request: ApprovalRequest, runbook: Runbook, *, height: int | None = None
) -> RenderableType:
    """Return everything a person needs to decide, in about one screen.

    Of the prediction as much is shown as `height` rows leave room for, and always a little.
    """
    table = Table.grid(padding=(0, 2, 0, 0))
    table.add_column(style="dim", no_wrap=True)
    table.add_column(overflow="fold")
    impact = [Text(printable(request.impact) or "not described")]
    reasons: list[tuple[str, Sequence[RenderableType]]] = [
        ("Cause", [_cause(request)]),
        ("Impact", impact),
        ("Undo", [Text(_undo(request.fix))]),
        ("Evidence", _evidence(request)),
        ("Led here", _led_here(request, runbook)),
    ]
    parts = [
        # What led to the fix does not speak for its undo, which has none itself.
        *([("Impact", impact)] if request.undoing else reasons),
        ("This run", _this_run(request, runbook)),
        ("Before", _before(request)),
        ("Also here", _also_here(request)),
        ("Runs", [_row(_action(request.fix))]),
    ]
    shown = sum(len(rows) for _, rows in parts) + _TITLE_ROWS
    room = None if height is None else max(height - shown, 0)
    parts.append(("Predicted", _predicted(request, room)))
    for label, rows in parts:
        for number, row in enumerate(rows):
            table.add_row(label if number == 0 else "", row)
    title = Text.assemble(
        (printable(request.title), "bold"), f" on {say_hosts(request.hosts, most=8)}"
    )
    return Group(Heading("May this be done?"), title, table)


def whole_diff(request: ApprovalRequest) -> RenderableType:
    """Return everything that Ansible predicts, host by host where they differ."""
    rows: list[Text] = []
    for hosts, preview in _folded(request.previews):
        rows.append(Text(f"{say_hosts(hosts, most=len(hosts))}:", style="bold"))
        rows += _tasks(preview, None)
    if not rows:
        rows.append(Text("Ansible was not asked for a prediction."))
    return Group(*rows)


def rendered_tasks(request: ApprovalRequest) -> str:
    """Return the tasks with the arguments they come to, host by host where they differ."""
    lines: list[str] = []
    tasks = (
        (host, tuple((change.name, change.status, change.rendered) for change in preview.changes))
        for host, preview in request.previews.items()
    )
    for hosts, changes in _fold(tasks):
        lines.append(f"{say_hosts(hosts, most=len(hosts))}:")
        for name, status, rendered in changes:
            lines.append(f"  {printable(name)} ({_PREDICTED.get(status, status)})")
            lines += [f"    {line}" for line in printable_lines(rendered)]
    return "\n".join(lines) or "Ansible was not asked for a prediction, so nothing was rendered."


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
    for hosts, (facts, reason) in _fold(
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


def whole_evidence(request: ApprovalRequest) -> str:
    """Return, as YAML, all that was seen on the way to this fix, host by host."""
    import yaml  # noqa: PLC0415 -- only where somebody asks

    document = {host: _all_seen(request, state) for host, state in request.states.items()}
    text = yaml.safe_dump(document, allow_unicode=True, sort_keys=False, width=100)
    return "\n".join(printable_lines(text))


def _all_seen(request: ApprovalRequest, state: HostState) -> dict[str, Json]:
    on_path = [visit.step for visit in state.path if visit.epoch == state.epoch]
    seen = {step: state.known[step] for step in on_path if step in state.known}
    evidence = request.evidence.get(state.host)
    if evidence is not None and evidence not in seen.values():
        seen["what speaks for the cause"] = evidence
    told = {step: _as_data(observation) for step, observation in seen.items()}
    also_here = _going_on(request, state.host)
    return {**told, "also here": list(also_here)} if also_here else told


def _as_data(seen: Observation) -> dict[str, Json]:
    return {
        "result": seen.result.value,
        "expected": seen.expected,
        "reason": seen.reason,
        "seen_at": say_moment(seen.seen_at),
        "facts": dict(seen.facts),
    }


def _fold(pairs: Iterable[tuple[str, Key]]) -> list[tuple[list[str], Key]]:
    """Put hosts with the same value together, in the order of their first."""
    found: list[tuple[list[str], Key]] = []
    for host, value in pairs:
        hosts = next((hosts for hosts, other in found if other == value), None)
        if hosts is None:
            found.append(([host], value))
        else:
            hosts.append(host)
    return found


def _folded(
    previews: Mapping[str, HostPreviewed],
) -> list[tuple[list[str], tuple[Sequence[TaskChange], str | None]]]:
    return _fold(
        (host, (tuple(replace(change, rendered="") for change in seen.changes), seen.failed))
        for host, seen in previews.items()
    )


def _bounded(groups: Sequence[tuple[list[str], Key]]) -> Sequence[tuple[list[str], Key]]:
    return groups[:_MOST_GROUPS]


def _others(groups: Sequence[tuple[list[str], object]], how: str) -> list[Text]:
    """Say how many hosts are not shown, and how to see them."""
    left_out = sum(len(hosts) for hosts, _ in groups[_MOST_GROUPS:])
    if not left_out:
        return []
    return [_row(f"… others on {count(left_out, 'more host')} ({how})", style="dim")]


def _lead(request: ApprovalRequest, hosts: Sequence[str]) -> str:
    """Return the hosts something holds for, "" where it holds for all."""
    return "" if len(hosts) == len(request.hosts) else f"{say_hosts(hosts)}: "


def _cause(request: ApprovalRequest) -> Text:
    if request.cause is None:
        return Text("none is named for this fix")
    share = request.cause.likelihood
    declared = f" ({say_share(share)} of such incidents)" if share is not None else ""
    return Text.assemble((printable(request.cause.title), "bold"), declared)


def _undo(fix: Fix) -> str:
    return "none is written for it" if fix.undo is None else "`runbook undo` can take it back"


def _action(fix: Fix) -> str:
    """Return the action as written; what it comes to on the hosts is predicted.

    Variables that are templates are left out: their text tells less than the room it takes.
    """
    if isinstance(fix.action, AnsibleRole):
        variables = fix.action.variables.items()
        given = ", ".join(f"{name}={value}" for name, value in variables if "{" not in str(value))
        text = f"role {fix.action.name}" + (f" with {given}" if given else "")
    else:
        text = "; ".join(
            str(body.get("name") or next(iter(body), "")) for body in fix.action.bodies
        )
    return printable(text)


def _evidence(request: ApprovalRequest) -> list[Text]:
    groups = _fold((host, _say(request.evidence.get(host))) for host in request.hosts)
    rows = [_row(f"{_lead(request, hosts)}{said}") for hosts, said in _bounded(groups)]
    return rows + _others(groups, "e shows all")


def _say(seen: Observation | None) -> str:
    if seen is None:
        return "nothing that speaks for it was seen"
    said = say_observation(seen) or RESULTS[seen.result.value]
    expected = say_expected(seen)
    return f"{said}; expected {expected}" if expected else said


def _led_here(request: ApprovalRequest, runbook: Runbook) -> list[RenderableType]:
    """Return the steps of this epoch: what was found wrong first of all, then what was not.

    Hosts are told apart by steps and results, not by titles as rendered or by values seen.
    """
    ways = {
        host: tell_visits(runbook, state, since=state.epoch)
        for host, state in request.states.items()
    }
    groups = _fold(
        (host, [(told.mark, told.step, told.result) for told in way]) for host, way in ways.items()
    )
    rows: list[RenderableType] = []
    for hosts, _ in _bounded(groups):
        if lead := _lead(request, hosts):
            rows.append(_row(lead))
        way = [
            _common(runbook, lines) for lines in zip(*(ways[host] for host in hosts), strict=True)
        ]
        telling, left_out = _telling(way)
        if left_out:
            rows.append(_row(f"… {count(left_out, 'other step')} (e shows all)", style="dim"))
        rows += [
            Line(mark=told.mark, title=told.title, result=told.result, seen=told.seen)
            for told in telling
        ]
        passed = [told.title for told in way if told.mark is Mark.PASSED]
        if passed:
            rows.append(_row(f"✓ passed: {'; '.join(passed)}", style="dim"))
    return [*rows, *_others(groups, "e shows all")]


def _telling(way: Sequence[Told]) -> tuple[list[Told], int]:
    """Return what to show of a way but for what passed, and how many steps that leaves out.

    What was found wrong comes before turns that were merely taken, the later before the earlier.
    """
    steps = [(place, told) for place, told in enumerate(way) if told.mark is not Mark.PASSED]
    ranked = sorted(steps, key=lambda step: (step[1].mark is Mark.NOTE, -step[0]))
    found = sum(told.mark is not Mark.NOTE for _, told in steps)
    # The last turn says how it came to this; more would only hide what is wrong.
    most = min(max(found, 1) + _MOST_TURNS, _MOST_STEPS)
    kept = sorted(ranked[:most])
    return [told for _, told in kept], len(steps) - len(kept)


def _common(runbook: Runbook, lines: Sequence[Told]) -> Told:
    """Return what holds of a step on several hosts: no value where they differ."""
    step = runbook.steps[lines[0].step]
    first = replace(lines[0], title=common_title(step.title, (line.title for line in lines)))
    same = all(line.seen == first.seen for line in lines)
    return first if same else replace(first, seen="")


def _row(*parts: str | tuple[str, str], style: str = "") -> Text:
    """Return text that stays on one row: what is too long for the window is cut off."""
    return Text.assemble(*parts, style=style, no_wrap=True, overflow="ellipsis")


def _this_run(request: ApprovalRequest, runbook: Runbook) -> list[Text]:
    """Say what this run has done on the hosts already."""
    done = (
        (
            host,
            tuple((title_of(runbook, state, record.step), record.result) for record in state.fixes),
        )
        for host, state in request.states.items()
    )
    groups = [(hosts, fixes) for hosts, fixes in _fold(done) if fixes]
    rows = [
        Text(
            _lead(request, hosts)
            + ", ".join(f"{title}: {FIX_RESULTS.get(result, result)}" for title, result in fixes)
        )
        for hosts, fixes in _bounded(groups)
    ]
    return rows + _others(groups, "e shows all")


def _also_here(request: ApprovalRequest) -> list[Text]:
    """Say what else goes on on the hosts, and what of it --yes would not pass over."""
    seen = ((host, _going_on(request, host)) for host in request.hosts)
    groups = [(hosts, told) for hosts, told in _fold(seen) if told]
    rows = [
        Text(f"{_lead(request, hosts)}{printable(text)}", style="yellow")
        for hosts, told in _bounded(groups)
        for text in told[:_MOST_COLLISIONS]
    ]
    left_out = sum(max(len(told) - _MOST_COLLISIONS, 0) for _, told in groups)
    more = [_row(f"… {left_out} more (e shows all)", style="dim")] if left_out else []
    return [*rows, *more, *_others(groups, "e shows all")]


def _going_on(request: ApprovalRequest, host: str) -> tuple[str, ...]:
    activity = request.states[host].activity
    if activity is None:
        return ()
    if activity.reason is not None:
        unseen = f"what else goes on could not be seen: {activity.reason}"
        return (*(each.text for each in collisions(activity)), unseen)
    return tuple(each.text for each in collisions(activity))


def _before(request: ApprovalRequest) -> list[Text]:
    """Say how this fix did on these hosts in earlier runs, and how often the cause went away."""
    if request.experience is None:
        return []
    fix = request.experience.fixes.get(request.fix.id)
    elsewhere = request.experience.elsewhere.get(request.fix.id)
    cause = request.experience.causes.get(request.cause.id) if request.cause else None
    if fix is not None and fix.tried:
        rows = [Text(say_fix_experience(fix))]
    elif elsewhere is not None and elsewhere.tried:
        rows = [Text(f"not done here before; elsewhere {say_fix_experience(elsewhere)}")]
    else:
        rows = [Text("not done here before")]
    if cause is not None and cause.cleared:
        rows.append(Text(f"the cause cleared by itself {say_times(cause.cleared, cause.found)}"))
    return rows


def _predicted(request: ApprovalRequest, room: int | None) -> list[Text]:
    """Return the prediction, its diffs cut off where there would be more than `room` rows."""
    if not request.previews:
        return [Text("Ansible was not asked for a prediction.")]
    groups = _folded(request.previews)
    rows = [Text("by Ansible's check mode; nothing has been done yet", style="italic")]
    most = _MOST_DIFF
    if room is not None:
        bare = sum(len(_tasks(preview, 0)) + 2 for _, preview in _bounded(groups))
        most = min(max(room - bare, _LEAST_DIFF), _MOST_DIFF)
    for hosts, preview in _bounded(groups):
        if lead := _lead(request, hosts):
            rows.append(_row(lead))
        rows += _tasks(preview, most // min(len(groups), _MOST_GROUPS))
    missing = [host for host in request.hosts if host not in request.previews]
    if missing:
        rows.append(Text(f"no prediction for {say_hosts(missing)}", style="yellow"))
    return rows + _others(groups, "d shows all")


def _tasks(preview: tuple[Sequence[TaskChange], str | None], most: int | None) -> list[Text]:
    """Return a prediction in rows, its tasks and its diff cut off where they are too long."""
    changes, failed = preview
    rows: list[Text] = []
    if failed is not None:
        rows.append(Text(f"the prediction itself failed: {printable(failed)}", style="yellow"))
    elif not changes:
        rows.append(Text("nothing to predict: no task would run"))
    telling = [change for change in changes if change.status != "ok"]
    shown = changes if most is None else telling[:_MOST_TASKS]
    rows += [_task(change) for change in shown]
    if most is not None and len(shown) < len(telling):
        rows.append(
            Text(f"… {count(len(telling) - len(shown), 'more task')} (d shows all)", style="dim")
        )
    if most is not None and len(telling) < len(changes):
        rows.append(Text(f"no change: {count(len(changes) - len(telling), 'task')}"))
    diff = [line for change in changes for line in printable_lines(change.diff)]
    if most is None:
        return [*rows, *(Text(f"  {line}", style=_diff_style(line)) for line in diff)]
    rows += [_row(f"  {line}", style=_diff_style(line)) for line in diff[:most]]
    if len(diff) > most:
        rows.append(Text(f"… {count(len(diff) - most, 'more line')} (d shows all)", style="dim"))
    return rows


def _task(change: TaskChange) -> Text:
    word = _PREDICTED.get(change.status, change.status)
    style = "yellow" if change.status in ("skipped", "failed") else ""
    message = f" ({shorten(printable(change.message), 80)})" if change.message else ""
    return Text.assemble((f"{word}: ", style), f"{printable(change.name)}{message}")


def _diff_style(line: str) -> str:
    return {"+": "green", "-": "red", "@": "cyan"}.get(line[:1], "dim")
