"""Calls from outside over real HTTP: who is let in, what is answered, and what is too much."""

import hashlib
import hmac
import json
import socket
import threading
import time
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from http.client import HTTPConnection
from pathlib import Path
from typing import Any

import pytest

from runbook.schedule.hooks import Scheme
from runbook.schedule.intake import Intake
from runbook.schedule.listener import LARGEST, Listener, Pace
from runbook.schedule.queue import Queue
from runbook.schedule.reception import receiving
from runbook.schedule.requests import Stage
from runbook.schedule.state import FileState
from tests.unit.schedule.notifications import alert, notification
from tests.unit.schedule.test_intake import DEPLOYS, HOOK

SECRET = b"0123456789abcdef"
TOKEN = {"Authorization": f"Bearer {SECRET.decode()}"}
EVENT = json.dumps({"event": {"id": "7", "status": "failed", "target": "web1"}}).encode()


@dataclass
class Site:
    """A listener with a queue behind it."""

    folder: Path
    log: list[tuple[str, Mapping[str, str]]] = field(default_factory=list)

    def __post_init__(self) -> None:
        self.state = FileState(self.folder / "service.sqlite")
        self.hooks = (
            replace(HOOK, secret=SECRET, per_minute=60),
            replace(DEPLOYS, secret=SECRET, scheme=Scheme.HMAC),
        )
        receive = receiving(
            Intake(self.state),
            lambda what, details: self.log.append((what, details)),
            lambda: datetime.now(tz=UTC),
        )
        self.listener = Listener("127.0.0.1", 0, self.hooks, receive)

    def call(
        self, path: str, content: bytes, headers: Mapping[str, str], method: str = "POST"
    ) -> tuple[int, Any]:
        """Call, and return the status and what the answer says."""
        connection = HTTPConnection(self.listener.address, timeout=30)
        try:
            connection.request(method, path, content, dict(headers))
            answer = connection.getresponse()
            said = answer.read()
            return answer.status, json.loads(said) if method == "POST" else said
        finally:
            connection.close()

    def asked(self) -> list[str]:
        """Return for which hosts runs were asked for."""
        return [kept.request.pattern for kept in Queue(self.state).requests(*Stage)]


@pytest.fixture
def site(tmp_path: Path) -> Iterator[Site]:
    """Give a listener, and close it."""
    site = Site(tmp_path)
    yield site
    site.listener.close()
    site.state.close()


def signed(content: bytes, at: float | None = None, secret: bytes = SECRET) -> dict[str, str]:
    """Return the headers of a signed call."""
    stamp = str(int(time.time() if at is None else at))
    digest = hmac.new(secret, stamp.encode() + b"." + content, hashlib.sha256).hexdigest()
    return {"X-Runbook-Timestamp": stamp, "X-Runbook-Signature": f"sha256={digest}"}


def test_an_alert_is_answered_with_what_became_of_it(site: Site) -> None:
    """202 with the request; 422 where nothing of it could be used; the log says both."""
    good = site.call("/hooks/am", notification(alert("web1"), alert("all")), TOKEN)
    bad = site.call("/hooks/am", notification(alert("all")), TOKEN)

    reason = 'route “site”: "all" is not the name of one host'
    assert good == (
        202,
        {
            "accepted": {"SiteDown-web1": 1},
            "joined": {},
            "resolved": [],
            "refused": {"SiteDown-all": reason},
        },
    )
    assert bad[0] == 422
    assert site.asked() == ["web1,&web"]
    assert site.log[:2] == [
        ("told", {"hook": "am", "accepted": "1", "refused": "1"}),
        ("refused", {"hook": "am", "alert": "SiteDown-all", "reason": reason}),
    ]


@pytest.mark.parametrize(
    ("headers", "reason"),
    [
        ({}, "who sends it"),
        ({"Authorization": "Bearer 0123456789abcdeX"}, "who sends it"),
        ({"Authorization": "Bearer "}, "who sends it"),
        ({"Authorization": f"Basic {SECRET.decode()}"}, "who sends it"),
    ],
)
def test_who_does_not_know_the_token_starts_nothing(
    site: Site, headers: dict[str, str], reason: str
) -> None:
    """401, whatever is sent; nothing of it is read."""
    status, said = site.call("/hooks/am", notification(alert("web1")), headers)

    assert (status, site.asked()) == (401, [])
    assert reason in said["reason"]


def test_a_signed_call_is_good_for_once_and_for_a_while(site: Site) -> None:
    """Signed with another secret, long ago, over something else, or twice: refused."""
    headers = signed(EVENT)
    refused = [
        signed(EVENT, secret=b"another"),
        signed(EVENT, at=time.time() - 301),
        signed(EVENT, at=time.time() + 301),
        signed(b"{}"),
        {"X-Runbook-Signature": headers["X-Runbook-Signature"]},
        TOKEN,
    ]
    assert [site.call("/hooks/deploys", EVENT, one)[0] for one in refused] == [401] * 6
    assert site.asked() == []

    assert site.call("/hooks/deploys", EVENT, headers)[0] == 202
    again = site.call("/hooks/deploys", EVENT, headers)

    assert again == (409, {"reason": "this very call was made before"})
    assert site.asked() == ["web1"]


def test_what_is_not_a_call_of_ours_is_turned_away(site: Site) -> None:
    """No such hook, no JSON, too long, no length, another method: each with its status."""
    assert site.call("/hooks/other", b"{}", TOKEN)[0] == 404
    assert site.call("/am", b"{}", TOKEN)[0] == 404
    assert site.call("/hooks/am", b"{", TOKEN)[0] == 400
    assert site.call("/hooks/am", b"", {**TOKEN, "Content-Length": str(LARGEST + 1)})[0] == 413
    assert site.call("/hooks/am", b"", {**TOKEN, "Content-Length": "-1"})[0] == 411
    assert site.call("/hooks/am", b"", TOKEN, method="GET")[0] == 404


def test_more_than_the_pace_is_sent_back(site: Site) -> None:
    """60 a minute: of 70 in a row some are answered 429, and none of those is taken in."""
    content = notification(alert("web1"))
    answers = [site.call("/hooks/am", content, TOKEN)[0] for _ in range(70)]

    taken = answers.count(202)
    assert set(answers) == {202, 429}
    assert site.state.rows("SELECT times FROM alerts") == [(taken,)]


def test_the_pace_comes_back_with_time() -> None:
    """A burst is let through, then as many as the minute allows."""
    now = 0.0
    pace = Pace(per_minute=60, clock=lambda: now)
    assert [pace.take() for _ in range(61)] == [True] * 60 + [False]
    now = 2.0
    assert [pace.take() for _ in range(3)] == [True, True, False]


def test_callers_who_say_nothing_hold_nobody_up(site: Site) -> None:
    """Some connections stay open without a word: others are answered meanwhile."""
    host, _, port = site.listener.address.rpartition(":")
    silent = [socket.create_connection((host, int(port))) for _ in range(20)]
    try:
        assert site.call("/hooks/am", notification(alert("web1")), TOKEN)[0] == 202
    finally:
        for one in silent:
            one.close()


def test_many_at_once_are_all_written_down(site: Site) -> None:
    """20 callers in 20 threads, one host each: 20 requests, and no call is lost."""
    statuses: list[int] = []

    def tell(number: int) -> None:
        statuses.append(site.call("/hooks/am", notification(alert(f"web{number}")), TOKEN)[0])

    threads = [threading.Thread(target=tell, args=(number,)) for number in range(20)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()

    assert statuses == [202] * 20
    assert len(site.asked()) == 20
