"""What runs are asked for, by whom or what, and how far each request has come."""

import re
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum

from runbook.model.policy import Source
from runbook.model.slices import whole_of
from runbook.schedule.timetable import Firing, Overlap, Schedule


class Stage(StrEnum):
    """How far a request has come.

    It waits for its turn, its run goes on, that run waits for an approval, is over, or never began.
    `sliced`: its run was too large, and further requests are for the slices that it was cut into.
    `lost`: the run stopped too often before its end, and is gone on with no more.
    """

    QUEUED = "queued"
    RUNNING = "running"
    WAITING = "waiting"
    SLICED = "sliced"
    OVER = "over"
    LEFT_OUT = "left_out"
    LOST = "lost"


LIVE = (Stage.QUEUED, Stage.RUNNING, Stage.WAITING, Stage.SLICED)
"""The stages of requests that are not over."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Request:
    """A run that is to be: this runbook, on these hosts.

    `key` names it for good: who asks twice with one key has asked once. `asker` is the schedule's,
    route's or person's name. `given` are values of params as for --set. Of the requests of one
    `line` only one is under way at a time; `overlap` says what this one does about an earlier one.
    """

    key: str
    source: Source
    asker: str
    runbook: str
    pattern: str
    line: str
    due: datetime
    diagnose: bool = False
    given: tuple[str, ...] = ()
    overlap: Overlap = Overlap.QUEUE
    severity: str = ""


@dataclass(frozen=True, kw_only=True, slots=True)
class Kept:
    """A request as it stands.

    `told` is why it stands there, or what its run came to. `run` is the run's id, "" before it has
    one. `holder` is the service that has it, as text, `tries` how often it was started. `joined`
    counts further requests that it serves as well.
    """

    id: int
    request: Request
    stage: Stage
    told: str
    run: str
    holder: str
    tries: int
    joined: int

    @property
    def whole(self) -> str | None:
        """The run that it is for a slice of; None where it is for a whole one."""
        return whole_of(self.run)


def named(request: Request) -> frozenset[str]:
    """Return the names of hosts and groups that a request's pattern aims at."""
    return frozenset(name for name in re.split(r"[,:]+", request.pattern) if name[:1] not in "&!")


def marked(kept: Kept) -> str:
    """Return what a call for a request goes by, so that there is one at a time."""
    return f"request {kept.id}"


def firing_request(schedule: Schedule, firing: Firing) -> Request:
    """Return what a firing of a schedule asks for."""
    return Request(
        key=f"schedule {schedule.name} {firing.nominal.timestamp():.0f}",
        source=Source.SCHEDULE,
        asker=schedule.name,
        runbook=schedule.runbook,
        pattern=schedule.pattern,
        line=f"schedule {schedule.name}",
        due=firing.due,
        diagnose=schedule.diagnose,
        given=schedule.given,
        overlap=schedule.overlap,
    )
