"""Spans of time as a person types them."""

import re
from datetime import timedelta

import click

_SECONDS = {"s": 1, "m": 60, "h": 3600, "d": 86400}


class Span(click.ParamType[timedelta]):
    """A span of time such as 30s, 5m, 2h or 7d."""

    name = "SPAN"

    def convert(
        self, value: object, param: click.Parameter | None, ctx: click.Context | None
    ) -> timedelta:
        """Return the span; refuse what is none, and none at all."""
        if isinstance(value, timedelta):
            return value
        found = re.fullmatch(r"(?!0+[a-z])([0-9]{1,6})([smhd])", str(value))
        if found is None:
            self.fail(f'"{value}" is no span of time such as 30m, 2h or 1d.', param, ctx)
        return timedelta(seconds=int(found[1]) * _SECONDS[found[2]])
