"""What a runbook means, once its shape is right: everything that would go wrong in a run."""

from collections.abc import Sequence
from pathlib import Path

from runbook.errors import Problem
from runbook.spec.draft import Draft
from runbook.spec.linker import Find
from runbook.spec.rules.advice import advice
from runbook.spec.rules.commands import command_problems
from runbook.spec.rules.content import content_problems
from runbook.spec.rules.facts import fact_problems
from runbook.spec.rules.graph import graph_problems
from runbook.spec.rules.joins import call_problems, role_problems
from runbook.spec.rules.looks import look_problems
from runbook.spec.rules.metadata import metadata_problems
from runbook.spec.rules.names import name_problems
from runbook.spec.rules.roles import role_task_problems
from runbook.spec.rules.tasks import task_problems


def lint(
    draft: Draft, *, find: Find, roles: Sequence[Path], searched: Sequence[Path]
) -> list[Problem]:
    """Return all problems of one runbook file beyond its shape, in no order.

    `find` returns other runbooks by name; `roles` and `searched` are the folders in which roles
    and runbooks are looked for.
    """
    return [
        *metadata_problems(draft),
        *graph_problems(draft, find),
        *name_problems(draft),
        *fact_problems(draft),
        *look_problems(draft),
        *task_problems(draft),
        *command_problems(draft),
        *content_problems(draft),
        *call_problems(draft, find, searched),
        *role_problems(draft, roles),
        *role_task_problems(draft, roles),
        *advice(draft),
    ]
