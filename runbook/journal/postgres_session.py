"""The connection to Postgres: made, lost, made again. All of psycopg is behind it.

A server that is restarted is waited for, as long as the caller has patience. What was not committed
is done again; where a connection broke while it was being committed, the server is asked first
what became of that transaction (`pg_xact_status`), so that nothing is ever written twice.

A server that was stopped and is not dead (SIGSTOP, a machine that is frozen) takes what it is sent and
answers nothing. Of a statement without an answer the connection is broken on our side, and what holds
for broken connections holds.

SQLSTATEs: https://www.postgresql.org/docs/current/errcodes-appendix.html
"""

import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from threading import RLock
from typing import TYPE_CHECKING, Any, Generic, TypeVar

import psycopg
from psycopg.conninfo import conninfo_to_dict, make_conninfo
from psycopg.pq import TransactionStatus

from runbook.errors import RunbookError
from runbook.journal import problems
from runbook.journal.postgres_schema import SCHEMA

if TYPE_CHECKING:
    from psycopg.abc import PQGen

Connection = psycopg.Connection[tuple[Any, ...]]
T = TypeVar("T")

SILENCE_S = 20.0
"""How long a statement may have no answer: twice as long as the server itself waits for a lock."""

_CLOSING_S = 0.1
_LONGEST_PAUSE_S = 1.0

# A machine that is gone without a word is noticed within some 15 s, by either side.
_NETWORK: Mapping[str, str] = {
    "connect_timeout": "5",
    "keepalives_idle": "5",
    "keepalives_interval": "3",
    "keepalives_count": "3",
    "tcp_user_timeout": "15000",
    "fallback_application_name": "runbook",
    "client_encoding": "utf8",
}
# A process that was stopped within a transaction holds others up no longer than that.
_SESSION: Mapping[str, str] = {
    "search_path": SCHEMA,
    "lock_timeout": "10s",
    "idle_in_transaction_session_timeout": "10s",
    "tcp_keepalives_idle": "5",
    "tcp_keepalives_interval": "3",
    "tcp_keepalives_count": "3",
}

SETTING = f"SELECT {', '.join('set_config(%s, %s, false)' for _ in _SESSION)}".encode()
SETTINGS = tuple(part for setting in _SESSION.items() for part in setting)
"""What a connection begins with, and what that is given."""

_AGAIN = frozenset({"40001", "40P01"})  # Two were in each other's way, and one was undone.
_ENDED = frozenset({"57P01", "57P02", "57P03"})  # The server goes down, and says so.

# What libpq says of a connection that no waiting would make; of these it gives no SQLSTATE.
_HOPELESS = (
    "authentication failed",
    "does not exist",
    "no password supplied",
    "no pg_hba.conf entry",
    "could not translate host name",
    "Name or service not known",
    "permission denied for database",
)

_ANY = ("it cannot be used", "Look at the server and its log.")
_FAULTS: Mapping[str, tuple[str, str]] = {
    "08": ("the server cannot be reached", "See that it runs and that this machine may reach it."),
    "42501": ("it may not be used", "Have the owner of the schema `runbook` grant what is missing."),
    "25006": ("it cannot be written", "It is a standby; name the primary in the setting `journal`."),
    "53100": ("the server's disk is full", "Free space there."),
    "53300": ("the server takes no more connections", "Raise max_connections, or run fewer at once."),
    "55P03": ("another process keeps it locked", "See in pg_stat_activity who; then try again."),
    "42P01": ("its tables are not there", "`runbook db status` says what is; `runbook db upgrade` makes them."),
}  # fmt: skip


class _Bounded(Connection):
    """A connection that is closed once a statement has had no answer for `silence_s`."""

    silence_s: float = SILENCE_S

    def wait(self, gen: "PQGen[T]", *args: Any, **more: Any) -> T:
        """Wait for what the server says; see psycopg, which looks at `gen` every tenth of a second."""
        return super().wait(self._heard(gen), *args, **more)

    def _heard(self, gen: "PQGen[T]") -> "PQGen[T]":
        ends = time.monotonic() + self.silence_s
        try:
            wanted = next(gen)
            while True:
                ready = yield wanted
                if not ready and time.monotonic() >= ends:
                    self.close()
                    raise psycopg.OperationalError(f"no answer within {self.silence_s:g} s")
                wanted = gen.send(ready)
        except StopIteration as done:
            value: T = done.value
            return value


def conninfo(url: str) -> str:
    """Return how to connect to the database of a URL; raise psycopg.Error where it is none."""
    return make_conninfo(url, **{**_NETWORK, **conninfo_to_dict(url)})


@dataclass(frozen=True, slots=True)
class _Done(Generic[T]):
    value: T


class Session:
    """A connection that all threads of a process share, one call at a time.

    `joined` is called with each connection that is made, before it is used; what it raises ends the
    call. A call waits up to `patience_s` for a server that is away; one that leaves a statement without
    an answer for `silence_s` counts as away. Raises `journal-unusable`.
    """

    def __init__(
        self,
        url: str,
        *,
        patience_s: float,
        joined: Callable[[Connection], None],
        silence_s: float = SILENCE_S,
    ) -> None:
        self._patience_s = patience_s
        self._silence_s = silence_s
        self._joined = joined
        self._lock = RLock()
        self._connection: Connection | None = None
        self._closed = False
        self._within: Connection | None = None
        with self._said():
            self._where = conninfo(url)
            self._connected(self._deadline())

    def write(self, work: Callable[[Connection], T]) -> T:
        """Do everything in `work` or nothing, and have it on disk when this returns.

        `work` may be called again after what it did was undone. What it calls here in turn is a part
        of it.
        """
        with self._lock:
            if self._within is not None:
                return work(self._within)
            return self._written(work)

    def _written(self, work: Callable[[Connection], T]) -> T:
        with self._said():
            deadline = self._deadline()
            while True:
                done = self._attempt(work, deadline)
                if done is not None:
                    return done.value

    @contextmanager
    def transaction(self) -> Iterator[Connection]:
        """Do everything inside or nothing, and have it on disk at the end.

        Unlike `write` it does nothing again: where the connection breaks in its midst, it is undone
        and that is raised. Inside another one, and so is `read`, it is a part of that.
        """
        with self._lock, self._said():
            if self._within is not None:
                yield self._within
                return
            connection, number = self._begun(self._deadline())
            self._within = connection
            try:
                yield connection
            except BaseException:
                self._undo(connection)
                raise
            finally:
                self._within = None
            if not self._committed(connection, number, self._deadline()):
                raise _unusable(
                    "the connection broke, and what was begun was undone",
                    "Try it again.",
                    detail="",
                )

    def read(self, work: Callable[[Connection], T]) -> T:
        """Return what `work` finds in one state of the database; it may be called again."""
        with self._lock:
            if self._within is not None:
                return work(self._within)
            return self._seen(work)

    def _seen(self, work: Callable[[Connection], T]) -> T:
        with self._said():
            deadline = self._deadline()
            while True:
                connection = self._connected(deadline)
                try:
                    connection.execute("BEGIN ISOLATION LEVEL REPEATABLE READ READ ONLY")
                    value = work(connection)
                    connection.execute("COMMIT")
                except psycopg.Error as error:
                    self._undo(connection)
                    self._again(connection, error, deadline)
                except BaseException:
                    self._undo(connection)
                    raise
                else:
                    return value

    def rows(self, query: str, given: Sequence[object]) -> list[tuple[Any, ...]]:
        """Return what a single query finds."""
        return self.read(lambda connection: connection.execute(query.encode(), given).fetchall())

    def close(self) -> None:
        """Let go of the connection; further calls raise `journal-unusable`."""
        with self._lock:
            self._closed = True
            self._drop()

    def _attempt(self, work: Callable[[Connection], T], deadline: float) -> _Done[T] | None:
        """Return what was done, None where it was undone and may be done again."""
        connection, number = self._begun(deadline)
        self._within = connection
        try:
            done = _Done(work(connection))
        except psycopg.Error as error:
            self._undo(connection)
            self._again(connection, error, deadline)
            return None
        except BaseException:
            self._undo(connection)
            raise
        finally:
            self._within = None
        return done if self._committed(connection, number, deadline) else None

    def _begun(self, deadline: float) -> tuple[Connection, tuple[Any, ...] | None]:
        """Begin a transaction; return its connection and its id."""
        while True:
            connection = self._connected(deadline)
            try:
                connection.execute("BEGIN")
                number = connection.execute("SELECT pg_current_xact_id()::text").fetchone()
            except psycopg.Error as error:
                self._undo(connection)
                self._again(connection, error, deadline)
            else:
                return connection, number

    def _committed(
        self, connection: Connection, number: tuple[Any, ...] | None, deadline: float
    ) -> bool:
        """Commit; return whether it is kept."""
        try:
            connection.execute("COMMIT")
        except psycopg.Error as error:
            if not _is_lost(connection, error):
                self._undo(connection)
                raise
            self._drop()
            return self._was_kept(number, deadline)
        return True

    def _was_kept(self, number: tuple[Any, ...] | None, deadline: float) -> bool:
        """Find out what became of a transaction whose commit got no answer."""
        while True:
            connection = self._connected(deadline)
            try:
                row = connection.execute("SELECT pg_xact_status(%s::xid8)", number).fetchone()
            except psycopg.Error as error:
                self._again(connection, error, deadline)
                continue
            status = None if row is None else row[0]
            if status in ("committed", "aborted"):
                return bool(status == "committed")
            # Its backend has not noticed yet that nobody listens.
            if status is None or time.monotonic() >= deadline:
                raise _unusable(
                    "nobody knows whether the last entry was kept",
                    "Look at the server; `runbook resume` goes by what the journal then holds.",
                    detail=f"The server says of the transaction: {status or 'nothing'}.",
                )
            time.sleep(_CLOSING_S)

    def _again(self, connection: Connection, error: psycopg.Error, deadline: float) -> None:
        """Return where the same may be tried again; else raise what went wrong."""
        lost = _is_lost(connection, error)
        if lost:
            self._drop()
        if not (lost or error.sqlstate in _AGAIN) or time.monotonic() >= deadline:
            raise error

    def _connected(self, deadline: float) -> Connection:
        """Return a connection that is ready for use."""
        if self._closed:
            raise problems.closed()
        present = self._connection
        if present is not None:
            # A call that was interrupted may have left it in the midst of something.
            if not present.closed and present.info.transaction_status is TransactionStatus.IDLE:
                return present
            self._drop()
        pause = _CLOSING_S
        while True:
            try:
                self._connection = self._connect()
            except psycopg.OperationalError as error:
                hopeless = any(text in str(error) for text in _HOPELESS)
                if hopeless or time.monotonic() + pause >= deadline:
                    raise
                time.sleep(pause)
                pause = min(2 * pause, _LONGEST_PAUSE_S)
            else:
                return self._connection

    def _connect(self) -> Connection:
        # libpq's own time-out covers it until it is made.
        connection = _Bounded.connect(self._where, autocommit=True)
        connection.silence_s = self._silence_s
        try:
            connection.execute(SETTING, SETTINGS)
            # An entry is on disk when its commit returns, whatever the server's default is.
            connection.execute(
                "SELECT set_config('synchronous_commit', 'on', false)"
                " WHERE current_setting('synchronous_commit') = 'off'"
            )
            _check_encoding(connection)
            self._joined(connection)
        except BaseException:
            connection.close()
            raise
        return connection

    def _undo(self, connection: Connection) -> None:
        with suppress(psycopg.Error):
            connection.execute("ROLLBACK")

    def _drop(self) -> None:
        if self._connection is not None:
            self._connection.close()
            self._connection = None

    def _deadline(self) -> float:
        return time.monotonic() + self._patience_s

    @contextmanager
    def _said(self) -> Iterator[None]:
        """Turn what psycopg raises into `journal-unusable`."""
        try:
            yield
        except psycopg.Error as error:
            away = "08" if isinstance(error, psycopg.OperationalError) else ""
            state = error.sqlstate or away
            what, hint = _FAULTS.get(state) or _FAULTS.get(state[:2]) or _ANY
            raise _unusable(what, hint, detail=" ".join(str(error).split())) from error


def _check_encoding(connection: Connection) -> None:
    encoding = connection.info.parameter_status("server_encoding")
    if encoding != "UTF8":
        raise _unusable(
            f"its encoding is {encoding}, and has to be UTF8",
            "createdb --encoding=UTF8 --template=template0 NAME",
            detail="Not every name would fit into it.",
        )


def _is_lost(connection: Connection, error: psycopg.Error) -> bool:
    return connection.closed or error.sqlstate in _ENDED


def _unusable(what: str, hint: str, *, detail: str) -> RunbookError:
    return RunbookError.of(
        "journal-unusable",
        f"the journal on Postgres is of no use: {what}",
        context=f"Without a journal nothing is done. {detail}",
        hint=hint,
    )
