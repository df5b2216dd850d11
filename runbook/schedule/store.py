"""What a service has done: each firing once, whatever happens, in one SQLite file.

Several services may share the file: a firing belongs to the one that wrote it down first.
"""

from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum

from runbook.schedule.state import State, at, moment
from runbook.schedule.timetable import Firing


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
    """The firings of all schedules."""

    def __init__(self, state: State) -> None:
        self._state = state

    def last(self, schedule: str, now: datetime) -> datetime:
        """Return the nominal time up to which a schedule has been dealt with: now for a new one."""
        with self._state.writing() as connection:
            connection.execute("INSERT OR IGNORE INTO kept VALUES (?, ?)", (schedule, at(now)))
            row = connection.execute("SELECT last FROM kept WHERE schedule = ?", (schedule,))
            return moment(row.fetchone()[0])

    def take(self, firing: Firing, stage: Stage, told: str, now: datetime) -> bool:
        """Write a firing down; return False where somebody has done so before."""
        with self._state.writing() as connection:
            done = connection.execute(
                "INSERT OR IGNORE INTO firings VALUES (?, ?, ?, ?, ?, ?)",
                (firing.schedule, at(firing.nominal), at(firing.due), stage, told, at(now)),
            )
            connection.execute(
                "UPDATE kept SET last = max(last, ?) WHERE schedule = ?",
                (at(firing.nominal), firing.schedule),
            )
            return done.rowcount == 1

    def move(self, firing: Firing, stage: Stage, told: str, now: datetime) -> None:
        """Write down how far a firing has come."""
        with self._state.writing() as connection:
            connection.execute(
                "UPDATE firings SET state = ?, told = ?, at = ? WHERE schedule = ? AND nominal = ?",
                (stage, told, at(now), firing.schedule, at(firing.nominal)),
            )

    def firings(self, *stages: Stage) -> list[Kept]:
        """Return the firings at one of the stages, the earliest first."""
        marks = ", ".join("?" * len(stages))
        rows = self._state.rows(
            "SELECT schedule, nominal, due, state, told FROM firings"  # noqa: S608 -- marks only
            f" WHERE state IN ({marks}) ORDER BY due, nominal, schedule",
            stages,
        )
        return [
            Kept(
                firing=Firing(schedule=schedule, nominal=moment(nominal), due=moment(due)),
                stage=Stage(stage),
                told=told,
            )
            for schedule, nominal, due, stage, told in rows
        ]
