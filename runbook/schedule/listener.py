"""Listening for calls from outside: the only place that knows of HTTP.

What is not understood, too large, too frequent or not proven to be from the right sender is answered
with a status and a reason, and goes no further. It speaks plain HTTP to whoever is near, by default
this machine alone; a proxy in front of it does TLS.
"""

import hashlib
import hmac
import json
import threading
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from http import HTTPStatus
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from socket import AF_INET, AF_INET6, socket
from typing import Any

from runbook.schedule.hooks import Hook, Scheme
from runbook.schedule.pages import Page

LARGEST = 1_048_576
"""How many bytes a call may have."""

OLDEST_S = 300.0
"""How old a signed call may be, and how far ahead its sender's clock may be."""

_PATIENCE_S = 10.0
_MOST_AT_ONCE = 32
_PREFIX = "/hooks/"


@dataclass(frozen=True, kw_only=True, slots=True)
class Call:
    """A call that is from whom it says; `signature` is what it was signed with, "" for a token."""

    hook: Hook
    content: bytes
    signature: str = ""


@dataclass(frozen=True, kw_only=True, slots=True)
class Reply:
    """What is answered: a status and a JSON document."""

    status: HTTPStatus
    document: Mapping[str, object]


class RefusedError(Exception):
    """A call goes no further; the message says why."""

    def __init__(self, status: HTTPStatus, reason: str) -> None:
        super().__init__(reason)
        self.status = status


def prove(hook: Hook, header: Callable[[str], str], content: bytes, now: float) -> str:
    """Return the signature of a call ("" for a token); raise RefusedError where it proves nothing.

    A signed call has `X-Runbook-Timestamp` (POSIX seconds) and `X-Runbook-Signature`, `sha256=` and
    the HMAC, in hexadecimal, of that timestamp, a dot and the content. `now` is POSIX seconds.
    """
    nobody = RefusedError(HTTPStatus.UNAUTHORIZED, "it does not prove who sends it")
    if hook.scheme is Scheme.BEARER:
        kind, _, token = header("Authorization").partition(" ")
        right = hmac.compare_digest(token.strip().encode(), hook.secret)
        if kind.lower() != "bearer" or not right:
            raise nobody
        return ""
    stamp = header("X-Runbook-Timestamp")
    signature = header("X-Runbook-Signature")
    wanted = hmac.new(hook.secret, stamp.encode() + b"." + content, hashlib.sha256).hexdigest()
    if not hmac.compare_digest(signature.encode(), f"sha256={wanted}".encode()):
        raise nobody
    # The timestamp is signed, so whoever knows the secret wrote it.
    if not stamp.isdecimal() or abs(now - int(stamp)) > OLDEST_S:
        raise RefusedError(HTTPStatus.UNAUTHORIZED, "its timestamp is too old, or ahead")
    return signature


@dataclass(kw_only=True)
class Pace:
    """How many calls are taken: `per_minute` in any minute on the whole, in a burst too."""

    per_minute: int
    clock: Callable[[], float] = time.monotonic
    _left: float = field(init=False)
    _at: float = field(init=False)

    def __post_init__(self) -> None:
        self._left, self._at = float(self.per_minute), self.clock()

    def take(self) -> bool:
        """Take one call, unless there were too many."""
        now = self.clock()
        self._left = min(self.per_minute, self._left + (now - self._at) * self.per_minute / 60)
        self._at = now
        if self._left < 1:
            return False
        self._left -= 1
        return True


class Listener:
    """Takes calls from when it is made until it is closed, in threads of its own.

    `receive` answers them, and `page` those who only look. `address` is where it listens, with the
    port that it got. Raises OSError where it cannot listen there.
    """

    def __init__(
        self,
        host: str,
        port: int,
        hooks: Sequence[Hook],
        receive: Callable[[Call], Reply],
        page: Callable[[str], Page | None] = lambda _: None,
    ) -> None:
        self._server = _Server(host, port, hooks, receive, page)
        self.address = f"{host}:{self._server.server_port}"
        self._thread = threading.Thread(target=self._server.serve_forever, args=(0.1,), daemon=True)
        self._thread.start()

    def close(self) -> None:
        """Take no more calls, and see those under way answered."""
        self._server.shutdown()
        self._thread.join()
        self._server.server_close()


class _Server(ThreadingHTTPServer):
    daemon_threads = False
    request_queue_size = 128

    def __init__(
        self,
        host: str,
        port: int,
        hooks: Sequence[Hook],
        receive: Callable[[Call], Reply],
        page: Callable[[str], Page | None],
    ) -> None:
        self.address_family = AF_INET6 if ":" in host else AF_INET
        self.hooks = {hook.name: hook for hook in hooks}
        self.paces = {hook.name: Pace(per_minute=hook.per_minute) for hook in hooks}
        self.pace_lock = threading.Lock()
        self.receive = receive
        self.page = page
        self._places = threading.BoundedSemaphore(_MOST_AT_ONCE)
        super().__init__((host, port), _Handler)

    def process_request(self, request: socket | tuple[bytes, socket], client_address: Any) -> None:
        """Give a call a thread; while all are taken, callers wait to be let in."""
        self._places.acquire()
        super().process_request(request, client_address)

    def process_request_thread(
        self, request: socket | tuple[bytes, socket], client_address: Any
    ) -> None:
        """See one call through."""
        try:
            super().process_request_thread(request, client_address)
        finally:
            self._places.release()

    def handle_error(self, request: socket | tuple[bytes, socket], client_address: Any) -> None:
        """Pass over a caller who went away."""


class _Handler(BaseHTTPRequestHandler):
    server: _Server
    timeout = _PATIENCE_S
    server_version = "runbook"
    sys_version = ""

    def do_GET(self) -> None:
        """Show a page."""
        page = self.server.page(self.path) or Page(
            status=HTTPStatus.NOT_FOUND, content="there is no such page\n"
        )
        content = page.content.encode()
        self.send_response(page.status)
        self.send_header("Content-Type", page.kind)
        self.send_header("Content-Length", str(len(content)))
        self.end_headers()
        self.wfile.write(content)

    def do_POST(self) -> None:
        """Answer a call."""
        try:
            reply = self._answered()
        except RefusedError as refused:
            reply = Reply(status=refused.status, document={"reason": str(refused)})
        content = json.dumps(reply.document).encode() + b"\n"
        self.send_response(reply.status)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(content)))
        if reply.status in {HTTPStatus.TOO_MANY_REQUESTS, HTTPStatus.SERVICE_UNAVAILABLE}:
            self.send_header("Retry-After", "10")
        self.end_headers()
        self.wfile.write(content)

    def log_message(self, format: str, *args: Any) -> None:  # noqa: A002 -- as its base calls it
        """Leave logging to who is called."""

    def _answered(self) -> Reply:
        hook = self.server.hooks.get(self.path.removeprefix(_PREFIX))
        if hook is None or not self.path.startswith(_PREFIX):
            raise RefusedError(HTTPStatus.NOT_FOUND, "there is no such hook")
        content = self._content()
        signature = prove(hook, self._header, content, time.time())
        with self.server.pace_lock:
            if not self.server.paces[hook.name].take():
                raise RefusedError(HTTPStatus.TOO_MANY_REQUESTS, "too many calls; come again later")
        return self.server.receive(Call(hook=hook, content=content, signature=signature))

    def _header(self, name: str) -> str:
        return self.headers.get(name, "")

    def _content(self) -> bytes:
        told = self.headers.get("Content-Length", "")
        if not told.isdecimal():
            raise RefusedError(HTTPStatus.LENGTH_REQUIRED, "it does not say how long it is")
        if int(told) > LARGEST:
            raise RefusedError(
                HTTPStatus.REQUEST_ENTITY_TOO_LARGE, f"it is longer than {LARGEST} bytes"
            )
        content = self.rfile.read(int(told))
        if len(content) != int(told):
            raise RefusedError(HTTPStatus.BAD_REQUEST, "it is shorter than it says")
        return content
