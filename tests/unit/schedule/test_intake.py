"""What becomes of alerts: each starts a run, joins one, or is refused with a reason."""

import json
from collections.abc import Iterator
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from runbook.schedule.alerts import UnreadableError, read_delivery
from runbook.schedule.hooks import Hook, HookKind, Route, Scheme
from runbook.schedule.intake import MOST_QUEUED, Answer, FullError, Intake, ReplayedError
from runbook.schedule.mapping import UnmappableError
from runbook.schedule.queue import Queue
from runbook.schedule.requests import Stage
from runbook.schedule.state import State, opened
from tests.unit.schedule.notifications import BEGAN, alert, later, notification

NOON = datetime(2026, 6, 1, 12, tzinfo=UTC)
SITE = Route(
    name="site",
    runbook="fix-502",
    host="{labels.instance}",
    when={"labels.alertname": ("Site*",), "labels.severity": ("critical", "page")},
    within="web",
    given={"backend_port": "{annotations.backend.port}"},
    severity="{labels.severity}",
)
HOOK = Hook(
    name="am", kind=HookKind.ALERTMANAGER, scheme=Scheme.BEARER, secret=b"s", routes=(SITE,)
)
DEPLOYS = Hook(
    name="deploys",
    kind=HookKind.JSON,
    scheme=Scheme.HMAC,
    secret=b"s",
    identity="{event.id}",
    routes=(
        Route(
            name="failed",
            runbook="fix-502",
            host="{event.target}",
            when={"event.status": ("failed",)},
            given={},
            diagnose=True,
        ),
    ),
)


class Desk:
    """An intake with its state, at a time that the test sets."""

    def __init__(self, state: State) -> None:
        self.state = state
        self.intake = Intake(self.state)
        self.queue = Queue(self.state)
        self.now = NOON

    def told(self, content: bytes, hook: Hook = HOOK, signature: str = "") -> Answer:
        """Take a call in."""
        delivery = read_delivery(hook, content, self.now)
        return self.intake.receive(hook, delivery, self.now, signature=signature)

    def asked(self) -> list[tuple[str, int]]:
        """Return for which hosts runs were asked for, and how many alerts joined each."""
        return [(kept.request.pattern, kept.joined) for kept in self.queue.requests(*Stage)]

    def end(self, stage: Stage = Stage.OVER) -> None:
        """Have all that is under way be over."""
        for kept in self.queue.requests(Stage.QUEUED, Stage.RUNNING, Stage.WAITING):
            self.queue.move(kept, stage, "", self.now)


@pytest.fixture
def desk(place: Path | str) -> Iterator[Desk]:
    """Give an intake of its own."""
    with opened(place) as state:
        yield Desk(state)


def test_a_group_of_alerts_asks_for_one_run(desk: Desk) -> None:
    """Hosts without their ports, within the group that the route names, params and severity."""
    answer = desk.told(notification(alert("web2:9100"), alert("web1:9100"), truncated=3))

    [kept] = desk.queue.requests(Stage.QUEUED)
    assert answer.accepted == {"SiteDown-web1:9100": kept.id, "SiteDown-web2:9100": kept.id}
    assert answer.truncated == 3
    request = kept.request
    assert (request.runbook, request.pattern) == ("fix-502", "web1,web2,&web")
    assert (request.given, request.severity) == (("backend_port=8000",), "critical")
    assert (request.source, request.asker) == ("alert", "am site")


def test_repeats_join_the_run_and_a_new_host_gets_its_own(desk: Desk) -> None:
    """However often it is told: one run for each host while it lives, another alert or not."""
    desk.told(notification(alert("web1")))
    for _ in range(5):
        desk.told(notification(alert("web1"), alert("web2")))
    other = desk.told(notification(alert("web1", alertname="SiteSlow")))

    assert list(other.joined) == ["SiteSlow-web1"]
    assert desk.asked() == [("web1,&web", 6), ("web2,&web", 4)]


def test_an_alert_that_goes_on_is_tried_again_after_its_window(desk: Desk) -> None:
    """Told again soon it starts nothing, though the run is over; later it does; anew it does, too."""
    desk.told(notification(alert("web1")))
    desk.end()
    desk.now += timedelta(minutes=5)
    soon = desk.told(notification(alert("web1")))
    desk.now += timedelta(minutes=6)
    late = desk.told(notification(alert("web1")))
    desk.end()
    desk.told(notification(alert("web1", status="resolved")))
    anew = desk.told(notification(alert("web1", starts=later(BEGAN, 20))))

    assert list(soon.joined) == list(late.accepted) == list(anew.accepted) == ["SiteDown-web1"]
    assert desk.asked() == [("web1,&web", 1), ("web1,&web", 0), ("web1,&web", 0)]


def test_resolved_starts_nothing_and_makes_a_waiting_run_needless(desk: Desk) -> None:
    """Not even where nobody knows the alert; a request is needless once all its alerts resolved."""
    unknown = desk.told(notification(alert("web9", status="resolved")))
    assert (unknown.resolved, desk.asked()) == (["SiteDown-web9"], [])
    desk.told(notification(alert("web1"), alert("web2")))

    desk.told(notification(alert("web1", status="resolved"), alert("web2")))
    assert desk.intake.resolved() == frozenset()
    desk.told(notification(alert("web2", status="resolved")))

    [kept] = desk.queue.requests(Stage.QUEUED)
    assert desk.intake.resolved() == {kept.id}


def test_an_old_call_made_again_starts_nothing(desk: Desk) -> None:
    """What has been resolved since is known to be; a signed call is good for once."""
    old = notification(alert("web1"))
    desk.told(old)
    desk.end()
    desk.told(notification(alert("web1", status="resolved")))
    desk.now += timedelta(hours=1)
    assert desk.told(old).refused == {"SiteDown-web1": "it is resolved already"}

    desk.told(notification(alert("web2")), signature="sha256=1")
    with pytest.raises(ReplayedError):
        desk.told(notification(alert("web3")), signature="sha256=1")
    assert [pattern for pattern, _ in desk.asked()] == ["web1,&web", "web2,&web"]


@pytest.mark.parametrize(
    ("given", "reason"),
    [
        (alert("web1", alertname="DiskFull"), "no route fits"),
        (alert("web1", severity="info"), "no route fits"),
        (alert("all"), 'route “site”: "all" is not the name of one host'),
        (alert("localhost:9100"), 'route “site”: "localhost" is not the name of one host'),
        (alert("web1,web2"), 'route “site”: "web1,web2" is not the name of one host'),
        (alert("~web.*"), 'route “site”: "~web.*" is not the name of one host'),
        (alert("web1:!web2"), 'route “site”: "web1:!web2" is not the name of one host'),
        (alert("-i"), 'route “site”: "-i" is not the name of one host'),
        (alert("web[1:3]"), 'route “site”: "web[1:3]" is not the name of one host'),
        (
            {**alert("web1"), "annotations": {}},
            'there is no "annotations.backend.port"',
        ),
        (
            {**alert("web1"), "annotations": {"backend.port": "80\n00"}},
            '"annotations.backend.port" is too long, or has characters that nobody can read',
        ),
    ],
)
def test_what_cannot_be_mapped_is_refused_with_its_reason(
    desk: Desk, given: dict[str, object], reason: str
) -> None:
    """It starts nothing; other alerts of the call are not held up."""
    answer = desk.told(notification(given, alert("web7")))

    assert list(answer.refused.values()) == [reason]
    assert [(one.hook, one.reason, one.times) for one in desk.intake.refused(9)] == [
        ("am", reason, 1)
    ]
    assert desk.asked() == [("web7,&web", 0)]
    assert not answer.useless


@pytest.mark.parametrize(
    "content",
    [b"", b"[", b"[]", b"{}", b'{"version": "3", "alerts": []}', b"[" * 100_000,
     b'{"version": "4", "alerts": [{}]}', b'{"version": "4", "alerts": [{"status": "firing"}]}'],
)  # fmt: skip
def test_what_is_no_notification_is_refused_whole(desk: Desk, content: bytes) -> None:
    """It is not guessed at."""
    with pytest.raises(UnreadableError):
        desk.told(content)


def test_a_document_is_known_by_its_identity(desk: Desk) -> None:
    """Sent twice it is one request, even when that is long over; without identity it is refused."""

    def event(number: str, status: str = "failed") -> bytes:
        told = {"id": number, "status": status, "target": "web1"}
        return json.dumps({"event": told}).encode()

    assert list(desk.told(event("1"), DEPLOYS).accepted) == ["1"]
    desk.end()
    desk.now += timedelta(hours=2)
    assert list(desk.told(event("1"), DEPLOYS).joined) == ["1"]
    assert desk.told(event("2", "passed"), DEPLOYS).useless
    with pytest.raises(UnmappableError, match=r'there is no "event.id"'):
        desk.told(b'{"event": {}}', DEPLOYS)
    [kept] = desk.queue.requests(*Stage)
    assert kept.request.diagnose


def test_a_storm_of_alerts_is_counted_and_bounded(desk: Desk) -> None:
    """1,000 alerts of 20 hosts: 20 runs' hosts, 980 joined, none lost; too much is sent back whole."""
    calls = [
        notification(*(alert(f"web{number % 20}") for number in range(start, start + 50)))
        for start in range(0, 1000, 50)
    ]
    answers = [desk.told(call) for call in calls]

    assert sum(len(answer.accepted) for answer in answers) == 20
    assert sum(joined for _, joined in desk.asked()) + 20 + 30 == 1000
    assert desk.state.rows("SELECT count(*), sum(times) FROM alerts") == [(20, 1000)]
    with desk.state.writing():
        [first] = desk.queue.of_key(desk.queue.latest(1)[0].request.key)
        for number in range(MOST_QUEUED):
            desk.queue.put(replace(first.request, key=str(number)), NOON)
    with pytest.raises(FullError):
        desk.told(notification(alert("web1"), alert("db1")))
    [(times,)] = desk.state.rows("SELECT times FROM alerts WHERE fingerprint = 'SiteDown-web1'")
    assert times == 50


def test_what_is_old_and_over_is_forgotten(desk: Desk) -> None:
    """An alert that fires is known for as long as it does; what was resolved, for a week."""
    desk.told(notification(alert("web1"), alert("web2", status="resolved")), signature="s")
    desk.intake.forget(NOON + timedelta(days=6))
    assert len(desk.state.rows("SELECT 1 FROM alerts")) == 2

    desk.intake.forget(NOON + timedelta(days=8))

    assert desk.state.rows("SELECT fingerprint FROM alerts") == [("SiteDown-web1",)]
    assert desk.state.rows("SELECT 1 FROM signatures") == []
