"""What is to be told and was told: nothing is lost or said twice by a restart, or by several services.

It is kept in a file, for the services of one machine, or beside the journal in its database, for
those of several. One thread of a process writes at a time.
"""

from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from threading import RLock
from typing import Any

from runbook.journal.transactions import Writing
from runbook.notify.collapse import Bundle, Held, Sent
from runbook.notify.incidents import Notice, Trouble
from runbook.notify.notice_file import Store
from runbook.notify.plan import Kind
from runbook.notify.wording import Wording

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
    """What a store keeps. Raises RunbookError where that cannot be used."""

    def __init__(self, store: Store) -> None:
        self._store = store
        self._lock = RLock()
        self._within: Writing | None = None

    def close(self) -> None:
        """Let go of the store."""
        with self._lock:
            self._store.close()

    @contextmanager
    def writing(self) -> Iterator[None]:
        """Do everything inside or nothing, and nobody else anything meanwhile."""
        with self._lock, self._store.writing() as within:
            self._within = within
            try:
                yield
            finally:
                self._within = None

    # What has been read, and what is wrong

    def followed(self, now: float) -> tuple[float, dict[str, int]]:
        """Return since when runs are followed, and up to where; from `now` on the first time."""
        self._run("INSERT INTO following VALUES (1, ?) ON CONFLICT DO NOTHING", (now,))
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
                "SELECT runbook, host, incident, by, run, since, told, late, text FROM troubles"
                " ORDER BY since, runbook, host"
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
                "UPDATE messages SET body = substr(body || ?, 1, ?), kind = NULL"
                " WHERE busy_until <= ? AND id = (SELECT max(id) FROM messages"
                " WHERE state = 'pending' AND target = ? AND incident = ? HAVING max(attempts) > 0)",
                ("\n\n" + wording.body, _MOST_CHARACTERS, now, target, bundle.incident),
            )
            if not grown:
                self._run(
                    "INSERT INTO messages (at, target, incident, kind, title, body, state, attempts,"
                    " due, busy_until, told) VALUES (?, ?, ?, ?, ?, ?, 'pending', 0, ?, 0, '')",
                    (now, target, *about, wording.title, wording.body, now),
                )
            [(number,)] = self._rows(
                "SELECT max(id) FROM messages WHERE target = ? AND coalesce(incident, '') = ?",
                (target, bundle.incident or ""),
            )
            runs = {one.notice.run for one in bundle.held}
            self._run(
                "INSERT INTO about VALUES (?, ?) ON CONFLICT DO NOTHING",
                *((run, number) for run in sorted(runs)),
            )

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

    def unwritten(self) -> list[tuple[str, Message]]:
        """Return of which runs what became of which message is not in the journal yet.

        A message whose first try failed has come to something; further tries are no news.
        """
        columns = ", ".join(f"m.{name}" for name in _MESSAGE.split(", "))
        rows = self._rows(
            f"SELECT a.run, {columns} FROM messages m JOIN about a ON a.message = m.id"  # noqa: S608
            " LEFT JOIN journaled j ON j.message = m.id AND j.run = a.run"
            " WHERE (m.state <> 'pending' OR m.told <> '') AND coalesce(j.state, '') <> m.state"
            " ORDER BY m.id, a.run"
        )
        names = _MESSAGE.split(", ")
        return [(run, Message(**dict(zip(names, row, strict=True)))) for run, *row in rows]

    def written(self, run: str, message: Message) -> None:
        """Note that the journal says of a run what became of a message."""
        self._run(
            "INSERT INTO journaled VALUES (?, ?, ?)"
            " ON CONFLICT (run, message) DO UPDATE SET state = excluded.state",
            (run, message.id, message.state),
        )

    def undelivered(self) -> int:
        """Return how many messages wait to be delivered."""
        [(count,)] = self._rows("SELECT count(*) FROM messages WHERE state = 'pending'")
        return int(count)

    def forget(self, now: float) -> None:
        """Drop what was told long ago."""
        self._run("DELETE FROM bundles WHERE at < ?", (now - KEPT_S,))
        self._run("DELETE FROM messages WHERE state <> 'pending' AND at < ?", (now - KEPT_S,))
        self._run("DELETE FROM about WHERE message NOT IN (SELECT id FROM messages)")
        self._run("DELETE FROM journaled WHERE message NOT IN (SELECT id FROM messages)")

    def _run(self, statement: str, *rows: tuple[object, ...]) -> int:
        assert self._within is not None  # noqa: S101 -- whoever writes has begun to
        given: tuple[tuple[object, ...], ...] = rows if rows or "?" in statement else ((),)
        return sum(self._within.execute(statement, row).rowcount for row in given)

    def _rows(self, query: str, given: tuple[object, ...] = ()) -> list[tuple[Any, ...]]:
        with self._lock:
            return self._store.rows(query, given)
