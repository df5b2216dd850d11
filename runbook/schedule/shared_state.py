"""The service's state in the journal's database, for services on several machines.

Its statements are those of the file; what they are given, and find, is put as Postgres can keep it.
Who writes holds an advisory lock, so that one writes at a time, as in a file.
"""

import json
import time
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import Any

from runbook.journal import Holder
from runbook.journal.holder import alive
from runbook.journal.opening import AWAY_S, require_procrastinate, require_psycopg
from runbook.journal.transactions import Done, Writing
from runbook.schedule.requests import Kept, Stage, marked

GONE_S = 60.0
"""A service on another machine that has shown nothing for so long counts as dead."""

_WRITING = 0x52_55_4E_45
TELLING = 0x52_55_4E_47
"""The lock of whoever tells people, who must not hold up the queue, nor it them."""

_SERVING = 0x52_55_4E_46  # the class of the advisory locks of services

_SHOWN = (
    "SELECT 1 FROM pg_locks WHERE locktype = 'advisory' AND classid = ? AND objsubid = 2 AND granted"
    " AND objid::bigint = hashtext(?)::bigint & 4294967295"
    " AND database = (SELECT oid FROM pg_database WHERE datname = current_database())"
)

_STRAYS = (
    "SELECT j.id FROM procrastinate_jobs j JOIN requests r ON j.queueing_lock = 'request ' || r.id"
    " WHERE j.status = 'doing' AND r.stage = ? AND EXISTS (SELECT 1 FROM procrastinate_events e"
    " WHERE e.job_id = j.id AND e.type = 'started' AND e.at < now() - interval '30 seconds')"
)


class SharedState:
    """The state in the database of a URL; see `State`. Raises RunbookError `journal-unusable`.

    `writing` is the lock of who writes: only those with the same one wait for each other.
    """

    def __init__(self, url: str, *, patience_s: float = AWAY_S, writing: int = _WRITING) -> None:
        require_psycopg()
        require_procrastinate()
        from runbook.journal.postgres_session import Session  # noqa: PLC0415 -- an extra
        from runbook.journal.postgres_upgrade import check_schema  # noqa: PLC0415

        def joined(connection: Any) -> None:
            check_schema(connection)
            if self._shown is not None:
                _Translating(connection).execute(
                    "SELECT pg_try_advisory_lock(?, hashtext(?))", (_SERVING, self._shown)
                )

        self._writing = writing
        self._shown: str | None = None
        self._unseen: dict[str, float] = {}
        self._session = Session(url, patience_s=patience_s, joined=joined)

    @contextmanager
    def writing(self) -> Iterator[Writing]:
        """Do everything inside or nothing; see `State.writing`."""
        with self._session.transaction() as connection:
            within = _Translating(connection)
            within.execute("SELECT pg_advisory_xact_lock(?)", (self._writing,))
            yield within

    def rows(self, query: str, given: Sequence[Any] = ()) -> list[tuple[Any, ...]]:
        """Return what a query finds."""
        from runbook.journal.postgres_text import told  # noqa: PLC0415 -- see above

        found = self._session.rows(_translated(query), _put(given))
        return [
            tuple(told(part) if isinstance(part, str) else part for part in row) for row in found
        ]

    @property
    def calls(self) -> bool:
        """Say yes: see `jobs`."""
        return True

    def call_for(self, requests: Iterable[Kept]) -> None:
        """Have some service see to requests; see `State.call_for`."""
        if not (wanted := list(requests)):
            return
        from runbook.schedule.jobs import defer  # noqa: PLC0415 -- see above

        with self.writing(), self._session.transaction() as connection:
            waiting = self._jobs_of(wanted, "todo")
            defer(connection, [one for one in wanted if one.id not in waiting])

    def uncalled(self, requests: Iterable[Kept]) -> list[Kept]:
        """Return those that no job is there for, waiting or worked on.

        A job that has been worked on for half a minute, and its request still waits, is in nobody's
        hands: it was handed out as the server went away.
        """
        if strays := self.rows(_STRAYS, (Stage.QUEUED,)):
            with self.writing() as connection:
                gone = [number for (number,) in strays]
                connection.execute("DELETE FROM procrastinate_jobs WHERE id = ANY(?)", (gone,))
        wanted = list(requests)
        there = self._jobs_of(wanted, "todo", "doing") if wanted else ()
        return [one for one in wanted if one.id not in there]

    def dismiss(self, request: Kept) -> None:
        """Forget the job of a request that a service which died was working on."""
        with self.writing() as connection:
            connection.execute(
                "DELETE FROM procrastinate_jobs WHERE queueing_lock = ? AND status = 'doing'",
                (marked(request),),
            )

    def heartbeats(self) -> Mapping[str, float]:
        """Return when each worker last showed that it lives; see `State.heartbeats`."""
        found = self.rows(
            "SELECT id, extract(epoch FROM last_heartbeat)::float FROM procrastinate_workers"
        )
        return {str(worker): at for worker, at in found}

    def _jobs_of(self, requests: Sequence[Kept], *stages: str) -> frozenset[int]:
        """Return the numbers of the requests that have a job at one of the stages."""
        marks = {marked(one): one.id for one in requests}
        found = self.rows(
            "SELECT queueing_lock FROM procrastinate_jobs"
            " WHERE queueing_lock = ANY(?) AND status::text = ANY(?)",
            (list(marks), list(stages)),
        )
        return frozenset(marks[mark] for (mark,) in found)

    def close(self) -> None:
        """Let go of the connection."""
        self._session.close()

    def show(self, holder: str) -> None:
        """Show that a service lives; see `State.show`."""
        self._shown = holder
        self.rows("SELECT pg_try_advisory_lock(?, hashtext(?))", (_SERVING, holder))

    def lives(self, holder: str) -> bool:
        """Say whether a service may still be there; see `GONE_S`."""
        known = alive(Holder(**json.loads(holder)))
        if known is not None:
            return known
        if self.rows(_SHOWN, (_SERVING, holder)):
            self._unseen.pop(holder, None)
            return True
        return time.monotonic() - self._unseen.setdefault(holder, time.monotonic()) < GONE_S


class _Translating:
    """A transaction of Postgres that takes the file's statements."""

    def __init__(self, connection: Any) -> None:
        self._connection = connection

    def execute(self, query: str, given: Sequence[Any] = (), /) -> Done:
        done: Done = self._connection.execute(_translated(query).encode(), _put(given))
        return done


def _translated(query: str) -> str:
    return query.replace("?", "%s")


def _put(given: Sequence[Any]) -> list[Any]:
    from runbook.journal.postgres_text import kept  # noqa: PLC0415 -- see above

    return [kept(str(part)) if isinstance(part, str) else part for part in given]
