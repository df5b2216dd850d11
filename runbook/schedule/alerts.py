"""What a call from outside tells: Alertmanager's notifications, or one JSON document. Pure.

Alertmanager's format, version 4: https://prometheus.io/docs/alerting/latest/configuration/#webhook_config
"""

import hashlib
import json
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime

from runbook.model.definition import Json
from runbook.model.masking import mask_text
from runbook.schedule.hooks import Hook, HookKind
from runbook.schedule.mapping import fill

MOST_ALERTS = 2000
_VERSION = "4"
_NEVER = datetime.fromisoformat("0001-01-01T00:00:00+00:00")


@dataclass(frozen=True, kw_only=True, slots=True)
class Alert:
    """Something is wrong, or is so no longer.

    `fingerprint` names what it is about for good, `starts` when it began this time. `document` is
    what routes read. `once`: who tells it twice has told it once.
    """

    fingerprint: str
    firing: bool
    starts: datetime
    document: Json
    once: bool = False


@dataclass(frozen=True, kw_only=True, slots=True)
class Delivery:
    """All that one call tells; `truncated` counts alerts that its sender left out."""

    alerts: tuple[Alert, ...]
    truncated: int = 0


class UnreadableError(Exception):
    """What was sent is not what this hook takes; the message says why."""


def read_delivery(hook: Hook, content: bytes, now: datetime) -> Delivery:
    """Return what a call tells; raise UnreadableError, or UnmappableError where it has no identity."""
    try:
        data = json.loads(content)
    except (ValueError, RecursionError) as error:
        raise UnreadableError("it is no JSON") from error
    if not isinstance(data, dict):
        raise UnreadableError("it is no JSON object")
    if hook.kind is HookKind.ALERTMANAGER:
        return _notification(data)
    name = fill(hook.identity, data) if hook.identity else hashlib.sha256(content).hexdigest()
    return Delivery(
        alerts=(Alert(fingerprint=name, firing=True, starts=now, document=data, once=True),)
    )


def _notification(data: Mapping[str, Json]) -> Delivery:
    alerts = data.get("alerts")
    if data.get("version") != _VERSION or not isinstance(alerts, list):
        raise UnreadableError("it is no notification of Alertmanager's version 4")
    if len(alerts) > MOST_ALERTS:
        raise UnreadableError(
            f"it has more than {MOST_ALERTS} alerts: group them, or set max_alerts"
        )
    truncated = data.get("truncatedAlerts", 0)
    return Delivery(
        alerts=tuple(_alert(one) for one in alerts),
        truncated=truncated if isinstance(truncated, int) else 0,
    )


def _alert(data: Json) -> Alert:
    if not isinstance(data, dict) or data.get("status") not in {"firing", "resolved"}:
        raise UnreadableError("one of its alerts is neither firing nor resolved")
    labels = data.get("labels")
    if not isinstance(labels, dict):
        raise UnreadableError("one of its alerts has no labels")
    fingerprint = data.get("fingerprint")
    # It is kept and shown, so one that looks like a secret is none.
    if not isinstance(fingerprint, str) or not fingerprint or mask_text(fingerprint) != fingerprint:
        text = json.dumps(labels, sort_keys=True)
        fingerprint = hashlib.sha256(text.encode()).hexdigest()[:16]
    return Alert(
        fingerprint=fingerprint[:200],
        firing=data["status"] == "firing",
        starts=_moment(data.get("startsAt")),
        document=data,
    )


def _moment(text: Json) -> datetime:
    try:
        found = datetime.fromisoformat(text)
    except (TypeError, ValueError):
        return _NEVER
    return found if found.tzinfo is not None else _NEVER
