"""Completion of names on the command line. Never slow, never an error: at worst nothing is offered."""

from typing import TYPE_CHECKING

import click

if TYPE_CHECKING:
    from click.shell_completion import CompletionItem


def complete_runbooks(
    context: click.Context,  # noqa: ARG001  # click's signature, here and below
    parameter: click.Parameter,  # noqa: ARG001
    incomplete: str,
) -> "list[CompletionItem]":
    """Offer the runbooks of the library, with their titles."""
    from click.shell_completion import CompletionItem  # noqa: PLC0415

    from runbook.errors import RunbookError  # noqa: PLC0415
    from runbook.settings import load_settings  # noqa: PLC0415
    from runbook.spec.listing import summaries  # noqa: PLC0415

    try:
        found = summaries(load_settings().library)
    except (RunbookError, OSError):
        return []
    return [
        CompletionItem(one.name, help=one.title) for one in found if one.name.startswith(incomplete)
    ]


complete_hosts = complete_runs = complete_runbooks
