"""What is to be told and was told, in one SQLite file: nothing is lost or said twice by a restart.

Several services may share the file. One connection, used under a lock by all threads of a process.
"""

import os
import sqlite3
from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from threading import RLock

from runbook.errors import RunbookError
from runbook.notify.collapse import Bundle, Held, Sent
from runbook.notify.incidents import Notice, Trouble
from runbook.notify.plan import Kind
from runbook.notify.wording import Wording

FILE = "notices.sqlite"
"""The name of the file in runbook's state folder."""

_SCHEMA = """
CREATE TABLE IF NOT EXISTS following (one INTEGER PRIMARY KEY CHECK (one = 1), since REAL NOT NULL)
  STRICT;
CREATE TABLE IF NOT EXISTS followed (run TEXT PRIMARY KEY, seq INTEGER NOT NULL) STRICT;
CREATE TABLE IF NOT EXISTS troubles (
  runbook TEXT NOT NULL, host TEXT NOT NULL, incident TEXT NOT NULL, by TEXT NOT NULL,
  run TEXT NOT NULL, since REAL NOT NULL, told TEXT NOT NULL, late TEXT NOT NULL,
  text TEXT NOT NULL, PRIMARY KEY (runbook, host)
) STRICT;
CREATE TABLE IF NOT EXISTS notices (
  id INTEGER PRIMARY KEY, tier TEXT NOT NULL, kind TEXT NOT NULL, incident TEXT NOT NULL,
  runbook TEXT NOT NULL, host TEXT NOT NULL, run TEXT NOT NULL, at REAL NOT NULL, text TEXT NOT NULL
) STRICT;
CREATE TABLE IF NOT EXISTS bundles (
  id INTEGER PRIMARY KEY, at REAL NOT NULL, tier TEXT NOT NULL, incident TEXT, kind TEXT
) STRICT;
CREATE TABLE IF NOT EXISTS messages (
  id INTEGER PRIMARY KEY, at REAL NOT NULL, target TEXT NOT NULL, incident TEXT, kind TEXT,
  title TEXT NOT NULL, body TEXT NOT NULL, state TEXT NOT NULL, attempts INTEGER NOT NULL,
  due REAL NOT NULL, busy_until REAL NOT NULL, told TEXT NOT NULL
) STRICT;
CREATE INDEX IF NOT EXISTS messages_by_state ON messages (state, target, id);
CREATE TABLE IF NOT EXISTS about (
  run TEXT NOT NULL, message INTEGER NOT NULL, PRIMARY KEY (run, message)
) STRICT, WITHOUT ROWID;
"""
_BUSY_S = 10.0
_MOST_CHARACTERS = 16_000
KEPT_S = 30 * 86400.0
"""How long it is known what was told to whom."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Message:
    """A message to one target: `state` is pending, delivered or given_up; `told` why it failed last.

    `at` and `due` (when it is tried next) are POSIX seconds.
    """

    id: int
    at: float
    target: str
    incident: str | None
    kind: str | None
    title: str
    body: str
    state: str
    attempts: int
    due: float
    told: str


_MESSAGE = "id, at, target, incident, kind, title, body, state, attempts, due, told"


class Outbox:
    """The file. Raises RunbookError `notices-unusable` where it cannot be used."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self._lock = RLock()
        with self._said():
            path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
            os.close(os.open(path, os.O_RDWR | os.O_CREAT, 0o600))
            self._connection = sqlite3.connect(
                path, timeout=_BUSY_S, isolation_level=None, check_same_thread=False
            )
            self._connection.execute("PRAGMA journal_mode=WAL")
            self._connection.executescript(_SCHEMA)

    def close(self) -> None:
        """Let go of the file."""
        with self._lock:
            self._connection.close()

    @contextmanager
    def writing(self) -> Iterator[None]:
        """Do everything inside or nothing, and nobody else anything meanwhile."""
        with self._lock, self._said():
            self._connection.execute("BEGIN IMMEDIATE")
            try:
                yield
            except BaseException:
                self._connection.execute("ROLLBACK")
                raise
            self._connection.execute("COMMIT")

    # What has been read, and what is wrong

    def followed(self, now: float) -> tuple[float, dict[str, int]]:
        """Return since when runs are followed, and up to where; from `now` on the first time."""
        self._run("INSERT OR IGNORE INTO following VALUES (1, ?)", (now,))
        [(since,)] = self._rows("SELECT since FROM following")
        return since, dict(self._rows("SELECT run, seq FROM followed"))

    def follow(self, since: float, read: Mapping[str, int]) -> None:
        """Write down up to where runs have been read."""
        self._run("UPDATE following SET since = ?", (since,))
        self._run("DELETE FROM followed")
        self._run("INSERT INTO followed VALUES (?, ?)", *read.items())

    def troubles(self) -> list[Trouble]:
        """Return all trouble that is open."""
        return [
            Trouble(
                runbook=runbook,
                host=host,
                incident=incident,
                by=by,
                run=run,
                since=since,
                told=frozenset(Kind(kind) for kind in told.split()),
                late=frozenset(filter(None, late.split("\n"))),
                text=text,
            )
            for runbook, host, incident, by, run, since, told, late, text in self._rows(
                "SELECT * FROM troubles ORDER BY rowid"
            )
        ]

    def keep(self, troubles: Iterable[Trouble]) -> None:
        """Write down all trouble that is open."""
        self._run("DELETE FROM troubles")
        self._run(
            "INSERT INTO troubles VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?)",
            *(
                (
                    one.runbook,
                    one.host,
                    one.incident,
                    one.by,
                    one.run,
                    one.since,
                    " ".join(sorted(one.told)),
                    "\n".join(sorted(one.late)),
                    one.text,
                )
                for one in troubles
            ),
        )

    # What is to be told

    def hold(self, notices: Iterable[Notice]) -> None:
        """Write down what is to be told."""
        self._run(
            "INSERT INTO notices (tier, kind, incident, runbook, host, run, at, text)"
            " VALUES (?, ?, ?, ?, ?, ?, ?, ?)",
            *(
                (n.tier, n.kind, n.incident, n.runbook, n.host, n.run, n.at, n.text)
                for n in notices
            ),
        )

    def held(self, tier: str) -> list[Held]:
        """Return what is to be told to a tier, in order."""
        return [
            Held(
                id=number,
                notice=Notice(
                    tier=tier,
                    kind=Kind(kind),
                    incident=incident,
                    runbook=runbook,
                    host=host,
                    run=run,
                    at=at,
                    text=text,
                ),
            )
            for number, kind, incident, runbook, host, run, at, text in self._rows(
                "SELECT id, kind, incident, runbook, host, run, at, text FROM notices"
                " WHERE tier = ? ORDER BY id",
                (tier,),
            )
        ]

    def sent(self, tier: str, since: float) -> list[Sent]:
        """Return what was told to a tier since a moment."""
        return [
            Sent(at=at, incident=incident, kind=None if kind is None else Kind(kind))
            for at, incident, kind in self._rows(
                "SELECT at, incident, kind FROM bundles WHERE tier = ? AND at > ?", (tier, since)
            )
        ]

    def post(
        self, tier: str, targets: Iterable[str], bundle: Bundle, wording: Wording, now: float
    ) -> None:
        """Make a message of what was held, for each target; what waits there of the incident grows."""
        about = bundle.incident, bundle.kind
        self._run("INSERT INTO bundles (at, tier, incident, kind) VALUES (?, ?, ?, ?)",
                  (now, tier, *about))  # fmt: skip
        self._run("DELETE FROM notices WHERE id = ?", *((one.id,) for one in bundle.held))
        for target in targets:
            grown = self._run(
                # Where nothing gets through, what comes joins the last of what waits.
                "UPDATE messages SET body = substr(body || char(10, 10) || ?, 1, ?), kind = NULL"
                " WHERE busy_until <= ? AND id = (SELECT max(id) FROM messages"
                " WHERE state = 'pending' AND target = ? AND incident = ? HAVING max(attempts) > 0)",
                (wording.body, _MOST_CHARACTERS, now, target, bundle.incident),
            )
            if not grown:
                self._run(
                    "INSERT INTO messages (at, target, incident, kind, title, body, state, attempts,"
                    " due, busy_until, told) VALUES (?, ?, ?, ?, ?, ?, 'pending', 0, ?, 0, '')",
                    (now, target, *about, wording.title, wording.body, now),
                )
            [(number,)] = self._rows(
                "SELECT max(id) FROM messages WHERE target = ? AND incident IS ?",
                (target, bundle.incident),
            )
            runs = {one.notice.run for one in bundle.held}
            self._run("INSERT OR IGNORE INTO about VALUES (?, ?)", *((run, number) for run in runs))

    # Delivering

    def take(self, target: str, now: float, for_s: float) -> Message | None:
        """Return the next message to a target that is due, for one sender to try within `for_s`."""
        with self.writing():
            rows = self._rows(
                f"SELECT {_MESSAGE} FROM messages m WHERE state = 'pending' AND target = ?"  # noqa: S608
                " AND due <= ? AND busy_until <= ? AND NOT EXISTS ("
                "SELECT 1 FROM messages o WHERE o.state = 'pending' AND o.target = m.target"
                " AND o.incident = m.incident AND o.id < m.id) ORDER BY id LIMIT 1",
                (target, now, now),
            )
            if not rows:
                return None
            message = Message(**dict(zip(_MESSAGE.split(", "), rows[0], strict=True)))
            self._run(
                "UPDATE messages SET attempts = attempts + 1, busy_until = ? WHERE id = ?",
                (now + for_s, message.id),
            )
        return message

    def close_message(self, message: Message, state: str, told: str, due: float) -> None:
        """Write down what came of a try."""
        with self.writing():
            self._run(
                "UPDATE messages SET state = ?, told = ?, due = ?, busy_until = 0 WHERE id = ?",
                (state, told, due, message.id),
            )

    def messages(self, limit: int) -> list[Message]:
        """Return messages, newest first."""
        rows = self._rows(f"SELECT {_MESSAGE} FROM messages ORDER BY id DESC LIMIT ?", (limit,))  # noqa: S608
        return [Message(**dict(zip(_MESSAGE.split(", "), row, strict=True))) for row in rows]

    def of_run(self, run: str) -> list[Message]:
        """Return the messages that told of a run, oldest first."""
        rows = self._rows(
            f"SELECT {_MESSAGE} FROM messages WHERE id IN"  # noqa: S608 -- names only
            " (SELECT message FROM about WHERE run = ?) ORDER BY id",
            (run,),
        )
        return [Message(**dict(zip(_MESSAGE.split(", "), row, strict=True))) for row in rows]

    def undelivered(self) -> int:
        """Return how many messages wait to be delivered."""
        [(count,)] = self._rows("SELECT count(*) FROM messages WHERE state = 'pending'")
        return int(count)

    def forget(self, now: float) -> None:
        """Drop what was told long ago."""
        self._run("DELETE FROM bundles WHERE at < ?", (now - KEPT_S,))
        self._run("DELETE FROM messages WHERE state <> 'pending' AND at < ?", (now - KEPT_S,))
        self._run("DELETE FROM about WHERE message NOT IN (SELECT id FROM messages)")

    def _run(self, statement: str, *rows: tuple[object, ...]) -> int:
        with self._lock, self._said():
            if not rows and "?" not in statement:
                return self._connection.execute(statement).rowcount
            return self._connection.executemany(statement, rows).rowcount

    def _rows(self, query: str, given: tuple[object, ...] = ()) -> list[tuple]:  # type: ignore[type-arg]
        with self._lock, self._said():
            return self._connection.execute(query, given).fetchall()

    @contextmanager
    def _said(self) -> Iterator[None]:
        try:
            yield
        except (OSError, sqlite3.Error) as error:
            raise RunbookError.of(
                "notices-unusable", f"the file of notices, {self._path}, cannot be used: {error}"
            ) from error
