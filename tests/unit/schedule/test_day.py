"""Two days of a service by a clock that the test holds: those on which clocks change.

Its runs are real ones of a scripted host that is faulty whenever it is looked at first, so that each
run wants to fix it. The service, its queue, its switch, the policy and the driver are the real ones.
"""

import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from zoneinfo import ZoneInfo

import pytest

from runbook.driver.operator import ApprovingOperator
from runbook.driver.policing import PolicedOperator
from runbook.journal.memory import MemoryJournal
from runbook.model.event import FixDeclined
from runbook.model.policy import (
    Blackout,
    Budget,
    Guards,
    Permission,
    Policy,
    Rule,
    Scope,
    Source,
    Window,
)
from runbook.schedule.approvals import Approvals
from runbook.schedule.intake import Intake
from runbook.schedule.pause import Pause, Switch
from runbook.schedule.process import Going
from runbook.schedule.queue import Queue
from runbook.schedule.requests import Kept
from runbook.schedule.service import Service
from runbook.schedule.state import State, opened
from runbook.schedule.timetable import Cron, Every, Missed, Schedule
from tests.unit.driver.stage import FAULTY, MENDED, ONE_FIX, Stage, host

GOLDEN = Path(__file__).parents[2] / "golden" / "days"
BERLIN = ZoneInfo("Europe/Berlin")
STEP = timedelta(minutes=10)
BROKEN = host({"up": [FAULTY]}, {"restart": [MENDED]})
TIMELESS = replace(ONE_FIX, evidence_max_age_s=1e12)

SCHEDULES = (
    Schedule(
        name="at half past two",
        runbook="example",
        pattern="web1",
        rhythm=Cron(expression="30 2 * * *", zone=BERLIN),
    ),
    Schedule(
        name="every four hours",
        runbook="example",
        pattern="web2",
        rhythm=Every(seconds=4 * 3600),
        missed=Missed.NONE,
    ),
    Schedule(
        name="on the wall at 9, 11, 15 and 21",
        runbook="example",
        pattern="web3",
        rhythm=Cron(expression="0 9,11,15,21 * * *", zone=BERLIN),
        missed=Missed.NEWEST,
    ),
)
POLICY = Policy(
    name="home",
    rules=(Rule(name="all", permission=Permission.AUTO),),
    guards=Guards(
        budgets=(Budget(fixes=3, scope=Scope.HOST, within_s=86400),),
        blackouts=(
            Blackout(
                name="the evening",
                window=Window(start=20 * 60, end=22 * 60, zone=BERLIN),
            ),
        ),
    ),
)


@dataclass(frozen=True, slots=True)
class Over:
    """A run that has come to its end by the time anybody asks."""

    code: int = 0
    last_words: str = ""

    def stop(self) -> None:
        """There is nothing left to stop."""


@dataclass(kw_only=True)
class Day:
    """A day of the service; `log` is what is told, by the clock on the wall."""

    state: State
    now: datetime
    log: list[str] = field(default_factory=list)
    journal: MemoryJournal = field(default_factory=MemoryJournal)

    def service(self) -> Service:
        """Start the service, as after a time in which there was none."""
        return Service(
            schedules=SCHEDULES,
            queue=Queue(self.state),
            intake=Intake(self.state),
            approvals=Approvals(self.state),
            switch=Switch(self.state),
            journal=self.journal,
            command=lambda kept, _again: _words(kept),
            log=self.tell,
            begin=self.begin,
        )

    def begin(self, words: Sequence[str], _environment: Mapping[str, str] | None) -> Going:
        """Play a run to its end, and tell what it came to."""
        run, name = words
        operator = PolicedOperator(
            operator=ApprovingOperator(name="schedule", because="policy home allows it"),
            policy=POLICY,
            runbook=TIMELESS,
            journal=self.journal,
            source=Source.SCHEDULE,
            attended=False,
            clock=self.now.timestamp,
        )
        stage = Stage(
            runbook=TIMELESS,
            hosts={name: BROKEN},
            operator=operator,
            journal=self.journal,
            run=run,
            now=self.now.timestamp(),
            gather_s=0.0,
        )
        stage.play()
        for event in stage.of(FixDeclined):
            assert isinstance(event, FixDeclined)
            self.tell("declined", {"host": event.host, "reason": event.reason})
        return Over()

    def tell(self, what: str, details: Mapping[str, str]) -> None:
        """Write a line, without what is another one each time."""
        kept = {
            key: value
            for key, value in details.items()
            if key not in {"request", "run", "runbook", "for", "until"}
        }
        said = ", ".join(f"{key} {value}" for key, value in kept.items())
        # A pause is told by this machine's clock, wherever that is.
        said = re.sub(r" until [-0-9]+ [0-9:]+ [-+]\d{4}", "", said)
        self.log.append(f"{self.now.astimezone(BERLIN):%H:%M %Z}  {what}: {said}".rstrip(": "))

    def until(self, service: Service, end: datetime) -> None:
        """Let the clock go on."""
        while self.now < end:
            service.turn(self.now)
            service.see_out(self.now)
            self.now += STEP


def _words(kept: Kept) -> Sequence[str]:
    return [kept.run, kept.request.pattern]


@pytest.fixture
def state(tmp_path: Path) -> Iterator[State]:
    """Give the file of the service."""
    with opened(tmp_path / "service.sqlite") as state:
        yield state


@pytest.mark.parametrize(
    ("name", "date"),
    [
        ("spring", datetime(2026, 3, 29, tzinfo=BERLIN)),
        ("autumn", datetime(2026, 10, 25, tzinfo=BERLIN)),
    ],
)
def test_a_day_on_which_clocks_change(name: str, date: datetime, state: State) -> None:
    """What is started, left out and declined, and why, from midnight to midnight of the wall.

    Nobody is there from 8:00 to 12:00; ann pauses all from 14:00 on, for two hours.
    """
    day = Day(state=state, now=date.astimezone(UTC))
    service = day.service()
    day.until(service, date.replace(hour=8).astimezone(UTC))
    day.now = date.replace(hour=12).astimezone(UTC)
    service = day.service()
    day.until(service, date.replace(hour=14).astimezone(UTC))
    Switch(state).pause(
        Pause(since=day.now, until=day.now + timedelta(hours=2), by="ann", reason="moving it")
    )
    day.until(service, (date + timedelta(days=1)).astimezone(UTC))

    assert day.log == (GOLDEN / f"{name}.txt").read_text(encoding="utf-8").splitlines()
