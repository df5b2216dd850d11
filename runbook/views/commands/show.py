"""`runbook show`: what a runbook does."""

import click

from runbook.spec.loading import load
from runbook.views import options
from runbook.views.configured import settings_for
from runbook.views.description import describe, document
from runbook.views.output import write, write_json


@click.command("show")
@click.argument("name", metavar="NAME", shell_complete=options.complete_runbooks)
@options.output
def show_command(name: str, output: options.Output) -> None:
    r"""Show what a runbook does.

    Its params, the causes it can find, its steps as a tree, and its fixes with their impact. NAME
    is a runbook of the library, or a file's path.

    \b
    Example:
      runbook show fix-502
    """
    runbook = load(name, settings_for().library)
    if output.json:
        write_json(document(runbook))
    else:
        write("\n".join(describe(runbook)))
