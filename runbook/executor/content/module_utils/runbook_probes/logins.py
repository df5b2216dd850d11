"""Who is logged in on a host beside those who look at it."""

from __future__ import annotations

import os
import re
import struct
import time

from .processes import without_ourselves
from .procfs import Process, parse_address, read_text
from .records import Record
from .values import whole_number

_UTMP = "/var/run/utmp"
_SEATS = "/run/systemd/sessions"
# struct utmp of glibc on Linux: type, pid, line, id, user, host, exit, session, time, address, rest.
_RECORD = struct.Struct("hi32s4s32s256shhiii4i20x")
_USER_PROCESS = 7
_ESTABLISHED = "01"
_SSH_PORT = 22
# What OpenSSH writes over its arguments where somebody has a terminal.
_TITLE = re.compile(r"^sshd(?:-session)?: (\S+)@(pts/\d+)")


class Login(Record):
    """Somebody at a terminal; `origin` and `since_s` (seconds since 1970) as far as known."""

    user: str
    line: str
    origin: str | None
    since_s: int | None


class Surroundings:
    """All processes; which of them are ours, and by which SSH connection we came, if by one."""

    def __init__(self, everything: list[Process], own: int) -> None:
        self.everything = {process.pid: process for process in everything}
        self.others = without_ourselves(self.everything, own)
        self.ancestors: list[int] = []
        pid = own
        while pid > 0 and pid in self.everything and pid not in self.ancestors:
            self.ancestors.append(pid)
            pid = self.everything[pid].ppid
        self._connection = self._found_connection()

    def _found_connection(self) -> list[str]:
        # Who becomes another user loses the variable, but not the processes above.
        for pid in self.ancestors:
            try:
                with open(f"/proc/{pid}/environ", "rb") as stream:
                    variables = stream.read(1 << 17).decode("utf-8", "replace").split("\0")
            except OSError:
                continue
            for variable in variables:
                name, _, value = variable.partition("=")
                if name == "SSH_CONNECTION" and len(value.split()) == 4:
                    return value.split()
        return []

    def origin(self) -> str | None:
        """Return the address we look from; None where we did not come by SSH."""
        return self._connection[0] if self._connection else None

    def server_port(self) -> int:
        """Return the port of the SSH server."""
        port = self._connection[3] if self._connection else ""
        return int(port) if port.isdigit() else _SSH_PORT

    def has(self, pid: int) -> bool:
        """Tell whether a process is one of those we descend from."""
        return pid in self.ancestors


def logins(around: Surroundings, unseen: list[str]) -> list[Login]:
    """Return who is at a terminal, from whatever this system keeps: utmp, logind, sshd's titles."""
    found: dict[str, Login] = {}
    for each in _from_titles(around):
        found[each.line] = each
    try:
        for leader, each in seats(_SEATS):
            if leader in around.everything and not around.has(leader):
                found[each.line] = each
        with open(_UTMP, "rb") as stream:
            data = stream.read(1 << 20)
        for pid, each in parse_utmp(data):
            if pid in around.everything and not around.has(pid):
                found[each.line] = each
    except FileNotFoundError:
        pass  # Newer systems no longer keep it.
    except OSError:
        unseen.append("operators")
    own = {title.line for title in _from_titles(around, ours=True)}
    return [each for line, each in sorted(found.items()) if line not in own]


def parse_utmp(data: bytes) -> list[tuple[int, Login]]:
    """Return the log-ins of users in a utmp file, each with its process."""
    found = []
    for start in range(0, len(data) - _RECORD.size + 1, _RECORD.size):
        record = _RECORD.unpack_from(data, start)
        if record[0] == _USER_PROCESS:
            line, user, host = (_text(record[at]) for at in (2, 4, 5))
            found.append((record[1], Login(user, line, host or None, record[9] or None)))
    return found


def _text(raw: bytes) -> str:
    return raw.split(b"\0")[0].decode("utf-8", "replace")


def seats(folder: str) -> list[tuple[int, Login]]:
    """Return the sessions of systemd-logind that have a terminal, each with its first process."""
    try:
        names = os.listdir(folder)
    except OSError:
        return []
    found = []
    for name in names:
        try:
            # Beside each session lies a pipe, which would have us wait for ever.
            descriptor = os.open(os.path.join(folder, name), os.O_RDONLY | os.O_NONBLOCK)
            with os.fdopen(descriptor, "rb") as stream:
                text = (stream.read(65536) or b"").decode("utf-8", "replace")
        except OSError:
            continue
        leader, login = parse_seat(text)
        if login is not None:
            found.append((leader, login))
    return found


def parse_seat(text: str) -> tuple[int, Login | None]:
    """Return the leading process of a session in /run/systemd/sessions, and who is at it.

    Nobody is at one without a terminal, nor at one of a service.
    """
    values = dict(line.partition("=")[::2] for line in text.splitlines())
    number = whole_number(values.get("LEADER", "")) or 0
    micros = whole_number(values.get("REALTIME", ""))
    if values.get("CLASS") != "user" or not values.get("TTY") or not values.get("USER"):
        return number, None
    since_s = None if micros is None else micros // 1_000_000
    return number, Login(values["USER"], values["TTY"], values.get("REMOTE_HOST") or None, since_s)


def _from_titles(around: Surroundings, *, ours: bool = False) -> list[Login]:
    """Return the terminals that processes of OpenSSH serve; `ours` are those we came by."""
    booted_s = time.time() - float(read_text("/proc/uptime").split()[0])
    found = []
    for process in around.everything.values():
        # Anybody may call a process so; that of a log-in is root's or the user's own.
        title = _TITLE.match(process.command)
        if (
            title is not None
            and process.name.startswith("sshd")
            and around.has(process.pid) is ours
        ):
            found.append(Login(title[1], title[2], None, int(booted_s + process.started_s)))
    return found


def ssh_origins(port: int) -> set[str]:
    """Return the addresses that have a connection to the SSH server."""
    found = parse_connections(read_text("/proc/net/tcp"), port)
    if os.path.exists("/proc/net/tcp6"):
        found |= parse_connections(read_text("/proc/net/tcp6"), port)
    return found


def parse_connections(text: str, port: int) -> set[str]:
    """Return the other ends of a port's connections in a /proc/net/tcp or tcp6 table."""
    found = set()
    for line in text.splitlines():
        fields = line.split()
        if len(fields) < 4 or fields[3] != _ESTABLISHED:
            continue
        try:
            if int(fields[1].partition(":")[2], 16) == port:
                address = parse_address(fields[2].partition(":")[0])
                found.add(address.rpartition("::ffff:")[2])
        except (ValueError, struct.error):
            continue
    return found
