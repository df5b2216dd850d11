"""The tables of the jobs that call workers: Procrastinate's, made and changed by its own SQL.

Procrastinate ships its tables as one file, and each later change of them as one of its own, in the
order of their names; those named `post` take away what programs of the version before still use.
https://procrastinate.readthedocs.io/en/stable/howto/production/migrations.html
They are read as files: nothing of Procrastinate is imported here.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from importlib.util import find_spec
from pathlib import Path

from runbook import __version__
from runbook.journal.opening import require_procrastinate
from runbook.journal.postgres_schema import SCHEMA
from runbook.journal.postgres_session import Connection


@dataclass(frozen=True, kw_only=True, slots=True)
class Migration:
    """A change of the tables; `closing` where programs of the version before cannot work after it."""

    name: str
    statements: str
    closing: bool


@dataclass(frozen=True, kw_only=True, slots=True)
class JobTables:
    """How many changes were taken, are missing before this program can work, and can wait.

    Those that are `closing` wait until no program of the version before works any more; where
    `closing_first`, one of these comes before what is missing.
    """

    taken: int = 0
    missing: int = 0
    closing: int = 0
    closing_first: bool = False


def shipped() -> tuple[Migration, ...]:
    """Return all changes that the installed Procrastinate knows, in order; none where it is not there."""
    if find_spec("procrastinate") is None:
        return ()
    return tuple(
        Migration(name=path.stem, statements=path.read_text("utf-8"), closing="_post_" in path.name)
        for path in sorted((_folder() / "migrations").glob("*.sql"))
    )


def job_tables_of(connection: Connection) -> JobTables:
    """Return how far the tables have come."""
    taken = _taken(connection)
    if not taken:
        return JobTables()
    left = [each for each in shipped() if each.name not in taken]
    # What a later version needs may build on what was taken away before it.
    missing = max((place for place, each in enumerate(left, 1) if not each.closing), default=0)
    return JobTables(
        taken=len(taken),
        missing=missing,
        closing=len(left) - missing,
        closing_first=missing > 0 and left[0].closing,
    )


def make_job_tables(connection: Connection) -> None:
    """Make the tables as the installed Procrastinate has them, where there are none."""
    if _taken(connection):
        return
    require_procrastinate()
    connection.execute((_folder() / "schema.sql").read_bytes())
    _note(connection, [each.name for each in shipped()])


def take_next(connection: Connection, *, closing: bool) -> bool:
    """Take the next change that is missing; return whether there was one.

    Without `closing` it stops before what would end programs of the version before.
    """
    taken = _taken(connection)
    left = (each for each in shipped() if each.name not in taken)
    coming = next(left, None)
    if coming is None or (coming.closing and not closing):
        return False
    connection.execute(coming.statements.encode())
    _note(connection, [coming.name])
    return True


def _folder() -> Path:
    spec = find_spec("procrastinate")
    assert spec is not None  # noqa: S101 -- who calls has seen to that
    assert spec.submodule_search_locations  # noqa: S101 -- it is a package
    return Path(spec.submodule_search_locations[0]) / "sql"


def _taken(connection: Connection) -> frozenset[str]:
    there = connection.execute(
        "SELECT to_regclass(%s) IS NOT NULL", (f"{SCHEMA}.job_steps",)
    ).fetchone()
    if not there or not there[0]:
        return frozenset()
    return frozenset(name for (name,) in connection.execute("SELECT name FROM job_steps"))


def _note(connection: Connection, names: Sequence[str]) -> None:
    for name in names:
        connection.execute(
            "INSERT INTO job_steps (name, program) VALUES (%s, %s)", (name, __version__)
        )
