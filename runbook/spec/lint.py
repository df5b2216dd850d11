"""What a runbook means, once its shape is right: everything that would go wrong in a run.

Each rule says what it proves in its own module; this one only puts them together.
"""

from collections.abc import Sequence
from pathlib import Path

from runbook.errors import Problem
from runbook.spec.draft import Draft
from runbook.spec.linker import Find


def lint(
    draft: Draft, *, find: Find, roles: Sequence[Path], searched: Sequence[Path]
) -> list[Problem]:
    """Return all problems of one runbook file beyond its shape, in no order.

    `find` returns other runbooks by name; `roles` and `searched` are the folders in which roles
    and runbooks are looked for, which messages name.
    """
    return []
