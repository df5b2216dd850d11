"""`runbook stats`: what the runs of a runbook add up to."""

import time
from contextlib import closing

import click

from runbook.driver.figures import figures
from runbook.errors import RunbookError
from runbook.journal import MilestoneFilter, RunFilter
from runbook.spec.library import load
from runbook.views import options
from runbook.views.archive import journal_to_read
from runbook.views.configured import settings_for
from runbook.views.history import moment, period
from runbook.views.output import columns, write, write_json
from runbook.views.stats import Known, known_of, stats_document, stats_text


@click.command("stats")
@click.argument("name", metavar="NAME", shell_complete=options.complete_runbooks)
@click.option(
    "--since",
    metavar="WHEN",
    help="Only runs begun since then: an age (30m, 12h, 7d) or a date (2026-01-31T03:00).",
)
@click.option(
    "--within",
    metavar="AGE",
    default="24h",
    show_default=True,
    help="Tell which causes came back to a host within this time (30m, 12h, 7d).",
)
@options.output
def stats_command(name: str, since: str | None, within: str, output: options.Output) -> None:
    r"""Say what a runbook's runs add up to.

    How often each cause was found, beside the likelihood that the runbook declares; how often each
    fix worked and how long it took; the time to repair; and which causes keep coming back to which
    hosts. Runs of `diagnose` are left out.

    \b
    Examples:
      runbook stats fix-502
      runbook stats fix-502 --since 30d --json
    """
    settings = settings_for()
    now = time.time()
    began = moment(since, now=now) if since else None
    window_s = period(within)
    known, unreadable = Known(name=name), None
    try:
        known = known_of(load(name, settings.library))
    except RunbookError as error:
        unreadable = error
    with closing(journal_to_read(settings)) as journal:
        if unreadable is not None and not journal.runs(RunFilter(runbook=name, limit=1)):
            raise unreadable
        # What ran is told whatever has become of its file.
        runs = journal.runs(RunFilter(runbook=known.name, since=began, limit=None))
        past = MilestoneFilter(runbook=known.name, since=began, limit=None)
        milestones = journal.milestones(past)
    told = figures(runs, milestones, window_s=window_s)
    if output.json:
        write_json(stats_document(told, known, within_s=window_s))
    else:
        write(stats_text(told, known, within_s=window_s, width=columns()))
