"""What the runs of a runbook add up to, in words and as plain data."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import tzinfo

from runbook.driver.figures import Figures, Times
from runbook.model.definition import Json, Runbook
from runbook.views.report_times import iso, moment_of
from runbook.views.safe_text import printable
from runbook.views.words import count, say_duration, say_share, shorten

_MOST_FLAPPING = 10
_GAP = "  "
_LEAST_NAME = 12


@dataclass(frozen=True, kw_only=True, slots=True)
class Known:
    """What is known of a runbook besides its runs; empty where its file is gone or unsound.

    `titles` are those of causes and steps by id, `declared` the causes' likelihoods.
    """

    name: str
    titles: Mapping[str, str] = field(default_factory=dict)
    declared: Mapping[str, float | None] = field(default_factory=dict)


def known_of(runbook: Runbook) -> Known:
    """Return what a runbook says of itself."""
    return Known(
        name=runbook.name,
        titles={
            **{step.id: step.title for step in runbook.steps.values()},
            **{cause.id: cause.title for cause in runbook.causes.values()},
        },
        declared={cause.id: cause.likelihood for cause in runbook.causes.values()},
    )


def stats_text(
    figures: Figures,
    known: Known,
    *,
    within_s: float,
    zone: tzinfo | None = None,
    width: int | None = None,
) -> str:
    """Return tables of causes and fixes, and what there is to say besides; times in `zone`.

    Names are shortened to fit into `width` characters, None for however many.
    """
    if not figures.walks:
        return f"No host has come to an end in a run of {printable(known.name)}."
    return "\n".join(_lines(figures, known, within_s, zone, width))


def stats_document(figures: Figures, known: Known, *, within_s: float) -> dict[str, Json]:
    """Return the same as plain data: times in seconds and as ISO 8601 in UTC, shares 0 to 1."""
    return {
        "runbook": known.name,
        "runs": figures.runs,
        "hosts_walked": figures.walks,
        "faults": figures.faults,
        "verdicts": {verdict.value: number for verdict, number in figures.verdicts.items()},
        "causes": [
            {
                "id": cause,
                "title": known.titles.get(cause, cause),
                "found": _found(figures, cause),
                "share": _share(figures, cause),
                "declared": known.declared.get(cause),
                "cleared_by_itself": _cleared(figures, cause),
            }
            for cause in _causes(figures, known)
        ],
        "fixes": [
            {
                "step": step,
                "title": known.titles.get(step, step),
                "tried": fix.tried,
                "worked": fix.worked,
                "fell_back": fix.fell_back,
                **_times_document(figures.fix_times.get(step, Times())),
                "last_failure": None
                if fix.last_failure is None
                else {
                    "run_id": fix.last_failure.run,
                    "host": fix.last_failure.host,
                    "at": iso(fix.last_failure.at),
                },
            }
            for step, fix in figures.past.fixes.items()
        ],
        "time_to_repair": {"hosts": figures.repair.count, **_times_document(figures.repair)},
        "flapping": [
            {
                "host": item.host,
                "cause": item.cause,
                "again": item.again,
                "last_at": iso(item.last_at),
            }
            for item in figures.flapping
        ],
        "flapping_within_s": within_s,
    }


def _lines(
    figures: Figures, known: Known, within_s: float, zone: tzinfo | None, width: int | None
) -> Iterator[str]:
    hosts = "host was" if figures.walks == 1 else "hosts were"
    yield (
        f"{printable(known.name)}: {count(figures.runs, 'run')}; {figures.walks} {hosts} looked at,"
        f" {figures.faults} had a fault"
    )
    yield _GAP + ", ".join(f"{number} {verdict}" for verdict, number in figures.verdicts.items())
    causes = _causes(figures, known)
    found = [cause for cause in causes if _found(figures, cause)]
    if found:
        rows = [_cause_row(figures, known, cause) for cause in found]
        yield ""
        yield from _table(("CAUSE", "FOUND", "SHARE", "DECLARED", "CLEARED BY ITSELF"), rows, width)
        if len(found) < len(causes):
            left = len(causes) - len(found)
            yield f"{_GAP}{count(left, 'more cause')} declared, never found (see --json)"
    if figures.past.fixes:
        yield ""
        fixes = [_fix_row(figures, step, zone) for step in figures.past.fixes]
        yield from _table(("FIX", "WORKED", "MEDIAN", "90%", "LAST FAILED"), fixes, width)
    if figures.repair.count:
        yield ""
        yield (
            f"Time to repair, from a run's start to the verdict of {count(figures.repair.count, 'host')}:"
        )
        yield f"{_GAP}median {_say(figures.repair.median_s)}, 90% within {_say(figures.repair.p90_s)}"
    if figures.flapping:
        yield ""
        back = [
            (f"{item.host} {item.cause}", f"{item.again}x", moment_of(item.last_at, zone))
            for item in figures.flapping[:_MOST_FLAPPING]
        ]
        head = (f"BACK WITHIN {say_duration(within_s).upper()}", "AGAIN", "LAST FOUND")
        yield from _table(head, back, width)
        if len(figures.flapping) > _MOST_FLAPPING:
            yield f"and {len(figures.flapping) - _MOST_FLAPPING} more, see --json"


def _causes(figures: Figures, known: Known) -> list[str]:
    """Return the causes that were found, the most frequent first, then the others declared."""
    found = sorted(figures.past.causes, key=lambda cause: -_found(figures, cause))
    return list(dict.fromkeys([*found, *known.declared]))


def _found(figures: Figures, cause: str) -> int:
    past = figures.past.causes.get(cause)
    return past.found if past is not None else 0


def _cleared(figures: Figures, cause: str) -> int:
    past = figures.past.causes.get(cause)
    return past.cleared if past is not None else 0


def _share(figures: Figures, cause: str) -> float | None:
    """Return in which share of the faults a cause was found; one fault may have several."""
    return round(_found(figures, cause) / figures.faults, 4) if figures.faults else None


def _cause_row(figures: Figures, known: Known, cause: str) -> tuple[str, ...]:
    share, declared = _share(figures, cause), known.declared.get(cause)
    cleared = _cleared(figures, cause)
    return (
        cause,
        str(_found(figures, cause)),
        "-" if share is None else say_share(share),
        "-" if declared is None else say_share(declared),
        str(cleared) if cleared else "-",
    )


def _fix_row(figures: Figures, step: str, zone: tzinfo | None) -> tuple[str, ...]:
    fix, took = figures.past.fixes[step], figures.fix_times.get(step, Times())
    failed = fix.last_failure
    return (
        step,
        f"{fix.worked} of {fix.tried}" + (f", {fix.fell_back} fell back" if fix.fell_back else ""),
        _say(took.median_s),
        _say(took.p90_s),
        "-" if failed is None else f"{moment_of(failed.at, zone)[:10]} on {failed.host}",
    )


def _say(seconds: float | None) -> str:
    return "-" if seconds is None else say_duration(seconds)


def _times_document(times: Times) -> dict[str, Json]:
    return {"median_s": _rounded(times.median_s), "p90_s": _rounded(times.p90_s)}


def _rounded(seconds: float | None) -> float | None:
    return None if seconds is None else round(seconds, 3)


def _table(
    head: tuple[str, ...], rows: Sequence[tuple[str, ...]], width: int | None
) -> Iterator[str]:
    """Yield lines of columns; the first one gives way where there is little room, then the last."""
    lines = [head, *(tuple(printable(cell) for cell in row) for row in rows)]
    widths = [max(len(line[column]) for line in lines) for column in range(len(head))]
    if width is not None:
        for column, least in ((0, max(_LEAST_NAME, len(head[0]))), (-1, len(head[-1]))):
            excess = sum(widths) + len(_GAP) * (len(head) - 1) - width
            widths[column] = max(min(least, widths[column]), widths[column] - max(0, excess))
    for line in lines:
        cells = (shorten(cell, size).ljust(size) for cell, size in zip(line, widths, strict=True))
        yield _GAP.join(cells).rstrip()
