"""`runbook report`: what one run found, did and came to."""

from contextlib import closing

import click

from runbook.driver.whole import whole_run
from runbook.views import options
from runbook.views.archive import find_run, journal_to_read
from runbook.views.configured import settings_for
from runbook.views.output import columns, write, write_json
from runbook.views.report import report_markdown, report_text
from runbook.views.report_document import run_document
from runbook.views.report_html import report_html


@click.command("report")
@click.argument("run", metavar="RUN", shell_complete=options.complete_runs)
@click.option(
    "--format",
    "form",
    type=click.Choice(["text", "markdown", "html", "json"]),
    default="text",
    show_default=True,
    help="For the terminal; for a ticket or postmortem; a page of its own, with the decision tree"
    " drawn; for a program (the same as --json).",
)
@options.output
def report_command(run: str, form: str, output: options.Output) -> None:
    r"""Report on one run.

    What was seen on each host, the causes found, who approved what, what was changed, and whether
    it helped; and who was told of it, or could not be. RUN is a run's id, the beginning of one, or
    `last`. Of a run that was cut into slices all of them are told as one; the id of a slice, such as
    20260131-030405-9f3a.2, tells of that one. All is told from the journal alone, whatever has become
    of the runbook since.

    \b
    Examples:
      runbook report last
      runbook report 20260131 --format markdown > incident.md
      runbook report last --format html > incident.html
    """
    with closing(journal_to_read(settings_for())) as journal:
        summary = find_run(journal, run)
        journal.verify(summary.id)
        whole = whole_run(summary, journal)
        for one in whole.slices:
            journal.verify(one.id)
        summary, entries = whole.summary, whole.entries
    if output.json or form == "json":
        write_json(run_document(summary, entries))
    elif form == "html":
        write(report_html(summary, entries))
    elif form == "markdown":
        write(report_markdown(summary, entries).rstrip("\n"))
    else:
        write(report_text(summary, entries, width=columns()).rstrip("\n"))
