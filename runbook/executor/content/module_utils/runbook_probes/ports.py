"""Who listens on a TCP port."""

from __future__ import annotations

import ipaddress
import math

from .call import CannotLookError, Look
from .procfs import holders, listeners, read_process, read_text, user_name
from .sock_diag import Listener

_MOST_HOLDERS = 20


def covers(listening: str, wanted: str) -> bool:
    """Tell whether a socket bound to one address takes connections to another.

    The IPv6 wildcard takes IPv4 as well, which is every system's default.
    """
    bound = _address(listening)
    to = _address(wanted)
    if bound.is_unspecified:
        return bound.version == 6 or to.version == 4
    return bound == to


def _address(text: str) -> ipaddress.IPv4Address | ipaddress.IPv6Address:
    address = ipaddress.ip_address(text.partition("%")[0])
    mapped = address.ipv4_mapped if isinstance(address, ipaddress.IPv6Address) else None
    return mapped or address


def port(look: Look, *, port: int, address: str | None = None) -> dict[str, object]:
    """Find the listeners of a port in the kernel's tables, and the processes behind them."""
    del look
    if address is not None:
        address = "127.0.0.1" if address == "localhost" else address
        try:
            _address(address)
        except ValueError:
            raise CannotLookError("address must be an IP address") from None
    sockets = [
        socket
        for socket in listeners()
        if socket.port == port and (address is None or covers(socket.address, address))
    ]
    owners = holders({socket.inode for socket in sockets})
    # The oldest process first: workers inherit the socket of the one that opened it.
    aged = [each for socket in sockets for each in _rows(socket, owners[socket.inode])]
    rows = [row for _, row in sorted(aged, key=lambda each: each[0])]
    first = rows[0] if rows else dict.fromkeys(("pid", "process", "command", "user"))
    return {
        "listening": bool(rows),
        "addresses": sorted({socket.address for socket in sockets}),
        "owner_known": all(owners[socket.inode] for socket in sockets),
        "pid": first["pid"],
        "process": first["process"],
        "command": first["command"],
        "user": first["user"],
        "listeners": rows[:_MOST_HOLDERS],
    }


def _rows(socket: Listener, owners: list[int]) -> list[tuple[float, dict[str, object]]]:
    """Return a row for each process that holds a socket, with when that process was started."""
    rows: list[tuple[float, dict[str, object]]] = []
    uptime_s = float(read_text("/proc/uptime").split()[0])
    for pid in owners:
        process = read_process(pid)
        if process is not None:
            row: dict[str, object] = {
                "address": socket.address,
                "pid": pid,
                "ppid": process.ppid,
                "process": process.name,
                "command": process.command,
                "user": user_name(process.uid),
                "started_s_ago": round(max(uptime_s - process.started_s, 0.0), 2),
            }
            rows.append((process.started_s, row))
    if rows:
        return rows
    # The kernel says whose socket it is even where we may not see the process.
    unseen: dict[str, object] = dict.fromkeys(
        ("pid", "ppid", "process", "command", "started_s_ago")
    )
    return [(math.inf, {"address": socket.address, **unseen, "user": user_name(socket.uid)})]
