"""The service: starts the runs that are due, each as a process of its own, and sees them end."""

import signal
import subprocess
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime

from runbook.schedule.pause import Pause, Switch
from runbook.schedule.store import Stage, Store
from runbook.schedule.timetable import Firing, Overlap, Schedule, due, next_firing

LOST = "the service ended before the run did; `runbook history --unfinished` shows what it left"


@dataclass(kw_only=True, slots=True)
class _Running:
    schedule: Schedule
    firing: Firing
    process: subprocess.Popen[bytes]
    cancelled: bool = False


@dataclass(kw_only=True)
class Service:
    """Keeps to schedules. `command` gives the command line of a schedule's run.

    `log` is told what happens, a word and its details at a time; `environment` is that of the runs,
    by default this process's.
    """

    schedules: Sequence[Schedule]
    store: Store
    switch: Switch
    command: Callable[[Schedule], Sequence[str]]
    log: Callable[[str, Mapping[str, str]], None]
    runs_at_once: int = 4
    environment: Mapping[str, str] | None = None
    _pause: Pause | None = None
    _running: list[_Running] = field(default_factory=list)

    def __post_init__(self) -> None:
        self._by_name = {schedule.name: schedule for schedule in self.schedules}

    def recover(self, now: datetime) -> None:
        """Write down what an earlier service left behind; what waited waits on."""
        for kept in self.store.firings(Stage.RUNNING):
            self.store.move(kept.firing, Stage.LOST, LOST, now)
            self._tell("lost", kept.firing, reason=LOST)
        for kept in self.store.firings(Stage.QUEUED):
            if kept.firing.schedule not in self._by_name:
                reason = "its schedule is gone"
                self.store.move(kept.firing, Stage.LEFT_OUT, reason, now)
                self._tell("left out", kept.firing, reason=reason)

    def turn(self, now: datetime) -> None:
        """Do what is due: see what has ended, take new firings, start what there is room for."""
        self._reap(now)
        self._look_at_switch(now)
        for schedule in self.schedules:
            found = due(schedule, self.store.last(schedule.name, now), now)
            for firing, reason in found.left_out:
                self._leave_out(firing, reason, now)
            for firing in found.fire:
                if self._pause is None:
                    self._fire(schedule, firing, now)
                else:
                    self._leave_out(firing, self._pause.said, now)
        if self._pause is None:
            self._start_queued(now)

    def see_out(self, now: datetime) -> None:
        """See what has ended, and begin nothing more."""
        self._reap(now)

    def next_due(self, now: datetime) -> datetime | None:
        """Return when the next firing is due; None where there never is one."""
        coming = (next_firing(one, now) for one in self.schedules if not one.paused)
        return min((firing.due for firing in coming if firing is not None), default=None)

    @property
    def busy(self) -> bool:
        """Whether a run goes on."""
        return bool(self._running)

    def stop_runs(self) -> None:
        """Ask the runs that go on to stop; they can be resumed."""
        for one in self._running:
            one.process.send_signal(signal.SIGTERM)

    def _look_at_switch(self, now: datetime) -> None:
        """Note whether a pause lasts, and say so once."""
        lasting = self.switch.lasting(now)
        if lasting is not None and lasting != self._pause:
            until = lasting.until.isoformat(timespec="seconds")
            self.log("paused", {"by": lasting.by, "until": until, "reason": lasting.reason})
        elif lasting is None and self._pause is not None:
            self.log("unpaused", {})
        self._pause = lasting

    def _fire(self, schedule: Schedule, firing: Firing, now: datetime) -> None:
        going_on = [one for one in self._running if one.schedule.name == schedule.name]
        waiting = any(
            kept.firing.schedule == schedule.name for kept in self.store.firings(Stage.QUEUED)
        )
        if schedule.overlap is Overlap.SKIP and (going_on or waiting):
            self._leave_out(firing, "the run of an earlier firing goes on", now)
            return
        if not self.store.take(firing, Stage.QUEUED, "", now):
            return
        if schedule.overlap is Overlap.CANCEL:
            for one in going_on:
                one.cancelled = True
                one.process.send_signal(signal.SIGTERM)
                self._tell("cancelled", one.firing, reason="a later firing takes its place")

    def _start_queued(self, now: datetime) -> None:
        """Start what waits: one run of a schedule at a time, in the order they were due."""
        for kept in self.store.firings(Stage.QUEUED):
            if len(self._running) >= self.runs_at_once:
                return
            schedule = self._by_name[kept.firing.schedule]
            if any(one.schedule.name == schedule.name for one in self._running):
                continue
            self.store.move(kept.firing, Stage.RUNNING, "", now)
            process = subprocess.Popen(
                self.command(schedule),
                stdin=subprocess.DEVNULL,
                stdout=subprocess.DEVNULL,
                stderr=subprocess.DEVNULL,
                env=None if self.environment is None else dict(self.environment),
                # Ctrl-C is for the service, which lets its runs end.
                start_new_session=True,
            )
            self._running.append(_Running(schedule=schedule, firing=kept.firing, process=process))
            self._tell("started", kept.firing, runbook=schedule.runbook, host=schedule.pattern)

    def _reap(self, now: datetime) -> None:
        for one in [one for one in self._running if one.process.poll() is not None]:
            self._running.remove(one)
            code = one.process.returncode
            told = f"exit code {code}" + (", cancelled" if one.cancelled else "")
            self.store.move(one.firing, Stage.OVER, told, now)
            self._tell("over", one.firing, exit_code=str(code))

    def _leave_out(self, firing: Firing, reason: str, now: datetime) -> None:
        if self.store.take(firing, Stage.LEFT_OUT, reason, now):
            self._tell("left out", firing, reason=reason)

    def _tell(self, what: str, firing: Firing, **details: str) -> None:
        nominal = firing.nominal.isoformat(timespec="seconds")
        self.log(what, {"schedule": firing.schedule, "for": nominal, **details})
