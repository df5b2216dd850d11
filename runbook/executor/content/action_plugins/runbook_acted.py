# GPL-3.0-or-later. Runs on the controller, inside ansible-playbook.
"""Say that the action of a fix came to its end on a host: nothing after it runs where it failed."""

from typing import Any

from ansible.plugins.action import ActionBase


class ActionModule(ActionBase):  # type: ignore[misc]
    """The action of the task `runbook_acted`; that its result comes is all it is for."""

    def run(self, tmp: None = None, task_vars: dict[str, Any] | None = None) -> dict[str, Any]:
        """Do nothing."""
        super().run(tmp, task_vars)
        return {"changed": False}
