"""Taking in what was told from outside: each alert starts a run, joins one, or is refused with a reason.

All of a call is written down in one go, before it is answered.
"""

import json
from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from uuid import uuid4

from runbook.model.policy import Source
from runbook.schedule.alerts import Alert, Delivery
from runbook.schedule.hooks import Hook
from runbook.schedule.mapping import UnmappableError, Wanted, wanted
from runbook.schedule.queue import Queue
from runbook.schedule.requests import LIVE, Request, Stage
from runbook.schedule.state import State, at, moment

MOST_QUEUED = 1000
"""How many requests wait at most; a sender is told to come again."""

KEPT = timedelta(days=7)
"""For how long it is known that an alert was resolved or refused."""


class FullError(Exception):
    """Too much waits already."""


class ReplayedError(Exception):
    """This very call was made before."""


@dataclass(kw_only=True, slots=True)
class Answer:
    """What became of the alerts of a call, by fingerprint: requests by number, reasons in words."""

    accepted: dict[str, int] = field(default_factory=dict)
    joined: dict[str, int] = field(default_factory=dict)
    resolved: list[str] = field(default_factory=list)
    refused: dict[str, str] = field(default_factory=dict)
    truncated: int = 0

    @property
    def useless(self) -> bool:
        """Whether all of it was refused."""
        return bool(self.refused) and not (self.accepted or self.joined or self.resolved)


@dataclass(frozen=True, kw_only=True, slots=True)
class Refused:
    """An alert that nothing could be started for, how often it was told, and when last."""

    hook: str
    fingerprint: str
    reason: str
    times: int
    at: datetime


class Intake:
    """The alerts of a state folder, and what was started for them."""

    def __init__(self, state: State) -> None:
        self._state = state
        self._queue = Queue(state)

    def receive(
        self, hook: Hook, delivery: Delivery, now: datetime, *, signature: str = ""
    ) -> Answer:
        """Take a call in; raise FullError or ReplayedError, with nothing taken in.

        `signature` is what the call was signed with, which is good for one call.
        """
        answer = Answer(truncated=delivery.truncated)
        fresh: dict[tuple[str, ...], list[tuple[Alert, Wanted]]] = {}
        with self._state.writing() as connection:
            if signature:
                done = connection.execute(
                    "INSERT INTO signatures (signature, at) VALUES (?, ?) ON CONFLICT DO NOTHING",
                    (signature, at(now)),
                )
                if done.rowcount == 0:
                    raise ReplayedError
            for alert in delivery.alerts:
                want = self._hear(hook, alert, now, answer)
                if want is not None:
                    key = (want.route.name, *want.given, want.severity)
                    fresh.setdefault(key, []).append((alert, want))
            for alerts in fresh.values():
                self._ask(hook, alerts, now, answer)
        return answer

    def forget(self, now: datetime) -> None:
        """Drop what is over and old."""
        with self._state.writing() as connection:
            connection.execute("DELETE FROM alerts WHERE firing = 0 AND at < ?", (at(now - KEPT),))
            connection.execute("DELETE FROM signatures WHERE at < ?", (at(now - KEPT),))

    def refused(self, limit: int) -> list[Refused]:
        """Return what could not be mapped when it was told last, the newest first."""
        rows = self._state.rows(
            "SELECT hook, fingerprint, told, times, at FROM alerts"
            " WHERE firing = 0 AND told NOT IN ('', 'resolved') ORDER BY at DESC LIMIT ?",
            (limit,),
        )
        return [
            Refused(hook=hook, fingerprint=fingerprint, reason=told, times=times, at=moment(last))
            for hook, fingerprint, told, times, last in rows
        ]

    def resolved(self) -> frozenset[int]:
        """Return the requests that wait though every alert they were for is resolved."""
        rows = self._state.rows(
            "SELECT r.id FROM requests r WHERE r.stage IN (?, ?) AND r.source = ?"
            " AND EXISTS (SELECT 1 FROM alerts a WHERE a.request = r.id)"
            " AND NOT EXISTS (SELECT 1 FROM alerts a WHERE a.request = r.id AND a.firing = 1)",
            (Stage.QUEUED, Stage.WAITING, Source.ALERT),
        )
        return frozenset(number for (number,) in rows)

    def _hear(self, hook: Hook, alert: Alert, now: datetime, answer: Answer) -> Wanted | None:
        """Take one alert in; return what it asks for where that has to be started."""
        if not alert.firing:
            self._write(hook, alert, now, told="resolved")
            answer.resolved.append(alert.fingerprint)
            return None
        known = self._state.rows(
            "SELECT starts, firing, told FROM alerts WHERE hook = ? AND fingerprint = ?",
            (hook.name, alert.fingerprint),
        )
        if known and known[0][2] == "resolved" and at(alert.starts) <= known[0][0]:
            answer.refused[alert.fingerprint] = "it is resolved already"
            return None
        try:
            want = wanted(hook.routes, alert.document)
        except UnmappableError as error:
            answer.refused[alert.fingerprint] = str(error)
            self._write(hook, alert, now, told=str(error), firing=False)
            return None
        request = self._same(hook, alert, want, now)
        if request is None:
            return want
        self._write(hook, alert, now, want=want, request=request)
        with self._state.writing() as connection:
            connection.execute("UPDATE requests SET joined = joined + 1 WHERE id = ?", (request,))
        answer.joined[alert.fingerprint] = request
        return None

    def _same(self, hook: Hook, alert: Alert, want: Wanted, now: datetime) -> int | None:
        """Return the request that serves an alert: a live one, or one that began not long ago."""
        if alert.once:
            before = self._queue.of_key(_key(hook, alert))
            return before[0].id if before else None
        rows = self._state.rows(
            "SELECT r.id FROM requests r JOIN alerts a ON a.request = r.id"  # noqa: S608 -- marks
            f" WHERE (a.line = ? AND a.host = ? AND r.stage IN ({', '.join('?' * len(LIVE))}))"
            # The same alert, told again: it has not been resolved meanwhile.
            " OR (a.hook = ? AND a.fingerprint = ? AND a.starts = ? AND a.firing = 1 AND r.due > ?)"
            " ORDER BY r.id DESC LIMIT 1",
            (
                _line(hook, want),
                want.host,
                *LIVE,
                hook.name,
                alert.fingerprint,
                at(alert.starts),
                at(now) - want.route.repeat_s,
            ),
        )
        return rows[0][0] if rows else None

    def _ask(
        self, hook: Hook, alerts: Sequence[tuple[Alert, Wanted]], now: datetime, answer: Answer
    ) -> None:
        """Ask for one run for alerts that want the same of several hosts."""
        if len(self._queue.requests(Stage.QUEUED)) >= MOST_QUEUED:
            raise FullError
        first, want = alerts[0]
        hosts = sorted({each.host for _, each in alerts})
        route = want.route
        key = _key(hook, first) if first.once else f"alert {uuid4().hex}"
        request = Request(
            key=key,
            source=Source.ALERT,
            asker=f"{hook.name} {route.name}",
            runbook=route.runbook,
            pattern=",".join([*hosts, f"&{route.within}"] if route.within else hosts),
            line=key,
            due=now,
            diagnose=route.diagnose,
            given=want.given,
            severity=want.severity,
        )
        number = self._queue.put(request, now)
        assert number is not None  # noqa: S101 -- nobody has this key
        for alert, each in alerts:
            self._write(hook, alert, now, want=each, request=number)
            answer.accepted[alert.fingerprint] = number

    def _write(
        self,
        hook: Hook,
        alert: Alert,
        now: datetime,
        *,
        told: str = "",
        want: Wanted | None = None,
        request: int | None = None,
        firing: bool | None = None,
    ) -> None:
        """Write down how an alert stands; one that is resolved stays with its request."""
        with self._state.writing() as connection:
            connection.execute(
                "INSERT INTO alerts (hook, fingerprint, starts, firing, told, line, host, request,"
                " times, at) VALUES (?, ?, ?, ?, ?, ?, ?, ?, 1, ?)"
                " ON CONFLICT (hook, fingerprint) DO UPDATE SET starts = excluded.starts,"
                " firing = excluded.firing, told = excluded.told,"
                " line = CASE WHEN excluded.line = '' THEN alerts.line ELSE excluded.line END,"
                " host = CASE WHEN excluded.host = '' THEN alerts.host ELSE excluded.host END,"
                " request = coalesce(excluded.request, alerts.request), times = alerts.times + 1,"
                " at = excluded.at",
                (
                    hook.name,
                    alert.fingerprint,
                    at(alert.starts),
                    int(alert.firing if firing is None else firing),
                    told,
                    "" if want is None else _line(hook, want),
                    "" if want is None else want.host,
                    request,
                    at(now),
                ),
            )


def _line(hook: Hook, want: Wanted) -> str:
    """Return what is the same for all that asks for the same, but for the host."""
    return json.dumps([hook.name, want.route.name, want.route.runbook, want.given])


def _key(hook: Hook, alert: Alert) -> str:
    return f"hook {hook.name} {alert.fingerprint}"
