"""Hosts that stand at the same fix are asked about together, and none waits long for others."""

import time
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field

from runbook.model.decision import RequestApproval

GATHER_LIMIT_S = 3.0
"""How long the first host waits at most, however steadily others come."""


@dataclass(kw_only=True, slots=True)
class _Group:
    """Hosts at one fix; times are of the driver's monotonic clock."""

    decision: RequestApproval
    first_at: float
    last_at: float
    hosts: list[str] = field(default_factory=list)


@dataclass(kw_only=True)
class Gathering:
    """Hosts whose fix is to be asked about; `quiet_s` without another one closes a group."""

    quiet_s: float
    clock: Callable[[], float] = time.monotonic
    _groups: dict[RequestApproval, _Group] = field(default_factory=dict)

    def add(self, decision: RequestApproval, hosts: Iterable[str]) -> None:
        """Take hosts in."""
        now = self.clock()
        group = self._groups.setdefault(
            decision, _Group(decision=decision, first_at=now, last_at=now)
        )
        group.hosts.extend(hosts)
        group.last_at = now

    def due(self, *, all_of_them: bool) -> dict[str, RequestApproval]:
        """Hand over the hosts that need not wait any longer, or all."""
        now = self.clock()
        over = [
            group for group in self._groups.values() if all_of_them or self._closes_at(group) <= now
        ]
        for group in over:
            del self._groups[group.decision]
        return {host: group.decision for group in over for host in group.hosts}

    def next_due_s(self) -> float | None:
        """Return the seconds until a group closes; None where there is none."""
        if not self._groups:
            return None
        return max(0.0, min(map(self._closes_at, self._groups.values())) - self.clock())

    def _closes_at(self, group: _Group) -> float:
        return min(group.last_at + self.quiet_s, group.first_at + max(GATHER_LIMIT_S, self.quiet_s))
