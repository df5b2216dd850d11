"""`runbook graph`: a runbook's decision tree, drawn."""

from collections.abc import Mapping
from contextlib import closing
from dataclasses import dataclass

import click

from runbook.errors import RunbookError
from runbook.model.sketch import SketchedStep
from runbook.spec.loading import load
from runbook.spec.validation import did_you_mean
from runbook.views import options
from runbook.views.archive import find_run, journal_to_read
from runbook.views.configured import settings_for
from runbook.views.drawing import NOBODY, graphviz, mermaid, tree
from runbook.views.output import columns, write
from runbook.views.paths import sketched, titles_of
from runbook.views.report_story import account_of
from runbook.views.safe_text import printable
from runbook.views.taken import Taken, taken_by, titles_for, walked_tree
from runbook.views.tree_svg import tree_page
from runbook.views.words import say_hosts


@dataclass(frozen=True, kw_only=True, slots=True)
class _Subject:
    """What is drawn."""

    name: str
    title: str
    steps: tuple[SketchedStep, ...]
    titles: Mapping[str, str]
    taken: Taken = NOBODY


@click.command("graph")
@click.argument("name", metavar="[NAME]", required=False, shell_complete=options.complete_runbooks)
@click.option(
    "--format",
    "language",
    type=click.Choice(["tree", "mermaid", "dot", "svg"]),
    default="tree",
    show_default=True,
    help="A tree for the terminal, a Mermaid flowchart, Graphviz's language, or a picture.",
)
@click.option(
    "--run",
    metavar="RUN",
    shell_complete=options.complete_runs,
    help="Mark the ways that the hosts of this run took; draw the tree as it was then.",
)
@click.option(
    "--host",
    metavar="NAME",
    shell_complete=options.complete_hosts,
    help="With --run: only the ways of this host, its titles as they read there.",
)
@click.option(
    "--only-taken",
    is_flag=True,
    help="With --run: leave out the steps that no host came to.",
)
@options.no_colour
@options.verbose
def graph_command(
    *, name: str | None, language: str, run: str | None, host: str | None, only_taken: bool
) -> None:
    r"""Draw a runbook's decision tree.

    What goes straight on stays in its column, what branches off stands beside it. A step that
    several ways lead to is drawn once; the other ways name it. RUN is a run's id, the beginning of
    one, or `last`: with it NAME can be left out.

    \b
    Examples:
      runbook graph fix-502
      runbook graph fix-502 --format svg > fix-502.svg
      runbook graph fix-502 --format dot | dot -Tsvg -o fix-502.svg
      runbook graph --run last --host web1 --only-taken
    """
    if run is None and (host is not None or only_taken):
        raise click.UsageError("--host and --only-taken are about the ways of a run: give --run.")
    subject = _of_file(name) if run is None else _of_run(run, name, host)
    steps, titles, taken = subject.steps, subject.titles, subject.taken
    if only_taken:
        steps = tuple(step for step in steps if step.id in taken.steps) or steps
    match language:
        case "mermaid":
            write(mermaid(steps, titles, taken=taken))
        case "dot":
            write(graphviz(subject.name, steps, titles, taken=taken))
        case "svg":
            write(tree_page(subject.title, steps, titles, taken=taken).rstrip("\n"))
        case _:
            write("\n".join(tree(steps, titles, taken=taken, width=columns())))


def _of_file(name: str | None) -> _Subject:
    if name is None:
        raise click.UsageError("Missing argument 'NAME': a runbook, or a run with --run.")
    runbook = load(name, settings_for().library)
    return _Subject(
        name=runbook.name,
        title=runbook.title,
        steps=sketched(runbook),
        titles=titles_of(runbook),
    )


def _of_run(run: str, name: str | None, host: str | None) -> _Subject:
    with closing(journal_to_read(settings_for())) as journal:
        summary = find_run(journal, run)
        account = account_of(summary, journal.entries(summary.id))
    if name not in {None, summary.runbook}:
        raise RunbookError.of(
            "other-runbook",
            f'run {summary.id} is one of {printable(summary.runbook)}, not of "{name}"',
            hint=f"runbook graph --run {summary.id}",
        )
    if host is not None and host not in account.hosts:
        raise RunbookError.of(
            "unknown-host",
            f'run {summary.id} reached no host "{printable(host)}"',
            hint=did_you_mean(host, account.hosts) or f"It reached {say_hosts(summary.hosts)}.",
        )
    steps = walked_tree(account)
    if not steps:
        raise RunbookError.of(
            "nothing-to-draw",
            f"run {summary.id} came to no step, and did not write down its tree",
            hint=f"`runbook graph {printable(summary.runbook)}` draws the runbook as it is now.",
        )
    told = list(account.hosts.values()) if host is None else [account.hosts[host]]
    return _Subject(
        name=summary.runbook,
        title=f"{summary.runbook}, run {summary.id}",
        steps=steps,
        titles=titles_for(account) if host is None else told[0].titles,
        taken=taken_by(told),
    )
