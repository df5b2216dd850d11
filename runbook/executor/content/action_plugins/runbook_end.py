# GPL-3.0-or-later. Runs on the controller, inside ansible-playbook.
"""Let a host's lease go at the end of a fix; never a reason for the fix to fail."""

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from ansible.plugins.action import ActionBase

from runbook.executor.leasing import lease_arguments
from runbook.executor.plan import Plan
from runbook.executor.workspace import CUT_OFF_FILE


class ActionModule(ActionBase):  # type: ignore[misc]
    """The action of the task `runbook_end`."""

    _requires_connection = True

    def run(self, tmp: None = None, task_vars: dict[str, Any] | None = None) -> dict[str, Any]:
        """Release the lease; one that cannot be released ends by its expiry."""
        super().run(tmp, task_vars)
        variables = task_vars or {}
        place = Path(str(self._task.args["plan"]))
        if _was_cut_off(place.with_name(CUT_OFF_FILE), variables):
            return {"changed": False, "released": False}
        plan = Plan.from_data(json.loads(place.read_text("utf-8")))
        result: dict[str, Any] = self._execute_module(
            module_name="runbook_lease",
            module_args=lease_arguments(
                plan, variables, action="release", delegate=self._task.delegate_to
            ),
            task_vars=variables,
        )
        return {"changed": False, "released": not result.get("failed", False)}


def _was_cut_off(list_of_hosts: Path, variables: Mapping[str, Any]) -> bool:
    """Say whether a module may be at work on the host still, as nobody waited for its answer."""
    try:
        hosts = list_of_hosts.read_text("utf-8").splitlines()
    except FileNotFoundError:
        return False
    return variables.get("inventory_hostname") in hosts
