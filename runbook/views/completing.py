"""Completion of names on the command line. It is never an error: at worst nothing is offered."""

from collections.abc import Iterable
from contextlib import closing
from typing import TYPE_CHECKING

import click

from runbook.errors import RunbookError

if TYPE_CHECKING:
    from click.shell_completion import CompletionItem

    from runbook.journal import RunSummary
    from runbook.settings import Settings

_MOST_RUNS = 50
_BUSY_S = 0.2


def complete_runbooks(
    context: click.Context,  # noqa: ARG001  # click's signature, here and below
    parameter: click.Parameter,  # noqa: ARG001
    incomplete: str,
) -> "list[CompletionItem]":
    """Offer the runbooks of the library, with their titles."""
    from runbook.settings import load_settings  # noqa: PLC0415  # for this case only; so are others
    from runbook.spec.listing import summaries  # noqa: PLC0415

    try:
        found = summaries(load_settings().library)
    except (RunbookError, OSError):
        return []
    return _items(incomplete, ((one.name, one.title) for one in found))


def complete_hosts(
    context: click.Context,
    parameter: click.Parameter,  # noqa: ARG001
    incomplete: str,
) -> "list[CompletionItem]":
    """Offer hosts and groups of static inventories, and hosts of past runs.

    Of a list with commas the last name is completed.
    """
    from runbook.settings import load_settings  # noqa: PLC0415

    try:
        settings = load_settings({"inventory": context.params.get("inventories")})
    except (RunbookError, OSError):
        return []
    names = known_hosts(settings)
    lead = incomplete[: incomplete.rfind(",") + 1]
    return _items(incomplete, ((lead + name, "") for name in names))


def known_hosts(settings: "Settings", inventories: Iterable[str] | None = None) -> list[str]:
    """Return hosts and groups of static inventories, and hosts of past runs, by name.

    `inventories` are others than those of the settings.
    """
    from runbook.views.inventories import names_in  # noqa: PLC0415

    names = dict.fromkeys(names_in(settings.inventories if inventories is None else inventories))
    if inventories is None:
        names |= dict.fromkeys(host for run in _recent(settings) for host in run.hosts)
    return sorted(names)


def complete_runs(
    context: click.Context,  # noqa: ARG001
    parameter: click.Parameter,  # noqa: ARG001
    incomplete: str,
) -> "list[CompletionItem]":
    """Offer recent runs, newest first, and `last`."""
    from runbook.settings import load_settings  # noqa: PLC0415

    try:
        runs = _recent(load_settings())
    except (RunbookError, OSError):
        return []
    told = [(run.id, f"{run.runbook}: {run.verdict or 'not ended'}") for run in runs]
    return _items(incomplete, [("last", "the newest run"), *told] if told else [])


def _recent(settings: "Settings") -> "list[RunSummary]":
    from runbook.journal import RunFilter  # noqa: PLC0415
    from runbook.views.archive import journal_to_read  # noqa: PLC0415

    try:
        with closing(journal_to_read(settings, wait_s=_BUSY_S)) as journal:
            return list(journal.runs(RunFilter(limit=_MOST_RUNS)))
    except RunbookError:
        return []


def _items(incomplete: str, named: Iterable[tuple[str, str]]) -> "list[CompletionItem]":
    from click.shell_completion import CompletionItem  # noqa: PLC0415

    return [
        CompletionItem(name, help=said or None)
        for name, said in named
        if name.startswith(incomplete)
    ]
