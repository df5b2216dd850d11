"""What led hosts to where a person is asked about them: findings first, then what was in order."""

from collections.abc import Mapping, Sequence
from dataclasses import replace

from rich.console import RenderableType

from runbook.model.definition import Runbook
from runbook.model.state import HostState
from runbook.views.folding import fold, lead, one_row, others
from runbook.views.line import Line
from runbook.views.telling import Mark, Told, tell_visits
from runbook.views.titles import common_title
from runbook.views.words import count

_MOST_TURNS = 1


def led_here(
    runbook: Runbook, states: Mapping[str, HostState], *, most_steps: int, most_groups: int
) -> list[RenderableType]:
    """Return the steps of this epoch: what was found wrong first of all, then what was not.

    Hosts are told apart by steps and results, not by titles as rendered or by values seen.
    """
    ways = {host: tell_visits(runbook, state, since=state.epoch) for host, state in states.items()}
    groups = fold(
        (host, [(told.mark, told.step, told.result) for told in way]) for host, way in ways.items()
    )
    rows: list[RenderableType] = []
    for hosts, _ in groups[:most_groups]:
        if named := lead(hosts, states):
            rows.append(one_row(named))
        way = [
            _common(runbook, lines) for lines in zip(*(ways[host] for host in hosts), strict=True)
        ]
        telling, left_out = _telling(way, most_steps)
        if left_out:
            rows.append(one_row(f"… {count(left_out, 'other step')} (e shows all)", style="dim"))
        rows += [
            Line(mark=told.mark, title=told.title, result=told.result, seen=told.seen)
            for told in telling
        ]
        passed = [told.title for told in way if told.mark is Mark.PASSED]
        if passed:
            rows.append(one_row(f"✓ passed: {'; '.join(passed)}", style="dim"))
    return [*rows, *others(groups, most_groups, "e shows all")]


def _telling(way: Sequence[Told], most_steps: int) -> tuple[list[Told], int]:
    """Return what to show of a way but for what passed, and how many steps that leaves out.

    What was found wrong comes before turns that were merely taken, the later before the earlier.
    """
    steps = [(place, told) for place, told in enumerate(way) if told.mark is not Mark.PASSED]
    ranked = sorted(steps, key=lambda step: (step[1].mark is Mark.NOTE, -step[0]))
    found = sum(told.mark is not Mark.NOTE for _, told in steps)
    # The last turn says how it came to this; more would only hide what is wrong.
    most = min(max(found, 1) + _MOST_TURNS, most_steps)
    kept = sorted(ranked[:most])
    return [told for _, told in kept], len(steps) - len(kept)


def _common(runbook: Runbook, lines: Sequence[Told]) -> Told:
    """Return what holds of a step on several hosts: no value where they differ."""
    step = runbook.steps[lines[0].step]
    first = replace(lines[0], title=common_title(step.title, (line.title for line in lines)))
    same = all(line.seen == first.seen for line in lines)
    return first if same else replace(first, seen="")
