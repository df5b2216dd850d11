"""What Alertmanager sends, as its version 0.27 does (template.Data, version 4)."""

import json
from datetime import datetime
from typing import Any

BEGAN = "2026-06-01T11:59:30.123456789Z"


def alert(
    instance: str, *, status: str = "firing", starts: str = BEGAN, **labels: str
) -> dict[str, Any]:
    """Return one alert; its fingerprint is made of what it is about."""
    alertname = labels.pop("alertname", "SiteDown")
    return {
        "status": status,
        "labels": {
            "alertname": alertname,
            "instance": instance,
            "job": "site",
            "severity": "critical",
            **labels,
        },
        "annotations": {"summary": f"{instance} answers 502", "backend.port": "8000"},
        "startsAt": starts,
        "endsAt": "0001-01-01T00:00:00Z" if status == "firing" else "2026-06-01T12:10:00Z",
        "generatorURL": "http://prometheus.example:9090/graph?g0.expr=probe_success",
        "fingerprint": f"{alertname}-{instance}",
    }


def notification(*alerts: dict[str, Any], truncated: int = 0) -> bytes:
    """Return the body of a webhook call about a group of alerts."""
    firing = any(one["status"] == "firing" for one in alerts)
    return json.dumps(
        {
            "receiver": "runbook",
            "status": "firing" if firing else "resolved",
            "alerts": list(alerts),
            "groupLabels": {"alertname": "SiteDown"},
            "commonLabels": {"alertname": "SiteDown", "job": "site", "severity": "critical"},
            "commonAnnotations": {},
            "externalURL": "http://alertmanager.example:9093",
            "version": "4",
            "groupKey": '{}:{alertname="SiteDown"}',
            "truncatedAlerts": truncated,
        }
    ).encode()


def later(starts: str, minutes: int) -> str:
    """Return a moment some minutes after another one, as Alertmanager writes it."""
    moment = datetime.fromisoformat(starts)
    return moment.replace(minute=(moment.minute + minutes) % 60, hour=12).isoformat()
