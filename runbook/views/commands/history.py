"""`runbook history`: past runs, and those under way."""

import time
from collections.abc import Sequence
from contextlib import closing

import click

from runbook.journal import RunFilter, RunSummary
from runbook.journal.holder import alive
from runbook.model.verdict import Verdict
from runbook.settings import Settings
from runbook.views import options
from runbook.views.archive import journal_to_read
from runbook.views.configured import settings_for
from runbook.views.history import history_document, history_text, moment
from runbook.views.history_plot import Per, periods, plot_document, plot_svg, plot_text
from runbook.views.output import columns, write, write_json
from runbook.views.slicing import runs_as_one

_LISTED = 20


@click.command("history")
@click.option(
    "--runbook",
    metavar="NAME",
    shell_complete=options.complete_runbooks,
    help="Only runs of this runbook.",
)
@click.option(
    "--host",
    metavar="NAME",
    shell_complete=options.complete_hosts,
    help="Only runs that reached this host.",
)
@click.option(
    "--verdict",
    type=click.Choice([verdict.value for verdict in Verdict]),
    metavar="VERDICT",
    help=f"Only runs with this verdict: {', '.join(Verdict)}.",
)
@click.option("--cause", metavar="ID", help="Only runs that found this cause.")
@click.option("--who", metavar="NAME", help="Only runs that this operator began.")
@click.option(
    "--since",
    metavar="WHEN",
    help="Only runs begun since then: an age (30m, 12h, 7d) or a date (2026-01-31T03:00).",
)
@click.option("--until", metavar="WHEN", help="Only runs begun until then, as for --since.")
@click.option(
    "--limit",
    type=click.IntRange(min=0),
    metavar="N",
    help="How many at most, newest first; 0 for all. 20 unless they are plotted.",
)
@click.option(
    "--plot",
    type=click.Choice([per.value for per in Per]),
    help="Not each run: a bar for each day or week, with causes and time to repair.",
)
@click.option("--svg", is_flag=True, help="With --plot: as a picture, for a file.")
@options.output
def history_command(
    *,
    runbook: str | None,
    host: str | None,
    verdict: str | None,
    cause: str | None,
    who: str | None,
    since: str | None,
    until: str | None,
    limit: int | None,
    plot: str | None,
    svg: bool,
    output: options.Output,
) -> None:
    r"""List past runs, newest first, and those under way.

    Every filter that is given has to hold. A run that was cut into slices is one row, found by what
    any of these holds; -v lists its slices as well.

    \b
    Examples:
      runbook history
      runbook history --host web1 --since 7d
      runbook history --cause backend_stopped --who anna --until 2026-01-31
      runbook history --verdict escalated --json
      runbook history --plot week --since 90d
      runbook history --plot day --svg > runs.svg
    """
    if svg and plot is None:
        raise click.UsageError("--svg is for a picture of --plot day or --plot week.")
    if limit is None:
        limit = 0 if plot else _LISTED
    now = time.time()
    which = RunFilter(
        runbook=runbook,
        host=host,
        verdict=Verdict(verdict) if verdict else None,
        cause=cause,
        who=who,
        since=moment(since, now=now) if since else None,
        until=moment(until, now=now) if until else None,
        limit=limit or None,
    )
    settings = settings_for()
    with closing(journal_to_read(settings)) as journal:
        found = runs_as_one(journal, which)
        runs = [run for run, _ in found]
        if runbook and not runs and not journal.runs(RunFilter(runbook=runbook, limit=1)):
            _expect(runbook, settings)
    if plot:
        _plot(runs, Per(plot), svg=svg, as_json=output.json)
        return
    slices = {run.id: parts for run, parts in found if parts}
    shown = [one for run, parts in found for one in (run, *parts)]
    living = {
        one.id: alive(one.holder) if one.holder else None for one in shown if one.verdict is None
    }
    if output.json:
        write_json({"runs": history_document(runs, living=living, slices=slices)})
    else:
        listed = shown if output.verbosity else runs
        write(history_text(listed, living=living, width=columns()))


def _expect(runbook: str, settings: Settings) -> None:
    """Raise RunbookError `unknown-runbook` for one that never ran and that is not there either."""
    from runbook.spec.places import locate  # noqa: PLC0415  # for what is most likely a mistake

    locate(runbook, settings.library)


def _plot(runs: Sequence[RunSummary], per: Per, *, svg: bool, as_json: bool) -> None:
    found = periods(runs, per)
    if as_json:
        write_json({"periods": plot_document(found)})
    elif svg:
        write(plot_svg(found, per))
    else:
        write(plot_text(found, per, width=columns()))
