"""The lease on a host: what our plugins ask of the lease module, and how long they may rely on it."""

import os
import platform
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

from runbook.executor.plan import Plan


def lease_arguments(
    plan: Plan, variables: Mapping[str, Any], *, action: str, delegate: str | None
) -> dict[str, Any]:
    """Return the lease module's arguments for the host whose variables these are.

    A machine has one lease, whatever names inventories give it, so that two laptops agree. Hosts
    with `ansible_connection: local` share the controller, so there the name belongs to it. Where
    `delegate` is leased, on behalf of the host, Ansible keeps its variables apart; `user` tells the
    uses of one lease by one run apart.
    """
    host = str(variables["inventory_hostname"])
    there = variables
    if delegate is not None:
        there = variables.get("ansible_delegated_vars", {}).get(delegate, {})
    local = there.get("ansible_connection") == "local"
    return {
        "action": action,
        "name": (delegate or host) if local else "",
        "path": str(there.get("runbook_lease_path") or ""),
        "run": plan.run,
        "user": f"{plan.request} {host}",
        "holder": f"{plan.operator} on {platform.node()} (pid {os.getppid()})",
        "seconds": plan.lease_s,
    }


def awake_or_not_s() -> float:
    """Return the seconds of a clock that nobody sets, and that goes on while the machine sleeps."""
    # Where there is none of this name (macOS), the monotonic one of the system is such a clock.
    return time.clock_gettime(getattr(time, "CLOCK_BOOTTIME", time.CLOCK_MONOTONIC))


@dataclass(kw_only=True, slots=True)
class Leases:
    """The leases that a fix took, each for `seconds`.

    A controller that was stopped or asleep goes on where it stood, and others may have taken its
    hosts meanwhile. `clock` gives seconds, those of sleep included.
    """

    seconds: float
    clock: Callable[[], float] = awake_or_not_s
    _since: dict[str, float] = field(default_factory=dict)

    def take(self, host: str) -> None:
        """Note that a lease is about to be taken on behalf of a host; the first one counts."""
        self._since.setdefault(host, self.clock())

    def over(self) -> tuple[str, ...]:
        """Return the hosts whose leases have ended."""
        now = self.clock()
        return tuple(host for host, since in self._since.items() if now - since >= self.seconds)
