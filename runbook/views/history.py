"""The history of runs: a line for each, and the words that choose which."""

import re
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime, tzinfo

from runbook.errors import RunbookError
from runbook.journal import RunSummary
from runbook.model.definition import Json
from runbook.model.event import Mode
from runbook.views.safe_text import printable
from runbook.views.words import say_duration, shorten

_MOST_HOSTS_NAMED = 2
_AGO = re.compile(r"(\d+(?:\.\d+)?)\s*([smhdw])")
_UNITS = {"s": 1.0, "m": 60.0, "h": 3600.0, "d": 86400.0, "w": 604800.0}
_HEADINGS = ("RUN", "STARTED", "RUNBOOK", "HOSTS", "VERDICT", "CAUSES", "TOOK")
_GAP = "  "
_SHORTENED = ("CAUSES", "HOSTS", "RUNBOOK")
_LEAST_WIDTH = 9
_LEFT_OUT = ("STARTED", "TOOK", "CAUSES", "HOSTS", "RUNBOOK")
"""What a narrow terminal has no room for, in this order."""


def history_text(
    runs: Sequence[RunSummary],
    *,
    living: Mapping[str, bool | None],
    zone: tzinfo | None = None,
    width: int | None = None,
) -> str:
    """Return a table of runs as they are given; times in `zone`, None for the local one.

    To fit into `width` characters, None for however many, it leaves columns out and shortens others
    in the order of what is missed least; a run's id and verdict are always whole.
    `living` says of a run that has not ended, by its id, whether its process is alive
    (`journal.holder.alive`): a run under way differs from one whose process is gone.
    """
    if not runs:
        return "No runs."
    rows = [_HEADINGS, *(_row(run, living.get(run.id), zone) for run in runs)]
    widths = {
        heading: max(len(row[column]) for row in rows) for column, heading in enumerate(_HEADINGS)
    }
    if width is not None:
        widths = _fitted(widths, width)
    return "\n".join(
        _GAP.join(
            shorten(cell, widths[heading]).ljust(widths[heading])
            for heading, cell in zip(_HEADINGS, row, strict=True)
            if heading in widths
        ).rstrip()
        for row in rows
    )


def history_document(
    runs: Sequence[RunSummary],
    *,
    living: Mapping[str, bool | None],
    slices: Mapping[str, Sequence[RunSummary]],
) -> list[dict[str, Json]]:
    """Return runs as plain data: times ISO 8601 in UTC, `state` as in the table.

    A run that has `slices` says so, as plain data of the same kind.
    """
    return [
        {
            "run_id": run.id,
            "runbook": run.runbook,
            "mode": run.mode.value,
            "target": run.pattern,
            "operator": run.operator,
            "hosts": list(run.hosts),
            "state": state_of(run, living.get(run.id)),
            "verdict": None if run.verdict is None else run.verdict.value,
            "causes": list(run.causes),
            "started_at": _at(run.started_at, UTC).isoformat(timespec="milliseconds"),
            "duration_s": None if run.ended_at is None else round(_took(run, run.ended_at), 3),
        }
        | (
            {"slices": history_document(slices[run.id], living=living, slices={})}
            if run.id in slices
            else {}
        )
        for run in runs
    ]


def state_of(run: RunSummary, alive: bool | None) -> str:
    """Say how a run stands: its verdict, or interrupted, died, under way."""
    if run.verdict is not None:
        return run.verdict.value
    if run.interrupted is not None:
        return "interrupted"
    return "died" if alive is False else "under way"


def moment(text: str, *, now: float, zone: tzinfo | None = None) -> float:
    """Return the POSIX time that a person means by `text`.

    That is an age (`30m`, `12h`, `7d`) or a date with or without a time (ISO 8601), in `zone`
    unless it says another. Raise RunbookError `unknown-time`.
    """
    if (age := _length(text)) is not None:
        return now - age
    try:
        given = datetime.fromisoformat(text.strip())
        return (given if given.tzinfo or zone is None else given.replace(tzinfo=zone)).timestamp()
    except (OverflowError, ValueError) as error:
        raise RunbookError.of(
            "unknown-time",
            f'"{printable(text)}" is no time',
            hint="Write an age (30m, 12h, 7d) or a date (2026-01-31, 2026-01-31T03:00).",
        ) from error


def period(text: str) -> float:
    """Return the seconds that a person means by `30m`, `12h`, `7d`; raise `unknown-time`."""
    if (length := _length(text)) is None:
        raise RunbookError.of(
            "unknown-time",
            f'"{printable(text)}" is no length of time',
            hint="Write a number and its unit: 90s, 30m, 12h, 7d, 4w.",
        )
    return length


def _length(text: str) -> float | None:
    found = _AGO.fullmatch(text.strip())
    return float(found[1]) * _UNITS[found[2]] if found else None


def _fitted(widths: Mapping[str, int], most: int) -> dict[str, int]:
    """Return the widths of those columns that a row of `most` characters has room for."""
    fitted = dict(widths)
    for missing in range(len(_LEFT_OUT) + 1):
        left_out = _LEFT_OUT[:missing]
        fitted = {name: width for name, width in widths.items() if name not in left_out}
        excess = sum(fitted.values()) + len(_GAP) * (len(fitted) - 1) - most
        # A run's id tells when it started: not worth shortening others for.
        if excess <= 0 or (missing and _shrink(fitted, excess)):
            break
    return fitted


def _shrink(widths: dict[str, int], excess: int) -> bool:
    """Take `excess` characters from the columns that can be shortened; say whether they had them."""
    for _ in range(excess):
        able = [name for name in _SHORTENED if widths.get(name, 0) > _LEAST_WIDTH]
        if not able:
            return False
        widths[max(able, key=widths.__getitem__)] -= 1
    return True


def _row(run: RunSummary, alive: bool | None, zone: tzinfo | None) -> tuple[str, ...]:
    state = state_of(run, alive)
    return (
        printable(run.id),
        _at(run.started_at, zone).strftime("%Y-%m-%d %H:%M:%S"),
        printable(run.runbook) + ("" if run.mode is Mode.RUN else f" ({run.mode.value})"),
        _hosts(run.hosts),
        state,
        printable(", ".join(run.causes)) or "-",
        "-" if run.ended_at is None else say_duration(_took(run, run.ended_at)),
    )


def _hosts(hosts: Sequence[str]) -> str:
    named = printable(", ".join(hosts[:_MOST_HOSTS_NAMED]))
    more = len(hosts) - _MOST_HOSTS_NAMED
    return f"{named} and {more} more" if more > 0 else named or "-"


def _took(run: RunSummary, ended_at: float) -> float:
    # A clock set back must not make a run end before it began.
    return max(0.0, ended_at - run.started_at)


def _at(seconds: float, zone: tzinfo | None) -> datetime:
    return datetime.fromtimestamp(seconds, UTC).astimezone(zone)
