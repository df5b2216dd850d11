"""Laying a board out on a screen of a given size: what goes on comes first, what is over shrinks."""

from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import partial

from rich.cells import cell_len
from rich.text import Text

from runbook.model.verdict import Verdict
from runbook.views.board import Activity, Board, Group
from runbook.views.line import Line
from runbook.views.safe_text import printable
from runbook.views.telling import GOOD, STYLES, Mark, Told
from runbook.views.words import VERDICTS, count, say_duration, say_hosts

_WIDE = 100
"""From how many cells on a line has room for what was expected."""

_LEAST_LEFT_OUT = 3
"""So many rows have to be left out for it to be worth one that says so."""

_LEAST_ROWS = 2
"""Of a group that goes on: its hosts, and what is being done."""


@dataclass(frozen=True, kw_only=True, slots=True)
class _Section:
    """A group in rows.

    `telling` are the places of `way` that say what is wrong, or what was done about it. `now` is
    what is being done, or how it ended; `short` all of it on one row, once it is over.
    """

    head: Text
    way: list[Text]
    telling: frozenset[int]
    now: list[Text]
    short: Text | None = None

    def brief(self) -> list[Text]:
        """Return the rows without those of steps that were in order, where these are several."""
        left_out = len(self.way) - len(self.telling)
        if left_out < _LEAST_LEFT_OUT:
            return self.rows()
        more = Text(f"… and {left_out} steps that were in order", style="dim")
        return [self.head, *(self.way[place] for place in sorted(self.telling)), more, *self.now]

    def rows(self, most: int | None = None) -> list[Text]:
        """Return the rows, at most `most`: what tells least is left out, the oldest of it first."""
        way = self.way
        room = None if most is None else most - 1 - len(self.now)
        if room is not None and len(way) > room:
            kept = sorted(self._ranked()[: max(room - 1, 0)])
            left_out = len(way) - len(kept)
            which = "earlier" if not kept or kept[0] == left_out else "other"
            more = Text(f"… {count(left_out, f'{which} line')}", style="dim")
            way = [more, *(way[place] for place in kept)] if room > 0 else []
        return [self.head, *way, *self.now]

    def _ranked(self) -> list[int]:
        """Return the places of the way, the newest of the most telling first."""
        return sorted(range(len(self.way)), key=lambda place: (place not in self.telling, -place))


def lay_out(
    board: Board, *, title: str, width: int, height: int | None, now: float, brief: bool = False
) -> list[Text]:
    """Return the board in rows of at most `width` cells, at most `height` of them (None: all).

    `now` is the time by the clock that the board was told with. What is `brief` leaves out, of all,
    steps that were in order.
    """
    groups = board.groups()
    head = [_title_row(board, title, width)]
    if board.stopping:
        head.append(Text(board.stopping, style="bold yellow"))
    if not groups and (opening := board.opening()) is not None:
        head.append(_activity_row(Counter([opening]), 0, now))
    draw = partial(_section, board, width=width - 3, now=now)
    if brief:
        chosen = [draw(group).brief() for group in groups]
    else:
        chosen = _choose(board, groups, draw, None if height is None else height - len(head))
    rows = head
    for number, section in enumerate(chosen):
        last = number == len(chosen) - 1
        rows.append(Text("└─ " if last else "├─ ", style="dim").append_text(section[0]))
        for row in section[1:]:
            rows.append(Text("   " if last else "│  ", style="dim").append_text(row))
    for row in rows:
        row.truncate(width, overflow="ellipsis")
    return rows if height is None else rows[:height]


def _choose(
    board: Board, groups: Sequence[Group], draw: Callable[[Group], _Section], height: int | None
) -> list[list[Text]]:
    """Give each group the rows it can have. Only those that are shown are drawn."""
    if height is None or len(groups) <= height:
        sections = [draw(group) for group in groups]
        whole = [section.rows() for section in sections]
        if height is None or _count(whole) <= height:
            return whole
        shrunk = [[s.short] if s.short is not None else s.rows() for s in sections]
        if _count(shrunk) <= height:
            return shrunk
    going = [group for group in groups if group.end is None]
    over = [group for group in groups if group.end is not None]
    most_over = len(over) if len(over) <= max(height // 3, 1) else max(height // 3 - 1, 0)
    shown = [[draw(group).short or Text()] for group in over[:most_over]]
    if most_over < len(over):
        shown.append([_over_row(board)])
    room = height - len(shown)
    fitting = len(going) if len(going) * _LEAST_ROWS <= room else max((room - 1) // _LEAST_ROWS, 0)
    if fitting < len(going):
        shown.append([Text(f"and {len(going) - fitting} more groups under way", style="dim")])
        room -= 1
    return [*_share([draw(group) for group in going[:fitting]], room), *shown]


def _share(sections: Sequence[_Section], room: int) -> list[list[Text]]:
    """Share rows out: who needs less than an equal share leaves the rest to the others."""
    rows: dict[int, list[Text]] = {}
    waiting = sorted(range(len(sections)), key=lambda index: len(sections[index].rows()))
    for done, index in enumerate(waiting):
        rows[index] = sections[index].rows(room // (len(waiting) - done))
        room -= len(rows[index])
    return [rows[index] for index in range(len(sections))]


def _count(sections: Sequence[Sequence[Text]]) -> int:
    return sum(len(section) for section in sections)


def _section(board: Board, group: Group, *, width: int, now: float) -> _Section:
    hosts = say_hosts(list(group.hosts))
    head = Text(hosts, style="bold")
    end = group.end
    way: list[Text] = []
    telling: set[int] = set()
    for index, line in enumerate(group.lines):
        if index == end:
            continue
        title, seen = group.title_at(index, board.runbook), group.values_at(index)
        rows = _line_rows(line, title, seen, width)
        if line.mark not in (Mark.PASSED, Mark.NOTE):
            telling.update(range(len(way), len(way) + len(rows)))
        way += rows
    if group.verdict is not None and end is not None:
        ending = _end_text(group.verdict, group.values_at(end))
        short = Text.assemble(f"{hosts}: ", ending)
        return _Section(head=head, way=way, telling=frozenset(telling), now=[ending], short=short)
    activities = board.activities(group)
    doing = [_activity_row(activities, len(group.hosts), now)] if activities else []
    return _Section(head=head, way=way, telling=frozenset(telling), now=doing)


def _line_rows(line: Told, title: str, seen: str, width: int) -> list[Text]:
    if line.mark is Mark.FIX:
        lead = Text(f"{line.mark.value} {title}", style=STYLES[line.mark])
        return [lead, _chain(line.result, width)]
    said = "" if line.mark is Mark.CAUSE else seen
    if said and line.expected and width >= _WIDE:
        said += f"; expected {line.expected}"
    return [Line(mark=line.mark, title=title, result=line.result, seen=said).fit(width)]


def _chain(phases: str, width: int) -> Text:
    """Return a fix's phases on one row, the earliest left out where they are too many."""
    parts = phases.split(" → ")
    while len(parts) > 1 and cell_len(" → ".join(parts)) > width - 6:
        parts = parts[1:]
    lead = "" if " → ".join(parts) == phases else "… → "
    return Text(f"  {lead}{' → '.join(parts)}")


def _activity_row(activities: Counter[Activity], hosts: int, now: float) -> Text:
    """Say what is being done, how long already, and on how many where it is not all."""
    (activity, _), *_ = activities.most_common()
    same = [other for other in activities if other.what == activity.what]
    since = min(other.since for other in same)
    number = sum(activities[other] for other in same)
    on = f" on {number} of {hosts}" if 0 < number < hosts else ""
    waited = say_duration(now - since) if now - since >= 1 else "0 s"
    return Text(f"… {activity.what}{on}, {waited}", style="dim")


def _end_text(verdict: Verdict, reason: str) -> Text:
    text = f"■ {VERDICTS[verdict]}" + (f" — {reason}" if reason else "")
    return Text(text, style="bold green" if verdict in GOOD else "bold red")


def _title_row(board: Board, title: str, width: int) -> Text:
    tally = _tally(board)
    row = Text(printable(title), style="bold")
    row.truncate(width - len(tally), overflow="ellipsis")
    return row.append(tally, style="dim not bold")


def _tally(board: Board) -> str:
    counted = board.verdicts()
    total = sum(counted.values())
    if total <= 1:
        return ""
    return f"  {total - counted[None]} of {total} hosts done"


def _over_row(board: Board) -> Text:
    counted = board.verdicts()
    parts = [
        f"{number} {VERDICTS[verdict].partition(':')[0]}"
        for verdict, number in counted.most_common()
        if verdict is not None
    ]
    return Text(f"hosts done: {', '.join(parts)}", style="dim")
