"""Small real servers, each with a way to misbehave."""

import contextlib
import http.server
import json
import socket
import socketserver
import threading
from collections.abc import Callable, Iterator
from types import TracebackType
from typing import Self


class _Handler(http.server.BaseHTTPRequestHandler):
    """Answers by the path of the request."""

    protocol_version = "HTTP/1.1"

    def do_GET(self) -> None:
        path = self.path.partition("?")[0]
        if path == "/moved":
            self._answer(302, b"", ("Location", "/health"))
        elif path == "/loop":
            self._answer(302, b"", ("Location", "/loop"))
        elif path == "/elsewhere":
            port = self.headers["Host"].rpartition(":")[2]
            self._answer(302, b"", ("Location", f"http://localhost:{port}/echo"))
        elif path.startswith("/status/"):
            self._answer(int(path.rpartition("/")[2]), b"as asked")
        elif path == "/echo":
            told = {
                "method": self.command,
                "headers": {name.lower(): value for name, value in self.headers.items()},
                "body": self._body(),
            }
            self._answer(200, json.dumps(told).encode(), ("Content-Type", "application/json"))
        elif path == "/deep":
            self._answer(200, b"[" * 5000 + b"]" * 5000, ("Content-Type", "application/json"))
        elif path == "/odd":
            self._answer(200, b"\xff\xfe\x00 caf\xe9", ("X-Odd", "a"), ("X-Odd", "b"))
        elif path == "/large":
            self._answer(200, b"x" * 200_000)
        else:
            health = b'{"status": "healthy"}'
            self._answer(200, health, ("Content-Type", "application/json"))

    def do_POST(self) -> None:
        self.do_GET()

    def do_HEAD(self) -> None:
        self.do_GET()

    def _body(self) -> str:
        return self.rfile.read(int(self.headers.get("Content-Length", 0))).decode()

    def _answer(self, status: int, body: bytes, *headers: tuple[str, str]) -> None:
        self.send_response(status)
        for name, value in headers:
            self.send_header(name, value)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        if self.command != "HEAD":
            self.wfile.write(body)

    def log_message(self, *args: object) -> None:
        """Stay quiet."""


class Server:
    """An HTTP server in a thread."""

    def __init__(self) -> None:
        self._server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), _Handler)
        self.port = int(self._server.server_address[1])
        self._thread = threading.Thread(target=self._server.serve_forever, args=(0.01,))

    def url(self, path: str = "/health") -> str:
        """Return the address of a path."""
        return f"http://127.0.0.1:{self.port}{path}"

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self._server.shutdown()
        self._thread.join()
        self._server.server_close()


@contextlib.contextmanager
def tcp_server(talk: Callable[[socket.socket], None]) -> Iterator[int]:
    """Serve every connection by a function; yield the port."""

    class Handler(socketserver.BaseRequestHandler):
        def handle(self) -> None:
            with contextlib.suppress(OSError):
                talk(self.request)

    with socketserver.ThreadingTCPServer(("127.0.0.1", 0), Handler) as server:
        server.daemon_threads = True
        thread = threading.Thread(target=server.serve_forever, args=(0.01,))
        thread.start()
        try:
            yield int(server.server_address[1])
        finally:
            server.shutdown()
            thread.join()


@contextlib.contextmanager
def black_hole() -> Iterator[int]:
    """Yield a port whose queue of connections is full: the kernel drops every further attempt."""
    with contextlib.ExitStack() as stack:
        listener = stack.enter_context(socket.socket())
        listener.bind(("127.0.0.1", 0))
        listener.listen(0)
        for _ in range(4):
            waiting = stack.enter_context(socket.socket())
            waiting.settimeout(0)
            waiting.connect_ex(listener.getsockname())
        yield int(listener.getsockname()[1])
