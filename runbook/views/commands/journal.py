"""`runbook journal`: keeping the record of runs to its size."""

import time
from contextlib import closing

import click

from runbook.views import options
from runbook.views.configured import settings_for
from runbook.views.output import write, write_json
from runbook.views.safe_text import printable


@click.group("journal", context_settings={"help_option_names": ["-h", "--help"]})
def journal_group() -> None:
    r"""Keep the record of runs to its size.

    \b
    Example:
      runbook journal prune --older-than 180d
    """


@journal_group.command("prune")
@click.option(
    "--older-than",
    metavar="AGE",
    required=True,
    help="Only runs that ended so long ago (12h, 30d, 26w).",
)
@click.option("--yes", is_flag=True, help="Remove them; without it they are only listed.")
@options.output
def journal_prune_command(older_than: str, yes: bool, output: options.Output) -> None:
    r"""Remove runs that ended long ago, each with all that was written of it.

    A run that is under way, waits, can be resumed or still be undone stays. Each run has its own
    chain of hashes, so those of the others hold. What is removed no longer counts: for budgets, for
    how a fix did before, for what it has earned.

    \b
    Examples:
      runbook journal prune --older-than 180d
      runbook journal prune --older-than 180d --yes
    """
    from runbook.driver.retention import forgettable  # noqa: PLC0415 -- which --help needs not
    from runbook.spec.loading import load  # noqa: PLC0415
    from runbook.views.archive import journal_to_read  # noqa: PLC0415
    from runbook.views.history import period  # noqa: PLC0415

    before = time.time() - period(older_than)
    settings = settings_for()
    with closing(journal_to_read(settings)) as journal:
        found = list(forgettable(journal, before, lambda name: load(name, settings.library)))
        if yes:
            found = [run for run in found if journal.remove(run.id)]
    if output.json:
        write_json({"runs": [run.id for run in found], "removed": yes})
        return
    for run in found:
        write(printable(f"{run.id} {run.runbook}: {run.verdict}"))
    count = "1 run" if len(found) == 1 else f"{len(found)} runs"
    write(f"{count} removed." if yes else f"{count} would be removed; --yes removes them.")
