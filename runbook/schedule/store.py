"""What a service has done: each firing once, whatever happens, in one SQLite file.

Several services may share the file: a firing belongs to the one that wrote it down first.
"""

import os
import sqlite3
from collections.abc import Iterator
from contextlib import closing, contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from enum import StrEnum
from pathlib import Path

from runbook.errors import RunbookError
from runbook.schedule.timetable import Firing

_SCHEMA = """
CREATE TABLE IF NOT EXISTS kept (schedule TEXT PRIMARY KEY, last REAL NOT NULL) STRICT;
CREATE TABLE IF NOT EXISTS firings (
  schedule TEXT NOT NULL, nominal REAL NOT NULL, due REAL NOT NULL, state TEXT NOT NULL,
  told TEXT NOT NULL, at REAL NOT NULL, PRIMARY KEY (schedule, nominal)
) STRICT;
CREATE INDEX IF NOT EXISTS firings_by_state ON firings (state);
"""
_BUSY_S = 10.0


class Stage(StrEnum):
    """How far a firing has come: it waits for a place, runs, is over, or never ran."""

    QUEUED = "queued"
    RUNNING = "running"
    OVER = "over"
    LEFT_OUT = "left_out"
    LOST = "lost"


@dataclass(frozen=True, kw_only=True, slots=True)
class Kept:
    """One firing as it stands; `told` is the reason, or what the run came to."""

    firing: Firing
    stage: Stage
    told: str


class Store:
    """The firings of all schedules. Raises RunbookError `service-unusable` where it cannot be used."""

    def __init__(self, path: Path) -> None:
        with _said(path):
            path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
            os.close(os.open(path, os.O_RDWR | os.O_CREAT, 0o600))
            self._connection = sqlite3.connect(path, timeout=_BUSY_S, isolation_level=None)
            self._connection.execute("PRAGMA journal_mode=WAL")
            self._connection.execute("PRAGMA synchronous=FULL")
            self._connection.executescript(_SCHEMA)
        self._path = path

    def close(self) -> None:
        """Let go of the file."""
        self._connection.close()

    def last(self, schedule: str, now: datetime) -> datetime:
        """Return the nominal time up to which a schedule has been dealt with: now for a new one."""
        with self._writing() as connection:
            connection.execute("INSERT OR IGNORE INTO kept VALUES (?, ?)", (schedule, _at(now)))
            row = connection.execute("SELECT last FROM kept WHERE schedule = ?", (schedule,))
            return _moment(row.fetchone()[0])

    def take(self, firing: Firing, stage: Stage, told: str, now: datetime) -> bool:
        """Write a firing down; return False where somebody has done so before."""
        with self._writing() as connection:
            done = connection.execute(
                "INSERT OR IGNORE INTO firings VALUES (?, ?, ?, ?, ?, ?)",
                (firing.schedule, _at(firing.nominal), _at(firing.due), stage, told, _at(now)),
            )
            connection.execute(
                "UPDATE kept SET last = max(last, ?) WHERE schedule = ?",
                (_at(firing.nominal), firing.schedule),
            )
            return done.rowcount == 1

    def move(self, firing: Firing, stage: Stage, told: str, now: datetime) -> None:
        """Write down how far a firing has come."""
        with self._writing() as connection:
            connection.execute(
                "UPDATE firings SET state = ?, told = ?, at = ? WHERE schedule = ? AND nominal = ?",
                (stage, told, _at(now), firing.schedule, _at(firing.nominal)),
            )

    def firings(self, *stages: Stage) -> list[Kept]:
        """Return the firings at one of the stages, the earliest first."""
        marks = ", ".join("?" * len(stages))
        with _said(self._path), closing(self._connection.cursor()) as cursor:
            rows = cursor.execute(
                "SELECT schedule, nominal, due, state, told FROM firings"  # noqa: S608 -- marks only
                f" WHERE state IN ({marks}) ORDER BY due, nominal, schedule",
                stages,
            ).fetchall()
        return [
            Kept(
                firing=Firing(schedule=schedule, nominal=_moment(nominal), due=_moment(due)),
                stage=Stage(stage),
                told=told,
            )
            for schedule, nominal, due, stage, told in rows
        ]

    @contextmanager
    def _writing(self) -> Iterator[sqlite3.Connection]:
        with _said(self._path):
            self._connection.execute("BEGIN IMMEDIATE")
            try:
                yield self._connection
            except BaseException:
                self._connection.execute("ROLLBACK")
                raise
            self._connection.execute("COMMIT")


@contextmanager
def _said(path: Path) -> Iterator[None]:
    try:
        yield
    except (OSError, sqlite3.Error) as error:
        raise RunbookError.of(
            "service-unusable",
            f"the file of the service, {path}, cannot be used: {error}",
            hint="Nothing is started that cannot be written down.",
        ) from error


def _at(moment: datetime) -> float:
    return moment.timestamp()


def _moment(at: float) -> datetime:
    return datetime.fromtimestamp(at, tz=UTC)
