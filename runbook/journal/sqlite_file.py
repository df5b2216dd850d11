"""Open the journal's SQLite file, and say in words what is wrong with it.

Codes of errors: https://www.sqlite.org/rescode.html; the low byte is the primary code.
"""

import os
import sqlite3
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from threading import Lock

from runbook.errors import RunbookError
from runbook.journal.holder import is_stopped
from runbook.journal.locks import writer
from runbook.journal.schema import APPLICATION_ID, STEPS

# Closing any descriptor of a file drops all of this process's locks on it (fcntl(2)), so no other
# thread may open a connection while a new file is created.
_creating = Lock()

_PRIMARY = 0xFF

# What is wrong, and what to do.
_FAULTS: dict[int, tuple[str, str]] = {
    sqlite3.SQLITE_FULL: (
        "the disk or quota is full",
        "Free space there, or set RUNBOOK_HOME to a folder on another disk.",
    ),
    sqlite3.SQLITE_IOERR: (
        "the disk cannot be read or written (full, over a limit, or broken)",
        "Look at the disk and at the kernel's log, or set RUNBOOK_HOME to a folder elsewhere.",
    ),
    sqlite3.SQLITE_READONLY: (
        "it cannot be written",
        "Run as the user who owns it, or set RUNBOOK_HOME to a folder of your own.",
    ),
    sqlite3.SQLITE_PERM: (
        "it may not be opened",
        "Run as the user who owns it, or set RUNBOOK_HOME to a folder of your own.",
    ),
    sqlite3.SQLITE_CANTOPEN: (
        "it cannot be opened",
        "See that it is a file you may read and write, in a folder you may write to.",
    ),
    sqlite3.SQLITE_BUSY: (
        "another process keeps it locked",
        "Find that process (`fuser` names it) and let it finish, then try again.",
    ),
    sqlite3.SQLITE_LOCKED: (
        "another process keeps it locked",
        "Find that process (`fuser` names it) and let it finish, then try again.",
    ),
    sqlite3.SQLITE_PROTOCOL: (
        "other processes keep it locked",
        "Find them (`fuser` names them) and let them finish, then try again.",
    ),
    sqlite3.SQLITE_NOTADB: (
        "it is not a journal",
        "Set RUNBOOK_HOME to another folder, or move the file out of the way.",
    ),
    sqlite3.SQLITE_CORRUPT: (
        "it is damaged",
        "Keep a copy, then restore it from a backup, or save what is left: `sqlite3 FILE .recover`.",
    ),
}
_OTHER = ("it cannot be used", "Set RUNBOOK_HOME to another folder, or move the file aside.")


def connect(path: Path, busy_timeout_s: float) -> sqlite3.Connection:
    """Open the file, creating it (0600 in a 0700 folder) or bringing its schema up to date."""
    with explained(path):
        with _creating:
            path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
            with suppress(FileExistsError):
                os.close(os.open(path, os.O_CREAT | os.O_EXCL | os.O_RDWR, 0o600))
        connection = sqlite3.connect(
            path, timeout=busy_timeout_s, isolation_level=None, check_same_thread=False
        )
        try:
            # All of it in one state: another process may just be making the journal.
            begin(connection, "BEGIN")
            version = _version(connection, path)
            connection.execute("COMMIT")
            if version < len(STEPS):
                _bring_up_to_date(connection, path, busy_timeout_s)
            connection.execute("PRAGMA synchronous = FULL")
            connection.execute("PRAGMA foreign_keys = ON")
        except BaseException:
            connection.close()
            raise
        return connection


def begin(connection: sqlite3.Connection, statement: str) -> None:
    """Begin a transaction; others' writes are waited for as long as one follows the other.

    SQLite waits for the connection's time-out, whoever writes meanwhile, and in a crowd a turn may
    take longer to come: that is over only where nobody has written anything all the while.
    """
    while True:
        seen = _written(connection)
        try:
            connection.execute(statement)
        except sqlite3.OperationalError as error:
            if not _is_busy(error) or _written(connection) == seen:
                raise
        else:
            return


@contextmanager
def explained(path: Path) -> Iterator[None]:
    """Turn what SQLite and the file system raise into `journal-unusable`."""
    try:
        yield
    except sqlite3.Error as error:
        code = _code(error)
        what, hint = _FAULTS.get(code, _OTHER)
        if code == sqlite3.SQLITE_BUSY and (pid := writer(path)) is not None:
            what, hint = _locked_by(pid)
        raise _unusable(path, what, hint, detail=str(error)) from error
    except OSError as error:
        _, hint = _FAULTS[sqlite3.SQLITE_CANTOPEN]
        raise _unusable(path, "it cannot be opened", hint, detail=str(error)) from error


def _bring_up_to_date(connection: sqlite3.Connection, path: Path, within_s: float) -> None:
    _use_wal(connection, within_s)
    begin(connection, "BEGIN IMMEDIATE")
    # Another process may have been faster between the look and the lock.
    for step in STEPS[_version(connection, path) :]:
        for statement in step:
            connection.execute(statement)
    connection.execute(f"PRAGMA application_id = {APPLICATION_ID}")
    connection.execute(f"PRAGMA user_version = {len(STEPS)}")
    connection.execute("COMMIT")
    _sync_folder(path.parent)


def _version(connection: sqlite3.Connection, path: Path) -> int:
    """Return how many steps of the schema the file has."""
    (application,) = connection.execute("PRAGMA application_id").fetchone()
    (version,) = connection.execute("PRAGMA user_version").fetchone()
    (tables,) = connection.execute("SELECT count(*) FROM sqlite_master").fetchone()
    if tables and application != APPLICATION_ID:
        what, hint = _FAULTS[sqlite3.SQLITE_NOTADB]
        raise _unusable(path, what, hint, detail="It is the SQLite file of another program.")
    if version > len(STEPS):
        raise _unusable(
            path,
            "it was written by a later version of runbook",
            "Upgrade runbook, or set RUNBOOK_HOME to another folder.",
            detail=f"It has schema {version}; this version knows {len(STEPS)}.",
        )
    return int(version)


def _use_wal(connection: sqlite3.Connection, within_s: float) -> None:
    """Switch to the write-ahead log, which lasts in the file.

    The switch needs the file for itself and does not wait as other statements do.
    """
    deadline = time.monotonic() + within_s
    while True:
        try:
            connection.execute("PRAGMA journal_mode = WAL")
        except sqlite3.OperationalError as error:
            if not _is_busy(error) or time.monotonic() >= deadline:
                raise
            time.sleep(0.01)
        else:
            return


def _code(error: sqlite3.Error) -> int:
    return getattr(error, "sqlite_errorcode", sqlite3.SQLITE_ERROR) & _PRIMARY


def _is_busy(error: sqlite3.Error) -> bool:
    return _code(error) == sqlite3.SQLITE_BUSY


def _written(connection: sqlite3.Connection) -> int:
    """Return a number that changes with each write of others (`PRAGMA data_version`)."""
    (version,) = connection.execute("PRAGMA data_version").fetchone()
    return int(version)


def _locked_by(pid: int) -> tuple[str, str]:
    """Return what is wrong where a process is in the midst of a write, and what to do."""
    if is_stopped(pid):
        return (
            f"process {pid} keeps it locked, and is stopped",
            f"Have that process go on (`kill -CONT {pid}`) or end it, then try again.",
        )
    return (
        f"process {pid} keeps it locked",
        f"See what it does (`ps -p {pid}`) and let it finish, then try again.",
    )


def _sync_folder(folder: Path) -> None:
    """Make the file's name last through a power cut; SQLite sees to its content."""
    descriptor = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def _unusable(path: Path, what: str, hint: str, *, detail: str) -> RunbookError:
    return RunbookError.of(
        "journal-unusable",
        f"the journal {path} is of no use: {what}",
        context=f"Without a journal nothing is done. {detail}",
        hint=hint,
    )
