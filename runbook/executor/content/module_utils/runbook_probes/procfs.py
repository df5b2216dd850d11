"""Read /proc: processes, their files, listening sockets. Parsers are pure and take its text."""

from __future__ import annotations

import os
import pwd
import socket
import struct
import sys

from . import sock_diag
from .call import CannotLookError
from .records import Record
from .sock_diag import Listener

_LISTEN = "0A"
_TICKS_PER_S = os.sysconf("SC_CLK_TCK")
_PAGE_BYTES = os.sysconf("SC_PAGE_SIZE")


class Process(Record):
    """One process as /proc shows it. `started_s` counts from the boot; `terminal` 0 is none."""

    pid: int
    ppid: int
    state: str
    name: str
    words: tuple[str, ...]
    uid: int
    cpu_s: float
    started_s: float
    rss_bytes: int
    terminal: int = 0

    @property
    def command(self) -> str:
        """The command line, or the name in brackets where there is none (zombies, the kernel)."""
        return " ".join(self.words) if self.words else f"[{self.name}]"


def read_text(path: str) -> str:
    """Return the text of a small file of the kernel.

    Raises:
        CannotLookError: this system has no such file.
    """
    try:
        with open(path, "rb") as stream:
            return stream.read().decode("utf-8", "replace")
    except FileNotFoundError:
        raise CannotLookError("this system has no " + path) from None


def parse_stat(text: str) -> tuple[str, str, list[int]] | None:
    """Return the name, the state and the numbers after the state of a /proc/PID/stat line.

    The name may itself hold spaces and parentheses.
    """
    head, bracket, tail = text.rpartition(")")
    fields = tail.split()
    if not bracket or "(" not in head or len(fields) < 22:
        return None
    try:
        numbers = [int(field) for field in fields[1:22]]
    except ValueError:
        return None
    return head.partition("(")[2], fields[0], numbers


def read_process(pid: int) -> Process | None:
    """Return a process, None if it has ended meanwhile."""
    folder = f"/proc/{pid}"
    try:
        with open(folder + "/stat", "rb") as stream:
            stat = parse_stat(stream.read().decode("utf-8", "replace"))
        with open(folder + "/cmdline", "rb") as stream:
            line = stream.read().decode("utf-8", "replace")
        uid = os.stat(folder).st_uid
    except OSError:
        return None
    if stat is None:
        return None
    name, state, numbers = stat
    return Process(
        pid=pid,
        ppid=numbers[0],
        state=state,
        name=name,
        # Some programs write one long text over their arguments.
        words=tuple(line.rstrip("\0").split("\0")) if line.strip("\0") else (),
        uid=uid,
        cpu_s=(numbers[10] + numbers[11]) / _TICKS_PER_S,
        started_s=numbers[18] / _TICKS_PER_S,
        rss_bytes=numbers[20] * _PAGE_BYTES,
        terminal=numbers[3],
    )


def pids() -> list[int]:
    """Return the numbers of all processes.

    Raises:
        CannotLookError: this system has no /proc.
    """
    try:
        return sorted(int(name) for name in os.listdir("/proc") if name.isdecimal())
    except FileNotFoundError:
        raise CannotLookError("this system has no /proc") from None


def processes() -> list[Process]:
    """Return all processes."""
    found = (read_process(pid) for pid in pids())
    return [process for process in found if process is not None]


def user_name(uid: int) -> str:
    """Return the name of a user, its number as text if it has none."""
    try:
        return pwd.getpwuid(uid).pw_name
    except KeyError:
        return str(uid)


def parse_listeners(text: str) -> list[Listener]:
    """Return the listening sockets of a /proc/net/tcp or tcp6 table; odd lines are skipped."""
    found = []
    for line in text.splitlines():
        fields = line.split()
        if len(fields) < 10 or fields[3] != _LISTEN:
            continue
        address, colon, port = fields[1].partition(":")
        try:
            listener = Listener(
                parse_address(address), int(port, 16), int(fields[7]), int(fields[9])
            )
        except (ValueError, struct.error):
            continue
        if colon:
            found.append(listener)
    return found


def parse_address(text: str) -> str:
    """Return an address from the kernel's notation: 32-bit words in the host's own byte order.

    Raises:
        ValueError: it is neither an IPv4 nor an IPv6 address.
    """
    raw = bytes.fromhex(text)
    if len(raw) not in (4, 16):
        raise ValueError(text)
    if sys.byteorder == "little":
        raw = b"".join(raw[start : start + 4][::-1] for start in range(0, len(raw), 4))
    return socket.inet_ntop(socket.AF_INET if len(raw) == 4 else socket.AF_INET6, raw)


def listeners() -> list[Listener]:
    """Return every listening TCP socket of this network namespace.

    Raises:
        CannotLookError: this system has no /proc/net/tcp.
    """
    told = sock_diag.listeners()
    if told is not None:
        return told
    found = parse_listeners(read_text("/proc/net/tcp"))
    if os.path.exists("/proc/net/tcp6"):
        found += parse_listeners(read_text("/proc/net/tcp6"))
    return found


def holders(inodes: set[int]) -> dict[int, list[int]]:
    """Return the processes that hold open each of these sockets, as far as we may see."""
    wanted = {f"socket:[{inode}]": inode for inode in inodes}
    found: dict[int, list[int]] = {inode: [] for inode in inodes}
    for pid in pids():
        try:
            names = os.listdir(f"/proc/{pid}/fd")
        except OSError:
            continue
        links = set()
        for name in names:
            try:
                links.add(os.readlink(f"/proc/{pid}/fd/{name}"))
            except OSError:
                continue
        for link in links & wanted.keys():
            found[wanted[link]].append(pid)
    return found
