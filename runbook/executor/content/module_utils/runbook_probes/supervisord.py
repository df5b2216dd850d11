"""Ask supervisord through its own socket.

`supervisorctl` takes a Python of its own to start, and on a busy host more time than a probe has.
"""

from __future__ import annotations

import base64
import configparser
import os
import socket
from http.client import HTTPConnection, HTTPException
from urllib.parse import urlsplit
from xml.parsers.expat import ExpatError
from xmlrpc import client as xmlrpc

from .call import CannotLookError
from .records import Record

_PORT = 9001
_MOST_BYTES = 1 << 20
# supervisor.xmlrpc.Faults
_BAD_NAME = 10


class Server(Record):
    """Where supervisord listens: a Unix socket, or a host and a port."""

    path: str | None
    host: str
    port: int
    headers: dict[str, str]


def server_of(program: list[str], config: str | None) -> Server | None:
    """Return the server that a plain supervisorctl with this configuration would ask.

    None if that cannot be told for sure: no configuration is named or can be read, it refers to an
    environment, or the program does more than run supervisorctl here.
    """
    if config is None or not (
        [os.path.basename(word) for word in program] == ["supervisorctl"]
        or program[-2:] == ["-m", "supervisor.supervisorctl"]
    ):
        return None
    parser = configparser.RawConfigParser(strict=False, inline_comment_prefixes=(";", "#"))
    try:
        if not parser.read(config) or not parser.has_section("supervisorctl"):
            return None
    except (configparser.Error, UnicodeError, OSError):
        return None
    here = os.path.dirname(os.path.abspath(config))
    options = {
        name: value.replace("%(here)s", here) for name, value in parser.items("supervisorctl")
    }
    if any("%" in options.get(name, "") for name in ("serverurl", "username", "password")):
        return None
    return _server(options)


def _server(options: dict[str, str]) -> Server | None:
    headers = {"Content-Type": "text/xml"}
    if options.get("username"):
        word = f"{options['username']}:{options.get('password', '')}".encode()
        headers["Authorization"] = "Basic " + base64.b64encode(word).decode("ascii")
    try:
        parts = urlsplit(options.get("serverurl", f"http://localhost:{_PORT}"))
        host, port = parts.hostname, parts.port or _PORT
    except ValueError:
        return None
    if parts.scheme == "unix":
        return Server(parts.path, "localhost", 0, headers)
    return Server(None, host, port, headers) if parts.scheme == "http" and host else None


def processes(server: Server, name: str) -> list[dict[str, object]]:
    """Return what supervisord tells of a process, or of those of a group (`group:*`).

    None of them if it knows no such process. The fields are those of its `getProcessInfo`.

    Raises:
        FileNotFoundError, ConnectionRefusedError: it does not run.
        CannotLookError: it does not tell, or not to us.
    """
    group, _, member = name.partition(":")
    if member == "*":
        told = _call(server, "supervisor.getAllProcessInfo")
        rows = told if isinstance(told, list) else []
        return [row for row in rows if isinstance(row, dict) and row.get("group") == group]
    try:
        told = _call(server, "supervisor.getProcessInfo", name)
    except xmlrpc.Fault as fault:
        if fault.faultCode == _BAD_NAME:
            return []
        raise CannotLookError("supervisord: " + fault.faultString) from None
    return [told] if isinstance(told, dict) else []


def _call(server: Server, method: str, *arguments: str) -> object:
    connection = HTTPConnection(server.host, server.port)
    try:
        if server.path is None:
            connection.connect()
        else:
            connection.sock = socket.socket(socket.AF_UNIX)
            connection.sock.connect(server.path)
        connection.request("POST", "/RPC2", xmlrpc.dumps(arguments, method), server.headers)
        response = connection.getresponse()
        if response.status != 200:
            raise CannotLookError(f"supervisord answers {response.status} {response.reason}")
        values, _ = xmlrpc.loads(response.read(_MOST_BYTES))
    except (FileNotFoundError, ConnectionRefusedError, xmlrpc.Fault):
        raise
    except (OSError, HTTPException, ValueError, ExpatError, xmlrpc.Error) as error:
        raise CannotLookError(f"supervisord: {error}") from None
    finally:
        connection.close()
    return values[0] if values else None
