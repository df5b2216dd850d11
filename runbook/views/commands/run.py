"""`runbook run`, `diagnose`, `resume` and `undo`: the commands that reach hosts.

What they need is imported when they are carried out, so that help and completion are quick.
"""

from contextlib import closing
from datetime import timedelta
from typing import TYPE_CHECKING, Any

import click

from runbook import at_hand
from runbook.errors import RunbookError
from runbook.views import options
from runbook.views.configured import settings_for
from runbook.views.span import Span
from runbook.views.wish import Wish

if TYPE_CHECKING:
    from runbook.journal import Journal, RunSummary


_id = click.option(
    "--id", "run", default="", hidden=True, help="The id of the run, for who knows it before."
)
_slice_hosts = click.option(
    "--slice-hosts",
    type=click.IntRange(min=1),
    hidden=True,
    help="Cut a run of more hosts into slices, which the service sees to; for the service itself.",
)


@click.command("run")
@click.argument("name", metavar="NAME", shell_complete=options.complete_runbooks)
@options.host
@options.yes
@options.step
@click.option(
    "--source",
    type=click.Choice(["person", "schedule", "alert", "trigger"]),
    default="person",
    help="What starts the run, as the policy is told. Other than for a person, nobody is asked: "
    "what the policy does not call auto is declined.",
)
@click.option("--severity", default="", help="The severity of the alert, as the policy is told.")
@_id
@_slice_hosts
@click.option(
    "--wait",
    type=Span(),
    is_flag=False,
    flag_value=timedelta.max,
    default=timedelta(),
    metavar="[SPAN]",
    help="Where another run holds a host, wait for its end, for so long (--wait=10m) or as long as it "
    "takes, and look from the beginning then.",
)
@options.target
@options.plain
@options.output
def run_command(
    name: str,
    host: str | None,
    target: options.Aim,
    output: options.Output,
    **given: Any,
) -> int:
    r"""Diagnose, confirm, fix, verify.

    The runbook NAME is walked on every host of the pattern. Destructive fixes are asked about,
    with the evidence and what Ansible predicts; without a terminal they are declined unless --yes
    is given. Every step is written to the journal.

    With --step a person decides before each step: what would be looked at together is said first,
    a skipped step counts as unseen, and a fix that was jumped to is asked about and verified like
    any other.

    One run at a time works on a host. Where another one holds it, nothing is done, and it is said
    who does and since when; with --wait it is waited for.

    \b
    Examples:
      runbook run fix-502 --host prod
      runbook run fix-502 --host 'prod:!web3' -i inventory/ --set backend_port=8000
      runbook run fix-502 --host web1 --step
      runbook run fix-502 --host web1 --wait=10m
    """
    from runbook.model.event import Mode  # noqa: PLC0415 -- see above

    wish = Wish(mode=Mode.RUN, aim=target, output=output, **given)
    if wish.source != "person" and (wish.yes or wish.step):
        raise click.UsageError(
            f"--yes and --step are for a person; with --source {wish.source} the policy decides."
        )
    return _start(name, host, wish)


@click.command("diagnose")
@click.argument("name", metavar="NAME", shell_complete=options.complete_runbooks)
@options.host
@options.step
@click.option("--source", default="person", hidden=True, help="What starts it, as for `run`.")
@_id
@_slice_hosts
@options.target
@options.plain
@options.output
def diagnose_command(
    name: str,
    host: str | None,
    *,
    target: options.Aim,
    output: options.Output,
    **given: Any,
) -> int:
    r"""Walk a runbook read-only: say what is wrong and what would be done.

    Nothing on any host is changed. The exit code is 0 for healthy hosts and 1 where a fault was
    found.

    \b
    Example:
      runbook diagnose fix-502 --host web1
    """
    from runbook.model.event import Mode  # noqa: PLC0415 -- see above

    wish = Wish(mode=Mode.DIAGNOSE, aim=target, output=output, **given)
    return _start(name, host, wish)


@click.command("resume")
@click.argument("which", metavar="RUN", shell_complete=options.complete_runs)
@click.option(
    "--abandon",
    is_flag=False,
    flag_value="",
    default=None,
    metavar="[REASON]",
    help="Close the run as it stands instead: nothing is done, and its hosts are free again.",
)
@options.yes
@click.option(
    "--unattended",
    is_flag=True,
    help="Go on with a run that nobody watches as it was started: the policy decides.",
)
@_slice_hosts
@options.target
@options.plain
@options.output
def resume_command(
    which: str,
    *,
    abandon: str | None,
    yes: bool,
    unattended: bool,
    slice_hosts: int | None,
    target: options.Aim,
    output: options.Output,
) -> int:
    r"""Go on with a run that was interrupted or killed.

    RUN is a run's id, the beginning of one, or `last`: the last that did not come to its end. A fix that was under way is waited for and
    looked at; it is not repeated unless that is approved again. Values of --set that are secret
    have to be given again.

    A run that cannot be gone on with, since its runbook has changed or a host is gone, is closed
    with --abandon. What a fix did that it left half done stays unknown.

    \b
    Examples:
      runbook resume last
      runbook resume last --abandon 'web3 is gone for good'
    """
    from runbook.journal.opening import open_journal  # noqa: PLC0415 -- see above
    from runbook.model.event import Mode  # noqa: PLC0415
    from runbook.views import abandoning, driving  # noqa: PLC0415

    if yes and unattended:
        raise click.UsageError("--yes is for a person; with --unattended the policy decides.")
    settings = settings_for(target.flags)
    with closing(open_journal(settings.journal)) as journal:
        stopped = _last_stopped(journal) if which == "last" else journal.find(which)
        if abandon is not None:
            abandoning.close(stopped, abandon, output, journal)
            return 0
        wish = Wish(
            mode=Mode.RUN,
            aim=target,
            output=output,
            yes=yes,
            unattended=unattended,
            slice_hosts=slice_hosts,
        )
        return driving.resume(stopped, wish, settings, journal)


def _last_stopped(journal: "Journal") -> "RunSummary":
    from runbook.driver.whole import as_whole  # noqa: PLC0415 -- see above
    from runbook.journal import RunFilter  # noqa: PLC0415
    from runbook.model.verdict import Verdict  # noqa: PLC0415

    for summary in journal.runs(RunFilter(limit=None)):
        if summary.verdict in (None, Verdict.WAITING):
            return as_whole(summary, journal)
    raise RunbookError.of(
        "nothing-to-resume",
        "every run in the journal has come to its end",
        hint="`runbook history` lists them",
    )


@click.command("undo")
@click.argument("which", metavar="RUN", shell_complete=options.complete_runs)
@options.yes
@options.target
@options.plain
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
    from runbook.journal.opening import open_journal  # noqa: PLC0415 -- see above
    from runbook.model.event import Mode  # noqa: PLC0415
    from runbook.views import driving  # noqa: PLC0415
    from runbook.views.archive import find_run  # noqa: PLC0415

    settings = settings_for(target.flags)
    with closing(open_journal(settings.journal)) as journal:
        wish = Wish(mode=Mode.RUN, aim=target, output=output, yes=yes)
        return driving.undo(find_run(journal, which), wish, settings, journal)


def no_host(command: str) -> RunbookError:
    """Return the error of a command without --host."""
    return RunbookError.of(
        "no-host",
        "say which hosts the runbook is for",
        hint=f"{command} --host PATTERN; to aim at every host of the "
        "inventory: --host all; at this machine: --host localhost",
    )


def _start(name: str, host: str | None, wish: Wish) -> int:
    if not host:
        raise no_host(f"runbook {wish.mode} {name}")
    if wish.step:
        _refuse_unless_asked(wish)
    from runbook.spec.places import locate  # noqa: PLC0415 -- see above
    from runbook.views.importing import importing  # noqa: PLC0415
    from runbook.views.starting import ansible_started  # noqa: PLC0415

    settings = settings_for(wish.aim.flags)
    locate(name, settings.library)  # The likeliest mistake is told before anything is started.
    with ansible_started(settings.ansible_config, settings.keep_ansible) as starter:
        with importing():  # Most of ours, while Ansible starts.
            from runbook.journal.opening import open_journal  # noqa: PLC0415
            from runbook.views import driving  # noqa: PLC0415

        at_hand.keep()
        with closing(open_journal(settings.journal)) as journal:
            return driving.start(name, host, wish, settings, journal, starter=starter)


def _refuse_unless_asked(wish: Wish) -> None:
    """Raise RunbookError where nobody could be asked before each step."""
    if wish.yes:
        raise RunbookError.of(
            "step-without-questions",
            "--step asks before each step, and --yes has nothing asked",
            hint="leave one of them out",
        )
    from runbook.views.keyboard import find_keyboard  # noqa: PLC0415 -- for this case only

    if find_keyboard() is None:
        raise RunbookError.of(
            "step-without-terminal",
            "--step asks before each step, and there is no terminal to ask at",
            hint=f"call it from a terminal, or `runbook {wish.mode}` without --step",
        )
