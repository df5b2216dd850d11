"""`runbook serve --demo`: a service of its own that heals the sandbox while somebody breaks it."""

import os
from pathlib import Path

from runbook.demo import fleet
from runbook.views.demo import default_folder
from runbook.views.output import tell

SERVICE = """\
service: demo
schedules:
  - {schedule: heal the sandbox, runbook: fix-502, host: all, every: 10s, overlap: skip}
"""
POLICY = """\
policy: demo
rules:
  - {rule: the sandbox may be mended, answer: auto}
guards:
  budgets: [{fixes: 20, per: host, within: 10m}]
"""


def prepared(*, silent: bool) -> Path:
    """Bring the sandbox up, have this process and its runs heal it, and return the service's file.

    What was set of inventory and policy gives way. Unless `silent`, it says how to break it. Raises
    RunbookError.
    """
    folder = default_folder()
    sites = fleet.up(folder, 1)
    service, policy = fleet.service_path(folder), fleet.policy_path(folder)
    service.write_text(SERVICE, encoding="utf-8")
    policy.write_text(POLICY, encoding="utf-8")
    os.environ["RUNBOOK_INVENTORY"] = str(fleet.inventory_path(folder))
    os.environ["RUNBOOK_POLICY"] = str(policy)
    if silent:
        return service
    for name, site in sites.items():
        tell(f"{name}  {site.url}/health")
    tell("Break it from another terminal: runbook demo break backend-stopped")
    tell("Ctrl-C ends the service; runbook demo down takes the sandbox away.\n")
    return service
