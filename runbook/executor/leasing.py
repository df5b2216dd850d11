"""The lease on a host: what our plugins ask of the lease module."""

import os
import platform
from collections.abc import Mapping
from typing import Any

from runbook.executor.plan import Plan


def lease_arguments(plan: Plan, variables: Mapping[str, Any], *, action: str) -> dict[str, Any]:
    """Return the lease module's arguments for the host whose variables these are.

    A machine has one lease, whatever names inventories give it, so that two laptops agree. Hosts
    with `ansible_connection: local` share the controller, so there the name belongs to it.
    """
    local = variables.get("ansible_connection") == "local"
    return {
        "action": action,
        "name": str(variables["inventory_hostname"]) if local else "",
        "path": str(variables.get("runbook_lease_path") or ""),
        "run": plan.run,
        "holder": f"{plan.operator} on {platform.node()} (pid {os.getppid()})",
        "seconds": plan.lease_s,
    }
