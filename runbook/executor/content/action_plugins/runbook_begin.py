# GPL-3.0-or-later. Runs on the controller, inside ansible-playbook.
"""Begin a fix on a host: take the host's lease, and hand over the names its action may use."""

import json
from pathlib import Path
from typing import Any

from ansible.plugins.action import ActionBase

from runbook.executor.ansible_core import AnsibleTemplating
from runbook.executor.leasing import lease_arguments
from runbook.executor.looking import Names
from runbook.executor.plan import Plan


class ActionModule(ActionBase):  # type: ignore[misc]
    """The action of the task `runbook_begin`; it fails where another run holds the host.

    `lease: none` (a preview) only hands over names. They come under their scope in `given` of the
    result, which the play registers: facts would be within reach of modules, and of a cache that
    outlives the run.
    """

    _requires_connection = True

    def run(self, tmp: None = None, task_vars: dict[str, Any] | None = None) -> dict[str, Any]:
        """Return the names, or the failure with the holder."""
        super().run(tmp, task_vars)
        variables = task_vars or {}
        host = str(variables["inventory_hostname"])
        plan = Plan.from_data(json.loads(Path(str(self._task.args["plan"])).read_text("utf-8")))
        if self._task.args.get("lease") != "none":
            told = self._execute_module(
                module_name="runbook_lease",
                module_args=lease_arguments(
                    plan, variables, action="take", delegate=self._task.delegate_to
                ),
                task_vars=variables,
            )
            if told.get("failed") or told.get("taken") is not True:
                return {"failed": True, "msg": str(told.get("msg") or "no answer")[:2000]}
        names = Names(plan=plan, templating=AnsibleTemplating(self._templar), host=variables)
        for step, facts in plan.known.get(host, {}).items():
            names.recall(step, facts)
        # Values of a JSON file bear no trust: Ansible never renders them as templates.
        return {"changed": False, "given": {plan.scope: names.given(plan.scope)}}
