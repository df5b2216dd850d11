"""Certificates, whether or not anybody trusts them."""

from __future__ import annotations

import base64
import os
import socket
import ssl
import stat
import time
from collections.abc import Callable

from .call import CannotLookError, Look, OverTimeError
from .network import NoConnectionError, connect, kind_of, plain_name
from .x509 import Certificate, is_for, read_certificate

_MOST_BYTES = 1 << 20
_DAY_S = 86400
# X509_V_ERR_DEPTH_ZERO_SELF_SIGNED_CERT of <openssl/x509_vfy.h>.
_SELF_SIGNED = 18


def certificate(
    look: Look,
    *,
    host: str | None = None,
    port: int = 443,
    server_name: str | None = None,
    path: str | None = None,
) -> dict[str, object]:
    """Look at the certificate of a server or in a file."""
    if (host is None) == (path is None):
        raise CannotLookError("give either a host or a path")
    facts: dict[str, object] = dict.fromkeys(
        (
            "not_before_s", "not_after_s", "days_left", "subject", "issuer", "trusted",
            "trust_error", "error",
        )
    )  # fmt: skip
    facts.update(found=False, reason="", names=[])
    facts.update(valid_now=False, matches_name=False, is_self_signed=False)
    if path is not None:
        facts.update(_described(_in_file(path), server_name))
        return facts
    name = server_name or str(host)
    try:
        shown = _shown_by(look, str(host), port, name)
    except NoConnectionError as failure:
        return {**facts, "error": failure.kind, "reason": str(failure)}
    found = read_certificate(shown)
    if found is None:
        raise CannotLookError("the certificate cannot be read")
    facts.update(_described(found, name))
    try:
        facts["trust_error"] = _why_not_trusted(look, str(host), port, name, shown, found)
        facts["trusted"] = facts["trust_error"] is None
    except NoConnectionError as failure:
        facts["trust_error"] = str(failure)
    return facts


def _why_not_trusted(  # noqa: PLR0917
    look: Look, host: str, port: int, name: str, shown: bytes, found: Certificate
) -> str | None:
    """Return why the system does not trust a server, None if it does; raises as `_handshake`.

    To load all it trusts takes 50 ms. A certificate that vouches for itself is trusted only if it is
    among them, which the text of their file tells at once.
    """
    contexts: list[Callable[[], ssl.SSLContext]] = [ssl.create_default_context]
    if found.is_self_signed and not _holds(ssl.get_default_verify_paths().cafile, shown):
        contexts.insert(0, _trusting_few)
    for make in contexts:
        try:
            _handshake(look, host, port, name, make())
        except ssl.SSLCertVerificationError as error:
            why: str = error.verify_message
            if error.verify_code == _SELF_SIGNED:
                break
        else:
            return None
    return why


def _trusting_few() -> ssl.SSLContext:
    """Return a context that trusts what has a file of its own, looked for by its name."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    folder = ssl.get_default_verify_paths().capath
    if folder is not None:
        context.load_verify_locations(capath=folder)
    return context


def _holds(bundle: str | None, certificate: bytes) -> bool:
    """Say whether a file of certificates holds this one."""
    if bundle is None:
        return False
    text = base64.b64encode(certificate)
    with open(bundle, "rb") as stream:
        return text in stream.read().replace(b"\n", b"").replace(b"\r", b"")


def _shown_by(look: Look, host: str, port: int, name: str) -> bytes:
    # Without the certificates of the system, which take their time to load.
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    context.check_hostname = False
    context.verify_mode = ssl.CERT_NONE
    return _handshake(look, host, port, name, context)


def _handshake(look: Look, host: str, port: int, name: str, context: ssl.SSLContext) -> bytes:
    """Return the certificate a server shows.

    Raises:
        ssl.SSLCertVerificationError: the context does not trust it.
        NoConnectionError: there was no handshake.
    """
    plain: socket.socket | None = None
    try:
        plain = connect(look, host, port)
        with context.wrap_socket(plain, server_hostname=plain_name(name)) as secured:
            return secured.getpeercert(binary_form=True) or b""
    except ssl.SSLCertVerificationError:
        raise
    except OverTimeError:
        raise NoConnectionError("timeout", "no TLS handshake in time") from None
    except OSError as error:
        kind = "tls" if isinstance(error, ssl.SSLError) else kind_of(error)
        if kind is None:
            raise CannotLookError(str(error)) from None
        raise NoConnectionError(kind, error.strerror or str(error)) from None
    finally:
        if plain is not None:
            plain.close()


def _in_file(path: str) -> Certificate | None:
    try:
        if not stat.S_ISREG(os.stat(path).st_mode):
            raise CannotLookError("not a regular file: " + path)
        with open(path, "rb") as stream:
            return read_certificate(stream.read(_MOST_BYTES))
    except (FileNotFoundError, NotADirectoryError):
        return None


def _described(found: Certificate | None, name: str | None) -> dict[str, object]:
    if found is None:
        return {}
    now = time.time()
    return {
        **found._asdict(),
        "found": True,
        "valid_now": found.not_before_s <= now <= found.not_after_s,
        "days_left": round((found.not_after_s - now) / _DAY_S, 1),
        "matches_name": name is None or is_for(found.names, name),
    }
