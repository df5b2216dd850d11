"""`runbook graph`: a runbook's decision tree, drawn."""

import click

from runbook.spec.library import load
from runbook.views import options
from runbook.views.configured import settings_for
from runbook.views.drawing import graphviz, mermaid, tree
from runbook.views.output import write


@click.command("graph")
@click.argument("name", metavar="NAME", shell_complete=options.complete_runbooks)
@click.option(
    "--format",
    "language",
    type=click.Choice(["tree", "mermaid", "dot"]),
    default="tree",
    show_default=True,
    help="A tree for the terminal, a Mermaid flowchart, or Graphviz's language.",
)
@options.no_colour
@options.verbose
def graph_command(name: str, language: str) -> None:
    r"""Draw a runbook's decision tree.

    A step that several ways lead to is drawn once; the other ways name it.

    \b
    Examples:
      runbook graph fix-502
      runbook graph fix-502 --format dot | dot -Tsvg -o fix-502.svg
    """
    runbook = load(name, settings_for().library)
    match language:
        case "mermaid":
            write(mermaid(runbook))
        case "dot":
            write(graphviz(runbook))
        case _:
            write("\n".join(tree(runbook)))
