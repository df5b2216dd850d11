"""`runbook run`, `runbook diagnose` and `runbook resume`: the commands that reach hosts."""

from contextlib import closing

import click

from runbook.errors import RunbookError
from runbook.journal import Journal, RunFilter, RunSummary
from runbook.journal.sqlite import open_journal
from runbook.model.event import Mode
from runbook.settings import load_settings
from runbook.views import driving, options
from runbook.views.archive import find_run
from runbook.views.driving import Wish


@click.command("run")
@click.argument("name", metavar="NAME", shell_complete=options.complete_runbooks)
@options.host
@options.yes
@options.target
@options.output
def run_command(
    name: str,
    host: str | None,
    yes: bool,
    target: options.Aim,
    output: options.Output,
) -> int:
    r"""Diagnose, confirm, fix, verify.

    The runbook NAME is walked on every host of the pattern. Destructive fixes are asked about,
    with the evidence and what Ansible predicts; without a terminal they are declined unless --yes
    is given. Every step is written to the journal.

    \b
    Examples:
      runbook run fix-502 --host prod
      runbook run fix-502 --host 'prod:!web3' -i inventory/ --set backend_port=8000
    """
    return _start(name, host, Wish(mode=Mode.RUN, aim=target, output=output, yes=yes))


@click.command("diagnose")
@click.argument("name", metavar="NAME", shell_complete=options.complete_runbooks)
@options.host
@options.target
@options.output
def diagnose_command(
    name: str, host: str | None, target: options.Aim, output: options.Output
) -> int:
    r"""Walk a runbook read-only: say what is wrong and what would be done.

    Nothing on any host is changed. The exit code is 0 for healthy hosts and 1 where a fault was
    found.

    \b
    Example:
      runbook diagnose fix-502 --host web1
    """
    return _start(name, host, Wish(mode=Mode.DIAGNOSE, aim=target, output=output))


@click.command("resume")
@click.argument("which", metavar="RUN", shell_complete=options.complete_runs)
@options.yes
@options.target
@options.output
def resume_command(
    which: str,
    yes: bool,
    target: options.Aim,
    output: options.Output,
) -> int:
    r"""Go on with a run that was interrupted or killed.

    RUN is a run's id, the beginning of one, or `last`: the last that did not come to its end. A fix that was under way is waited for and
    looked at; it is not repeated unless that is approved again. Values of --set that are secret
    have to be given again.

    \b
    Example:
      runbook resume last
    """
    settings = load_settings(target.flags)
    with closing(open_journal(settings.journal)) as journal:
        wish = Wish(mode=Mode.RUN, aim=target, output=output, yes=yes)
        stopped = _last_stopped(journal) if which == "last" else journal.find(which)
        return driving.resume(stopped, wish, settings, journal)


def _last_stopped(journal: Journal) -> RunSummary:
    for summary in journal.runs(RunFilter(limit=None)):
        if summary.verdict is None:
            return summary
    raise RunbookError.of(
        "nothing-to-resume",
        "every run in the journal has come to its end",
        hint="`runbook history` lists them",
    )


@click.command("undo")
@click.argument("which", metavar="RUN", shell_complete=options.complete_runs)
@options.yes
@options.target
@options.output
def undo_command(which: str, yes: bool, target: options.Aim, output: options.Output) -> int:
    r"""Take back what a run did.

    RUN is a run's id, the beginning of one, or `last`. Each fix that has an undo is taken back, the
    last one first, after asking. What was seen before the fix is known to its undo. Afterwards the
    fault's cause and symptom are looked at, and shown.

    \b
    Example:
      runbook undo last
    """
    settings = load_settings(target.flags)
    with closing(open_journal(settings.journal)) as journal:
        wish = Wish(mode=Mode.RUN, aim=target, output=output, yes=yes)
        return driving.undo(find_run(journal, which), wish, settings, journal)


def _start(name: str, host: str | None, wish: Wish) -> int:
    if not host:
        raise RunbookError.of(
            "no-host",
            "say which hosts the runbook is for",
            hint=f"runbook {wish.mode} {name} --host PATTERN; to aim at every host of the "
            "inventory: --host all; at this machine: --host localhost",
        )
    settings = load_settings(wish.aim.flags)
    with closing(open_journal(settings.journal)) as journal:
        return driving.start(name, host, wish, settings, journal)
