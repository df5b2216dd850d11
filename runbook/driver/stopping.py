"""How a run stops before its end."""

from dataclasses import dataclass


@dataclass(frozen=True, kw_only=True, slots=True)
class Stop:
    """The operator wants to stop: `now` gives up fixes under way as well."""

    reason: str
    now: bool = False


class InterruptedRunError(Exception):
    """The run stopped before its end; it is journaled and can be resumed."""
