"""Opening the journal wherever the settings say it is."""

from importlib.util import find_spec
from pathlib import Path

from runbook.errors import RunbookError
from runbook.journal import Journal
from runbook.model.codec import Mask
from runbook.model.masking import mask_value

WAIT_S = 10.0
AWAY_S = 30.0


def open_journal(
    place: Path | str, *, mask: Mask = mask_value, wait_s: float | None = None
) -> Journal:
    """Open the journal in a file, or in a database of Postgres by its URL.

    A call waits up to `wait_s` for what stands in its way: other processes' writes (10 s), a server
    that is away (30 s). Raise `journal-unusable`, and `no-psycopg` where the driver is missing.
    """
    if isinstance(place, Path):
        from runbook.journal import sqlite  # noqa: PLC0415 -- one of the two

        return sqlite.open_journal(
            place, mask=mask, busy_timeout_s=WAIT_S if wait_s is None else wait_s
        )
    require_psycopg()
    from runbook.journal import postgres  # noqa: PLC0415 -- an extra

    return postgres.open_journal(place, mask=mask, patience_s=AWAY_S if wait_s is None else wait_s)


def require_psycopg() -> None:
    """Raise RunbookError where psycopg is not installed."""
    if find_spec("psycopg") is None:
        raise RunbookError.of(
            "no-psycopg",
            "a journal on Postgres needs psycopg, which is not installed",
            hint="pip install 'runbook[postgres]', or leave the setting `journal` out",
        )


def require_procrastinate() -> None:
    """Raise RunbookError where Procrastinate is not installed."""
    if find_spec("procrastinate") is None:
        raise RunbookError.of(
            "no-procrastinate",
            "services that share a database need Procrastinate, which is not installed",
            hint="pip install 'runbook[postgres]'",
        )
