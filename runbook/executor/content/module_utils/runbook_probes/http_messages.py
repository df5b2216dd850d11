"""HTTP/1.1 as one client needs it: the bytes of a request, and a response read as it comes.

What `http.client` would do, without it: with the parsers of mail that it imports, and TLS, it takes
longer to import than all other probes together.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from io import BufferedReader

# As `http.client` bounds them: the bytes of a line, and the lines of a head with the empty one.
_MOST_LINE_BYTES = 65536
_MOST_HEADERS = 100
# The empty line that ends a head, and the end of what comes.
_NO_LINE = (b"\r\n", b"\n", b"")
_NO_BODY = frozenset([204, 304])
# Methods whose request has a body, so that one that is empty is said to be.
_WITH_BODY = frozenset(["PATCH", "POST", "PUT"])


class NotHttpError(Exception):
    """What came is no response; the text says how."""


class NoAnswerError(Exception):
    """The connection was closed before there was anything of a response."""


class BrokenOffError(Exception):
    """The connection was closed in the middle of a body, or its parts say no size."""


def request_bytes(
    method: str, target: str, host: str, headers: dict[str, str], body: bytes | None
) -> bytes:
    """Return a request; names of headers are in lower case. `host` serves where they name none.

    Raises:
        ValueError: it would say something else than was meant, such as another line.
    """
    for what, text, first in (("method", method, " "), ("URL", target, "!")):
        odd = next((each for each in text if each < first or each == "\x7f"), None)
        if odd is not None:
            told = f"{what} can't contain control characters. {text!r} (found at least {odd!r})"
            raise ValueError(told)
    lines = [f"{method} {target} HTTP/1.1".encode("ascii")]
    if "host" not in headers:
        lines.append(b"Host: " + _host_bytes(host))
    if "accept-encoding" not in headers:
        lines.append(b"Accept-Encoding: identity")
    if "content-length" not in headers and "transfer-encoding" not in headers:
        if body is not None:
            lines.append(b"Content-Length: %d" % len(body))
        elif method in _WITH_BODY:
            lines.append(b"Content-Length: 0")
    lines += [_header(name, value) for name, value in headers.items()]
    return b"\r\n".join([*lines, b"", body or b""])


def _host_bytes(host: str) -> bytes:
    try:
        return host.encode("ascii")
    except UnicodeEncodeError:
        return host.encode("idna")


def _header(name: str, value: str) -> bytes:
    encoded = name.encode("ascii")
    if not name or name[0].isspace() or any(each in name for each in ":\r\n"):
        raise ValueError(f"Invalid header name {encoded!r}")
    data = value.encode("latin-1")
    if any(each in data for each in b"\r\n") and re.search(rb"\n(?![ \t])|\r(?![ \t\n])", data):
        # A break that does not go on with the same header begins another one.
        raise ValueError(f"Invalid header value {data!r}")
    return encoded + b": " + data


class Response:
    """A response whose head was read from `stream`; the body comes from `chunks`.

    Raises, as `chunks` does, what the stream raises, and:
        NoAnswerError: there is none.
        NotHttpError: it is none.
    """

    def __init__(self, stream: BufferedReader, method: str) -> None:
        self._stream = stream
        status = 100
        # Headers ahead of the final answer say nothing of it.
        while status == 100:
            version, status, self.reason = _read_status(stream)
            if status != 100 and not version.startswith(("HTTP/1.", "HTTP/0.9")):
                raise NotHttpError("UnknownProtocol: " + version)
            headers = _read_headers(stream)
        self.status = status
        self.headers: dict[str, str] = {}
        for name, value in headers:
            before = self.headers.get(name)
            self.headers[name] = value if before is None else f"{before}, {value}"
        first = dict(reversed(headers))
        self._is_chunked = first.get("transfer-encoding", "").lower() == "chunked"
        self._left = None if self._is_chunked else _length(first.get("content-length"))
        if status in _NO_BODY or 100 <= status < 200 or method == "HEAD":
            self._is_chunked, self._left = False, 0

    def chunks(self, most: int) -> Iterator[bytes]:
        """Give the body as it comes, until more than `most` bytes were given.

        Raises:
            BrokenOffError: it ended too soon.
            NotHttpError: a part's size takes a line without end.
        """
        size = 0
        while size <= most:
            chunk = self._chunk(most + 1 - size)
            if not chunk:
                break
            yield chunk
            size += len(chunk)
        if size <= most and not self._is_chunked and self._left:
            raise BrokenOffError

    def _chunk(self, most: int) -> bytes:
        if self._is_chunked:
            return self._part(most)
        if self._left is None:
            return self._stream.read1(most)
        chunk = self._stream.read1(min(most, self._left)) if self._left else b""
        self._left -= len(chunk)
        return chunk

    def _part(self, most: int) -> bytes:
        """Return more of a body that comes in parts, each after its size; `_left` is of this part."""
        if not self._left:
            if self._left == 0 and len(self._stream.read(2)) < 2:
                raise BrokenOffError
            self._left = self._part_size()
            if self._left == 0:
                # What may follow the last part says nothing of the body.
                while _read_line(self._stream, "trailer line") not in _NO_LINE:
                    continue
                return b""
        chunk = self._stream.read1(min(most, self._left))
        if not chunk:
            raise BrokenOffError
        self._left -= len(chunk)
        return chunk

    def _part_size(self) -> int:
        line = _read_line(self._stream, "chunk size")
        try:
            size = int(line.partition(b";")[0], 16)
        except ValueError:
            size = -1
        if size < 0:
            raise BrokenOffError
        return size


def _read_line(stream: BufferedReader, what: str) -> bytes:
    line = stream.readline(_MOST_LINE_BYTES + 1)
    if len(line) > _MOST_LINE_BYTES:
        raise NotHttpError(
            f"LineTooLong: got more than {_MOST_LINE_BYTES} bytes when reading {what}"
        )
    return line


def _read_status(stream: BufferedReader) -> tuple[str, int, str]:
    line = _read_line(stream, "status line").decode("latin-1")
    if not line:
        raise NoAnswerError
    version, *rest = line.split(None, 2)[:3] or [""]
    number = rest[0] if rest else ""
    if not version.startswith("HTTP/"):
        raise NotHttpError("BadStatusLine: " + line)
    try:
        status = int(number)
    except ValueError:
        status = 0
    if not 100 <= status <= 999:
        raise NotHttpError("BadStatusLine: " + line)
    return version, status, rest[1].strip() if len(rest) > 1 else ""


def _read_headers(stream: BufferedReader) -> list[tuple[str, str]]:
    """Return the headers, their names in lower case; a line that is none ends them."""
    lines: list[str] = []
    while True:
        data = _read_line(stream, "header line")
        if len(lines) == _MOST_HEADERS:
            raise NotHttpError(f"HTTPException: got more than {_MOST_HEADERS} headers")
        if data in _NO_LINE:
            break
        lines.append(data.decode("latin-1"))
    found: list[tuple[str, str]] = []
    is_named = False
    for line in lines:
        if line[0] in " \t":
            # A long value may go on in further lines; what has no name is passed over with them.
            if is_named:
                found[-1] = (found[-1][0], found[-1][1] + line)
            continue
        name, colon, value = line.partition(":")
        if not (colon and name.isascii() and name.isprintable() and " " not in name):
            break
        is_named = bool(name)
        if is_named:
            found.append((name.lower(), value.lstrip(" \t")))
    return [(name, value.rstrip("\r\n")) for name, value in found]


def _length(text: str | None) -> int | None:
    try:
        number = int(text or "")
    except ValueError:
        return None
    return number if number >= 0 else None
