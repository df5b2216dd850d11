"""The lease on a host: what our plugins ask of the lease module."""

import os
import platform
from collections.abc import Mapping
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
