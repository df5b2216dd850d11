"""The command `runbook`: which commands there are. Each is imported when it is called."""

import sys
from importlib import import_module
from typing import TYPE_CHECKING

import click

from runbook import __version__, class_code
from runbook.views.frame import PROGRAM, FramedGroup
from runbook.views.options import no_colour, verbose

if TYPE_CHECKING:
    from click.shell_completion import CompletionItem

COMMANDS = {
    "Diagnose and fix": {
        "triage": (
            "commands.triage:triage_command",
            "Find out which runbook fits what is wrong.",
        ),
        "run": ("commands.run:run_command", "Diagnose, confirm, fix, verify."),
        "diagnose": (
            "commands.run:diagnose_command",
            "Walk a runbook read-only: say what is wrong and what would be done.",
        ),
        "resume": (
            "commands.run:resume_command",
            "Go on with a run that was interrupted or killed.",
        ),
        "undo": ("commands.run:undo_command", "Take back what a run did."),
    },
    "Heal by itself": {
        "serve": ("commands.serve:serve_command", "Start runs by themselves, until stopped."),
        "worker": (
            "commands.worker:worker_command",
            "Work off the queue of other machines, until stopped.",
        ),
        "trigger": (
            "commands.trigger:trigger_command",
            "Ask the service for a run, which nobody watches.",
        ),
        "queue": (
            "commands.trigger:queue_command",
            "List what the service was asked for, newest first.",
        ),
        "approvals": (
            "commands.approvals:approvals_command",
            "List what waits for somebody to decide.",
        ),
        "approve": ("commands.approvals:approve_command", "Say yes to a fix that waits."),
        "deny": ("commands.approvals:deny_command", "Say no to a fix that waits."),
        "answer": ("commands.approvals:answer_command", "Answer a question that waits."),
        "pause": (
            "commands.pause:pause_command",
            "Hold all that nobody watches: start nothing, begin no fix.",
        ),
        "unpause": ("commands.pause:unpause_command", "End the pause."),
        "policy": (
            "commands.policy:policy_group",
            "Say what may be done without asking, and test it.",
        ),
        "autonomy": (
            "commands.autonomy:autonomy_command",
            "Show what each fix has earned, and why.",
        ),
        "notify": ("commands.notify:notify_group", "Tell people what happens in runs."),
    },
    "Look around": {
        "list": ("commands.list:list_command", "List the runbooks there are."),
        "show": ("commands.show:show_command", "Show what a runbook does."),
        "graph": ("commands.graph:graph_command", "Draw a runbook's decision tree."),
        "history": (
            "commands.history:history_command",
            "List past runs, newest first, and those under way.",
        ),
        "report": ("commands.report:report_command", "Report on one run."),
        "stats": ("commands.stats:stats_command", "Say what a runbook's runs add up to."),
        "journal": (
            "commands.journal:journal_group",
            "Keep the record of runs to its size.",
        ),
    },
    "Write runbooks": {
        "lint": ("commands.lint:lint_command", "Check whether runbooks are sound."),
        "rehearse": (
            "commands.rehearse:rehearse_command",
            "Play runbooks against canned outcomes; no host is touched.",
        ),
        "schema": (
            "commands.schema:schema_command",
            "Print the JSON Schema of runbooks, for editors.",
        ),
    },
    "Set up": {
        "doctor": (
            "commands.doctor:doctor_command",
            "Say whether machine and hosts are ready.",
        ),
        "settings": (
            "commands.settings:settings_command",
            "Show all settings and where each is from.",
        ),
        "db": ("commands.db:db_group", "Make and upgrade the tables of a journal on Postgres."),
        "completion": (
            "commands.completion:completion_command",
            "Print a shell's completion script.",
        ),
        "demo": ("demo:demo", "Bring up a sandbox site, break it, mend it."),
    },
}
"""Sections of the help, each with its commands: where they are defined, and what they do.

It is what makes `--help` and completion fast: none of these modules is imported for them.
"""

_FOUND = {name: entry for section in COMMANDS.values() for name, entry in section.items()}


class LazyGroup(FramedGroup):
    """The commands of `COMMANDS`."""

    def list_commands(self, ctx: click.Context) -> list[str]:  # noqa: ARG002  # click's signature
        """Return all names, in the order of the help."""
        return list(_FOUND)

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:  # noqa: ARG002
        """Import the one command that is wanted."""
        if cmd_name not in _FOUND:
            return None
        class_code.use(PROGRAM)
        module, _, attribute = _FOUND[cmd_name][0].partition(":")
        command: click.Command = getattr(import_module(f"runbook.views.{module}"), attribute)
        _keep_lines(command)
        return command

    def resolve_command(
        self, ctx: click.Context, args: list[str]
    ) -> tuple[str | None, click.Command | None, list[str]]:
        """Find the command that the arguments begin with; say which one was meant."""
        name = args[0]
        if name not in _FOUND and not name.startswith("-") and not ctx.resilient_parsing:
            from difflib import get_close_matches  # noqa: PLC0415  # for a mistake only

            near = get_close_matches(name, _FOUND, n=1)
            meant = f' Did you mean "{near[0]}"?' if near else ""
            raise click.UsageError(f'There is no command "{name}".{meant}', ctx)
        return super().resolve_command(ctx, args)

    def format_commands(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:  # noqa: ARG002
        """Write the sections of commands."""
        for title, section in COMMANDS.items():
            with formatter.section(title):
                width = max(map(len, _FOUND))
                formatter.write_dl(
                    [(f"{name:<{width}}", said) for name, (_, said) in section.items()]
                )

    def shell_complete(self, ctx: click.Context, incomplete: str) -> "list[CompletionItem]":
        """Complete a command's name."""
        from click.shell_completion import CompletionItem  # noqa: PLC0415

        return [
            CompletionItem(name, help=said)
            for name, (_, said) in _FOUND.items()
            if name.startswith(incomplete)
        ] + click.Command.shell_complete(self, ctx, incomplete)


def _keep_lines(command: click.Command) -> None:
    """Put Click's mark of a paragraph that keeps its lines; docstrings, being raw, spell it out."""
    command.help = (command.help or "").replace("\\b\n", "\b\n")
    if isinstance(command, click.Group):
        for within in command.commands.values():
            _keep_lines(within)


@click.group(
    cls=LazyGroup,
    name=PROGRAM,
    invoke_without_command=True,
    subcommand_metavar="[COMMAND] [ARGS]...",
    context_settings={"help_option_names": ["-h", "--help"]},
    epilog="Example: runbook run fix-502 --host prod",
)
@click.version_option(__version__, prog_name=PROGRAM, message="%(prog)s %(version)s")
@no_colour
@verbose
@click.pass_context
def main(context: click.Context) -> int | None:
    """Find out what is wrong with a host, fix it, and see that it is fixed.

    A runbook is a decision tree of checks, branches and fixes. Ansible does what it says, on the
    hosts of an Ansible inventory. Alone, at a terminal, it asks which runbook and which hosts.
    """
    if context.invoked_subcommand is not None:
        return None
    if not (sys.stdin and sys.stdin.isatty()):  # The likeliest case of a script, told cheaply.
        click.echo(context.get_help())
        return None
    from runbook.views.configured import settings_for  # noqa: PLC0415 -- for a person only
    from runbook.views.picking import pick, somebody_is_there  # noqa: PLC0415

    if not somebody_is_there():
        click.echo(context.get_help())
        return None
    arguments = pick(settings_for())
    if arguments is None:
        return None
    name, *rest = arguments
    command = main.get_command(context, name)
    assert command is not None  # noqa: S101 -- one of ours
    with command.make_context(name, rest, parent=context) as inner:
        code: int | None = command.invoke(inner)
    return code
