"""Who watches a run: views implement this, the driver calls it."""

from collections.abc import Mapping
from typing import Protocol

from runbook.model.event import Event
from runbook.model.state import HostState


class Observer(Protocol):
    """Told of everything, after it is journaled; called from the driver's thread only."""

    def happened(self, event: Event, states: Mapping[str, HostState]) -> None:
        """Take an event, with all hosts' states after it."""

    def working(self, hosts: tuple[str, ...], what: str) -> None:
        """Take note that something is being done on hosts; for the eye only."""

    def stopping(self, how: str) -> None:
        """Take note that the run is about to stop, and how; it holds until the end."""


class Silent:
    """Watches nothing."""

    def happened(self, event: Event, states: Mapping[str, HostState]) -> None:
        """Pass over the event."""

    def working(self, hosts: tuple[str, ...], what: str) -> None:
        """Pass over the note."""

    def stopping(self, how: str) -> None:
        """Pass over the note."""
