"""Times in reports; a host's clock can say anything, so some are in no calendar."""

from datetime import UTC, datetime, tzinfo


def iso(at: float) -> str | None:
    """Return POSIX seconds as ISO 8601 in UTC, None for what no calendar has."""
    moment = _time(at, UTC)
    return None if moment is None else moment.isoformat(timespec="milliseconds")


def moment_of(at: float, zone: tzinfo | None) -> str:
    """Return POSIX seconds as a date and time, with the zone's name; None is the local one."""
    moment = _time(at, zone)
    return str(at) if moment is None else moment.strftime("%Y-%m-%d %H:%M:%S %Z")


def clock(at: float, zone: tzinfo | None) -> str:
    """Return POSIX seconds as a date and time to the millisecond."""
    moment = _time(at, zone)
    if moment is None:
        return str(at)
    return f"{moment:%Y-%m-%d %H:%M:%S}.{moment.microsecond // 1000:03}"


def _time(at: float, zone: tzinfo | None) -> datetime | None:
    try:
        return datetime.fromtimestamp(at, UTC).astimezone(zone)
    except (OverflowError, ValueError, OSError):
        return None
