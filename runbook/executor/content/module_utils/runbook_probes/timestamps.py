"""Read the moment at the beginning of a log line."""

from __future__ import annotations

import datetime
import re

_MONTHS = ("jan", "feb", "mar", "apr", "may", "jun", "jul", "aug", "sep", "oct", "nov", "dec")
# Only near the beginning of the line: further on, a moment is part of what the line says.
_WINDOW = 120
_ISO = re.compile(
    r"(\d{4})[-/](\d\d)[-/](\d\d)[T ](\d\d):(\d\d):(\d\d)(?:[.,](\d{1,9}))?"
    r"\s?(Z|[+-]\d\d:?\d\d)?"
)
_ACCESS = re.compile(r"\[(\d\d)/(\w{3})/(\d{4}):(\d\d):(\d\d):(\d\d) ([+-]\d{4})\]")
_SYSLOG = re.compile(r"^(\w{3}) {1,2}(\d{1,2}) (\d\d):(\d\d):(\d\d)\b")


def read_moment(line: str, now: float) -> float | None:
    """Return the moment a line begins with, in seconds since 1970; None if it has none.

    A moment without a zone is in the local one; a moment without a year is the last such before
    `now`. Known are ISO 8601 and its relatives, the access log of web servers, and syslog.
    """
    head = line[:_WINDOW]
    try:
        match = _ISO.search(head)
        if match is not None:
            return _moment([int(part) for part in match.groups()[:6]], match[7], match[8])
        match = _ACCESS.search(head)
        if match is not None:
            day, month, year, *clock, zone = match.groups()
            date = [int(year), _month(month), int(day)]
            return _moment(date + [int(part) for part in clock], None, zone)
        match = _SYSLOG.search(head)
        if match is not None:
            return _in_last_year(match, now)
    except (ValueError, OverflowError, OSError):
        # Shaped like a moment, but there is none such.
        return None
    return None


def _month(name: str) -> int:
    return _MONTHS.index(name.lower()) + 1


def _moment(numbers: list[int], fraction: str | None, zone: str | None) -> float:
    year, month, day, hour, minute, second = numbers
    micro = int((fraction or "0")[:6].ljust(6, "0"))
    moment = datetime.datetime(year, month, day, hour, minute, second, micro)  # noqa: DTZ001
    if zone == "Z":
        moment = moment.replace(tzinfo=datetime.timezone.utc)
    elif zone:
        digits = zone[1:].replace(":", "")
        offset = datetime.timedelta(hours=int(digits[:2]), minutes=int(digits[2:]))
        moment = moment.replace(tzinfo=datetime.timezone(-offset if zone[0] == "-" else offset))
    return moment.timestamp()


def _in_last_year(match: re.Match[str], now: float) -> float:
    year = datetime.datetime.fromtimestamp(now).year  # noqa: DTZ006 (syslog means local time)
    clock = [int(part) for part in match.groups()[1:]]
    moment = _moment([year, _month(match[1]), *clock], None, None)
    # A day's leeway for clocks that differ.
    if moment > now + 86400:
        moment = _moment([year - 1, _month(match[1]), *clock], None, None)
    return moment
