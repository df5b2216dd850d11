"""The journal in a database of Postgres, for many machines.

Each write is one transaction that is on disk when the call returns. It locks the row of its run, so
that a run's chain has one writer at a time; claims are made one at a time.

Whoever drives a run holds an advisory lock of the server on it as long as its connection lasts. It
shows other machines that the driver lives; that it does not, only its own machine can tell.
"""

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
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
    problems,
)
from runbook.journal.chain import Row
from runbook.journal.holder import alive, this_process
from runbook.journal.postgres_session import SILENCE_S, Connection, Session
from runbook.journal.postgres_text import kept, told
from runbook.journal.postgres_upgrade import check_schema
from runbook.journal.postgres_writing import add_entries, add_milestones, fold, head_of, let_go
from runbook.journal.rows import SUMMARY, claims_of, holder_of, slices_of, summary_of
from runbook.journal.tally import DIED, UNDERTAKER, Tally, check_summary
from runbook.model.codec import Mask, canonical, plain, to_text
from runbook.model.event import Event
from runbook.model.masking import mask_value
from runbook.model.verdict import Verdict

_CHUNK = 500
_DRIVING = 0x52_55_4E_42  # "RUNB": the class of the advisory locks on runs
_CLAIMING = 0x52_55_4E_43  # the one lock of whoever claims
_ALONE = 0x52_55_4E_47  # the class of the locks of those who do something alone

# Longer than a process that was stopped in its midst keeps it (`postgres_session`).
_ALONE_WAITS = "30s"


def open_journal(
    url: str, *, mask: Mask = mask_value, patience_s: float = 30.0, silence_s: float = SILENCE_S
) -> "PostgresJournal":
    """Open the journal in the database of a URL of libpq.

    `mask` is applied to the free text and data of every event before it is kept. A call waits up
    to `patience_s` for a server that is away, and for an answer up to `silence_s`, after which the
    server counts as away. Raise `journal-unusable`.
    """
    return PostgresJournal(url, mask, patience_s, silence_s)


class PostgresJournal:
    """A `Journal` in a database; see `open_journal`."""

    def __init__(
        self, url: str, mask: Mask, patience_s: float, silence_s: float = SILENCE_S
    ) -> None:
        self._mask = mask
        self._driving: dict[str, str] = {}
        self._guarded: set[str] = set()
        self._session = Session(
            url, patience_s=patience_s, joined=self._joined, silence_s=silence_s
        )

    def begin(self, run: RunSummary, events: Sequence[Event] = ()) -> None:
        """Create a run; see `Journal.begin`."""
        texts = [to_text(event, self._mask) for event in events]
        holder = run.holder or this_process()
        text = canonical(plain(holder))
        given = (
            run.id,
            kept(run.runbook),
            run.mode.value,
            kept(str(self._mask(run.pattern))),
            kept(str(self._mask(run.operator))),
            run.started_at,
            text,
            chain.EMPTY.seq,
            chain.EMPTY.hash,
        )

        def work(connection: Connection) -> None:
            check_schema(connection)
            done = connection.execute(
                "INSERT INTO runs (id, runbook, mode, pattern, operator, started_at, holder,"
                " head_seq, head_hash) VALUES (%s, %s, %s, %s, %s, %s, %s, %s, %s)"
                " ON CONFLICT (id) DO NOTHING",
                given,
            )
            if done.rowcount != 1:
                raise problems.run_exists(run.id)
            self._append(connection, run.id, events, texts, at=run.started_at, who=run.operator)

        self._session.write(work)
        self._drive(run.id, holder, text)

    def append(self, run: str, events: Sequence[Event], *, at: float, who: str) -> None:
        """Write events; see `Journal.append`."""
        texts = [to_text(event, self._mask) for event in events]
        self._session.write(
            lambda connection: self._append(connection, run, events, texts, at=at, who=who)
        )
        tally = Tally()
        tally.add(events, at=at)
        if tally.standing is not None and (tally.standing.verdict or tally.standing.interrupted):
            self._let_be(run)

    def entries(self, run: str, *, after: int = 0) -> Iterator[Entry]:
        """Return a run's entries; see `Journal.entries`."""

        def before(connection: Connection) -> str:
            head_of(connection, run)
            row = connection.execute(
                "SELECT hash FROM entries WHERE run = %s AND seq = %s", (run, after)
            ).fetchone()
            return chain.GENESIS if row is None else row[0]

        previous = self._session.read(before)
        return chain.opened(run, self._rows(run, after), previous=previous)

    def verify(self, run: str) -> Head:
        """Check a run; see `Journal.verify`."""

        def work(connection: Connection) -> Head:
            head, _ = head_of(connection, run)
            chain.check(run, self._rows(run, 0, connection), head)
            summary = self._summaries(connection, "WHERE id = %s", (run,))[0]
            check_summary(summary, chain.opened(run, self._rows(run, 0, connection)))
            return head

        return self._session.read(work)

    def find(self, prefix: str) -> RunSummary:
        """Return the run that is meant; see `Journal.find`."""
        wanted = kept(prefix)

        def work(connection: Connection) -> RunSummary:
            found = [
                run
                for (run,) in connection.execute(
                    "SELECT id FROM runs WHERE id >= %s AND starts_with(id, %s) ORDER BY id",
                    (wanted, wanted),
                )
            ]
            if prefix in found:
                found = [prefix]
            if len(found) != 1:
                raise problems.unknown_run(prefix, found)
            return self._summaries(connection, "WHERE id = %s", (found[0],))[0]

        return self._session.read(work)

    def runs(self, which: RunFilter) -> Sequence[RunSummary]:
        """Return runs, newest first."""
        conditions = {
            "runbook = %s": which.runbook,
            "verdict = %s": which.verdict and which.verdict.value,
            "operator = %s": which.who,
            "id IN (SELECT run FROM run_hosts WHERE host = %s)": which.host,
            "id IN (SELECT run FROM run_causes WHERE cause = %s)": which.cause,
            "started_at >= %s": which.since,
            "started_at <= %s": which.until,
        }
        where, given = _where(conditions)
        tail = f"{where} ORDER BY started_at DESC, place DESC LIMIT %s"
        return self._session.read(
            lambda connection: self._summaries(connection, tail, (*given, which.limit))
        )

    def slices(self, whole: str) -> Mapping[str, int]:
        """Return the slices of a run; see `Journal.slices`."""
        return slices_of(
            whole,
            self._session.rows(
                "SELECT id, head_seq FROM runs WHERE id > %s AND id < %s",
                (kept(f"{whole}."), kept(f"{whole}/")),
            ),
        )

    def alone(self, whole: str, work: Callable[[], T]) -> T:
        """Do something alone; see `Journal.alone`."""

        def locked(connection: Connection) -> T:
            connection.execute("SELECT set_config('lock_timeout', %s, true)", (_ALONE_WAITS,))
            connection.execute("SELECT pg_advisory_xact_lock(%s, hashtext(%s))", (_ALONE, whole))
            return work()

        return self._session.write(locked)

    def milestones(self, which: MilestoneFilter) -> Sequence[Entry]:
        """Look back over runs; see `Journal.milestones`."""
        hosts = None if which.hosts is None else [kept(host) for host in which.hosts]
        conditions = {
            "runbook = %s": which.runbook,
            "host = ANY(%s)": hosts,
            "at >= %s": which.since,
            "fix = %s": which.fixes or None,
        }
        where, given = _where(conditions)
        rows = self._session.rows(
            "SELECT e.run, e.seq, e.at, e.who, e.event, e.hash, p.hash"  # noqa: S608
            f" FROM (SELECT place, at, run, seq FROM milestones {where}"
            " ORDER BY at DESC, place DESC LIMIT %s) m"
            " JOIN entries e ON e.run = m.run AND e.seq = m.seq"
            " LEFT JOIN entries p ON p.run = m.run AND p.seq = m.seq - 1"
            " ORDER BY m.at DESC, m.place DESC",
            (*given, which.limit),
        )
        return [
            entry
            for run, seq, at, who, event, digest, previous in rows
            for entry in chain.opened(
                run,
                [Row(seq=seq, at=at, who=told(who), event=event, hash=digest)],
                previous=chain.GENESIS if previous is None else previous,
            )
        ]

    def claim(self, run: str, hosts: Iterable[str], *, at: float) -> Conflict | None:
        """Hold hosts; see `Journal.claim`."""
        wanted = [kept(host) for host in dict.fromkeys(hosts)]
        against = "WHERE h.run <> %s AND h.host = ANY(%s)"
        given = (run, wanted)

        def work(connection: Connection) -> Conflict | None:
            connection.execute("SELECT pg_advisory_xact_lock(%s)", (_CLAIMING,))
            head_of(connection, run, locked=True)
            dead = {
                claim.run
                for claim in self._claims(connection, against, given)
                if claim.alive is False and not claim.acting
            }
            for other in sorted(dead):
                self._bury(connection, other, at)
            if standing := self._claims(connection, against, given):
                return Conflict(claims=tuple(standing))
            connection.execute(
                "INSERT INTO held_hosts (host, run, since)"
                " SELECT host, %s, %s FROM unnest(%s::text[]) host ON CONFLICT (host) DO NOTHING",
                (run, at, wanted),
            )
            return None

        return self._session.write(work)

    def release(self, run: str, hosts: Iterable[str]) -> None:
        """Let hosts go; see `Journal.release`."""
        names = [kept(host) for host in hosts]
        self._session.write(lambda connection: let_go(connection, run, names))

    def claims(self) -> Sequence[Claim]:
        """Return all held hosts."""
        return self._session.read(lambda connection: self._claims(connection, "", ()))

    def take_over(self, run: str, holder: Holder) -> None:
        """Change a run's driver; see `Journal.take_over`."""
        text = canonical(plain(holder))

        def work(connection: Connection) -> None:
            present = holder_of(run, head_of(connection, run, locked=True)[1])
            if present != holder and self._living(connection, {run: present})[run]:
                raise problems.driven(run, present)
            connection.execute("UPDATE runs SET holder = %s WHERE id = %s", (text, run))

        self._session.write(work)
        self._drive(run, holder, text)

    def remove(self, run: str) -> bool:
        """Remove a run that is over; see `Journal.remove`."""

        def work(connection: Connection) -> bool:
            head_of(connection, run, locked=True)
            row = connection.execute(
                "SELECT verdict IS NOT NULL AND verdict <> %s"
                " AND NOT EXISTS (SELECT 1 FROM held_hosts WHERE run = id)"
                " AND NOT EXISTS (SELECT 1 FROM open_fixes WHERE run = id)"
                " FROM runs WHERE id = %s",
                (Verdict.WAITING.value, run),
            ).fetchone()
            if row is None or not row[0]:
                return False
            for table in ("milestones", "run_hosts", "run_causes", "entries"):
                connection.execute(f"DELETE FROM {table} WHERE run = %s".encode(), (run,))  # noqa: S608
            connection.execute("DELETE FROM runs WHERE id = %s", (run,))
            return True

        return self._session.write(work)

    def close(self) -> None:
        """Let go of the connection."""
        self._session.close()

    def _append(
        self,
        connection: Connection,
        run: str,
        events: Sequence[Event],
        texts: Sequence[str],
        *,
        at: float,
        who: str,
    ) -> None:
        head, holder = head_of(connection, run, locked=True)
        if self._driving.get(run, holder) != holder:
            raise problems.taken_over(run, holder_of(run, holder))
        rows, head = chain.extend(run, head, texts, at=at, who=who)
        add_entries(connection, run, rows, head)
        add_milestones(connection, run, rows, events)
        tally = Tally()
        tally.add(events, at=at)
        fold(connection, run, tally, self._mask)

    def _bury(self, connection: Connection, run: str, at: float) -> None:
        """Free the hosts of a dead run that is in no fix; say so in it unless it was at its end."""
        holder = holder_of(run, head_of(connection, run, locked=True)[1])
        # Looked at under the lock: somebody may have gone on with it meanwhile.
        row = connection.execute(
            "SELECT verdict IS NOT NULL OR interrupted IS NOT NULL,"
            " EXISTS (SELECT 1 FROM open_fixes f WHERE f.run = id) FROM runs WHERE id = %s",
            (run,),
        ).fetchone()
        over, acting = row or (True, True)
        if acting or alive(holder) is not False:
            return
        if not over:
            self._append(connection, run, [DIED], [to_text(DIED)], at=at, who=UNDERTAKER)
        connection.execute("DELETE FROM held_hosts WHERE run = %s", (run,))

    def _rows(self, run: str, after: int, within: Connection | None = None) -> Iterator[Row]:
        """Yield rows by chunks, so that a slow reader holds up nobody."""
        query = (
            "SELECT seq, at, who, event, hash FROM entries WHERE run = %s AND seq > %s"
            " ORDER BY seq LIMIT %s"
        )
        while True:
            given = (run, after, _CHUNK)
            chunk = (
                self._session.rows(query, given)
                if within is None
                else within.execute(query.encode(), given).fetchall()
            )
            for seq, at, who, event, digest in chunk:
                yield Row(seq=seq, at=at, who=told(who), event=event, hash=digest)
                after = seq
            if len(chunk) < _CHUNK:
                return

    def _claims(self, connection: Connection, where: str, given: tuple[object, ...]) -> list[Claim]:
        rows = connection.execute(
            "SELECT h.host, h.run, r.runbook, h.since, r.holder,"  # noqa: S608
            " EXISTS (SELECT 1 FROM open_fixes f WHERE f.run = h.run)"
            f" FROM held_hosts h JOIN runs r ON r.id = h.run {where} ORDER BY h.host".encode(),
            given,
        ).fetchall()
        return claims_of(
            [(told(row[0]), row[1], told(row[2]), *row[3:]) for row in rows],
            lambda holders: self._living(connection, holders),
        )

    def _living(
        self, connection: Connection, holders: Mapping[str, Holder]
    ) -> dict[str, bool | None]:
        """Say of the holders of runs whether each lives, as far as can be told from here."""
        found = {run: alive(holder) for run, holder in holders.items()}
        untold = [run for run, lives in found.items() if lives is None]
        if untold:
            driven = connection.execute(
                "SELECT run FROM unnest(%s::text[]) run WHERE hashtext(run)::bigint & 4294967295"
                " IN (SELECT objid::bigint FROM pg_locks WHERE locktype = 'advisory'"
                " AND classid = %s AND objsubid = 2 AND granted AND database ="
                " (SELECT oid FROM pg_database WHERE datname = current_database()))",
                (untold, _DRIVING),
            )
            found |= {run: True for (run,) in driven}
        return found

    def _drive(self, run: str, holder: Holder, text: str) -> None:
        """Be the driver of a run from now on, and show it where it is this process."""
        self._driving[run] = text
        if holder == this_process() and run not in self._guarded:
            self._guarded.add(run)
            self._session.rows("SELECT pg_try_advisory_lock(%s, hashtext(%s))", (_DRIVING, run))

    def _let_be(self, run: str) -> None:
        """No longer show that the run is driven."""
        if run in self._guarded:
            self._guarded.discard(run)
            self._session.rows("SELECT pg_advisory_unlock(%s, hashtext(%s))", (_DRIVING, run))

    def _joined(self, connection: Connection) -> None:
        """See that the tables are as they have to be, and show again what is driven from here."""
        check_schema(connection)
        for run in self._guarded:
            connection.execute(
                "SELECT pg_advisory_lock(%s, hashtext(id)) FROM runs WHERE id = %s AND holder = %s",
                (_DRIVING, run, self._driving[run]),
            )

    def _summaries(
        self, connection: Connection, tail: str, given: tuple[object, ...]
    ) -> list[RunSummary]:
        rows = connection.execute(f"SELECT {SUMMARY} FROM runs {tail}".encode(), given).fetchall()  # noqa: S608
        runs = [row[0] for row in rows]
        hosts = _names_by_run(connection, "run_hosts", "host", runs)
        causes = _names_by_run(connection, "run_causes", "cause", runs)
        return [
            summary_of(
                tuple(told(part) if isinstance(part, str) else part for part in row),
                hosts.get(row[0], ()),
                causes.get(row[0], ()),
            )
            for row in rows
        ]


def _where(conditions: Mapping[str, Any]) -> tuple[str, list[object]]:
    """Return the condition of those that have a value, and the values."""
    asked = {text: value for text, value in conditions.items() if value is not None}
    given = [kept(value) if isinstance(value, str) else value for value in asked.values()]
    return f"WHERE {' AND '.join(asked)}" if asked else "", given


def _names_by_run(
    connection: Connection, table: str, column: str, runs: list[str]
) -> dict[str, tuple[str, ...]]:
    """Return what a table has of each of some runs, in the order it came."""
    names: dict[str, list[str]] = {}
    for run, name in connection.execute(
        f"SELECT run, {column} FROM {table} WHERE run = ANY(%s) ORDER BY place".encode(),  # noqa: S608
        (runs,),
    ):
        names.setdefault(run, []).append(told(name))
    return {run: tuple(found) for run, found in names.items()}
