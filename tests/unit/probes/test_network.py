"""Connections, requests, names and certificates: every situation has its own answer."""

import signal
import socket
import ssl
import struct
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import serialization
from hypothesis import given
from hypothesis import strategies as st

from runbook.executor.content.module_utils.runbook_probes import name_servers, network
from runbook.executor.content.module_utils.runbook_probes.call import Look, OverTimeError
from runbook.executor.content.module_utils.runbook_probes.network import connect, plain_name
from runbook.executor.content.module_utils.runbook_probes.x509 import is_for, read_certificate
from tests.unit.probes.authority import Authority
from tests.unit.probes.prober import ask, facts, reason
from tests.unit.probes.servers import Server, tcp_server

Talk = Callable[[socket.socket], None]


def _reset(link: socket.socket) -> None:
    link.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
    link.close()


def _listen_only(link: socket.socket) -> None:
    link.recv(65536)
    time.sleep(20)


def _say(text: bytes, *, then: Talk | None = None) -> Talk:
    def talk(link: socket.socket) -> None:
        link.recv(65536)
        link.sendall(text)
        if then is not None:
            then(link)

    return talk


def _drip(link: socket.socket) -> None:
    link.recv(65536)
    link.sendall(b"HTTP/1.1 200 OK\r\nContent-Length: 1000\r\n\r\n")
    for _ in range(200):
        link.sendall(b"x")
        time.sleep(0.1)


def test_tcp_truth_table(server: Server, hole: int, closed_port: int) -> None:
    """Open, closed, black hole and a name that is none are told apart."""
    opened = facts("tcp", port=server.port)
    closed = facts("tcp", port=closed_port)
    silent = facts("tcp", port=hole, timeout=0.5)
    nameless = facts("tcp", port=80, host="no-such-host.invalid")

    assert (opened["connected"], opened["error"]) == (True, None)
    assert (closed["connected"], closed["error"]) == (False, "refused")
    assert (silent["connected"], silent["error"]) == (False, "timeout")
    assert 0.4 < silent["elapsed_s"] < 1.0
    assert (nameless["connected"], nameless["error"]) == (False, "dns")


def test_time_that_went_by_before_is_no_answer(hole: int) -> None:
    """An alarm that comes before there was much of a wait says nothing of the other side."""

    def ring(*_: object) -> None:
        raise OverTimeError

    before = signal.signal(signal.SIGALRM, ring)
    signal.setitimer(signal.ITIMER_REAL, 0.1)
    try:
        with pytest.raises(OverTimeError):
            connect(Look(5.0, 65536), "127.0.0.1", hole)
    finally:
        signal.setitimer(signal.ITIMER_REAL, 0)
        signal.signal(signal.SIGALRM, before)


@given(
    st.text(alphabet="a.-_1:\xe9\u4e2d", max_size=70) | st.sampled_from(["127.0.0.1", "::1", ""])
)
def test_a_plain_name_is_what_its_translation_would_be(name: str) -> None:
    """A name that goes to the C library as it is has nothing that a translation would change or refuse."""
    plain = plain_name(name)

    assert plain == (name.encode("idna") if isinstance(plain, bytes) else name)
    assert isinstance(plain_name("site.example"), bytes)


def test_tcp_takes_any_of_the_addresses(server: Server) -> None:
    """Of a name with several addresses one that answers is enough."""
    assert facts("tcp", port=server.port, host="localhost")["connected"]


def test_http_answers(server: Server) -> None:
    """An answer is told in full: status, headers in lower case, body, data."""
    seen = facts("http", url=server.url())

    assert seen["answered"]
    assert (seen["status"], seen["reason"], seen["error"]) == (200, "OK", None)
    assert seen["headers"]["content-type"] == "application/json"
    assert seen["json"] == {"status": "healthy"}
    assert seen["body"] == '{"status": "healthy"}'
    assert 0 <= seen["elapsed_s"] < 5


@pytest.mark.parametrize("status", [204, 301, 404, 500, 502, 503, 504])
def test_http_status_is_an_answer(server: Server, status: int) -> None:
    """Whatever the status, a complete response is an answer."""
    seen = facts("http", url=server.url(f"/status/{status}"))

    assert (seen["answered"], seen["status"], seen["error"]) == (True, status, None)


def test_http_without_a_connection(hole: int, closed_port: int) -> None:
    """No connection is an answer as well, and each kind has its word."""
    closed = facts("http", url=f"http://127.0.0.1:{closed_port}/")
    silent = facts("http", url=f"http://127.0.0.1:{hole}/", timeout=0.5)
    nameless = facts("http", url="http://no-such-host.invalid/")

    for seen, error in ((closed, "refused"), (silent, "timeout"), (nameless, "dns")):
        assert (seen["answered"], seen["status"], seen["error"]) == (False, None, error)


@pytest.mark.parametrize(
    ("talk", "status", "error"),
    [
        (_listen_only, None, "timeout"),
        (_drip, 200, "timeout"),
        (_reset, None, "reset"),
        (lambda link: link.close(), None, "reset"),
        (_say(b"SSH-2.0-OpenSSH_9.2\r\n"), None, "protocol"),
        (_say(b"HTTP/1.1 200 OK\r\n" + b"X: y\r\n" * 500), None, "protocol"),
        (_say(b"HTTP/1.1 200 OK\r\nContent-Length: 100\r\n\r\nhalf"), 200, "reset"),
        (_say(b"HTTP/1.1 200 OK\r\n\r\nhalf", then=_listen_only), 200, "timeout"),
    ],
    ids=[
        "hangs",
        "drips",
        "resets",
        "closes",
        "ssh",
        "headers",
        "half-body",
        "endless",
    ],
)
def test_http_with_a_server_that_misbehaves(talk: Talk, status: int | None, error: str) -> None:
    """A server that hangs, breaks off or talks nonsense has not answered."""
    with tcp_server(talk) as port:
        seen = facts("http", url=f"http://127.0.0.1:{port}/", timeout=0.6)

    assert (seen["answered"], seen["status"], seen["error"]) == (False, status, error)
    assert seen["elapsed_s"] < 1.1


def test_http_sends_what_it_is_told_to(server: Server) -> None:
    """Method, headers and body arrive; data is sent as JSON; the Host header is the author's."""
    posted = facts(
        "http",
        url=server.url("/echo?a=b"),
        method="POST",
        headers={"Host": "site.example", "X-Token": 7},
        body={"identifier": "test"},
    )["json"]
    plain = facts("http", url=server.url("/echo"), method="POST", body="text")["json"]

    assert posted["method"] == "POST"
    assert posted["body"] == '{"identifier": "test"}'
    assert posted["headers"]["host"] == "site.example"
    assert posted["headers"]["x-token"] == "7"
    assert posted["headers"]["content-type"] == "application/json"
    assert (plain["method"], plain["body"]) == ("POST", "text")


def test_http_head_has_no_body(server: Server) -> None:
    """A HEAD request is answered without a body, and that is complete."""
    seen = facts("http", url=server.url(), method="HEAD")

    assert (seen["answered"], seen["status"], seen["body"]) == (True, 200, "")


def test_http_takes_no_proxy(server: Server, closed_port: int) -> None:
    """A proxy of the environment does not come between."""
    proxy = f"http://127.0.0.1:{closed_port}"

    assert facts("http", url=server.url(), environ={"http_proxy": proxy, "ALL_PROXY": proxy})[
        "answered"
    ]


def test_http_redirects(server: Server) -> None:
    """A redirect is the answer, unless it is to be followed; a loop ends."""
    first = facts("http", url=server.url("/moved"))
    last = facts("http", url=server.url("/moved"), follow_redirects=True)
    loop = facts("http", url=server.url("/loop"), follow_redirects=True)

    assert (first["status"], first["headers"]["location"]) == (302, "/health")
    assert (last["status"], last["url"]) == (200, server.url("/health"))
    assert loop["status"] == 302


def test_http_keeps_credentials_from_other_hosts(server: Server) -> None:
    """What identifies us to one host is not sent to another it redirects to."""
    seen = facts(
        "http",
        url=server.url("/elsewhere"),
        follow_redirects=True,
        headers={"Authorization": "secret", "Cookie": "secret", "X-Other": "kept"},
    )["json"]

    assert seen["headers"]["x-other"] == "kept"
    assert "secret" not in seen["headers"].values()
    assert seen["headers"]["host"].startswith("localhost:")


def test_http_credentials_in_the_address(server: Server) -> None:
    """User and password of the address are sent as such."""
    url = f"http://us%40er:pass@127.0.0.1:{server.port}/echo"

    assert facts("http", url=url)["json"]["headers"]["authorization"] == "Basic dXNAZXI6cGFzcw=="


def test_http_bodies_are_bounded_and_text(server: Server) -> None:
    """A long body is cut and said to be; bytes that are no text, and deep data, do no harm."""
    large = facts("http", url=server.url("/large"), max_body_bytes=10)
    odd = facts("http", url=server.url("/odd"))
    deep = facts("http", url=server.url("/deep"))

    assert (large["answered"], large["body"], large["truncated"]) == (True, "x" * 10, True)
    assert "caf" in odd["body"]
    assert odd["headers"]["x-odd"] == "a, b"
    assert (deep["answered"], deep["json"]) == (True, None)


@pytest.mark.parametrize(
    ("url", "told"),
    [
        ("ftp://192.0.2.1/", "url must begin with"),
        ("health", "url must begin with"),
        ("http://192.0.2.1:port/", "url: "),
        ("http://127.0.0.1:1 /", "url: "),
    ],
)
def test_http_addresses_that_are_none(url: str, told: str) -> None:
    """An address that is none is the author's mistake, not the host's fault."""
    assert reason("http", url=url).startswith(told)


def test_http_requests_that_cannot_be_sent(server: Server) -> None:
    """Line breaks do not get into a request."""
    told = reason("http", url=server.url(), headers={"X": "a\r\nY: b"})

    assert told.startswith("the request cannot be sent")


@pytest.fixture
def authority(tmp_path: Path) -> Authority:
    """Return something that issues certificates."""
    return Authority(tmp_path)


@pytest.fixture
def tls_port(authority: Authority) -> Iterator[int]:
    """Return the port of a TLS server with a certificate nobody trusts."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(*authority.issue())

    def talk(link: socket.socket) -> None:
        with context.wrap_socket(link, server_side=True) as secured:
            secured.recv(65536)
            secured.sendall(b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok")

    with tcp_server(talk) as port:
        yield port


def test_https(tls_port: int, server: Server, tmp_path: Path) -> None:
    """A certificate nobody trusts, and a server without TLS, are answers of kind tls."""
    url = f"https://127.0.0.1:{tls_port}/"
    distrusted = facts("http", url=url)
    unchecked = facts("http", url=url, verify_tls=False)
    trusted = facts("http", url=url, environ={"SSL_CERT_FILE": str(tmp_path / "cert.pem")})
    named = facts(
        "http",
        url=url,
        headers={"Host": "site.example"},
        environ={"SSL_CERT_FILE": str(tmp_path / "cert.pem")},
    )
    misnamed = facts(
        "http",
        url=url,
        headers={"Host": "other.example"},
        environ={"SSL_CERT_FILE": str(tmp_path / "cert.pem")},
    )
    plain = facts("http", url=f"https://127.0.0.1:{server.port}/")

    assert (distrusted["answered"], distrusted["error"]) == (False, "tls")
    assert "self-signed" in distrusted["reason"].replace("self signed", "self-signed")
    assert (unchecked["answered"], unchecked["body"]) == (True, "ok")
    assert (trusted["answered"], named["answered"]) == (True, True)
    assert (misnamed["answered"], misnamed["error"]) == (False, "tls")
    assert (plain["answered"], plain["error"]) == (False, "tls")


def test_certificate_of_a_server(tls_port: int, closed_port: int, hole: int) -> None:
    """A certificate is read whether or not it is trusted; no server is an answer."""
    seen = facts("certificate", host="127.0.0.1", port=tls_port)
    other = facts("certificate", host="127.0.0.1", port=tls_port, server_name="other.example")
    closed = facts("certificate", host="127.0.0.1", port=closed_port)
    silent = facts("certificate", host="127.0.0.1", port=hole, timeout=0.5)

    assert (seen["found"], seen["valid_now"], seen["matches_name"]) == (True, True, True)
    assert (seen["trusted"], seen["is_self_signed"]) == (False, True)
    assert seen["subject"] == "CN=Test Site"
    assert seen["names"] == ["site.example", "127.0.0.1"]
    assert 29 < seen["days_left"] <= 30
    assert (other["found"], other["matches_name"]) == (True, False)
    assert (closed["found"], closed["error"]) == (False, "refused")
    assert (silent["found"], silent["error"]) == (False, "timeout")


def test_certificate_that_is_trusted(tls_port: int, tmp_path: Path) -> None:
    """A certificate the host trusts is told to be."""
    env = {"SSL_CERT_FILE": str(tmp_path / "cert.pem")}

    assert facts("certificate", host="127.0.0.1", port=tls_port, environ=env)["trusted"] is True


@pytest.mark.parametrize(
    ("days", "valid", "left"), [((-10, -2), False, -2), ((2, 9), False, 9), ((-1, 9), True, 9)]
)
def test_certificate_in_a_file(
    authority: Authority, days: tuple[int, int], valid: bool, left: int
) -> None:
    """Expired, not yet valid and valid certificates are told apart."""
    path, _ = authority.issue(days=days)
    seen = facts("certificate", path=str(path))

    assert (seen["found"], seen["valid_now"]) == (True, valid)
    assert seen["days_left"] == pytest.approx(left, abs=0.2)


def test_certificate_file_that_is_none(tmp_path: Path) -> None:
    """A missing file, and one that holds something else, have no certificate in them."""
    (tmp_path / "text").write_text("hello", encoding="utf-8")

    assert not facts("certificate", path=str(tmp_path / "text"))["found"]
    assert not facts("certificate", path=str(tmp_path / "missing"))["found"]


@pytest.mark.parametrize(
    ("name", "fits"),
    [
        ("site.example", True),
        ("SITE.example.", True),
        ("www.shop.example", True),
        ("shop.example", False),
        ("a.www.shop.example", False),
        ("other.example", False),
        ("192.0.2.1", True),
    ],
)
def test_names_of_certificates(name: str, fits: bool) -> None:
    """A wildcard stands for exactly one label."""
    assert is_for(["site.example", "*.shop.example", "192.0.2.1"], name) is fits


@given(st.binary(max_size=300))
def test_no_data_breaks_the_reader_of_certificates(data: bytes) -> None:
    """Whatever a server shows in place of a certificate, reading it ends without an error."""
    for wrapped in (data, b"\x30\x82" + len(data).to_bytes(2, "big") + data):
        found = read_certificate(wrapped)
        assert found is None or isinstance(found.names, list)


@given(st.integers(0, 600), st.integers(0, 255))
def test_no_damage_breaks_the_reader_of_certificates(place: int, byte: int) -> None:
    """A certificate with any byte changed is read, or is none."""
    data = bytearray(_SAMPLE)
    data[place % len(data)] = byte
    found = read_certificate(bytes(data))

    assert found is None or found.not_after_s


def _sample() -> bytes:
    import tempfile  # noqa: PLC0415

    with tempfile.TemporaryDirectory() as folder:
        path, _ = Authority(Path(folder)).issue(names=("a.example", "b.example"))
        loaded = x509.load_pem_x509_certificate(path.read_bytes())
    return loaded.public_bytes(serialization.Encoding.DER)


_SAMPLE = _sample()


def test_dns_as_programs_do() -> None:
    """A name of the host resolves; one that cannot exist does not."""
    found = facts("dns", name="localhost", expect=["127.0.0.1"])
    other = facts("dns", name="localhost", expect="192.0.2.7")
    missing = facts("dns", name="no-such-host.invalid")

    assert (found["resolved"], found["addresses"]) == (True, ["127.0.0.1"])
    assert (found["as_expected"], other["as_expected"]) == (True, False)
    assert not missing["resolved"]
    # Without any name server the C library says that it could not find out.
    assert missing["error"] in ("nxdomain", "servfail", "no_address", "timeout")


class _NameServer:
    """Answers questions for names that say what to answer."""

    def __init__(self) -> None:
        self.socket = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        self.socket.bind(("127.0.0.1", 0))
        self.address = f"127.0.0.1:{self.socket.getsockname()[1]}"

    def serve(self) -> None:
        while True:
            try:
                data, peer = self.socket.recvfrom(4096)
            except OSError:
                return
            if not data:
                return
            name = data[13 : 13 + data[12]].decode("ascii")
            reply = self.reply(name, data)
            if reply is not None:
                # One that answers another question is to be passed over.
                self.socket.sendto(b"\0\0" + reply[2:], peer)
                self.socket.sendto(reply, peer)

    def reply(self, name: str, data: bytes) -> bytes | None:
        asked = data[12:]
        code = {"missing": 3, "broken": 2, "forbidden": 5}.get(name, 0)
        if name == "silent":
            return None
        kind = struct.unpack("!H", asked[-4:-2])[0]
        if name == "many" and kind == 1:
            alias = b"\xc0\x0c" + struct.pack("!HHIH", 5, 1, 60, 2) + b"\xc0\x0c"
            rows = [
                b"\xc0\x0c" + struct.pack("!HHIH", 1, 1, 60, 4) + bytes([192, 0, 2, last])
                for last in (7, 8)
            ]
            return (
                data[:2] + struct.pack("!5H", 0x8180, 1, 3, 0, 0) + asked + alias + b"".join(rows)
            )
        return data[:2] + struct.pack("!5H", 0x8180 | code, 1, 0, 0, 0) + asked


@pytest.fixture
def name_server() -> Iterator[str]:
    """Return the address of a name server."""
    import threading  # noqa: PLC0415

    server = _NameServer()
    thread = threading.Thread(target=server.serve)
    thread.start()
    yield server.address
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as last:
        last.sendto(b"", server.socket.getsockname())
    thread.join()
    server.socket.close()


@pytest.mark.parametrize(
    ("name", "kind", "addresses", "error"),
    [
        ("many.example", "A", ["192.0.2.7", "192.0.2.8"], None),
        ("many.example", "AAAA", [], "no_address"),
        ("missing.example", "A", [], "nxdomain"),
        ("broken.example", "A", [], "servfail"),
        ("forbidden.example", "A", [], "refused"),
        ("silent.example", "A", [], "timeout"),
    ],
)
def test_dns_by_a_name_server(
    name_server: str, name: str, kind: str, addresses: list[str], error: str | None
) -> None:
    """Each of a name server's answers, and its silence, has its word."""
    seen = facts("dns", name=name, type=kind, resolver=name_server, timeout=0.5)

    assert (seen["addresses"], seen["error"]) == (addresses, error)
    assert seen["resolved"] is bool(addresses)


def test_dns_without_a_name_server(closed_port: int) -> None:
    """A name server that does not run refuses; an address that is none is a mistake."""
    seen = facts("dns", name="a.example", resolver=f"127.0.0.1:{closed_port}")

    assert (seen["resolved"], seen["error"]) == (False, "refused")
    assert reason("dns", name="a.example", resolver="ns.example").startswith("resolver must be")
    assert ask("dns", name="a..example", resolver="127.0.0.1")["reason"].startswith("name: ")


@given(st.binary(max_size=200))
def test_no_datagram_breaks_the_reader_of_answers(data: bytes) -> None:
    """Whatever a name server sends, reading it ends without an error."""
    for wrapped in (data, b"\0\7\x81\x80" + data):
        reply = name_servers.parse_reply(wrapped, 7, "A")
        assert reply is None or isinstance(reply.addresses, list)


def test_the_facts_of_an_unanswered_request_are_complete(closed_port: int) -> None:
    """Conditions may ask for every fact, answered or not."""
    from runbook.model.probes import PROBE_TYPES  # noqa: PLC0415

    questions: dict[str, dict[str, Any]] = {
        "http": {"url": f"http://127.0.0.1:{closed_port}/"},
        "tcp": {"port": closed_port},
        "certificate": {"host": "127.0.0.1", "port": closed_port},
        "dns": {"name": "no-such-host.invalid"},
    }
    for kind, args in questions.items():
        assert set(facts(kind, **args)) == set(PROBE_TYPES[kind].facts)


@pytest.mark.parametrize("host", ["127.0.0.1", "::1"])
def test_an_address_is_looked_up_nowhere(host: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """An address is taken as it is, without the thread that waits for names on a busy host."""
    monkeypatch.delattr(threading, "Thread")

    assert [address.sockaddr[:2] for address in network.resolve(host, 80)] == [(host, 80)]
