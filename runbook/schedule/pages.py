"""What a service answers whoever watches over it: is it alive, is it ready, what does it do."""

import threading
from collections import Counter
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from http import HTTPStatus

from runbook import __version__
from runbook.errors import RunbookError
from runbook.journal import Journal
from runbook.journal.following import Follower
from runbook.schedule.metrics import CONTENT_TYPE, Figures, Labels
from runbook.schedule.queue import Queue
from runbook.schedule.requests import LIVE, Stage

STALE_S = 60.0
"""A service that has not looked at what is due for so long does not do its work."""

SILENT_S = 30.0
"""A worker that has shown nothing for so long is not counted."""

_PLAIN = "text/plain; charset=utf-8"


@dataclass(frozen=True, kw_only=True, slots=True)
class Page:
    """What is answered to a GET."""

    status: HTTPStatus
    content: str
    kind: str = _PLAIN


@dataclass(kw_only=True)
class Pages:
    """`/healthz`, `/readyz` and `/metrics`. `clock` gives POSIX seconds.

    `is_paused` says whether all that nobody watches is paused, `undelivered` how many messages to
    people were not delivered yet. Anybody who reaches them may read them: they name runbooks, causes
    and fixes, and no host.
    """

    journal: Journal
    queue: Queue
    is_paused: Callable[[], bool]
    undelivered: Callable[[], int]
    clock: Callable[[], float]
    _lock: threading.Lock = field(default_factory=threading.Lock)
    _figures: Figures = field(default_factory=Figures)

    def __post_init__(self) -> None:
        self._turned = self.clock()
        self._follower = Follower(self.journal, since=self._turned)

    def turned(self) -> None:
        """Take note that the service has looked at what is due."""
        self._turned = self.clock()

    def page(self, path: str) -> Page | None:
        """Return what is answered there; None where there is nothing."""
        match path.partition("?")[0]:
            case "/healthz":
                return self._health()
            case "/readyz":
                return self._readiness()
            case "/metrics":
                return self._metrics()
            case _:
                return None

    def _health(self) -> Page:
        idle_s = self.clock() - self._turned
        if idle_s > STALE_S:
            return _unavailable(f"it has not looked at what is due for {idle_s:.0f} s")
        return Page(status=HTTPStatus.OK, content="alive\n")

    def _readiness(self) -> Page:
        try:
            self.journal.claims()
            self.queue.requests(Stage.QUEUED)
        except RunbookError as error:
            return _unavailable(error.problems[0].message)
        health = self._health()
        return (
            health
            if health.status is not HTTPStatus.OK
            else Page(status=HTTPStatus.OK, content="ready\n")
        )

    def _metrics(self) -> Page:
        now = self.clock()
        try:
            requests = self.queue.requests(*LIVE)
            beats = self.queue.heartbeats()
            with self._lock:
                self._figures.take(self._follower.news())
        except RunbookError as error:
            return _unavailable(error.problems[0].message)
        stages = Counter(kept.stage for kept in requests)
        queued = [kept.request.due.timestamp() for kept in requests if kept.stage is Stage.QUEUED]
        text = self._figures.text({
            "runbook_requests": {(("stage", stage.value),): stages[stage] for stage in LIVE},
            "runbook_oldest_request_age_seconds": {(): max(0.0, now - min(queued, default=now))},
            "runbook_approvals_waiting": {(): stages[Stage.WAITING]},
            "runbook_paused": {(): int(self.is_paused())},
            "runbook_notices_undelivered": {(): self.undelivered()},
            "runbook_last_turn_timestamp_seconds": {(): self._turned},
            "runbook_workers": _living(beats, now) if self.queue.calls else {},
            "runbook_worker_last_heartbeat_timestamp_seconds": {
                (("worker", worker),): at for worker, at in beats.items()
            },
            "runbook_info": {(("version", __version__),): 1},
        })  # fmt: skip
        return Page(status=HTTPStatus.OK, content=text, kind=CONTENT_TYPE)


def _living(beats: Mapping[str, float], now: float) -> Mapping[Labels, float]:
    return {(): sum(now - at <= SILENT_S for at in beats.values())}


def _unavailable(why: str) -> Page:
    return Page(status=HTTPStatus.SERVICE_UNAVAILABLE, content=f"{why}\n")
