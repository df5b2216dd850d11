"""Ansible tasks, as far as Ansible itself would refuse them only when the run has come to them."""

from collections.abc import Iterator

from runbook.errors import Problem
from runbook.spec.ansible_words import TASK_KEYWORDS, module_keys
from runbook.spec.draft import Draft
from runbook.spec.usage import tasks_of
from runbook.spec.validation import did_you_mean

_INSTEAD_OF_MODULE = {"action", "block", "local_action"}


def task_problems(draft: Draft) -> Iterator[Problem]:
    """Yield tasks that do not name exactly one module, most often for a misspelt keyword."""
    for written in draft.steps:
        for path, task in tasks_of(written):
            modules = module_keys(task)
            if len(modules) + len(_INSTEAD_OF_MODULE.intersection(task)) == 1:
                continue
            hints = {module: did_you_mean(module, sorted(TASK_KEYWORDS)) for module in modules}
            misspelt = next((module for module in modules if hints[module]), None)
            named = " and ".join(f'"{module}"' for module in modules)
            yield Problem(
                reference="unclear-task",
                message=f"an Ansible task names one module; this has {named or 'none'}",
                where=draft.document.key((*path, misspelt or modules[-1]) if modules else path),
                hint=hints[misspelt] if misspelt else None,
            )
