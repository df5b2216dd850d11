"""Read an X.509 certificate: only what says whom it is for, by whom, and for how long.

The standard library reads certificates only of peers it already trusts.
"""

from __future__ import annotations

import base64
import binascii
import datetime
import re
import socket

from .records import Record

_PEM = re.compile(rb"-----BEGIN CERTIFICATE-----(.*?)-----END CERTIFICATE-----", re.DOTALL)
_SEQUENCE = 0x30
_UTC_TIME = 0x17
_OID = 0x06
_BMP_STRING = 0x1E
_VERSION = 0xA0
_EXTENSIONS = 0xA3
_DNS_NAME = 0x82
_IP_ADDRESS = 0x87
_SUBJECT_ALT_NAME = b"\x55\x1d\x11"
_ATTRIBUTES = {
    b"\x55\x04\x03": "CN",
    b"\x55\x04\x06": "C",
    b"\x55\x04\x07": "L",
    b"\x55\x04\x08": "ST",
    b"\x55\x04\x0a": "O",
    b"\x55\x04\x0b": "OU",
}


class Certificate(Record):
    """What a certificate says; times are in seconds since 1970."""

    subject: str
    issuer: str
    not_before_s: float
    not_after_s: float
    names: list[str]
    is_self_signed: bool


class Node(Record):
    """One element of DER: its tag, and its content."""

    tag: int
    content: bytes


def read_certificate(data: bytes) -> Certificate | None:
    """Return the first certificate of PEM or DER data, None if there is none."""
    try:
        match = _PEM.search(data)
        return _read(base64.b64decode(match[1]) if match else data)
    except (ValueError, IndexError, OverflowError, binascii.Error):
        return None


def children(content: bytes) -> list[Node]:
    """Split the content of a constructed element.

    Raises:
        ValueError: it is not DER.
    """
    found = []
    position = 0
    while position < len(content):
        tag, length, start = _head(content, position)
        if start + length > len(content):
            raise ValueError("cut off")
        found.append(Node(tag, content[start : start + length]))
        position = start + length
    return found


def _head(content: bytes, position: int) -> tuple[int, int, int]:
    """Return the tag and length of the element at a position, and where its content begins."""
    tag, length = content[position], content[position + 1]
    start = position + 2
    if length & 0x80:
        size = length & 0x7F
        length = int.from_bytes(content[start : start + size], "big")
        start += size
    return tag, length, start


def _read(data: bytes) -> Certificate:
    # Trailing bytes are none of our business: only the first element is looked at.
    tag, length, start = _head(data, 0)
    if tag != _SEQUENCE:
        raise ValueError("not a certificate")
    fields = children(children(data[start : start + length])[0].content)
    if fields[0].tag == _VERSION:
        fields = fields[1:]
    _, _, issuer, validity, subject, *rest = fields
    begins, ends = (_moment(node) for node in children(validity.content)[:2])
    names = [name for node in rest if node.tag == _EXTENSIONS for name in _alt_names(node.content)]
    common = [value for name, value in _attributes(subject.content) if name == "CN"]
    return Certificate(
        subject=_shown(subject.content),
        issuer=_shown(issuer.content),
        not_before_s=begins,
        not_after_s=ends,
        # Only without any alternative name does the common name count.
        names=names or common,
        is_self_signed=issuer.content == subject.content,
    )


def _moment(node: Node) -> float:
    text = node.content.decode("ascii")
    if node.tag == _UTC_TIME:
        # Two digits are a year from 1950 through 2049.
        text = ("19" if int(text[:2]) >= 50 else "20") + text
    moment = datetime.datetime.strptime(text, "%Y%m%d%H%M%SZ")  # noqa: DTZ007 (Z is UTC)
    return moment.replace(tzinfo=datetime.timezone.utc).timestamp()


def _attributes(name: bytes) -> list[tuple[str, str]]:
    found = []
    for group in children(name):
        for attribute in children(group.content):
            kind, value = children(attribute.content)[:2]
            encoding = "utf-16-be" if value.tag == _BMP_STRING else "utf-8"
            label = _ATTRIBUTES.get(kind.content, kind.content.hex())
            found.append((label, value.content.decode(encoding, "replace")))
    return found


def _shown(name: bytes) -> str:
    return ", ".join(f"{label}={value}" for label, value in _attributes(name))


def _alt_names(wrapped: bytes) -> list[str]:
    found = []
    for extension in children(children(wrapped)[0].content):
        kind, *_, value = children(extension.content)
        if kind.tag != _OID or kind.content != _SUBJECT_ALT_NAME:
            continue
        for name in children(children(value.content)[0].content):
            if name.tag == _DNS_NAME:
                found.append(name.content.decode("ascii", "replace"))
            elif name.tag == _IP_ADDRESS and len(name.content) in (4, 16):
                family = socket.AF_INET if len(name.content) == 4 else socket.AF_INET6
                found.append(socket.inet_ntop(family, name.content))
    return found


def is_for(names: list[str], wanted: str) -> bool:
    """Tell whether a name is among those of a certificate; a wildcard stands for one label."""
    wanted = wanted.lower().rstrip(".")
    tail = wanted.partition(".")[2]
    for name in names:
        lower = name.lower()
        if lower == wanted or (lower.startswith("*.") and tail and lower[2:] == tail):
            return True
    return False
