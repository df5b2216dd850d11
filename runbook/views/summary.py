"""How a run ended: for each host the verdict, its causes, its fixes, and what to do next."""

import shlex
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from runbook.model.definition import Fix, FixResult, Runbook
from runbook.model.event import Acted, Mode
from runbook.model.state import FixPhase, FixRecord, FoundCause, HostState
from runbook.model.verdict import Verdict, worst
from runbook.views.evidence import speaking
from runbook.views.safe_text import printable
from runbook.views.telling import GOOD, title_of
from runbook.views.titles import common_title
from runbook.views.words import (
    FIX_RESULTS,
    VERDICTS,
    say_duration,
    say_hosts,
    say_observation,
)

if TYPE_CHECKING:
    from rich.console import RenderableType

_MOST_NAMED = 5
_ORDER = (None, *Verdict)
"""Unfinished first, then as the verdicts stand, the good ones before the bad."""
_BEGUN = frozenset({FixPhase.INTENDED, FixPhase.ENDED, FixPhase.VERIFIED})
_IN_VAIN = frozenset({FixResult.NO_EFFECT, FixResult.FAILED, FixResult.RECURRED})


@dataclass(frozen=True, kw_only=True, slots=True)
class Finish:
    """A run as driving it left it.

    `took_s` is how long the whole took, `host_took_s` each host, in seconds, as far as known.
    `interrupted` says why it stopped before its end. `options` are those of its command line that
    the next command needs as well.
    """

    runbook: Runbook
    run: str
    mode: Mode
    pattern: str
    states: Mapping[str, HostState]
    took_s: float | None = None
    host_took_s: Mapping[str, float] = field(default_factory=dict)
    interrupted: str | None = None
    options: tuple[str, ...] = ()


@dataclass(frozen=True, kw_only=True, slots=True)
class _Row:
    """A line of the summary: those without a label head what follows.

    With `copied` it holds a command to be copied: the terminal may break it, we may not.
    """

    text: str
    label: str = ""
    style: str = ""
    copied: bool = False


def summary_text(finish: Finish) -> str:
    """Return the summary as plain lines, one for each thing to say."""
    return "\n".join(
        f"  {row.label:<6} {row.text}" if row.label else row.text for row in _rows(finish)
    )


def summary(finish: Finish) -> "RenderableType":
    """Return the summary to be drawn on a terminal, without cropping it."""
    from rich.console import Group  # noqa: PLC0415 -- only for a terminal
    from rich.table import Table  # noqa: PLC0415
    from rich.text import Text  # noqa: PLC0415

    parts: list[RenderableType] = []
    for row in _rows(finish):
        text = Text(row.text, style=row.style)
        if row.copied:
            label = (f"  {row.label:<6} ", "dim") if row.label else ""
            parts.append(Text.assemble(label, text, no_wrap=True, overflow="ignore"))
            continue
        if not row.label:
            parts.append(text)
            continue
        table = Table.grid(padding=(0, 1, 0, 0))
        table.add_column(style="dim", width=8)
        table.add_column(overflow="fold")
        table.add_row(f"  {row.label}", text)
        parts.append(table)
    return Group(*parts)


def _rows(finish: Finish) -> list[_Row]:
    """Return hosts with the same end together, the worst last, and a line for the whole."""
    groups: dict[tuple[object, ...], list[HostState]] = {}
    for state in finish.states.values():
        groups.setdefault(_end(state), []).append(state)
    rows: list[_Row] = []
    for states in sorted(groups.values(), key=lambda states: _ORDER.index(states[0].verdict)):
        rows += _group(finish, states)
    return [*rows, *_whole(finish)]


def _end(state: HostState) -> tuple[object, ...]:
    """Return what hosts are folded by: all but titles as rendered, and the values seen."""
    causes = tuple(found.cause for found in state.causes)
    return state.verdict, state.reason, causes, state.fixes


def _group(finish: Finish, states: Sequence[HostState]) -> Iterable[_Row]:
    first = states[0]
    took = [finish.host_took_s[s.host] for s in states if s.host in finish.host_took_s]
    after = f", after {say_duration(max(took))}" if took else ""
    verdict = first.verdict
    ending = VERDICTS[verdict] if verdict is not None else "not finished"
    good = verdict in GOOD
    hosts = [state.host for state in states]
    yield _Row(
        text=f"{say_hosts(hosts, most=_MOST_NAMED)} — {ending}{after}",
        style="bold green" if good else "bold red",
    )
    for index, found in enumerate(first.causes):
        if any(later.cause == found.cause for later in first.causes[index + 1 :]):
            continue  # It was looked at again, and told of then.
        seen = Counter(_seen(state, state.causes[index]) for state in states)
        yield _Row(label="cause", text=_cause(finish.runbook, found, seen))
    for record in first.fixes:
        title = _title(finish.runbook, states, record.step)
        under_way = (
            first.verdict is None and record is first.fixes[-1] and first.fix.phase in _BEGUN
        )
        outcome = "begun; how it ended is not known" if under_way else _outcome(record)
        yield _Row(label="fix", text=f"{title}: {outcome}")
    if first.reason:
        yield _Row(label="why", text=printable(first.reason))
    # The last line says already how a run goes on that was interrupted.
    if not good and (finish.interrupted is None or verdict is not None):
        yield _Row(label="next", text=_next_step(finish, states), copied=True)


def _title(runbook: Runbook, states: Sequence[HostState], step: str) -> str:
    """Return a step's title as rendered, or what hosts that differ in it share."""
    titles = [title_of(runbook, state, step) for state in states]
    return common_title(runbook.steps[step].title, titles)


def _seen(state: HostState, found: FoundCause) -> str:
    seen = speaking(found.evidence, state, epoch=found.epoch)
    return say_observation(seen) if seen is not None else ""


def _cause(runbook: Runbook, found: FoundCause, seen: Counter[str]) -> str:
    cause = runbook.causes.get(found.cause)
    title = printable(cause.title if cause is not None else found.cause)
    (value, number), *others = seen.most_common()
    rest = sum(count for _, count in others)
    differ = f"; {rest} of {number + rest} hosts differ" if rest else ""
    return f"{title} ({value}{differ})" if value else title


def _outcome(record: FixRecord) -> str:
    if record.acted is Acted.WITHHELD:
        return "not begun"
    said = FIX_RESULTS.get(record.result, printable(record.result))
    return f"{said}, as was seen by looking again" if record.verified else said


def _next_step(finish: Finish, states: Sequence[HostState]) -> str:
    """Say what a person does next about these hosts, with the command for it."""
    verdict, run = states[0].verdict, shlex.quote(finish.run)
    match verdict:
        case None | Verdict.WAITING:
            return f"go on with: runbook resume {run}"
        case Verdict.DECLINED | Verdict.UNKNOWN:
            first = _first(states[0].reason) if verdict is Verdict.UNKNOWN else ""
            return f"{first}try again with: {_command(finish, states, finish.mode)}"
        case Verdict.UNRESOLVED if finish.mode is Mode.DIAGNOSE and states[0].position is not None:
            return f"do it with: {_command(finish, states, Mode.RUN)}"
        case _:
            undo = (
                f", or take it back with: runbook undo {run}" if _can_undo(finish, states) else ""
            )
            return f"escalate with: runbook report {run}{undo}"


def _first(reason: str | None) -> str:
    """Say what stands before a host is looked at once more."""
    if reason and "unreachable:" in reason:
        return "see that the host can be reached, then "
    return "once that is mended, " if reason else ""


def _command(finish: Finish, states: Sequence[HostState], mode: Mode) -> str:
    named = len(states) <= _MOST_NAMED
    hosts = ",".join(state.host for state in states) if named else finish.pattern
    words = ("--host", printable(hosts), *map(printable, finish.options))
    return f"runbook {mode.value} {finish.runbook.name} {shlex.join(words)}"


def _can_undo(finish: Finish, states: Sequence[HostState]) -> bool:
    for record in states[0].fixes:
        step = finish.runbook.steps.get(record.step)
        if isinstance(step, Fix) and step.undo is not None and record.result in _IN_VAIN:
            return True
    return False


def _whole(finish: Finish) -> list[_Row]:
    counted = Counter(state.verdict for state in finish.states.values())
    after = f" after {say_duration(finish.took_s)}" if finish.took_s is not None else ""
    parts = [
        f"{number} {'not finished' if verdict is None else VERDICTS[verdict].partition(':')[0]}"
        for verdict, number in sorted(counted.items(), key=lambda item: _ORDER.index(item[0]))
    ]
    told = f": {', '.join(parts)}" if len(finish.states) > 1 else ""
    if finish.interrupted is not None:
        why = printable(finish.interrupted)
        resume = f"Go on with: runbook resume {shlex.quote(finish.run)}"
        return [
            _Row(text=f"Run {finish.run} stopped{after} ({why}){told}.", style="bold yellow"),
            _Row(text=resume, style="bold yellow", copied=True),
        ]
    verdict = worst(state.verdict or Verdict.UNKNOWN for state in finish.states.values())
    ending = VERDICTS[verdict].partition(":")[0]
    return [_Row(text=f"Run {finish.run} ended{after}, {ending}{told}", style="bold")]
