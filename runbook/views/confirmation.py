"""What a person sees before saying yes to a fix: one screen, however much there is to say."""

from collections.abc import Sequence
from dataclasses import dataclass

from rich.console import Console, ConsoleOptions, Group, RenderableType, RenderResult
from rich.segment import Segment
from rich.table import Table
from rich.text import Text

from runbook.driver.operator import ApprovalRequest
from runbook.model.definition import AnsibleRole, Fix, Runbook
from runbook.model.observation import Observation
from runbook.views.details import going_on
from runbook.views.folding import fold, lead, one_row, others
from runbook.views.heading import Heading
from runbook.views.led_here import led_here
from runbook.views.past import say_fix_experience, say_times
from runbook.views.prediction import predicted
from runbook.views.safe_text import printable
from runbook.views.telling import title_of
from runbook.views.words import (
    FIX_RESULTS,
    RESULTS,
    count,
    say_expected,
    say_hosts,
    say_observation,
    say_share,
)


@dataclass(frozen=True, kw_only=True, slots=True)
class _Room:
    """How much is shown of what can be long; the keys show all of it.

    With `wraps`, text that is too long for a row takes another one; else it is cut off.
    """

    diff: int = 10
    tasks: int = 6
    steps: int = 6
    collisions: int = 4
    groups: int = 4
    wraps: bool = True


_ROOMS = (
    *(_Room(diff=most) for most in (10, 8, 7, 6, 5, 4, 3, 2)),
    _Room(diff=2, tasks=4, collisions=2, steps=4, groups=3),
    _Room(diff=2, tasks=2, collisions=2, steps=3, groups=2),
    _Room(diff=2, tasks=1, collisions=1, steps=2, groups=2),
    _Room(diff=0, tasks=2, collisions=1, steps=3, groups=2),
    _Room(diff=0, tasks=1, collisions=1, steps=2, groups=1, wraps=False),
)
"""What is left out, a little more each time, where there is not room for all."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Confirmation:
    """Everything a person needs to decide, in at most `height` rows (None: as many as it takes).

    `aside` is said beside the question: what else of the run goes on, or waits.
    """

    request: ApprovalRequest
    runbook: Runbook
    height: int | None = None
    aside: str = ""

    def __rich_console__(self, console: Console, options: ConsoleOptions) -> RenderResult:
        height, lines = self.height, list[list[Segment]]()
        for room in _ROOMS:
            lines = console.render_lines(self._at(room), options, pad=False)
            if height is None or len(lines) <= height:
                break
        if height is not None and len(lines) > height:
            left_out = count(len(lines) - height + 1, "more row")
            more = one_row(f"… {left_out} (e, d and o show all)", style="dim")
            lines = [*lines[: height - 1], *console.render_lines(more, options, pad=False)]
        for line in lines:
            yield from line
            yield Segment.line()

    def _at(self, room: _Room) -> RenderableType:
        request = self.request
        table = Table.grid(padding=(0, 2, 0, 0))
        table.add_column(style="dim", no_wrap=True)
        table.add_column(overflow="fold")
        impact = [Text(printable(request.impact) or "not described")]
        reasons: list[tuple[str, Sequence[RenderableType]]] = [
            ("Cause", [_cause(request)]),
            ("Impact", impact),
            ("Undo", [Text(_undo(request.fix))]),
            ("Evidence", _evidence(request, room)),
            (
                "Led here",
                led_here(
                    self.runbook,
                    {host: request.states[host] for host in request.hosts},
                    most_steps=room.steps,
                    most_groups=room.groups,
                ),
            ),
        ]
        parts = [
            # What led to the fix does not speak for its undo, which has none itself.
            *([("Impact", impact)] if request.undoing else reasons),
            ("This run", _this_run(request, self.runbook, room)),
            ("Before", _before(request)),
            ("Also here", _also_here(request, room)),
            ("Runs", [one_row(_action(request.fix))]),
            ("Predicted", _predicted(request, room)),
        ]
        title = Text.assemble(
            (printable(request.title), "bold"), f" on {say_hosts(request.hosts, most=8)}"
        )
        for label, rows in parts:
            for number, row in enumerate(rows):
                table.add_row(label if number == 0 else "", _fitted(row, room))
        aside = f" ({self.aside})" if self.aside else ""
        return Group(Heading(f"May this be done?{aside}"), _fitted(title, room), table)


def _fitted(row: RenderableType, room: _Room) -> RenderableType:
    if isinstance(row, Text) and not room.wraps:
        row.no_wrap, row.overflow = True, "ellipsis"
    return row


def _predicted(request: ApprovalRequest, room: _Room) -> list[Text]:
    return predicted(request, most_diff=room.diff, most_tasks=room.tasks, most_groups=room.groups)


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


def _evidence(request: ApprovalRequest, room: _Room) -> list[Text]:
    groups = fold((host, _say(request.evidence.get(host))) for host in request.hosts)
    # A row that says that one more is left out is no shorter than that one.
    most = len(groups) if len(groups) == room.groups + 1 else room.groups
    rows = [one_row(f"{lead(hosts, request.hosts)}{said}") for hosts, said in groups[:most]]
    return rows + others(groups, most, "e shows all")


def _say(seen: Observation | None) -> str:
    if seen is None:
        return "nothing that speaks for it was seen"
    said = say_observation(seen) or RESULTS[seen.result.value]
    expected = say_expected(seen)
    return f"{said}; expected {expected}" if expected else said


def _this_run(request: ApprovalRequest, runbook: Runbook, room: _Room) -> list[Text]:
    """Say what this run has done on the hosts already."""
    done = (
        (
            host,
            tuple((title_of(runbook, state, record.step), record.result) for record in state.fixes),
        )
        for host, state in request.states.items()
    )
    groups = [(hosts, fixes) for hosts, fixes in fold(done) if fixes]
    rows = [
        Text(
            lead(hosts, request.hosts)
            + ", ".join(f"{title}: {FIX_RESULTS.get(result, result)}" for title, result in fixes)
        )
        for hosts, fixes in groups[: room.groups]
    ]
    return rows + others(groups, room.groups, "e shows all")


def _also_here(request: ApprovalRequest, room: _Room) -> list[Text]:
    """Say what else goes on on the hosts, and what of it --yes would not pass over."""
    seen = ((host, going_on(request.states[host])) for host in request.hosts)
    groups = [(hosts, told) for hosts, told in fold(seen) if told]
    rows = [
        Text(f"{lead(hosts, request.hosts)}{printable(text)}", style="yellow")
        for hosts, told in groups[: room.groups]
        for text in told[: room.collisions]
    ]
    left_out = sum(max(len(told) - room.collisions, 0) for _, told in groups)
    more = [one_row(f"… {left_out} more (e shows all)", style="dim")] if left_out else []
    return [*rows, *more, *others(groups, room.groups, "e shows all")]


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
