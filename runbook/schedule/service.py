"""The service: starts the runs that are asked for, each as a process of its own, sees them end.

Several services may share a state: a request belongs to the one that took it first, and what a
service that died has left goes on with another one. Those that share a file look for what is queued,
turn by turn; those that share a database are called for each request (`Service.see_to`), and a turn
only calls for what nobody was called for.
"""

import json
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from threading import RLock

from runbook.driver.launch import abandon, new_run_id
from runbook.driver.whole import end_whole, verdict_of, whole_run
from runbook.errors import RunbookError
from runbook.executor.leftovers import is_at_work
from runbook.journal import Holder, Journal, RunSummary
from runbook.journal.holder import alive, this_process
from runbook.model.codec import canonical, plain
from runbook.model.verdict import Verdict
from runbook.schedule.approvals import Approvals
from runbook.schedule.ending import Ended, ended
from runbook.schedule.intake import Intake
from runbook.schedule.pause import Pause, Switch
from runbook.schedule.process import Going, Process
from runbook.schedule.queue import Queue
from runbook.schedule.requests import LIVE, Kept, Stage, firing_request, named
from runbook.schedule.timetable import HORIZON, Firing, Overlap, Schedule, due, next_firing


@dataclass(kw_only=True, slots=True)
class _Running:
    kept: Kept
    process: Going
    cancelled: bool = False


def _lives(holder: str) -> bool:
    return alive(Holder(**json.loads(holder))) is not False


@dataclass(kw_only=True)
class Service:
    """Keeps to schedules, and serves the queue.

    `command` gives the command line of a request's run: to begin it, or, where the second argument
    says so, to go on with it. `log` is told what happens, a word and its details at a time;
    `environment` is that of the runs, by default this process's; `begin` starts them. `me` is this service's
    process; `lives` says of another's whether it may still be there.
    """

    schedules: Sequence[Schedule]
    queue: Queue
    intake: Intake
    approvals: Approvals
    switch: Switch
    journal: Journal
    command: Callable[[Kept, bool], Sequence[str]]
    log: Callable[[str, Mapping[str, str]], None]
    runs_at_once: int = 4
    environment: Mapping[str, str] | None = None
    begin: Callable[[Sequence[str], Mapping[str, str] | None], Going] = Process
    me: Holder = field(default_factory=this_process)
    lives: Callable[[str], bool] = _lives
    _pause: Pause | None = None
    _stopping: bool = False
    _leaving: bool = False
    _lock: RLock = field(default_factory=RLock)
    _running: dict[int, _Running] = field(default_factory=dict)
    _coming: dict[str, datetime | None] = field(default_factory=dict)

    def __post_init__(self) -> None:
        self.shown = canonical(plain(self.me))

    def turn(self, now: datetime) -> None:
        """Do what is due: see what has ended, take new firings, start what there is room for."""
        with self._lock:
            self.see_out(now)
            self._close_wholes(now)
            self._look_at_switch(now)
            self._fire(now)
            self._take_over(now)
            self._end_resolved(now)
            self._hear_answers(now)
            if self._pause is None:
                self._serve(now)

    def see_to(self, number: int, now: datetime) -> bool:
        """Do what there is to do about one request; say whether to come again soon.

        It is begun if it can begin, and its end is seen to if its run goes on here. One that cannot
        begin yet is let go: a turn calls for it once it can. From any thread.
        """
        with self._lock:
            running = self._running.get(number)
            if running is not None:
                self._see_out(running, now)
            elif len(self._running) >= self.runs_at_once:
                return not self._leaving
            elif not self._leaving:
                self._take_up(number, now)
            return number in self._running

    def see_out(self, now: datetime) -> None:
        """See which of this service's runs have ended, and begin nothing more."""
        with self._lock:
            for one in list(self._running.values()):
                self._see_out(one, now)

    def leave(self) -> None:
        """Begin nothing more, whoever calls."""
        with self._lock:
            self._leaving = True

    def tidy(self, now: datetime) -> None:
        """Forget what has long been over."""
        self.queue.forget(now - HORIZON)
        self.intake.forget(now)
        self.approvals.forget(now - HORIZON)

    def next_due(self, now: datetime) -> datetime | None:
        """Return when the next firing is due, after a turn; None where there never is one."""
        known = (self._coming.get(one.name) for one in self.schedules if not one.paused)
        return min((due for due in known if due is not None and due > now), default=None)

    @property
    def busy(self) -> bool:
        """Whether a run goes on."""
        return bool(self._running)

    def stop_runs(self) -> None:
        """Ask the runs that go on to stop; the next service goes on with them."""
        self._stopping = True
        for one in list(self._running.values()):
            one.process.stop()

    def _see_out(self, one: _Running, now: datetime) -> None:
        code = one.process.code
        if code is not None:
            del self._running[one.kept.id]
            self._settle(one.kept, now, code=code, cancelled=one.cancelled, told=one.process)

    # What is asked for

    def _look_at_switch(self, now: datetime) -> None:
        """Note whether a pause lasts, and say so once."""
        lasting = self.switch.lasting(now)
        if lasting is not None and lasting != self._pause:
            until = lasting.until.isoformat(timespec="seconds")
            self.log("paused", {"by": lasting.by, "until": until, "reason": lasting.reason})
        elif lasting is None and self._pause is not None:
            self.log("unpaused", {})
        self._pause = lasting

    def _fire(self, now: datetime) -> None:
        """Put what the schedules ask for into the queue.

        When each is due next is kept: to find that out for thousands, each time, costs a processor.
        """
        ready = [one for one in self.schedules if self._may_be_due(one, now)]
        reached = self.queue.reached((one.name for one in ready), now) if ready else {}
        for schedule in ready:
            found = due(schedule, reached[schedule.name], now)
            for firing, reason in found.left_out:
                self._ask(schedule, firing, now, reason)
            for firing in found.fire:
                self._ask(schedule, firing, now, None if self._pause is None else self._pause.said)
            coming = next_firing(schedule, now)
            self._coming[schedule.name] = None if coming is None else coming.due

    def _may_be_due(self, schedule: Schedule, now: datetime) -> bool:
        if schedule.name not in self._coming:
            return True
        coming = self._coming[schedule.name]
        return coming is not None and coming <= now

    def _ask(self, schedule: Schedule, firing: Firing, now: datetime, left_out: str | None) -> None:
        """Write a firing down, as one that is left out where there is a reason for that."""
        request = firing_request(schedule, firing)
        stage = Stage.QUEUED if left_out is None else Stage.LEFT_OUT
        number = self.queue.put(request, now, stage=stage, told=left_out or "")
        self.queue.reach(schedule.name, firing.nominal)
        if number is not None and left_out is not None:
            nominal = firing.nominal.isoformat(timespec="seconds")
            self.log("left out", {"schedule": schedule.name, "for": nominal, "reason": left_out})

    # What is done about it

    def _take_over(self, now: datetime) -> None:
        """See to runs whose service died, or whose process found the run driven by another one."""
        for kept in self.queue.requests(Stage.RUNNING):
            if kept.id in self._running:
                continue
            left = kept.holder == self.shown or not self.lives(kept.holder)
            if left and self._settle(kept, now, code=None):
                self.queue.dismiss(kept)

    def _end_resolved(self, now: datetime) -> None:
        """Leave out what has not begun and is not needed any more, and close what waits."""
        resolved = self.intake.resolved()
        for kept in self.queue.requests(Stage.QUEUED, Stage.WAITING) if resolved else ():
            if kept.id in resolved and kept.stage is Stage.WAITING:
                self._close(kept, "its alerts were resolved", now)
            elif kept.id in resolved and not kept.run:
                self._move(kept, Stage.LEFT_OUT, "its alerts were resolved before it began", now)

    def _hear_answers(self, now: datetime) -> None:
        """Queue again what waited for an approval that somebody has settled, or nobody in time."""
        for one in self.approvals.expire(now):
            self.log("expired", {"approval": str(one.id), "run": one.ask.run, "reason": one.told})
        self._go_on(self.queue.requests(Stage.WAITING), now)

    def _go_on(self, waiting: Iterable[Kept], now: datetime) -> None:
        """Queue again what of that was answered."""
        answered = self.approvals.answered()
        for kept in waiting:
            run = self._find(kept.run)
            if run is not None and run.verdict not in (None, Verdict.WAITING):
                self._settle(kept, now, code=None)  # A person has gone on with it.
            elif kept.run in answered and self.queue.move(kept, Stage.QUEUED, "answered", now):
                self.approvals.take_up(kept.run)
                self._tell("answered", kept)

    def _close(self, kept: Kept, reason: str, now: datetime) -> None:
        """Have a run that waits for an approval end as it stands; nothing more is done in it."""
        self.approvals.withdraw(kept.run, reason, now)
        try:
            abandon(
                self.journal.find(kept.run),
                self.journal,
                who="runbook",
                reason=reason,
                at_work=is_at_work,
            )
        except RunbookError as error:
            reason = f"{reason}, and its run cannot be closed: {error.problems[0].message}"
        if self.queue.move(kept, Stage.OVER, f"aborted: {reason}", now):
            self._tell("over", kept, outcome=f"aborted: {reason}")

    def _take_up(self, number: int, now: datetime) -> None:
        """Begin one request, or go on with it, if it can."""
        self._look_at_switch(now)
        self._go_on((one for one in self.queue.requests(Stage.WAITING) if one.id == number), now)
        if self._pause is None:
            for kept in self._ready(now, only=number):
                self._start(kept, now)

    def _serve(self, now: datetime) -> None:
        """Start what waits, as far as there is room; or call for it.

        There is always room for a slice that was lost: others may wait for it, and have all the room.
        """
        ready = self._ready(now)
        for kept in ready:
            if kept.whole is not None and kept.tries:
                self._start(kept, now)
        if self.queue.calls:
            self.queue.call_for_missed(ready)
            return
        for kept in ready:
            if len(self._running) < self.runs_at_once and kept.id not in self._running:
                self._start(kept, now)

    def _ready(self, now: datetime, *, only: int | None = None) -> list[Kept]:
        """Return what may begin: one request of a line and host at a time, in the order they were due.

        What has to give way does. With `only`, the request of that number alone is looked at.
        """
        ready: list[Kept] = []
        ahead: dict[str, list[Kept]] = {}
        live = self.queue.requests(*LIVE)
        busy = self._busy_hosts(live)
        wholes = {one.run: named(one.request) for one in live if one.stage is Stage.SLICED}
        for kept in sorted(live, key=lambda one: one.stage is Stage.QUEUED):
            before = ahead.setdefault(kept.request.line, [])
            if kept.stage is Stage.QUEUED and only in (None, kept.id):
                if self._gives_way(kept, before, now):
                    continue
                # What is held by a run of somebody else would be refused, and the request with it.
                held = busy.union(*(names for run, names in wholes.items() if run != kept.whole))
                if not before and (kept.tries or not held & named(kept.request)):
                    busy |= named(kept.request)
                    ready.append(kept)
            before.append(kept)
        return ready

    def _close_wholes(self, now: datetime) -> None:
        """Write the end of runs whose slices are all over."""
        for kept in self.queue.requests(Stage.SLICED):
            slices = self.queue.slices(kept.run)
            if any(one.stage in LIVE for one in slices):
                continue
            told = whole_run(self.journal.find(kept.run), self.journal)
            verdict = verdict_of(told, len(slices) - len(told.slices))
            end_whole(self.journal, kept.run, verdict, at=now.timestamp())
            if self.queue.move(kept, Stage.OVER, verdict.value, now):
                self._tell("over", kept, outcome=f"{verdict.value} in {len(slices)} slices")

    def _busy_hosts(self, live: Iterable[Kept]) -> set[str]:
        """Return the hosts and groups that runs have, as far as their names tell."""
        running = (named(kept.request) for kept in live if kept.stage is Stage.RUNNING)
        return {claim.host for claim in self.journal.claims()}.union(*running)

    def _gives_way(self, kept: Kept, before: Sequence[Kept], now: datetime) -> bool:
        """Leave a request out for earlier ones of its line, or have these give way to it."""
        if before and kept.tries == 0:
            match kept.request.overlap:
                case Overlap.SKIP:
                    self._move(kept, Stage.LEFT_OUT, "the run of an earlier one goes on", now)
                    return True
                case Overlap.CANCEL:
                    for one in before:
                        self._cancel(one, now)
                case Overlap.QUEUE:
                    pass
        return False

    def _start(self, kept: Kept, now: datetime) -> None:
        run = kept.run or new_run_id(now.timestamp())
        apart = frozenset[str]() if kept.tries else named(kept.request)
        if not self.queue.take(kept.id, run=run, holder=self.shown, now=now, apart=apart):
            return
        [taken] = [one for one in self.queue.requests(Stage.RUNNING) if one.id == kept.id]
        again = self._find(run) is not None
        process = self.begin(self.command(taken, again), self.environment)
        self._running[kept.id] = _Running(kept=taken, process=process)
        self._tell("goes on" if again else "started", taken)

    def _cancel(self, kept: Kept, now: datetime) -> None:
        """Have an earlier request give way, as far as that is this service's to do."""
        reason = "a later one takes its place"
        running = self._running.get(kept.id)
        if running is not None and not running.cancelled:
            running.cancelled = True
            running.process.stop()
            self._tell("cancelled", kept, reason=reason)
        elif kept.stage is Stage.QUEUED:
            self._move(kept, Stage.LEFT_OUT, reason, now)
        elif kept.stage is Stage.WAITING:
            self._close(kept, reason, now)
        elif kept.stage is Stage.SLICED:
            for one in self.queue.slices(kept.run):
                self._cancel(one, now)

    def _settle(
        self,
        kept: Kept,
        now: datetime,
        *,
        code: int | None,
        cancelled: bool = False,
        told: Going | None = None,
    ) -> bool:
        """Write down what has become of a request whose process is gone; say whether that is known."""
        run = self._find(kept.run)
        if run is not None and run.verdict is None and self._is_driven(run):
            return False  # A service that died left it running.
        came_to = ended(
            run, code=code, tries=kept.tries, cancelled=cancelled, stopping=self._stopping
        )
        said = "" if run is not None or told is None else told.last_words
        came_to = Ended(stage=came_to.stage, told=": ".join(filter(None, (came_to.told, said))))
        words = {
            Stage.QUEUED: "lost",
            Stage.WAITING: "waiting",
            Stage.LOST: "given up",
        }
        if not self.queue.move(kept, came_to.stage, came_to.told, now):
            return False
        self._tell(words.get(came_to.stage, "over"), kept, outcome=came_to.told)
        return True

    def _is_driven(self, run: RunSummary) -> bool:
        """Say whether a run is known to go on; elsewhere that shows by the hosts it holds."""
        if run.holder and alive(run.holder):
            return True
        return any(claim.run == run.id and claim.alive for claim in self.journal.claims())

    def _move(self, kept: Kept, stage: Stage, told: str, now: datetime) -> None:
        if self.queue.move(kept, stage, told, now):
            self._tell("left out", kept, reason=told)

    def _find(self, run: str) -> RunSummary | None:
        """Return a run as the journal has it, None where it never began."""
        try:
            return self.journal.find(run)
        except RunbookError as error:
            if run and error.problems[0].reference != "unknown-run":
                raise
            return None

    def _tell(self, what: str, kept: Kept, **details: str) -> None:
        request = kept.request
        named = {"request": str(kept.id), request.source.value: request.asker, "run": kept.run}
        target = {"runbook": request.runbook, "host": request.pattern}
        self.log(what, {key: value for key, value in (named | target | details).items() if value})
