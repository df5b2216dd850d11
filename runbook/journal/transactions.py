"""Statements that both SQLite and Postgres take, and the file of SQLite that they are done in.

What is kept beside the journal is kept so: in a file that the processes of a machine share, or in the
journal's database.
"""

import os
import sqlite3
from collections.abc import Callable, Iterator, Sequence
from contextlib import AbstractContextManager, contextmanager
from pathlib import Path
from threading import RLock
from typing import Any, Protocol

_BUSY_S = 10.0


class Done(Protocol):
    """What a statement did."""

    @property
    def rowcount(self) -> int:
        """How many rows it wrote."""


class Writing(Protocol):
    """A transaction that writes."""

    def execute(self, query: str, given: Sequence[Any] = ..., /) -> Done:
        """Do one statement."""


class SharedFile:
    """The opened file: one connection, used under a lock by all threads of a process.

    `said` gives what all use of it is within, and says in words what is wrong with it.
    """

    def __init__(self, path: Path, said: Callable[[Path], AbstractContextManager[None]]) -> None:
        self._path = path
        self._said = said
        self._lock = RLock()
        with said(path):
            path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
            os.close(os.open(path, os.O_RDWR | os.O_CREAT, 0o600))
            self._connection = sqlite3.connect(
                path, timeout=_BUSY_S, isolation_level=None, check_same_thread=False
            )
            self._connection.execute("PRAGMA journal_mode=WAL")
            self._connection.execute("PRAGMA synchronous=FULL")

    def close(self) -> None:
        """Let go of the file."""
        with self._lock:
            self._connection.close()

    @contextmanager
    def writing(self) -> Iterator[Writing]:
        """Do everything inside or nothing, and have it on disk at the end.

        Inside another one it is a part of that. Nobody else writes meanwhile.
        """
        with self._lock, self._said(self._path):
            if self._connection.in_transaction:
                yield self._connection
                return
            self._connection.execute("BEGIN IMMEDIATE")
            try:
                yield self._connection
            except BaseException:
                self._connection.execute("ROLLBACK")
                raise
            self._connection.execute("COMMIT")

    def rows(self, query: str, given: Sequence[Any] = ()) -> list[tuple[Any, ...]]:
        """Return what a query finds."""
        with self._lock, self._said(self._path):
            return self._connection.execute(query, given).fetchall()
