"""HTTP requests, as a client sees them."""

from __future__ import annotations

import base64
import json as json_text
import socket
import time
from urllib.parse import unquote, urljoin, urlsplit

from . import http_messages
from .call import CannotLookError, Look, OverTimeError
from .http_messages import BrokenOffError, NoAnswerError, NotHttpError
from .network import NoConnectionError, connect, kind_of, plain_name
from .records import Record
from .values import MAX_DEPTH

MAX_REDIRECTS = 10
_DEFAULT_PORTS = {"http": 80, "https": 443}
_REDIRECTS = frozenset([301, 302, 303, 307, 308])
_BOUND_TO_HOST = frozenset(["host", "authorization", "cookie"])


class _Request(Record):
    url: str
    method: str
    headers: dict[str, str]
    body: bytes | None
    verify_tls: bool
    max_body_bytes: int


class _Response(Record):
    status: int
    reason: str
    headers: dict[str, str]
    body: bytes


class _PartlyAnsweredError(Exception):
    """The head of a response came, its body did not come to an end."""

    def __init__(self, response: _Response, kind: str, reason: str) -> None:
        super().__init__(reason)
        self.response = response
        self.kind = kind


def http(
    look: Look,
    *,
    url: str,
    method: str = "GET",
    headers: dict[str, str] | None = None,
    body: object = None,
    follow_redirects: bool = False,
    verify_tls: bool = True,
    max_body_bytes: int | None = None,
) -> dict[str, object]:
    """Send a request and say what came back; no proxy of the environment is used."""
    most = look.max_bytes if max_body_bytes is None else max_body_bytes
    data, headers = _prepared(url, headers or {}, body)
    request = _Request(url, method.upper(), headers, data, verify_tls, most)
    started = time.perf_counter()
    facts: dict[str, object] = {
        "answered": False, "status": None, "error": None, "reason": "", "headers": {}, "body": "",
        "json": None, "url": url,
    }  # fmt: skip
    try:
        for _ in range(MAX_REDIRECTS + 1):
            response = _exchange(look, request)
            onward = _redirected(request, response) if follow_redirects else None
            if onward is None:
                break
            request = onward
        facts.update(_seen(request, response), answered=True)
    except _PartlyAnsweredError as partly:
        facts.update(_seen(request, partly.response), error=partly.kind, reason=str(partly))
    except NoConnectionError as failure:
        facts.update(error=failure.kind, reason=str(failure))
    facts["elapsed_s"] = round(time.perf_counter() - started, 4)
    return facts


def expect_address(url: str) -> None:
    """Raise CannotLookError where nobody can be asked by this URL."""
    _parts(url)


def _prepared(
    url: str, headers: dict[str, str], body: object
) -> tuple[bytes | None, dict[str, str]]:
    headers = {name.lower(): value for name, value in headers.items()}
    data = None
    if isinstance(body, (dict, list)):
        data = json_text.dumps(body).encode("ascii")
        headers.setdefault("content-type", "application/json")
    elif body is not None:
        data = str(body).encode("utf-8")
    headers.setdefault("user-agent", "runbook-probe")
    headers.setdefault("connection", "close")
    parts = _parts(url)
    if parts.username is not None:
        user = f"{unquote(parts.username)}:{unquote(parts.password or '')}".encode()
        headers.setdefault("authorization", "Basic " + base64.b64encode(user).decode("ascii"))
    return data, headers


def _parts(url: str) -> _Url:
    if not url.isprintable() or " " in url:
        raise CannotLookError("url: it holds white space or control characters")
    try:
        parts = urlsplit(url)
        port = parts.port or _DEFAULT_PORTS.get(parts.scheme, 0)
    except ValueError as error:
        raise CannotLookError(f"url: {error}") from None
    if parts.scheme not in ("http", "https") or not parts.hostname:
        raise CannotLookError("url must begin with http:// or https:// and a host")
    target = parts.path or "/"
    if parts.query:
        target += "?" + parts.query
    return _Url(parts.scheme, parts.hostname, port, target, parts.username, parts.password)


class _Url(Record):
    scheme: str
    host: str
    port: int
    target: str
    username: str | None
    password: str | None


def _exchange(look: Look, request: _Request) -> _Response:
    """Send one request and read its response.

    Raises:
        NoConnectionError: there was no response.
        _PartlyAnsweredError: it broke off.
        CannotLookError: the request is not one that can be sent.
    """
    parts = _parts(request.url)
    connection = connect(look, parts.host, parts.port)
    try:
        if parts.scheme == "https":
            connection = _encrypted(connection, request, parts.host)
        connection.sendall(
            http_messages.request_bytes(
                request.method, parts.target, _named(parts), request.headers, request.body
            )
        )
        with connection.makefile("rb") as stream:
            return _read(http_messages.Response(stream, request.method), request.max_body_bytes)
    except (UnicodeError, ValueError) as error:
        if isinstance(error, OSError):
            raise _failure(error) from None
        raise CannotLookError(f"the request cannot be sent: {error}") from None
    except (OSError, OverTimeError, NoAnswerError, NotHttpError) as error:
        raise _failure(error) from None
    finally:
        connection.close()


def _named(parts: _Url) -> str:
    """Return what the Host header says of an address where its author does not."""
    host = f"[{parts.host}]" if ":" in parts.host else parts.host
    return host if parts.port == _DEFAULT_PORTS[parts.scheme] else f"{host}:{parts.port}"


def _encrypted(plain: socket.socket, request: _Request, host: str) -> socket.socket:
    # Only where it is needed: loading the certificates of the system takes its time.
    import ssl  # noqa: PLC0415

    # As the author of a Host header means it: the site of that name, reached at this address.
    name = urlsplit("//" + request.headers.get("host", host)).hostname or host
    if request.verify_tls:
        context = ssl.create_default_context()
    else:
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
        context.check_hostname = False
        context.verify_mode = ssl.CERT_NONE
    return context.wrap_socket(plain, server_hostname=plain_name(name))


def _read(received: http_messages.Response, max_bytes: int) -> _Response:
    chunks: list[bytes] = []
    failure: Exception | None = None
    try:
        chunks.extend(received.chunks(max_bytes))
    except (OSError, OverTimeError, BrokenOffError, NotHttpError, ValueError) as error:
        failure = error
    response = _Response(received.status, received.reason, received.headers, b"".join(chunks))
    if failure is not None:
        kind = _failure(failure)
        raise _PartlyAnsweredError(response, kind.kind, str(kind))
    return response


def _failure(error: Exception) -> NoConnectionError:
    if isinstance(error, OverTimeError):
        return NoConnectionError("timeout", "no complete answer in time")
    if isinstance(error, NoAnswerError):
        return NoConnectionError("reset", "the connection was closed without an answer")
    if isinstance(error, BrokenOffError):
        return NoConnectionError("reset", "the connection was closed in the middle of the answer")
    if isinstance(error, OSError):
        kind = kind_of(error)
        if type(error).__module__ == "ssl" and kind != "timeout":
            reason = getattr(error, "verify_message", None) or error.strerror or str(error)
            return NoConnectionError("tls", reason)
        if kind is None:
            raise CannotLookError(str(error))
        return NoConnectionError(kind, error.strerror or "no complete answer in time")
    return NoConnectionError("protocol", f"not HTTP: {error}")


def _redirected(request: _Request, response: _Response) -> _Request | None:
    place = response.headers.get("location")
    if response.status not in _REDIRECTS or not place:
        return None
    url = urljoin(request.url, place)
    headers = request.headers
    if _parts(url).host != _parts(request.url).host:
        headers = {name: value for name, value in headers.items() if name not in _BOUND_TO_HOST}
    if response.status in (307, 308) or request.method == "HEAD":
        return request._replace(url=url, headers=headers)
    return request._replace(url=url, headers=headers, method="GET", body=None)


def _seen(request: _Request, response: _Response) -> dict[str, object]:
    body = response.body[: request.max_body_bytes]
    cut = len(response.body) > len(body)
    return {
        "status": response.status,
        "reason": response.reason,
        "headers": response.headers,
        "body": body.decode("utf-8", "replace"),
        "json": None if cut else _json_of(response.headers.get("content-type", ""), body),
        "url": request.url,
        "truncated": cut,
    }


def _json_of(content_type: str, body: bytes) -> object:
    media = content_type.partition(";")[0].strip().lower()
    if media != "application/json" and not media.endswith("+json"):
        return None
    try:
        value = json_text.loads(body)
    except (ValueError, RecursionError):
        return None
    return value if _depth_ok(value, MAX_DEPTH - 2) else None


def _depth_ok(value: object, left: int) -> bool:
    inner: list[object] = []
    if isinstance(value, dict):
        inner = list(value.values())
    elif isinstance(value, list):
        inner = value
    return left > 0 and all(_depth_ok(item, left - 1) for item in inner)
