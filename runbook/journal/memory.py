"""A journal in memory: for rehearsals and tests, and the reference for what a store does."""

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from threading import RLock

from runbook.journal import (
    Claim,
    Conflict,
    Entry,
    Head,
    Holder,
    MilestoneFilter,
    RunFilter,
    RunSummary,
    T,
    chain,
    problems,
)
from runbook.journal.chain import Row
from runbook.journal.holder import alive, this_process
from runbook.journal.tally import DIED, UNDERTAKER, Standing, Tally, check_summary, is_of_fix
from runbook.model.codec import Mask, to_text
from runbook.model.event import Event, Milestone
from runbook.model.masking import mask_value
from runbook.model.slices import number_of, whole_of
from runbook.model.verdict import Verdict


@dataclass(kw_only=True, slots=True)
class _Run:
    summary: RunSummary
    holder: Holder
    head: Head = chain.EMPTY
    rows: list[Row] = field(default_factory=list)
    tally: Tally = field(default_factory=Tally)


@dataclass(frozen=True, kw_only=True, slots=True)
class _Held:
    run: str
    since: float


@dataclass(frozen=True, kw_only=True, slots=True)
class _Mark:
    """Where a milestone stands."""

    run: str
    row: int
    host: str
    at: float
    fix: bool


class MemoryJournal:
    """Keeps everything in this process. It satisfies `Journal` but for lasting."""

    def __init__(self, *, mask: Mask = mask_value) -> None:
        self._mask = mask
        self._lock = RLock()
        self._runs: dict[str, _Run] = {}
        self._held: dict[str, _Held] = {}
        self._milestones: list[_Mark] = []
        self._closed = False

    def begin(self, run: RunSummary, events: Sequence[Event] = ()) -> None:
        """Create a run; see `Journal.begin`."""
        texts = [to_text(event, self._mask) for event in events]
        with self._lock:
            self._open()
            if run.id in self._runs:
                raise problems.run_exists(run.id)
            masked = replace(
                run, pattern=self._mask(run.pattern), operator=self._mask(run.operator)
            )
            self._runs[run.id] = _Run(summary=masked, holder=run.holder or this_process())
            self._append(run.id, events, texts, at=run.started_at, who=run.operator)

    def append(self, run: str, events: Sequence[Event], *, at: float, who: str) -> None:
        """Write events; see `Journal.append`."""
        texts = [to_text(event, self._mask) for event in events]
        with self._lock:
            self._append(run, events, texts, at=at, who=who)

    def _append(
        self, run: str, events: Sequence[Event], texts: Sequence[str], *, at: float, who: str
    ) -> None:
        record = self._run(run)
        rows, record.head = chain.extend(run, record.head, texts, at=at, who=who)
        self._milestones += [
            _Mark(run=run, row=place, host=event.host, at=at, fix=is_of_fix(event))
            for place, event in enumerate(events, start=len(record.rows))
            if isinstance(event, Milestone)
        ]
        record.rows += rows
        record.tally.add(events, at=at)
        self._let_go(run, events, at)

    def _let_go(self, run: str, events: Sequence[Event], at: float) -> None:
        """Free the hosts that have their verdict by these events."""
        tally = Tally()
        tally.add(events, at=at)
        ended = tally.standing is not None and tally.standing.verdict is not None
        self.release(run, list(self._held) if ended else tally.finished)

    def entries(self, run: str, *, after: int = 0) -> Iterator[Entry]:
        """Return a run's entries; see `Journal.entries`."""
        with self._lock:
            rows = list(self._run(run).rows)
        previous = rows[after - 1].hash if 0 < after <= len(rows) else chain.GENESIS
        return chain.opened(run, rows[after:], previous=previous)

    def verify(self, run: str) -> Head:
        """Check a run; see `Journal.verify`."""
        with self._lock:
            record = self._run(run)
            chain.check(run, record.rows, record.head)
            check_summary(self._summary(record), chain.opened(run, record.rows))
            return record.head

    def find(self, prefix: str) -> RunSummary:
        """Return the run that is meant; see `Journal.find`."""
        with self._lock:
            self._open()
            found = sorted(run for run in self._runs if run.startswith(prefix))
            if prefix in self._runs:
                found = [prefix]
            if len(found) != 1:
                raise problems.unknown_run(prefix, found)
            return self._summary(self._runs[found[0]])

    def runs(self, which: RunFilter) -> Sequence[RunSummary]:
        """Return runs, newest first."""
        with self._lock:
            self._open()
            found = [self._summary(record) for record in reversed(self._runs.values())]
        found = [summary for summary in found if _wanted(summary, which)]
        found.sort(key=lambda summary: summary.started_at, reverse=True)
        return found[: which.limit]

    def slices(self, whole: str) -> Mapping[str, int]:
        """Return the slices of a run; see `Journal.slices`."""
        with self._lock:
            self._open()
            found = sorted((run for run in self._runs if whole_of(run) == whole), key=number_of)
            return {run: self._runs[run].head.seq for run in found}

    def alone(self, whole: str, work: Callable[[], T]) -> T:  # noqa: ARG002 -- one lock for all
        """Do something alone; see `Journal.alone`."""
        with self._lock:
            self._open()
            return work()

    def milestones(self, which: MilestoneFilter) -> Sequence[Entry]:
        """Look back over runs; see `Journal.milestones`."""
        hosts = None if which.hosts is None else frozenset(which.hosts)
        with self._lock:
            self._open()
            found = [
                mark
                for mark in reversed(self._milestones)
                if which.runbook in (None, self._runs[mark.run].summary.runbook)
                and (hosts is None or mark.host in hosts)
                and (which.since is None or mark.at >= which.since)
                and (mark.fix or not which.fixes)
            ]
            found.sort(key=lambda mark: mark.at, reverse=True)
            return [self._entry(mark) for mark in found[: which.limit]]

    def claim(self, run: str, hosts: Iterable[str], *, at: float) -> Conflict | None:
        """Hold hosts; see `Journal.claim`."""
        wanted = dict.fromkeys(hosts)
        with self._lock:
            self._run(run)
            others = {
                self._held[host].run
                for host in wanted
                if host in self._held and self._held[host].run != run
            }
            for other in others:
                self._bury(other, at)
            standing = [claim for claim in self._claims() if claim.host in wanted]
            against = tuple(claim for claim in standing if claim.run != run)
            if against:
                return Conflict(claims=against)
            for host in wanted:
                self._held.setdefault(host, _Held(run=run, since=at))
            return None

    def release(self, run: str, hosts: Iterable[str]) -> None:
        """Let hosts go; see `Journal.release`."""
        with self._lock:
            self._open()
            for host in hosts:
                if host in self._held and self._held[host].run == run:
                    del self._held[host]

    def claims(self) -> Sequence[Claim]:
        """Return all held hosts."""
        with self._lock:
            self._open()
            return self._claims()

    def take_over(self, run: str, holder: Holder) -> None:
        """Change a run's driver; see `Journal.take_over`."""
        with self._lock:
            record = self._run(run)
            if record.holder != holder and alive(record.holder):
                raise problems.driven(run, record.holder)
            record.holder = holder

    def remove(self, run: str) -> bool:
        """Remove a run that is over; see `Journal.remove`."""
        with self._lock:
            record = self._run(run)
            busy = any(record.tally.acting.values()) or run in {
                held.run for held in self._held.values()
            }
            if busy or self._summary(record).verdict in (None, Verdict.WAITING):
                return False
            self._milestones = [mark for mark in self._milestones if mark.run != run]
            del self._runs[run]
        return True

    def close(self) -> None:
        """Let go of the store."""
        with self._lock:
            self._closed = True

    def _open(self) -> None:
        if self._closed:
            raise problems.closed()

    def _run(self, run: str) -> _Run:
        self._open()
        if run not in self._runs:
            raise problems.unknown_run(run)
        return self._runs[run]

    def _summary(self, record: _Run) -> RunSummary:
        standing = record.tally.standing or Standing()
        return replace(
            record.summary,
            verdict=standing.verdict,
            ended_at=standing.ended_at,
            interrupted=self._mask(standing.interrupted),
            hosts=tuple(record.tally.hosts),
            causes=tuple(record.tally.causes),
            holder=record.holder,
        )

    def _entry(self, mark: _Mark) -> Entry:
        rows = self._runs[mark.run].rows
        previous = rows[mark.row - 1].hash if mark.row else chain.GENESIS
        return next(chain.opened(mark.run, [rows[mark.row]], previous=previous))

    def _claims(self) -> list[Claim]:
        runs = {held.run for held in self._held.values()}
        living = {run: alive(self._runs[run].holder) for run in runs}
        acting = {run: any(self._runs[run].tally.acting.values()) for run in runs}
        return [
            Claim(
                host=host,
                run=held.run,
                runbook=self._runs[held.run].summary.runbook,
                since=held.since,
                holder=self._runs[held.run].holder,
                alive=living[held.run],
                acting=acting[held.run],
            )
            for host, held in sorted(self._held.items())
        ]

    def _bury(self, run: str, at: float) -> None:
        """Free the hosts of a run whose process is dead, unless it was in a fix."""
        record = self._runs[run]
        if alive(record.holder) is not False or any(record.tally.acting.values()):
            return
        if (record.tally.standing or Standing()) == Standing():
            self.append(run, [DIED], at=at, who=UNDERTAKER)
        for host in [host for host, held in self._held.items() if held.run == run]:
            del self._held[host]


def _wanted(summary: RunSummary, which: RunFilter) -> bool:
    return (
        (which.runbook is None or summary.runbook == which.runbook)
        and (which.host is None or which.host in summary.hosts)
        and (which.verdict is None or summary.verdict is which.verdict)
        and (which.cause is None or which.cause in summary.causes)
        and (which.who is None or summary.operator == which.who)
        and (which.since is None or summary.started_at >= which.since)
        and (which.until is None or summary.started_at <= which.until)
    )
