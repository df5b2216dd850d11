"""What else goes on on a host that is about to be changed, in words, and whether that blocks a fix.

The facts are a host's: nothing of their shape is taken for granted.
"""

from collections.abc import Collection, Iterator, Mapping
from dataclasses import dataclass
from datetime import datetime

from runbook.model.collisions import COLLISIONS
from runbook.model.definition import Json
from runbook.model.observation import Activity

_MOST_CHARACTERS = 200


@dataclass(frozen=True, kw_only=True, slots=True)
class Collision:
    """One thing that goes on: its kind, one of `COLLISIONS`, and a line about it."""

    kind: str
    text: str


def collisions(activity: Activity) -> tuple[Collision, ...]:
    """Return what goes on on a host, what weighs most first."""
    found = [
        Collision(kind=kind, text=" ".join(text.split())[:_MOST_CHARACTERS])
        for kind, text in _told(activity.facts, activity.seen_at)
    ]
    return tuple(sorted(found, key=lambda each: COLLISIONS.index(each.kind)))


def blocking_of(activity: Activity, policy: Collection[str]) -> tuple[Collision, ...]:
    """Return what of it blocks a fix that nobody looks at: by the inventory, else by `policy`."""
    kinds = policy if activity.blocking is None else activity.blocking
    return tuple(each for each in collisions(activity) if each.kind in kinds)


def _told(facts: Mapping[str, Json], seen_at: float) -> Iterator[tuple[str, str]]:
    if facts.get("maintenance"):
        yield "maintenance", f"in maintenance: {facts['maintenance']}"
    lease = facts.get("lease")
    if isinstance(lease, Mapping):
        yield "run", f"run {lease.get('run')} by {lease.get('holder')} holds this host"
    for each in _records(facts, "package_managers"):
        yield "packages", f"{each.get('name')} running (pid {each.get('pid')})"
    age = _seconds(facts.get("packages_changed_s_ago"))
    if age is not None:
        yield "packages", f"packages changed at {_clock(seen_at - age)}{_changed(facts)}"
    deploys = _records(facts, "deploys")
    for each in deploys[:1]:
        more = f", and {len(deploys) - 1} more" if len(deploys) > 1 else ""
        at = _clock(seen_at - (_seconds(each.get("s_ago")) or 0.0))
        yield "deploy", f"{each.get('kind')} {each.get('path')} changed at {at}{more}"
    age = _seconds(facts.get("rebooted_s_ago"))
    if age is not None:
        yield "reboot", f"rebooted at {_clock(seen_at - age)}"
    for each in _records(facts, "operators"):
        origin = f" from {each['origin']}" if each.get("origin") else ""
        since = _seconds(each.get("since_s"))
        yield (
            "operator",
            f"{each.get('user')} logged in{origin}"
            + (f" since {_clock(since)}" if since is not None else ""),
        )
    connections = facts.get("connections")
    if isinstance(connections, list) and connections:
        yield "operator", f"connected by SSH: {', '.join(map(str, connections))}"


def _changed(facts: Mapping[str, Json]) -> str:
    lines = facts.get("packages_changed")
    if not isinstance(lines, list) or not lines:
        return ""
    more = f", and {len(lines) - 1} more" if len(lines) > 1 else ""
    return f" ({lines[-1]}{more})"


def _records(facts: Mapping[str, Json], name: str) -> list[Mapping[str, Json]]:
    value = facts.get(name)
    return [each for each in value if isinstance(each, Mapping)] if isinstance(value, list) else []


def _seconds(value: Json) -> float | None:
    fine = isinstance(value, int | float) and not isinstance(value, bool) and 0 <= value < 1e11
    return float(value) if fine else None


def _clock(at: float) -> str:
    # Beyond that there is no calendar; a host's clock may say anything.
    if not 0 <= at < 1e11:
        return "an unknown time"
    return f"{datetime.fromtimestamp(at).astimezone():%H:%M}"
