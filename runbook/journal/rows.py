"""What a database keeps of runs, as records: the same in all stores that have tables."""

import json
from collections.abc import Callable, Iterable, Mapping
from typing import Any

from runbook.journal import Claim, Holder, RunSummary, problems
from runbook.model.event import Mode
from runbook.model.slices import number_of, whole_of
from runbook.model.verdict import Verdict

SUMMARY = (
    "runs.id, runbook, mode, pattern, operator, runs.started_at, ended_at, verdict, interrupted,"
    " holder"
)
"""The columns of a run that `summary_of` takes."""


def summary_of(row: tuple[Any, ...], hosts: tuple[str, ...], causes: tuple[str, ...]) -> RunSummary:
    """Return a run's summary; raise `journal-broken` for what no version wrote."""
    run, runbook, mode, pattern, operator, started, ended, verdict, interrupted, holder = row
    try:
        return RunSummary(
            id=run,
            runbook=runbook,
            mode=Mode(mode),
            pattern=pattern,
            operator=operator,
            started_at=started,
            ended_at=ended,
            verdict=None if verdict is None else Verdict(verdict),
            interrupted=interrupted,
            hosts=hosts,
            causes=causes,
            holder=holder_of(run, holder),
        )
    except ValueError as error:
        raise problems.bad_summary(run, "mode, verdict") from error


def slices_of(whole: str, rows: Iterable[tuple[Any, ...]]) -> dict[str, int]:
    """Return the slices of a run among rows (id, number of entries), in order of their numbers."""
    found = sorted(
        (row for row in rows if whole_of(row[0]) == whole), key=lambda r: number_of(r[0])
    )
    return {run: int(entries) for run, entries in found}


def holder_of(run: str, text: str) -> Holder:
    """Return the holder of a text; raise `journal-broken` where it is none."""
    try:
        return Holder(**json.loads(text))
    except (TypeError, ValueError) as error:
        raise problems.bad_summary(run, "holder") from error


def claims_of(
    rows: Iterable[tuple[Any, ...]],
    living: Callable[[Mapping[str, Holder]], Mapping[str, bool | None]],
) -> list[Claim]:
    """Return the claims of rows (host, run, runbook, since, holder's text, acting).

    `living` says of the holders of runs whether each lives; it is asked once for all.
    """
    kept = list(rows)
    holders = {run: holder_of(run, text) for run, text in {(row[1], row[4]) for row in kept}}
    lives = living(holders)
    return [
        Claim(
            host=host,
            run=run,
            runbook=runbook,
            since=since,
            holder=holders[run],
            alive=lives[run],
            acting=bool(acting),
        )
        for host, run, runbook, since, _, acting in kept
    ]
