"""The journal's contract: append-only entries, chained by hash, and one live run per host.

`tests/contract/` holds every store to it.
"""

from collections.abc import Callable, Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Protocol, TypeVar

from runbook.model.event import Event, Mode
from runbook.model.verdict import Verdict

T = TypeVar("T")


@dataclass(frozen=True, kw_only=True, slots=True)
class Holder:
    """The process that drives a run: enough to tell later whether it still lives.

    `controller` is its machine's name for people, `machine` a hash of the machine's id. `started`
    is the process's start time in clock ticks since boot (`/proc/PID/stat` field 22, proc(5)),
    `boot` names the boot (`/proc/sys/kernel/random/boot_id`), `namespace` is the inode of its pid
    namespace, in which `pid` counts; each is None where it cannot be read.
    """

    controller: str
    pid: int
    machine: str | None = None
    started: int | None = None
    boot: str | None = None
    namespace: int | None = None


@dataclass(frozen=True, kw_only=True, slots=True)
class Entry:
    """One event of a run: `seq` counts from 1, `at` is POSIX seconds, `hash` covers `previous`."""

    run: str
    seq: int
    at: float
    who: str
    event: Event
    previous: str
    hash: str


@dataclass(frozen=True, kw_only=True, slots=True)
class Head:
    """The end of a run's chain: kept elsewhere too, it proves all entries before it."""

    seq: int
    hash: str


@dataclass(frozen=True, kw_only=True, slots=True)
class RunSummary:
    """What history shows of a run; all but what `begin` was given is a fold of its entries.

    `verdict` and `ended_at` are None until it has finished; `interrupted` is the reason where it
    stopped before that and can be resumed. `holder` is the process that drives it, or did.
    `hosts` and `causes` are in the order of the journal.
    """

    id: str
    runbook: str
    mode: Mode
    pattern: str
    operator: str
    started_at: float
    ended_at: float | None = None
    verdict: Verdict | None = None
    interrupted: str | None = None
    hosts: tuple[str, ...] = ()
    causes: tuple[str, ...] = ()
    holder: Holder | None = None


@dataclass(frozen=True, kw_only=True, slots=True)
class RunFilter:
    """Which runs to list; None means any, and all that is given has to hold.

    `host` is one the run reached, `cause` the id of one it found, `who` the operator who began it.
    `since` and `until` bound its start, in POSIX seconds, both inclusive.
    """

    runbook: str | None = None
    host: str | None = None
    verdict: Verdict | None = None
    cause: str | None = None
    who: str | None = None
    since: float | None = None
    until: float | None = None
    limit: int | None = 50


@dataclass(frozen=True, kw_only=True, slots=True)
class MilestoneFilter:
    """Which milestones to look back at; None means any.

    `since` is POSIX seconds, inclusive; `limit` counts entries, the newest ones. With `fixes` only
    those of fixes that were begun are wanted: however many walks found nothing to mend, they are
    found at once.
    """

    runbook: str | None = None
    hosts: Collection[str] | None = None
    since: float | None = None
    limit: int | None = 2000
    fixes: bool = False


@dataclass(frozen=True, kw_only=True, slots=True)
class Claim:
    """A host held by a run.

    `alive` says whether the process that drives the run is, None where that cannot be told from
    here. `acting` says that the run has begun a fix whose end is not recorded: what it did is
    unknown, and only resuming that run finds out.
    """

    host: str
    run: str
    runbook: str
    since: float
    holder: Holder
    alive: bool | None = None
    acting: bool = False


@dataclass(frozen=True, kw_only=True, slots=True)
class Conflict:
    """The hosts another run holds."""

    claims: tuple[Claim, ...] = field(default_factory=tuple)


class Journal(Protocol):
    """Where runs are written down. Every method may be called from any thread.

    Every method raises `RunbookError` `journal-unusable` when the store cannot be read or written;
    whoever meets it on a write must not act. A run that does not exist is `unknown-run`.
    """

    def begin(self, run: RunSummary, events: Sequence[Event] = ()) -> None:
        """Create a run with its first entries, all or nothing; without a holder, this process is it.

        The entries are the operator's, at the time the run started. Raise `run-exists` for an id
        that is taken.
        """

    def append(self, run: str, events: Sequence[Event], *, at: float, who: str) -> None:
        """Write events in order, all or none, and return when they are on disk.

        In the same write a host is let go that has its verdict (`HostFinished`), and all that the run
        holds once that has (`RunFinished`).

        Free text and data of an event are masked before anything is kept. Raise `run-taken-over`
        when this journal began the run or took it over, and another process has done so since.
        """

    def entries(self, run: str, *, after: int = 0) -> Iterator[Entry]:
        """Yield a run's entries in order, from sequence `after` + 1."""

    def verify(self, run: str) -> Head:
        """Check chain, head and summary; raise `journal-broken` naming the entry."""

    def find(self, prefix: str) -> RunSummary:
        """Return the one run whose id starts with `prefix`; raise `unknown-run` if not one."""

    def runs(self, which: RunFilter) -> Sequence[RunSummary]:
        """Return runs, newest first."""

    def slices(self, whole: str) -> Mapping[str, int]:
        """Return the slices of a run that have begun, by id, with how many entries each has.

        They are in the order of their numbers; the run itself need not be there.
        """

    def alone(self, whole: str, work: Callable[[], T]) -> T:
        """Return what `work` does, while nobody else does anything alone for the same run.

        What `work` writes here is kept as a whole or not at all, and on disk when this returns.
        It may be called again after what it did was undone. A process that is stopped or dies in
        its midst does not hold the others up for long, but with a file: there as in any write.
        """

    def milestones(self, which: MilestoneFilter) -> Sequence[Entry]:
        """Return entries of any runs whose event is a `model.event.Milestone`, newest first.

        What a run wrote last comes first where the clock says the same of several.
        """

    def claim(self, run: str, hosts: Iterable[str], *, at: float) -> Conflict | None:
        """Hold hosts for a run, all or none; return what stands against it.

        A run whose process is known to be dead and which is in no fix loses all its hosts, and
        gets the entry `RunInterrupted`. Hosts of any other run are never taken.
        """

    def release(self, run: str, hosts: Iterable[str]) -> None:
        """Let hosts go that the run holds; others are passed over."""

    def claims(self) -> Sequence[Claim]:
        """Return all held hosts, in order of their names."""

    def take_over(self, run: str, holder: Holder) -> None:
        """Make another process the run's driver; raise `run-driven` while the present one lives."""

    def remove(self, run: str) -> bool:
        """Remove a run that is over, with all its entries; the chains of others do not depend on it.

        Return False, and leave it, where it has no verdict or waits for an answer, holds a host, or
        the end of something it began is not recorded.
        """

    def close(self) -> None:
        """Let go of the store; further calls raise `journal-unusable`."""
