# GPL-3.0-or-later. Runs on the controller, inside ansible-playbook.
"""Begin a fix on a host: take the host's lease, and make what was seen there known as data."""

import json
from pathlib import Path
from typing import Any

from ansible.plugins.action import ActionBase

from runbook.executor.leasing import lease_arguments
from runbook.executor.plan import Plan


class ActionModule(ActionBase):  # type: ignore[misc]
    """The action of the task `runbook_begin`; it fails where another run holds the host.

    `lease: none` (a preview) only makes known what was seen.
    """

    _requires_connection = True

    def run(self, tmp: None = None, task_vars: dict[str, Any] | None = None) -> dict[str, Any]:
        """Return the facts learnt, or the failure with the holder."""
        super().run(tmp, task_vars)
        variables = task_vars or {}
        host = str(variables["inventory_hostname"])
        plan = Plan.from_data(json.loads(Path(str(self._task.args["plan"])).read_text("utf-8")))
        if self._task.args.get("lease") != "none":
            result: dict[str, Any] = self._execute_module(
                module_name="runbook_lease",
                module_args=lease_arguments(plan, variables, action="take"),
                task_vars=variables,
            )
            if result.get("failed"):
                return result
        # Values of a JSON file bear no trust: Ansible never renders them as templates.
        names = {step.rpartition("/")[2]: facts for step, facts in plan.known.get(host, {}).items()}
        return {"changed": False, "ansible_facts": names}
