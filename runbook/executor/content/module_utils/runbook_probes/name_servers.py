"""Ask a name server directly: one question, one datagram."""

from __future__ import annotations

import os
import socket
import struct

from .records import Record

TYPES = {"A": 1, "AAAA": 28}
_HEADER = struct.Struct("!6H")
_RECORD = struct.Struct("!2HIH")
_IS_ANSWER = 0x8000
_RECURSION_DESIRED = 0x0100
_IN = 1
_RCODES = {2: "servfail", 3: "nxdomain", 5: "refused"}


class Reply(Record):
    """What a name server said: addresses, or a word for why there are none."""

    addresses: list[str]
    error: str | None


def question(number: int, name: str, kind: str) -> bytes:
    """Return the datagram that asks for a name.

    Raises:
        ValueError: it is not a name.
    """
    labels = [label.encode("idna") for label in name.rstrip(".").split(".")]
    if not all(0 < len(label) < 64 for label in labels):
        raise ValueError("not a host name")
    encoded = b"".join(bytes([len(label)]) + label for label in labels) + b"\0"
    head = _HEADER.pack(number, _RECURSION_DESIRED, 1, 0, 0, 0)
    return head + encoded + struct.pack("!2H", TYPES[kind], _IN)


def parse_reply(data: bytes, number: int, kind: str) -> Reply | None:
    """Return what a datagram says, None if it is not an answer to that question."""
    try:
        return _parse(data, number, kind)
    except (struct.error, IndexError, ValueError):
        return None


def _parse(data: bytes, number: int, kind: str) -> Reply | None:
    identity, flags, questions, answers, _, _ = _HEADER.unpack_from(data)
    if identity != number or not flags & _IS_ANSWER:
        return None
    position = _HEADER.size
    for _ in range(questions):
        position = _after_name(data, position) + 4
    addresses = []
    for _ in range(answers):
        position = _after_name(data, position)
        record, _, _, length = _RECORD.unpack_from(data, position)
        position += _RECORD.size
        if record == TYPES[kind]:
            family = socket.AF_INET if kind == "A" else socket.AF_INET6
            addresses.append(socket.inet_ntop(family, data[position : position + length]))
        position += length
    code = flags & 0xF
    if addresses:
        return Reply(addresses, None)
    return Reply([], _RCODES.get(code, "servfail") if code else "no_address")


def _after_name(data: bytes, position: int) -> int:
    while True:
        length = data[position]
        if length & 0xC0:
            return position + 2
        position += 1 + length
        if not length:
            return position


def ask(server: tuple[str, int], name: str, kind: str) -> Reply:
    """Ask a name server, and wait for its answer.

    Raises:
        ValueError: the name is none.
        OSError: there is no way to the server.
    """
    number = int.from_bytes(os.urandom(2), "big")
    family = socket.AF_INET6 if ":" in server[0] else socket.AF_INET
    with socket.socket(family, socket.SOCK_DGRAM) as link:
        # Connected, it takes datagrams of that server only, and hears of a refusal.
        link.connect(server)
        link.send(question(number, name, kind))
        while True:
            reply = parse_reply(link.recv(4096), number, kind)
            if reply is not None:
                return reply
