"""The file that keeps what is to be told and was, for the services of one machine.

Where the journal is in a database, what these tables hold is there as well (`journal.postgres_schema`),
so the outbox's statements are such as both take.
"""

import sqlite3
from collections.abc import Iterator, Sequence
from contextlib import AbstractContextManager, contextmanager
from pathlib import Path
from typing import Any, Protocol

from runbook.errors import RunbookError
from runbook.journal.transactions import SharedFile, Writing

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
CREATE TABLE journaled (
  run TEXT NOT NULL, message INTEGER NOT NULL, state TEXT NOT NULL, PRIMARY KEY (run, message)
) STRICT, WITHOUT ROWID;
INSERT INTO journaled SELECT run, message, state FROM about JOIN messages ON id = message
"""
"""What was told by a version that did not write it into the journal is not written there later."""

_VERSION = 1


class Store(Protocol):
    """Where an outbox is kept."""

    def writing(self) -> AbstractContextManager[Writing]:
        """Do everything inside or nothing, and nobody else anything meanwhile."""

    def rows(self, query: str, given: Sequence[Any] = ()) -> list[tuple[Any, ...]]:
        """Return what a query finds."""

    def close(self) -> None:
        """Let go of it."""


class NoticeFile(SharedFile):
    """The opened file. Raises RunbookError `notices-unusable` where it cannot be used."""

    def __init__(self, path: Path) -> None:
        super().__init__(path, _said)
        with self.writing() as connection:
            [(version,)] = self.rows("PRAGMA user_version")
            for statement in _SCHEMA.split(";") if version < _VERSION else ():
                connection.execute(statement)
            connection.execute(f"PRAGMA user_version = {_VERSION}")


@contextmanager
def _said(path: Path) -> Iterator[None]:
    try:
        yield
    except (OSError, sqlite3.Error) as error:
        raise RunbookError.of(
            "notices-unusable", f"the file of notices, {path}, cannot be used: {error}"
        ) from error
