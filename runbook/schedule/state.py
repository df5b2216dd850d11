"""What the service keeps, which several services and commands may share: in a file, or a database.

The file is one of SQLite, on one machine. The statements are such as both SQLite and Postgres take,
with `?` for what is given.
"""

import json
import sqlite3
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import AbstractContextManager, closing, contextmanager
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, Protocol

from runbook.errors import RunbookError
from runbook.journal import Holder
from runbook.journal.holder import alive
from runbook.journal.transactions import SharedFile, Writing
from runbook.schedule.requests import Kept

FILE = "service.sqlite"
"""The name of the file in runbook's state folder."""

_STEPS: tuple[str, ...] = (
    """
    CREATE TABLE IF NOT EXISTS kept (schedule TEXT PRIMARY KEY, last REAL NOT NULL) STRICT;
    CREATE TABLE IF NOT EXISTS firings (
      schedule TEXT NOT NULL, nominal REAL NOT NULL, due REAL NOT NULL, state TEXT NOT NULL,
      told TEXT NOT NULL, at REAL NOT NULL, PRIMARY KEY (schedule, nominal)
    ) STRICT;
    CREATE INDEX IF NOT EXISTS firings_by_state ON firings (state);
    """,
    """
    CREATE TABLE pauses (
      id INTEGER PRIMARY KEY, since REAL NOT NULL, until REAL NOT NULL, by TEXT NOT NULL,
      reason TEXT NOT NULL, lifted REAL, lifted_by TEXT
    ) STRICT;
    """,
    """
    DROP TABLE firings;
    CREATE TABLE requests (
      id INTEGER PRIMARY KEY, key TEXT NOT NULL UNIQUE, source TEXT NOT NULL, asker TEXT NOT NULL,
      runbook TEXT NOT NULL, pattern TEXT NOT NULL, line TEXT NOT NULL, due REAL NOT NULL,
      diagnose INTEGER NOT NULL, given TEXT NOT NULL, overlap TEXT NOT NULL,
      severity TEXT NOT NULL, stage TEXT NOT NULL, told TEXT NOT NULL, run TEXT NOT NULL DEFAULT '',
      holder TEXT NOT NULL DEFAULT '', tries INTEGER NOT NULL DEFAULT 0,
      joined INTEGER NOT NULL DEFAULT 0, at REAL NOT NULL
    ) STRICT;
    CREATE INDEX requests_by_stage ON requests (stage, due);
    CREATE INDEX requests_by_run ON requests (run);
    """,
    """
    CREATE TABLE alerts (
      hook TEXT NOT NULL, fingerprint TEXT NOT NULL, starts REAL NOT NULL, firing INTEGER NOT NULL,
      told TEXT NOT NULL, line TEXT NOT NULL, host TEXT NOT NULL, request INTEGER,
      times INTEGER NOT NULL, at REAL NOT NULL, PRIMARY KEY (hook, fingerprint)
    ) STRICT;
    CREATE INDEX alerts_by_line ON alerts (line, host);
    CREATE INDEX alerts_by_request ON alerts (request);
    CREATE TABLE signatures (signature TEXT PRIMARY KEY, at REAL NOT NULL) STRICT;
    """,
    """
    CREATE TABLE approvals (
      id INTEGER PRIMARY KEY, run TEXT NOT NULL, runbook TEXT NOT NULL, fix TEXT NOT NULL,
      title TEXT NOT NULL, impact TEXT NOT NULL, cause TEXT NOT NULL, rule TEXT NOT NULL,
      people INTEGER NOT NULL, hosts TEXT NOT NULL, asked REAL NOT NULL, expires REAL NOT NULL,
      stand TEXT NOT NULL, told TEXT NOT NULL, taken_up INTEGER NOT NULL DEFAULT 0, at REAL NOT NULL
    ) STRICT;
    CREATE INDEX approvals_by_run ON approvals (run);
    CREATE INDEX approvals_by_stand ON approvals (stand, taken_up);
    CREATE TABLE votes (
      approval INTEGER NOT NULL, who TEXT NOT NULL, yes INTEGER NOT NULL, reason TEXT NOT NULL,
      at REAL NOT NULL, PRIMARY KEY (approval, who)
    ) STRICT;
    """,
    """
    ALTER TABLE approvals ADD COLUMN choices TEXT NOT NULL DEFAULT '{}';
    ALTER TABLE votes ADD COLUMN answer TEXT NOT NULL DEFAULT '';
    """,
)
"""`PRAGMA user_version` counts the steps taken; one that has been released is never edited."""


class State(Protocol):
    """What the service keeps, opened."""

    def writing(self) -> AbstractContextManager[Writing]:
        """Do everything inside or nothing, and have it on disk at the end.

        Inside another one it is a part of that. Nobody else writes meanwhile.
        """

    def rows(self, query: str, given: Sequence[Any] = ()) -> list[tuple[Any, ...]]:
        """Return what a query finds."""

    def close(self) -> None:
        """Let go of it."""

    @property
    def calls(self) -> bool:
        """Whether a service is called for what is queued; otherwise services look for it."""

    def call_for(self, requests: Iterable[Kept]) -> None:
        """Have some service see to requests, each once it has time and nobody has its host.

        Within a transaction it holds with that. What is called for already stays so.
        """

    def uncalled(self, requests: Iterable[Kept]) -> list[Kept]:
        """Return those of the requests that nobody was called for, nor sees to."""

    def dismiss(self, request: Kept) -> None:
        """Forget who was called for a request, and died."""

    def heartbeats(self) -> Mapping[str, float]:
        """Return when each of those who are called last showed that it lives, in POSIX seconds."""

    def show(self, holder: str) -> None:
        """Show that the service which is this holder (as canonical JSON) lives, until closed."""

    def lives(self, holder: str) -> bool:
        """Say whether the service that took a request may still be there."""


class FileState(SharedFile):
    """The opened file. Raises RunbookError `service-unusable` where it cannot be used."""

    def __init__(self, path: Path) -> None:
        super().__init__(path, _said)
        with self.writing():
            _bring_up_to_date(self._connection, path)

    @property
    def calls(self) -> bool:
        """Say no: the services of a machine look for themselves."""
        return False

    def call_for(self, requests: Iterable[Kept]) -> None:
        """Do nothing."""

    def uncalled(self, requests: Iterable[Kept]) -> list[Kept]:  # noqa: ARG002 -- as in State
        """Return nothing: nobody needs to be called."""
        return []

    def dismiss(self, request: Kept) -> None:
        """Do nothing."""

    def heartbeats(self) -> Mapping[str, float]:
        """Return nothing: nobody is called."""
        return {}

    def show(self, holder: str) -> None:
        """Do nothing: a process of this machine can be seen by itself."""

    def lives(self, holder: str) -> bool:
        """Say whether a service may still be there."""
        return alive(Holder(**json.loads(holder))) is not False


def place_of(home: Path, journal: Path | str) -> Path | str:
    """Return where the service's state is: beside the journal, in its database or in a file."""
    return journal if isinstance(journal, str) else home / FILE


def is_there(place: Path | str) -> bool:
    """Say whether there is any state yet, as far as can be told without opening it."""
    return isinstance(place, str) or place.exists()


@contextmanager
def opened(place: Path | str) -> Iterator[State]:
    """Have the state open for a while: a file, or the database of a URL."""
    state: State
    if isinstance(place, str):
        from runbook.schedule.shared_state import SharedState  # noqa: PLC0415 -- an extra

        state = SharedState(place)
    else:
        state = FileState(place)
    with closing(state):
        yield state


def _bring_up_to_date(connection: sqlite3.Connection, path: Path) -> None:
    (version,) = connection.execute("PRAGMA user_version").fetchone()
    if version > len(_STEPS):
        raise _unusable(path, "it was written by a later version of runbook")
    for step in _STEPS[version:]:
        for statement in filter(str.strip, step.split(";")):
            connection.execute(statement)
    connection.execute(f"PRAGMA user_version = {len(_STEPS)}")


@contextmanager
def _said(path: Path) -> Iterator[None]:
    try:
        yield
    except (OSError, sqlite3.Error) as error:
        raise _unusable(path, str(error)) from error


def _unusable(path: Path, why: str) -> RunbookError:
    return RunbookError.of(
        "service-unusable",
        f"the file of the service, {path}, cannot be used: {why}",
        hint="Nothing is started that cannot be written down.",
    )


def at(moment: datetime) -> float:
    """Return a moment as it is kept: POSIX seconds."""
    return moment.timestamp()


def moment(kept: float) -> datetime:
    """Return the moment that is kept, in UTC."""
    return datetime.fromtimestamp(kept, tz=UTC)
