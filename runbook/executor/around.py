"""Asking what else goes on on a host, together with the first probes that go there anyway.

Inventory variables: `runbook_maintenance` (true, or why), `runbook_deploy_paths` (checkouts and files
of a deploy), `runbook_collisions_block` (kinds that block a fix; see `driver.collisions`).
"""

import time
from collections.abc import Mapping
from typing import Any

from runbook.executor.leasing import lease_arguments
from runbook.executor.looking import CouldNotRenderError
from runbook.executor.plan import Plan
from runbook.model.definition import Json

ACTIVITY = ":activity"
"""The id of the question; no step has one that begins so."""

TIMEOUT_S = 3.0
"""How long a host may think about it; what it was asked besides may have to wait for that."""


def activity_request(plan: Plan, variables: Mapping[str, Any], templating: Any) -> dict[str, Json]:
    """Return the probe's request for the host whose variables these are."""
    lease = lease_arguments(plan, variables, action="take", delegate=None)
    paths = _value("runbook_deploy_paths", variables, templating)
    arguments = {
        "run": plan.run,
        "lease": lease["path"] or None,
        "lease_name": lease["name"] or None,
        "paths": [str(path) for path in paths] if isinstance(paths, list) else [],
    }
    return {
        "id": ACTIVITY,
        "type": "activity",
        "args": arguments,
        "timeout": TIMEOUT_S,
        "as": None,
    }


def activity_told(
    seen: Mapping[str, Any] | None, variables: Mapping[str, Any], templating: Any
) -> dict[str, Json]:
    """Return what is told of a host: what it answered, and what the inventory says of it."""
    answer = seen or {"facts": None, "reason": "no probe went to the host"}
    facts = dict(answer["facts"] or {})
    declared = _value("runbook_maintenance", variables, templating)
    if declared:
        facts["maintenance"] = declared if isinstance(declared, str) else "so the inventory says"
    blocking = _value("runbook_collisions_block", variables, templating)
    return {
        "facts": facts,
        "reason": answer["reason"],
        "blocking": [str(kind) for kind in blocking] if isinstance(blocking, list) else None,
        "seen_at": time.time(),
    }


def _value(name: str, variables: Mapping[str, Any], templating: Any) -> Json:
    """Return a variable of the inventory; none where it cannot be rendered: looking is a favour."""
    try:
        return templating.rendered(variables[name], variables) if name in variables else None
    except CouldNotRenderError:
        return None
