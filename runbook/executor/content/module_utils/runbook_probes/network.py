"""Connections and names."""

from __future__ import annotations

import errno
import ipaddress
import socket
import time

from .call import CannotLookError, Look, OverTimeError
from .name_servers import TYPES, ask
from .records import Record

# By number: the C libraries word their messages differently.
_BY_ERRNO = {
    errno.ECONNREFUSED: "refused",
    errno.ETIMEDOUT: "timeout",
    errno.EHOSTUNREACH: "unreachable",
    errno.ENETUNREACH: "unreachable",
    errno.EHOSTDOWN: "unreachable",
    errno.ENETDOWN: "unreachable",
    errno.ECONNRESET: "reset",
    errno.ECONNABORTED: "reset",
    errno.EPIPE: "reset",
    errno.EACCES: "forbidden",
    errno.EPERM: "forbidden",
}
_NAME_ERRORS = {
    socket.EAI_NONAME: "nxdomain",
    getattr(socket, "EAI_NODATA", -5): "no_address",
    socket.EAI_AGAIN: "servfail",
    socket.EAI_FAIL: "servfail",
}


class Address(Record):
    """Where to connect, as the socket module has it."""

    family: int
    sockaddr: tuple[object, ...]


class NoConnectionError(Exception):
    """No connection came about; `kind` is the answer, one of the words of `tcp`'s fact `error`."""

    def __init__(self, kind: str, reason: str) -> None:
        super().__init__(reason)
        self.kind = kind


def kind_of(error: OSError) -> str | None:
    """Return the word for a network error, None if it says nothing about the network."""
    if isinstance(error, socket.timeout):
        return "timeout"
    if isinstance(error, socket.gaierror):
        return "dns"
    return _BY_ERRNO.get(error.errno or 0)


def resolve(host: str, port: int, family: int = socket.AF_UNSPEC) -> list[Address]:
    """Return the addresses of a name, in the order to try them.

    Raises:
        socket.gaierror: the name has none, or could not be resolved.
        OverTimeError: the probe's time was up first.
    """
    found: list[Address] = []
    failed: list[OSError] = []

    def ask() -> None:
        try:
            answers = socket.getaddrinfo(plain_name(host), port, family, socket.SOCK_STREAM)
        except UnicodeError:
            failed.append(socket.gaierror(socket.EAI_NONAME, "not a host name"))
        except OSError as error:
            failed.append(error)
        else:
            found.extend(Address(int(answer[0]), tuple(answer[4])) for answer in answers)

    if _is_address(host):
        # Nobody is asked, so there is nothing to wait for; a thread may have to, on a busy host.
        return [
            Address(int(answer[0]), tuple(answer[4]))
            for answer in socket.getaddrinfo(
                plain_name(host), port, family, socket.SOCK_STREAM, flags=socket.AI_NUMERICHOST
            )
        ]
    # Only where it is needed: few ask for a name.
    import threading  # noqa: PLC0415

    # The C library cannot be interrupted while it waits for a name server; a thread can be left.
    thread = threading.Thread(target=ask, daemon=True)
    thread.start()
    thread.join()
    if failed:
        raise failed[0]
    return found


def plain_name(host: str) -> str | bytes:
    """Return a name as those that need no translation are given, which is slow to import."""
    plain = host.isascii() and all(0 < len(label) < 64 for label in host.split("."))
    return host.encode("ascii") if plain or not host else host


def _is_address(host: str) -> bool:
    try:
        ipaddress.ip_address(host)
    except ValueError:
        return False
    return True


def connect(look: Look, host: str, port: int) -> socket.socket:
    """Return a connection that blocks; the alarm of the probe ends its waits.

    Every address of the name gets an equal share of the time, so that one black hole does not hide
    another address that answers.

    Raises:
        NoConnectionError: the answer was something else than a connection.
        CannotLookError: something on our own side stood in the way.
        OverTimeError: the time was up before there was much of a wait for the other side.
    """
    if not 1 <= port <= 65535:
        raise CannotLookError("port must be from 1 to 65535")
    try:
        addresses = resolve(host, port)
    except socket.gaierror as error:
        raise NoConnectionError("dns", f"{host}: {error.strerror}") from None
    except OverTimeError:
        raise NoConnectionError(
            "dns", f"{host}: no answer within {round(look.timeout_s, 2):g} s"
        ) from None
    failure = NoConnectionError("dns", f"{host}: no address")
    for number, address in enumerate(addresses):
        connection = socket.socket(address.family, socket.SOCK_STREAM)
        others = len(addresses) - number - 1
        # The last one waits for the alarm, which ends a slow answer as well as none.
        connection.settimeout(look.left_s() / (others + 1) if others else None)
        begun = time.monotonic()
        try:
            connection.connect(address.sockaddr)
        except (OSError, OverTimeError) as error:
            connection.close()
            if isinstance(error, OverTimeError) and time.monotonic() - begun < look.timeout_s / 2:
                # The time went by before we came to wait: that says nothing about the other side.
                raise
            failure = _no_connection(error, f"{address.sockaddr[0]} port {port}")
        else:
            connection.settimeout(None)
            return connection
    raise failure


def _no_connection(error: OSError | OverTimeError, where: str) -> NoConnectionError:
    if isinstance(error, OverTimeError):
        return NoConnectionError("timeout", f"{where}: timed out")
    kind = kind_of(error)
    if kind is None:
        raise CannotLookError(f"{where}: {error}") from None
    return NoConnectionError(kind, f"{where}: {error.strerror or 'timed out'}")


def tcp(look: Look, *, port: int, host: str = "127.0.0.1") -> dict[str, object]:
    """Open a connection and close it."""
    started = time.perf_counter()
    facts: dict[str, object] = {"connected": True, "error": None, "reason": ""}
    try:
        connect(look, host, port).close()
    except NoConnectionError as failure:
        facts.update(connected=False, error=failure.kind, reason=str(failure))
    facts["elapsed_s"] = round(time.perf_counter() - started, 4)
    return facts


def dns(
    look: Look,
    *,
    name: str,
    type: str = "A",  # noqa: A002 (the word everybody uses)
    resolver: str | None = None,
    expect: list[str] | None = None,
) -> dict[str, object]:
    """Resolve a name by the C library, as programs do, or by asking a name server."""
    if type not in TYPES:
        raise CannotLookError("type must be A or AAAA")
    started = time.perf_counter()
    addresses: list[str] = []
    facts: dict[str, object] = {"error": None, "reason": ""}
    try:
        if resolver is None:
            family = socket.AF_INET if type == "A" else socket.AF_INET6
            addresses = [str(found.sockaddr[0]) for found in resolve(name, 0, family)]
        else:
            addresses, facts["error"] = ask(_server(resolver), name, type)
    except OverTimeError:
        facts.update(error="timeout", reason=f"no answer within {round(look.timeout_s, 2):g} s")
    except socket.gaierror as error:
        facts.update(error=_NAME_ERRORS.get(error.errno, "servfail"), reason=error.strerror)
    except ValueError as error:
        raise CannotLookError(f"name: {error}") from None
    except OSError as error:
        kind = kind_of(error)
        if kind is None:
            raise CannotLookError(str(error)) from None
        facts.update(error=kind, reason=error.strerror)
    facts.update(
        resolved=bool(addresses),
        addresses=sorted(set(addresses)),
        as_expected=set(expect or ()) <= set(addresses),
        elapsed_s=round(time.perf_counter() - started, 4),
    )
    return facts


def _server(text: str) -> tuple[str, int]:
    from urllib.parse import urlsplit  # noqa: PLC0415 (only where a name server is named)

    try:
        parts = urlsplit("//" + text if text.count(":") < 2 or "[" in text else f"//[{text}]")
        port = parts.port or 53
        host = str(ipaddress.ip_address(parts.hostname or ""))
    except ValueError:
        raise CannotLookError("resolver must be an IP address, with a port if need be") from None
    return host, port
