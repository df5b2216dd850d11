"""Write the Ansible tasks of all runbooks as playbooks, so that ansible-lint can read them.

Usage: ansible_content.py FOLDER
"""

import shutil
import sys
from pathlib import Path

from runbook.executor.compile import action_tasks, dump
from runbook.model.definition import AnsibleTask, AnsibleTasks, Check, Fix, Step
from runbook.spec.library import load

LIBRARY = Path("runbooks")


def tasks_of(step: Step) -> list[dict[str, object]]:
    """Return the Ansible tasks that a step's author wrote."""
    match step:
        case Check(look=AnsibleTask() as task):
            return [dict(task.body)]
        case Fix():
            actions = (step.action, step.undo)
            return [
                task
                for action in actions
                if isinstance(action, AnsibleTasks)
                for task in action_tasks(action)
            ]
        case _:
            return []


def main(folder: Path) -> None:
    """Write one playbook for each runbook that has tasks of its own."""
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir(parents=True)
    for path in sorted(LIBRARY.glob("*.yml")):
        if path.name.endswith(".rehearsal.yml"):
            continue
        runbook = load(str(path), [LIBRARY])
        tasks = [task for step in runbook.steps.values() for task in tasks_of(step)]
        if tasks:
            play = {
                "name": f"Tasks of {runbook.name}",
                "hosts": "all",
                "gather_facts": False,
                "tasks": tasks,
            }
            (folder / path.name).write_text("---\n" + dump([play]), encoding="utf-8")


if __name__ == "__main__":
    main(Path(sys.argv[1]))
