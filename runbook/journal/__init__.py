"""The journal's contract: append-only entries, chained by hash, and one live run per host.

`tests/contract/` holds every store to it.
"""

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from typing import Protocol

from runbook.model.event import Event, Mode
from runbook.model.verdict import Verdict


@dataclass(frozen=True, kw_only=True, slots=True)
class Holder:
    """The process that drives a run: enough to tell later whether it still lives.

    `started` is the process's start time in clock ticks since boot (`/proc/PID/stat` field 22,
    proc(5)), None where it cannot be read; `boot` names the boot (`/proc/sys/kernel/random/boot_id`).
    """

    controller: str
    pid: int
    started: int | None = None
    boot: str | None = None


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
class RunSummary:
    """What history shows of a run. `live` while it is being driven or could be resumed."""

    id: str
    runbook: str
    mode: Mode
    pattern: str
    operator: str
    started_at: float
    ended_at: float | None = None
    verdict: Verdict | None = None
    hosts: tuple[str, ...] = ()
    causes: tuple[str, ...] = ()
    holder: Holder | None = None


@dataclass(frozen=True, kw_only=True, slots=True)
class RunFilter:
    """Which runs to list; None means any. `since` and `until` are POSIX seconds."""

    runbook: str | None = None
    host: str | None = None
    verdict: Verdict | None = None
    since: float | None = None
    until: float | None = None
    limit: int | None = 50


@dataclass(frozen=True, kw_only=True, slots=True)
class Claim:
    """A host held by a live run."""

    host: str
    run: str
    runbook: str
    since: float
    holder: Holder


@dataclass(frozen=True, kw_only=True, slots=True)
class Conflict:
    """The hosts another run holds."""

    claims: tuple[Claim, ...] = field(default_factory=tuple)


class Journal(Protocol):
    """Where runs are written down. Every method raises `RunbookError` `journal-unusable` when the
    store cannot be read or written; whoever meets it on a write must not act.
    """

    def begin(self, run: RunSummary) -> None:
        """Create a run that has no entries yet."""

    def append(self, run: str, events: Sequence[Event], *, at: float, who: str) -> None:
        """Write events in order, atomically, and return when they are on disk."""

    def entries(self, run: str, *, after: int = 0) -> Iterator[Entry]:
        """Yield a run's entries in order, from sequence `after` + 1."""

    def verify(self, run: str) -> None:
        """Check the chain against its stored head; raise `journal-broken` naming the entry."""

    def find(self, prefix: str) -> RunSummary:
        """Return the one run whose id starts with `prefix`; raise `unknown-run` if not one."""

    def runs(self, which: RunFilter) -> Sequence[RunSummary]:
        """Return runs, newest first."""

    def claim(self, run: str, hosts: Iterable[str], *, at: float) -> Conflict | None:
        """Hold hosts for a run, all or none; return what stands against it."""

    def release(self, run: str, hosts: Iterable[str]) -> None:
        """Let hosts go that the run holds; others are passed over."""

    def claims(self) -> Sequence[Claim]:
        """Return all held hosts."""

    def take_over(self, run: str, holder: Holder) -> None:
        """Make another process the run's driver."""

    def close(self) -> None:
        """Let go of the store."""
