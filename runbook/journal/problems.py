"""Errors that every store raises in the same words."""

from collections.abc import Sequence

from runbook.errors import RunbookError
from runbook.journal import Holder

_CANDIDATES_SHOWN = 5


def unknown_run(prefix: str, candidates: Sequence[str] = ()) -> RunbookError:
    """Return the error of an id that means no run, or more than one (`candidates`)."""
    if candidates:
        shown = list(candidates[:_CANDIDATES_SHOWN])
        if len(candidates) > len(shown):
            shown.append("…")
        return RunbookError.of(
            "unknown-run",
            f'more than one run has an id that starts with "{prefix}": {", ".join(shown)}',
            hint="Give more of the id.",
        )
    return RunbookError.of(
        "unknown-run",
        f'no run has an id that starts with "{prefix}"',
        hint="`runbook history` lists the runs of this journal.",
    )


def run_exists(run: str) -> RunbookError:
    """Return the error of beginning a run twice."""
    return RunbookError.of(
        "run-exists",
        f"there is a run {run} already",
        hint="`runbook resume` goes on with a run.",
    )


def taken_over(run: str, holder: Holder) -> RunbookError:
    """Return the error of a driver that has been replaced."""
    return RunbookError.of(
        "run-taken-over",
        f"run {run} is driven by another process now: {described(holder)}",
        context="Nothing was written, and nothing more is done here.",
        hint=f"`runbook report {run}` shows how it goes on.",
    )


def driven(run: str, holder: Holder) -> RunbookError:
    """Return the error of taking a run from a living driver."""
    return RunbookError.of(
        "run-driven",
        f"run {run} is being driven by a living process: {described(holder)}",
        hint="Wait for it, or interrupt that process first.",
    )


def described(holder: Holder) -> str:
    """Return a holder in words."""
    return f"process {holder.pid} on {holder.controller}"


def closed() -> RunbookError:
    """Return the error of using a journal that has been closed."""
    return RunbookError.of("journal-unusable", "the journal is closed")


def bad_summary(run: str, what: str) -> RunbookError:
    """Return the error of a run whose line in the history is not what its entries say."""
    return RunbookError.of(
        "journal-broken",
        f"the summary of run {run} does not follow from its entries: {what}",
        context="Something other than runbook changed the journal.",
        hint="Do not rely on it; compare the journal with a backup.",
    )
