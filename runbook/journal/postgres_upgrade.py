"""Bringing the tables on Postgres up to date, and seeing whether this program can work with them."""

from dataclasses import dataclass, field, replace
from functools import partial

from runbook import __version__
from runbook.errors import RunbookError
from runbook.journal.job_tables import JobTables, job_tables_of, make_job_tables, take_next
from runbook.journal.postgres_schema import SCHEMA, STEPS, STEPS_TABLE
from runbook.journal.postgres_session import Connection, Session

KNOWN = len(STEPS)
"""The last step this program knows."""

_UPGRADING = 0x52_55_4E_44
_PATIENCE_S = 3.0
# A step may have to go through all that is there.
_STEP_S = 3600.0


@dataclass(frozen=True, kw_only=True, slots=True)
class Tables:
    """How far a database's tables have come: `taken` is the last step taken.

    Programs have to know `oldest` at least to work with them; this one knows the step `known`.
    `jobs` is the same of the tables of the jobs that call workers.
    """

    taken: int
    oldest: int
    known: int
    jobs: JobTables = field(default_factory=JobTables)

    @property
    def missing(self) -> int:
        """How many steps this program knows that were not taken."""
        return max(0, self.known - self.taken)

    @property
    def fit(self) -> bool:
        """Whether this program can work with them."""
        return not (self.missing or self.jobs.missing) and self.oldest <= self.known


def tables_of(connection: Connection) -> Tables:
    """Return how far the tables have come."""
    there = connection.execute(
        "SELECT to_regclass(%s) IS NOT NULL", (f"{SCHEMA}.steps",)
    ).fetchone()
    if not there or not there[0]:
        return Tables(taken=0, oldest=0, known=KNOWN)
    row = connection.execute(
        "SELECT coalesce(max(number), 0), coalesce(max(oldest), 0) FROM steps"
    ).fetchone()
    taken, oldest = row or (0, 0)
    return Tables(taken=taken, oldest=oldest, known=KNOWN)


def check_schema(connection: Connection) -> None:
    """Raise `journal-unusable` where this program cannot work with the tables there are."""
    tables = tables_of(connection)
    if tables.oldest > tables.known:
        raise RunbookError.of(
            "journal-unusable",
            "the journal on Postgres is of no use: a later version of runbook changed its tables",
            context=f"They are at step {tables.taken}; one has to know {tables.oldest} at least,"
            f" and this version knows {tables.known}.",
            hint="Upgrade runbook on this machine.",
        )
    if tables.missing:
        raise RunbookError.of(
            "journal-unusable",
            "the journal on Postgres is of no use yet: "
            + ("its tables are older than this version" if tables.taken else "it has no tables"),
            context=f"They are at step {tables.taken}; this version needs {tables.known}.",
            hint="runbook db upgrade",
        )


def look_at(url: str) -> Tables:
    """Return how far the tables of a database have come; raise `journal-unusable`."""
    session = Session(url, patience_s=_PATIENCE_S, joined=lambda _connection: None)
    try:
        return session.read(_all_tables_of)
    finally:
        session.close()


def upgrade(url: str, *, closing: bool = False) -> Tables:
    """Take the steps that are missing, all or none; return how far the tables had come before.

    Programs that know the step before the last go on working meanwhile, unless a step says otherwise.
    The changes of the jobs' tables come after that, one by one; with `closing` those too that end
    programs of the version before.
    """
    session = Session(
        url, patience_s=_PATIENCE_S, joined=lambda _connection: None, silence_s=_STEP_S
    )
    try:
        before = session.write(_upgraded)
        while session.write(partial(_changed, closing=closing)):
            pass
        return before
    finally:
        session.close()


def _all_tables_of(connection: Connection) -> Tables:
    return replace(tables_of(connection), jobs=job_tables_of(connection))


def _changed(connection: Connection, *, closing: bool) -> bool:
    connection.execute("SELECT pg_advisory_xact_lock(%s)", (_UPGRADING,))
    return take_next(connection, closing=closing)


def _upgraded(connection: Connection) -> Tables:
    # Two who upgrade at once take the steps one after the other.
    connection.execute("SELECT pg_advisory_xact_lock(%s)", (_UPGRADING,))
    before = _all_tables_of(connection)
    for statement in STEPS_TABLE if not before.taken else ():
        connection.execute(statement.encode())
    for number, step in enumerate(STEPS[before.taken :], start=before.taken + 1):
        for statement in step.statements:
            connection.execute(statement.encode())
        connection.execute(
            "INSERT INTO steps (number, oldest, program) VALUES (%s, %s, %s)",
            (number, step.oldest, __version__),
        )
    make_job_tables(connection)
    return before
