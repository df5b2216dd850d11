"""One exchange of HTTP, held to what Python's own client makes of the same bytes."""

import io
from collections.abc import Callable
from http.client import (
    HTTPConnection,
    HTTPException,
    HTTPResponse,
    IncompleteRead,
    RemoteDisconnected,
)
from typing import Any

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from runbook.executor.content.module_utils.runbook_probes.http_messages import (
    BrokenOffError,
    NoAnswerError,
    NotHttpError,
    Response,
    request_bytes,
)

MOST = 100


class Link:
    """A connection over which all is there that ever comes."""

    def __init__(self, comes: bytes = b"") -> None:
        self._comes = comes
        self.sent = b""

    def makefile(self, *_: object) -> io.BufferedReader:
        """Return what comes, as a socket does."""
        return io.BufferedReader(io.BytesIO(self._comes))

    def sendall(self, data: bytes) -> None:
        """Note what is sent."""
        self.sent += data

    def close(self) -> None:
        """Do nothing, as nothing is open."""


def told(comes: bytes, method: str) -> tuple[object, ...]:
    """Return what we make of a response."""
    body = b""
    try:
        response = Response(Link(comes).makefile(), method)
    except NoAnswerError:
        return ("none",)
    except NotHttpError as error:
        return ("not HTTP", str(error))
    end = "complete"
    try:
        for chunk in response.chunks(MOST):
            body += chunk
    except BrokenOffError:
        end = "broken off"
    except NotHttpError as error:
        end = str(error)
    return (response.status, response.reason, response.headers, body, end)


def expected(comes: bytes, method: str) -> tuple[object, ...]:
    """Return what `http.client` makes of it."""
    link: Any = Link(comes)
    response = HTTPResponse(link, method=method)
    body, end = b"", "complete"
    try:
        response.begin()
    except RemoteDisconnected:
        return ("none",)
    except HTTPException as error:
        return ("not HTTP", f"{type(error).__name__}: {error}")
    try:
        while len(body) <= MOST and (chunk := response.read1(MOST + 1 - len(body))):
            body += chunk
        if len(body) <= MOST and response.length:
            end = "broken off"
    except IncompleteRead:
        end = "broken off"
    except HTTPException as error:
        end = f"{type(error).__name__}: {error}"
    headers: dict[str, str] = {}
    for key, value in response.getheaders():
        name = key.lower()
        headers[name] = f"{headers[name]}, {value}" if name in headers else value
    return (response.status, response.reason, headers, body, end)


HEADERS = st.sampled_from(
    [
        b"Content-Length: 5",
        b"content-length: 12",
        b"Content-Length: -1",
        b"Content-Length: many",
        b"Transfer-Encoding: chunked",
        b"Transfer-Encoding: Chunked",
        b"transfer-encoding: gzip",
        b"X-One:a",
        b"X-ONE: \t b ",
        b" goes on",
        b"\tgoes on",
        b"no header at all",
        b": nameless",
        b"odd name: x",
        b"X-Caf\xe9: x",
        b"X-Value: caf\xe9",
        b"X-Empty:",
    ]
)
BODIES = st.sampled_from(
    [
        b"",
        b"hello",
        b"hello, world",
        b"x" * (3 * MOST),
        b"5\r\nhello\r\n0\r\n\r\n",
        b"5;a=b\r\nhello\r\n7\r\n, world\r\n0\r\nX-Last: 1\r\n\r\n",
        b"5\r\nhel",
        b"5\r\nhello",
        b"5\r\nhello\r\n",
        b"not a size\r\nhello\r\n",
        b"ff\r\n" + b"x" * 255 + b"\r\n0\r\n\r\n",
        b"0\r\n",
        b"1" * 70000,
    ]
)
STATUS_LINES = st.sampled_from(
    [
        b"HTTP/1.1 200 OK",
        b"HTTP/1.1 200",
        b"HTTP/1.1 404 Not  Found ",
        b"HTTP/1.0 502 Bad Gateway",
        b"HTTP/0.9 200 OK",
        b"HTTP/1.1 204 No Content",
        b"HTTP/1.1 304 Not Modified",
        b"HTTP/1.1 101 Switching Protocols",
        b"HTTP/1.1 100 Continue\r\nX-Early: 1\r\n\r\nHTTP/1.1 200 OK",
        b"HTTP/2 200 OK",
        b"HTTP/1.1 99 Low",
        b"HTTP/1.1 1000 High",
        b"HTTP/1.1 many OK",
        b"HTTP/1.1",
        b"SSH-2.0-OpenSSH_9.2",
        b"caf\xe9",
        b"",
        b"H" * 70000,
    ]
)


@example(
    headers=[b"Content-Length: 5", b": nameless", b" goes on"],
    status=b"HTTP/1.1 200 OK",
    body=b"",
    end=b"\r\n",
    method="GET",
)
@given(
    st.lists(HEADERS, max_size=6),
    STATUS_LINES,
    BODIES,
    st.sampled_from([b"\r\n", b"\n"]),
    st.sampled_from(["GET", "HEAD"]),
)
def test_a_response_is_read_as_by_pythons_own_client(
    headers: list[bytes], status: bytes, body: bytes, end: bytes, method: str
) -> None:
    """Status, headers, body, and where it broke off or was no HTTP: the same, word for word."""
    if b" 204 " in status or b" 304 " in status or b" 101 " in status:
        # Those have no body, which theirs forgets where one is said to come in parts.
        headers = [each for each in headers if b"chunked" not in each.lower()]
    comes = end.join([status, *headers, b"", body])

    assert told(comes, method) == expected(comes, method)


@pytest.mark.parametrize(
    "comes",
    [
        b"",
        b"HTTP/1.1 200 OK\r\n" + b"X: y\r\n" * 99 + b"\r\n",
        b"HTTP/1.1 200 OK\r\n" + b"X: y\r\n" * 100 + b"\r\n",
        b"HTTP/1.1 200 OK\r\nX: " + b"y" * 70000 + b"\r\n\r\n",
    ],
    ids=["nothing", "99 headers", "100 headers", "a long one"],
)
def test_the_limits_of_a_head_are_the_same(comes: bytes) -> None:
    """As many headers are read, and as long ones, and one more is told in the same words."""
    assert told(comes, "GET") == expected(comes, "GET")


VALUES = st.sampled_from(["a", "", "caf\xe9", "a\r\nX: b", "a\r\n b", "a\n", "\u20ac", "a b"])


@given(
    st.sampled_from(["GET", "HEAD", "POST", "PUT", "DELETE", "G T", "GE\rT", "G\xc9T"]),
    st.sampled_from(["/", "/a?b=c", "/a b", "/caf\xe9", "/a\x7f"]),
    st.dictionaries(
        st.sampled_from(["host", "user-agent", "accept-encoding", "content-length"])
        | st.sampled_from(["transfer-encoding", "a b", "a:b", " a", "a\r", "", "\xe9"]),
        VALUES,
        max_size=3,
    ),
    st.sampled_from([None, b"", b"text"]),
    st.sampled_from([("192.0.2.1", 80), ("2001:db8::1", 80), ("caf\xe9.example", 8000)]),
)
def test_a_request_is_what_pythons_own_client_sends(
    method: str, target: str, headers: dict[str, str], body: bytes | None, place: tuple[str, int]
) -> None:
    """The same bytes, or refused in the same words."""
    host, port = place
    named = f"[{host}]" if ":" in host else host
    named += f":{port}" * (port != 80)
    connection: Any = HTTPConnection(host, port)
    connection.sock = link = Link()

    ours = said(lambda: request_bytes(method, target, named, headers, body))

    def sent() -> bytes:
        connection.request(method, target, body, headers)
        return link.sent

    assert ours == said(sent)


def said(ask: Callable[[], bytes]) -> bytes | str:
    """Return the bytes, or why there are none."""
    try:
        return ask()
    except (ValueError, HTTPException) as error:
        return str(error)
