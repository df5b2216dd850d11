"""What Ansible's check mode predicts of a fix: tasks, and the differences they would make."""

import re
from collections.abc import Mapping, Sequence
from dataclasses import replace

from rich.console import Group, RenderableType
from rich.text import Text

from runbook.driver.operator import ApprovalRequest
from runbook.executor import HostPreviewed
from runbook.model.observation import TaskChange
from runbook.views.folding import fold, one_row, others
from runbook.views.safe_text import printable, printable_lines
from runbook.views.words import count, say_hosts, shorten

_FEW = 3
"""So few rows of a difference would be used up by the names of its files."""

_PREDICTED = {
    "changed": "would change",
    "ok": "no change",
    "skipped": "cannot be previewed",
    "failed": "would fail",
}


def predicted(
    request: ApprovalRequest, *, most_diff: int, most_tasks: int, most_groups: int
) -> list[Text]:
    """Return the prediction, at most `most_diff` rows of differences in it over all hosts."""
    if not request.previews:
        return [Text("Ansible was not asked for a prediction.")]
    groups = _folded(request.previews)
    rows = [one_row("by Ansible's check mode; nothing has been done yet", style="italic")]
    shown = groups[:most_groups]
    for hosts, preview in shown:
        if len(hosts) < len(request.hosts):
            rows.append(one_row(f"{say_hosts(hosts)}: "))
        rows += _tasks(preview, most_tasks, most_diff // len(shown))
    missing = [host for host in request.hosts if host not in request.previews]
    if missing:
        rows.append(Text(f"no prediction for {say_hosts(missing)}", style="yellow"))
    return rows + others(groups, most_groups, "d shows all")


def whole_diff(request: ApprovalRequest) -> RenderableType:
    """Return everything that Ansible predicts, host by host where they differ."""
    rows: list[Text] = []
    for hosts, (changes, failed) in _folded(request.previews):
        rows.append(Text(f"{say_hosts(hosts, most=len(hosts))}:", style="bold"))
        rows += [*_remarks(changes, failed), *(_task(change, whole=True) for change in changes)]
        rows += [Text(f"  {line}", style=_diff_style(line)) for line in _diff(changes)]
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
    for hosts, changes in fold(tasks):
        lines.append(f"{say_hosts(hosts, most=len(hosts))}:")
        for name, status, rendered in changes:
            lines.append(f"  {printable(name)} ({_PREDICTED.get(status, status)})")
            lines += [f"    {line}" for line in printable_lines(rendered)]
    return "\n".join(lines) or "Ansible was not asked for a prediction, so nothing was rendered."


def _folded(
    previews: Mapping[str, HostPreviewed],
) -> list[tuple[list[str], tuple[Sequence[TaskChange], str | None]]]:
    return fold(
        (host, (tuple(replace(change, rendered="") for change in seen.changes), seen.failed))
        for host, seen in previews.items()
    )


def _remarks(changes: Sequence[TaskChange], failed: str | None) -> list[Text]:
    if failed is not None:
        return [Text(f"the prediction itself failed: {printable(failed)}", style="yellow")]
    return [] if changes else [Text("nothing to predict: no task would run")]


def _tasks(
    preview: tuple[Sequence[TaskChange], str | None], most_tasks: int, most_diff: int
) -> list[Text]:
    """Return a prediction in rows, its tasks and its diff cut off where they are too long."""
    changes, failed = preview
    telling = [change for change in changes if change.status != "ok"]
    rows = _remarks(changes, failed)
    rows += [_task(change) for change in telling[:most_tasks]]
    if more := len(telling[most_tasks:]):
        rows.append(one_row(f"… {count(more, 'more task')} (d shows all)", style="dim"))
    if same := len(changes) - len(telling):
        rows.append(one_row(f"no change: {count(same, 'task')}"))
    diff = _diff(changes)
    shown = diff[:most_diff] if most_diff > _FEW else _telling(diff)[:most_diff]
    rows += [one_row(f"  {line}", style=_diff_style(line)) for line in shown]
    if more := len(diff) - len(shown):
        rows.append(one_row(f"… {count(more, 'more line')} (d shows all)", style="dim"))
    return rows


def _diff(changes: Sequence[TaskChange]) -> list[str]:
    return [line for change in changes for line in printable_lines(change.diff)]


def _telling(diff: Sequence[str]) -> list[str]:
    """Return the lines of a difference that go or come; where it is of, and what stays, is left out."""
    return [line for line in diff if re.match(r"\+(?!\+\+ )|-(?!-- )", line)]


def _task(change: TaskChange, *, whole: bool = False) -> Text:
    word = _PREDICTED.get(change.status, change.status)
    style = "yellow" if change.status in ("skipped", "failed") else ""
    message = f" ({shorten(printable(change.message), 80)})" if change.message else ""
    parts = (f"{word}: ", style), f"{printable(change.name)}{message}"
    return Text.assemble(*parts) if whole else one_row(*parts)


def _diff_style(line: str) -> str:
    return {"+": "green", "-": "red", "@": "cyan"}.get(line[:1], "dim")
