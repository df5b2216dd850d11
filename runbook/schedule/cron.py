"""Cron expressions: the only place that knows cronsim.

cronsim follows Debian's cron across clock changes: what lies in the hour that is left out in spring
fires once, right after it; what lies in the hour that comes twice in autumn fires once, unless the
expression runs through every hour.
"""

from collections.abc import Iterator
from datetime import datetime

from cronsim import CronSim, CronSimError


def mistake(expression: str) -> str | None:
    """Say what is wrong with a cron expression of five fields; None if nothing is."""
    if len(expression.split()) != 5:
        return "it takes five fields: minute, hour, day of the month, month, day of the week"
    try:
        CronSim(expression, datetime(2026, 1, 1))  # noqa: DTZ001 -- only the expression is looked at
    except CronSimError as error:
        return str(error)
    except ValueError:  # Of Python's own conversion: superscripts, or thousands of digits.
        return "there is a number in it that cannot be read"
    return None


def times_after(expression: str, moment: datetime) -> Iterator[datetime]:
    """Yield the times after a moment, in its time zone; none at all if there never is one."""
    yield from CronSim(expression, moment)
