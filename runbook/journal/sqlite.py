"""The journal in one SQLite file, for one machine.

One connection, used under a lock by all threads. Each write is one transaction that is on disk
when the call returns (`synchronous=FULL`); it is begun `IMMEDIATE`, so that it waits for another
writer at its start and cannot fail half-way for having read first.
"""

import json
import sqlite3
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from pathlib import Path
from threading import RLock
from typing import Any

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
    history,
    problems,
)
from runbook.journal.chain import Row
from runbook.journal.holder import alive, this_process
from runbook.journal.rows import SUMMARY, claims_of, holder_of, slices_of, summary_of
from runbook.journal.sqlite_file import begin, connect, explained
from runbook.journal.tally import DIED, UNDERTAKER, Tally, check_summary, is_of_fix
from runbook.model.codec import Mask, canonical, plain, to_text
from runbook.model.event import Event, Milestone
from runbook.model.masking import mask_value
from runbook.model.verdict import Verdict

_CHUNK = 500


def open_journal(
    path: Path, *, mask: Mask = mask_value, busy_timeout_s: float = 10.0
) -> "SqliteJournal":
    """Open the journal at `path`, creating it for its owner alone (0600 in a 0700 folder).

    `mask` is applied to the free text and data of every event before it is kept. A call waits for
    other processes' writes, as long as there is one every `busy_timeout_s`. Raise
    `journal-unusable`.
    """
    connection = connect(path, busy_timeout_s)
    return SqliteJournal(connection, path, mask)


class SqliteJournal:
    """A `Journal` in one file; see `open_journal`."""

    def __init__(self, connection: sqlite3.Connection, path: Path, mask: Mask) -> None:
        self._connection = connection
        self._path = path
        self._mask = mask
        self._lock = RLock()
        self._driving: dict[str, str] = {}

    def begin(self, run: RunSummary, events: Sequence[Event] = ()) -> None:
        """Create a run; see `Journal.begin`."""
        holder = canonical(plain(run.holder or this_process()))
        texts = [to_text(event, self._mask) for event in events]
        with self._writing() as connection:
            if connection.execute("SELECT 1 FROM runs WHERE id = ?", (run.id,)).fetchone():
                raise problems.run_exists(run.id)
            connection.execute(
                "INSERT INTO runs (id, runbook, mode, pattern, operator, started_at, holder,"
                " head_seq, head_hash) VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?)",
                (
                    run.id,
                    run.runbook,
                    run.mode.value,
                    self._mask(run.pattern),
                    self._mask(run.operator),
                    run.started_at,
                    holder,
                    chain.EMPTY.seq,
                    chain.EMPTY.hash,
                ),
            )
            self._append(run.id, events, texts, at=run.started_at, who=run.operator)
        self._driving[run.id] = holder

    def append(self, run: str, events: Sequence[Event], *, at: float, who: str) -> None:
        """Write events; see `Journal.append`."""
        texts = [to_text(event, self._mask) for event in events]
        with self._writing():
            self._append(run, events, texts, at=at, who=who)

    def entries(self, run: str, *, after: int = 0) -> Iterator[Entry]:
        """Return a run's entries; see `Journal.entries`."""
        with self._reading() as connection:
            self._head(connection, run)
            row = connection.execute(
                "SELECT hash FROM entries WHERE run = ? AND seq = ?", (run, after)
            ).fetchone()
        previous = chain.GENESIS if row is None else row[0]
        return chain.opened(run, self._rows(run, after), previous=previous)

    def verify(self, run: str) -> Head:
        """Check a run; see `Journal.verify`."""
        with self._reading() as connection:
            head, _ = self._head(connection, run)
            chain.check(run, self._rows(run, 0), head)
            summary = self._summaries(connection, "WHERE id = ?", (run,))[0]
            check_summary(summary, chain.opened(run, self._rows(run, 0)))
        return head

    def find(self, prefix: str) -> RunSummary:
        """Return the run that is meant; see `Journal.find`."""
        with self._reading() as connection:
            found = [
                run
                for (run,) in connection.execute(
                    "SELECT id FROM runs WHERE id >= ? AND substr(id, 1, ?) = ? ORDER BY id",
                    (prefix, len(prefix), prefix),
                )
            ]
            if prefix in found:
                found = [prefix]
            if len(found) != 1:
                raise problems.unknown_run(prefix, found)
            return self._summaries(connection, "WHERE id = ?", (found[0],))[0]

    def runs(self, which: RunFilter) -> Sequence[RunSummary]:
        """Return runs, newest first."""
        with self._reading() as connection:
            source, start, where, given = history.chosen(connection, which)
            limit = -1 if which.limit is None else which.limit
            return self._summaries(
                connection,
                f"{where}ORDER BY {start} DESC, runs.rowid DESC LIMIT ?",
                (*given, limit),
                source=source,
            )

    def slices(self, whole: str) -> Mapping[str, int]:
        """Return the slices of a run; see `Journal.slices`."""
        with self._reading() as connection:
            return slices_of(
                whole,
                connection.execute(
                    "SELECT id, head_seq FROM runs WHERE id > ? AND id < ?",
                    (f"{whole}.", f"{whole}/"),
                ),
            )

    def alone(self, whole: str, work: Callable[[], T]) -> T:  # noqa: ARG002 -- one lock for all
        """Do something alone; see `Journal.alone`."""
        with self._writing():
            return work()

    def milestones(self, which: MilestoneFilter) -> Sequence[Entry]:
        """Look back over runs; see `Journal.milestones`."""
        hosts = None if which.hosts is None else json.dumps(list(which.hosts))
        conditions = {
            "runbook = ?": which.runbook,
            "host IN (SELECT value FROM json_each(?))": hosts,
            "at >= ?": which.since,
        }
        asked = {text: value for text, value in conditions.items() if value is not None}
        wanted = [*asked, *(["fix"] if which.fixes else [])]
        index = (
            "milestones_of_fixes"
            if which.fixes
            else "milestones_of_all"
            if which.runbook is None
            else "milestones_by_time"
            if hosts is None
            else "milestones_by_host"
        )
        with self._reading() as connection:
            rows = connection.execute(
                "SELECT e.run, e.seq, e.at, e.who, e.event, e.hash, p.hash"  # noqa: S608
                " FROM (SELECT rowid AS place, at, run, seq FROM milestones"
                f" INDEXED BY {index} WHERE {' AND '.join(wanted) or 'TRUE'}"
                " ORDER BY at DESC, rowid DESC LIMIT ?) m"
                " JOIN entries e ON e.run = m.run AND e.seq = m.seq"
                " LEFT JOIN entries p ON p.run = m.run AND p.seq = m.seq - 1"
                " ORDER BY m.at DESC, m.place DESC",
                (*asked.values(), -1 if which.limit is None else which.limit),
            ).fetchall()
        return [
            entry
            for run, seq, at, who, event, digest, previous in rows
            for entry in chain.opened(
                run,
                [Row(seq=seq, at=at, who=who, event=event, hash=digest)],
                previous=chain.GENESIS if previous is None else previous,
            )
        ]

    def claim(self, run: str, hosts: Iterable[str], *, at: float) -> Conflict | None:
        """Hold hosts; see `Journal.claim`."""
        wanted = list(dict.fromkeys(hosts))
        against = "WHERE h.run <> ? AND h.host IN (SELECT value FROM json_each(?))"
        given = (run, json.dumps(wanted))
        with self._writing() as connection:
            self._head(connection, run)
            for dead in {
                claim.run: claim
                for claim in self._claims(connection, against, given)
                if claim.alive is False and not claim.acting
            }:
                self._bury(connection, dead, at)
            if standing := self._claims(connection, against, given):
                return Conflict(claims=tuple(standing))
            connection.executemany(
                "INSERT INTO held_hosts (host, run, since) VALUES (?, ?, ?)"
                " ON CONFLICT (host) DO NOTHING",
                [(host, run, at) for host in wanted],
            )
        return None

    def release(self, run: str, hosts: Iterable[str]) -> None:
        """Let hosts go; see `Journal.release`."""
        with self._writing() as connection:
            connection.executemany(
                "DELETE FROM held_hosts WHERE host = ? AND run = ?", [(host, run) for host in hosts]
            )

    def claims(self) -> Sequence[Claim]:
        """Return all held hosts."""
        with self._reading() as connection:
            return self._claims(connection, "", ())

    def take_over(self, run: str, holder: Holder) -> None:
        """Change a run's driver; see `Journal.take_over`."""
        text = canonical(plain(holder))
        with self._writing() as connection:
            present = holder_of(run, self._head(connection, run)[1])
            if present != holder and alive(present):
                raise problems.driven(run, present)
            connection.execute("UPDATE runs SET holder = ? WHERE id = ?", (text, run))
        self._driving[run] = text

    def remove(self, run: str) -> bool:
        """Remove a run that is over; see `Journal.remove`."""
        with self._writing() as connection:
            self._head(connection, run)
            (over,) = connection.execute(
                "SELECT verdict IS NOT NULL AND verdict <> ?"
                " AND NOT EXISTS (SELECT 1 FROM held_hosts WHERE run = id)"
                " AND NOT EXISTS (SELECT 1 FROM open_fixes WHERE run = id) FROM runs WHERE id = ?",
                (Verdict.WAITING, run),
            ).fetchone()
            if not over:
                return False
            for table in ("milestones", "run_hosts", "run_causes", "entries"):
                connection.execute(f"DELETE FROM {table} WHERE run = ?", (run,))  # noqa: S608
            connection.execute("DELETE FROM runs WHERE id = ?", (run,))
        return True

    def close(self) -> None:
        """Let go of the file."""
        with self._lock, explained(self._path):
            self._connection.close()

    @contextmanager
    def _writing(self) -> Iterator[sqlite3.Connection]:
        """Do everything inside or nothing, and have it on disk at the end."""
        with self._transaction("BEGIN IMMEDIATE") as connection:
            yield connection

    @contextmanager
    def _reading(self) -> Iterator[sqlite3.Connection]:
        """See one state of the file throughout."""
        with self._transaction("BEGIN") as connection:
            yield connection

    @contextmanager
    def _transaction(self, statement: str) -> Iterator[sqlite3.Connection]:
        with self._lock, explained(self._path):
            if self._connection.in_transaction:
                yield self._connection  # A part of what is done alone.
                return
            begin(self._connection, statement)
            try:
                yield self._connection
                self._connection.execute("COMMIT")
            except BaseException:
                # SQLite itself rolls back after some errors, such as a full disk.
                with suppress(sqlite3.Error):
                    self._connection.execute("ROLLBACK")
                raise

    def _append(
        self, run: str, events: Sequence[Event], texts: Sequence[str], *, at: float, who: str
    ) -> None:
        connection = self._connection
        head, holder = self._head(connection, run)
        if self._driving.get(run, holder) != holder:
            raise problems.taken_over(run, holder_of(run, holder))
        rows, head = chain.extend(run, head, texts, at=at, who=who)
        connection.executemany(
            "INSERT INTO entries (run, seq, at, who, event, hash) VALUES (?, ?, ?, ?, ?, ?)",
            [(run, row.seq, row.at, row.who, row.event, row.hash) for row in rows],
        )
        connection.execute(
            "UPDATE runs SET head_seq = ?, head_hash = ? WHERE id = ?", (head.seq, head.hash, run)
        )
        connection.executemany(
            "INSERT INTO milestones (runbook, host, at, run, seq, fix)"
            " SELECT runbook, ?, ?, id, ?, ? FROM runs WHERE id = ?",
            [
                (event.host, row.at, row.seq, is_of_fix(event), run)
                for row, event in zip(rows, events, strict=True)
                if isinstance(event, Milestone)
            ],
        )
        tally = Tally()
        tally.add(events, at=at)
        self._fold(run, tally)

    def _fold(self, run: str, tally: Tally) -> None:
        """Add what was written to the summary."""
        connection = self._connection
        for table, column, names in (
            ("run_hosts", "host", tally.hosts),
            ("run_causes", "cause", tally.causes),
        ):
            if names:
                connection.executemany(
                    f"INSERT INTO {table} (run, {column}, started_at)"  # noqa: S608
                    " SELECT id, ?, started_at FROM runs WHERE id = ? ON CONFLICT DO NOTHING",
                    [(name, run) for name in names],
                )
        for host, acting in tally.acting.items():
            connection.execute(
                "INSERT INTO open_fixes (run, host) VALUES (?, ?) ON CONFLICT DO NOTHING"
                if acting
                else "DELETE FROM open_fixes WHERE run = ? AND host = ?",
                (run, host),
            )
        connection.executemany(
            "DELETE FROM held_hosts WHERE host = ? AND run = ?",
            [(host, run) for host in tally.finished],
        )
        if tally.standing is not None:
            verdict = tally.standing.verdict
            if verdict is not None:
                connection.execute("DELETE FROM held_hosts WHERE run = ?", (run,))
            connection.execute(
                "UPDATE runs SET verdict = ?, ended_at = ?, interrupted = ? WHERE id = ?",
                (
                    None if verdict is None else verdict.value,
                    tally.standing.ended_at,
                    self._mask(tally.standing.interrupted),
                    run,
                ),
            )

    def _bury(self, connection: sqlite3.Connection, run: str, at: float) -> None:
        """Free the hosts of a dead run, and say so in it unless it had come to its end."""
        (over,) = connection.execute(
            "SELECT verdict IS NOT NULL OR interrupted IS NOT NULL FROM runs WHERE id = ?", (run,)
        ).fetchone()
        if not over:
            self._append(run, [DIED], [to_text(DIED)], at=at, who=UNDERTAKER)
        connection.execute("DELETE FROM held_hosts WHERE run = ?", (run,))

    def _head(self, connection: sqlite3.Connection, run: str) -> tuple[Head, str]:
        """Return the head of a run's chain, and the text of its holder."""
        row = connection.execute(
            "SELECT head_seq, head_hash, holder FROM runs WHERE id = ?", (run,)
        ).fetchone()
        if row is None:
            raise problems.unknown_run(run)
        return Head(seq=row[0], hash=row[1]), row[2]

    def _rows(self, run: str, after: int) -> Iterator[Row]:
        """Yield rows by chunks, so that a slow reader holds up nobody."""
        while True:
            with self._lock, explained(self._path):
                chunk = self._connection.execute(
                    "SELECT seq, at, who, event, hash FROM entries WHERE run = ? AND seq > ?"
                    " ORDER BY seq LIMIT ?",
                    (run, after, _CHUNK),
                ).fetchall()
            for seq, at, who, event, digest in chunk:
                yield Row(seq=seq, at=at, who=who, event=event, hash=digest)
                after = seq
            if len(chunk) < _CHUNK:
                return

    def _claims(
        self, connection: sqlite3.Connection, where: str, given: tuple[Any, ...]
    ) -> list[Claim]:
        rows = connection.execute(
            "SELECT h.host, h.run, r.runbook, h.since, r.holder,"  # noqa: S608
            " EXISTS (SELECT 1 FROM open_fixes f WHERE f.run = h.run)"
            f" FROM held_hosts h JOIN runs r ON r.id = h.run {where} ORDER BY h.host",
            given,
        ).fetchall()
        return claims_of(
            rows, lambda holders: {run: alive(holder) for run, holder in holders.items()}
        )

    def _summaries(
        self,
        connection: sqlite3.Connection,
        tail: str,
        given: tuple[Any, ...],
        *,
        source: str = "runs",
    ) -> list[RunSummary]:
        rows = connection.execute(f"SELECT {SUMMARY} FROM {source} {tail}", given).fetchall()  # noqa: S608
        runs = json.dumps([row[0] for row in rows])
        hosts = _names_by_run(connection, "run_hosts", "host", runs)
        causes = _names_by_run(connection, "run_causes", "cause", runs)
        return [summary_of(row, hosts.get(row[0], ()), causes.get(row[0], ())) for row in rows]


def _names_by_run(
    connection: sqlite3.Connection, table: str, column: str, runs: str
) -> dict[str, tuple[str, ...]]:
    """Return what a table has of each of some runs (a JSON list), in the order it came."""
    names: dict[str, list[str]] = {}
    for run, name in connection.execute(
        f"SELECT run, {column} FROM {table} WHERE run IN (SELECT value FROM json_each(?))"  # noqa: S608
        f" ORDER BY {table}.rowid",
        (runs,),
    ):
        names.setdefault(run, []).append(name)
    return {run: tuple(found) for run, found in names.items()}
