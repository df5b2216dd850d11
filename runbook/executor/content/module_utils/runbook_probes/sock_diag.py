"""Listening TCP sockets as the kernel tells them to who asks for those only: sock_diag(7).

Ahead of the end of its tables in /proc it looks through all connections, which takes milliseconds
each time, also where there are none.
"""

from __future__ import annotations

import socket
import struct

from .records import Record

_SOCK_DIAG = 4
_BY_FAMILY = 20
_DUMP = 0x301
_CHANGED_MEANWHILE = 0x10
_DONE = 3
_LISTEN = 1 << 10
_READ_SIZE = 1 << 17
# struct nlmsghdr, and struct inet_diag_req_v2 with room for an address that is not asked for.
_HEAD = struct.Struct("=IHHII")
_ASKED = struct.Struct("=BBBxI48x")
# struct inet_diag_msg: family, port, address, and at its end user and inode.
_TOLD = struct.Struct("=B3x2s2x16s40xII")
_ADDRESS_BYTES = {int(socket.AF_INET): 4, int(socket.AF_INET6): 16}
_MODULE = b"tcp_diag "


class Listener(Record):
    """A listening TCP socket."""

    address: str
    port: int
    uid: int
    inode: int


class RefusedError(Exception):
    """The kernel does not tell, or not all."""


def listeners() -> list[Listener] | None:
    """Return every listening TCP socket of this network namespace, None where the kernel tells none.

    Where it would have to load something first it is not asked: a look changes nothing.
    """
    if not _is_there():
        return None
    found: list[Listener] = []
    try:
        with socket.socket(socket.AF_NETLINK, socket.SOCK_RAW, _SOCK_DIAG) as link:
            for family in (socket.AF_INET, socket.AF_INET6):
                body = _ASKED.pack(family, socket.IPPROTO_TCP, 0, _LISTEN)
                link.send(_HEAD.pack(_HEAD.size + len(body), _BY_FAMILY, _DUMP, 0, 0) + body)
                while parse(link.recv(_READ_SIZE), found):
                    continue
    except (OSError, AttributeError, RefusedError):
        return None
    return found


def parse(data: bytes, found: list[Listener]) -> bool:
    """Add the sockets that a part of the answer tells of; say whether there are further parts.

    Raises:
        RefusedError: it is no answer, or the sockets changed while it was given.
    """
    place = 0
    while place + _HEAD.size <= len(data):
        size, kind, flags, _, _ = _HEAD.unpack_from(data, place)
        start = place + _HEAD.size
        if kind == _DONE and not flags & _CHANGED_MEANWHILE:
            return False
        if kind != _BY_FAMILY or flags & _CHANGED_MEANWHILE or size < _HEAD.size + _TOLD.size:
            break
        if start + _TOLD.size > len(data):
            break
        family, port, address, uid, inode = _TOLD.unpack_from(data, start)
        if family not in _ADDRESS_BYTES:
            break
        address = address[: _ADDRESS_BYTES[family]]
        number = int.from_bytes(port, "big")
        found.append(Listener(socket.inet_ntop(family, address), number, uid, inode))
        place += size + -size % 4
    if place < len(data) or not data:
        raise RefusedError
    return True


def _is_there() -> bool:
    try:
        with open("/proc/modules", "rb") as stream:
            return any(line.startswith(_MODULE) for line in stream)
    except FileNotFoundError:
        # This kernel has built in all that it has.
        return True
    except OSError:
        return False
