"""`runbook completion`: the script that makes a shell complete our names."""

import click

from runbook.views import options
from runbook.views.frame import PROGRAM
from runbook.views.output import write

VARIABLE = f"_{PROGRAM.upper()}_COMPLETE"


@click.command("completion")
@click.argument("shell", type=click.Choice(["bash", "zsh", "fish"]), metavar="SHELL")
@options.no_colour
@options.verbose
@click.pass_context
def completion_command(context: click.Context, shell: str) -> None:
    r"""Print a shell's completion script.

    SHELL is bash (4.4 or later), zsh or fish. Commands, options, runbooks, hosts and runs are
    completed; hosts are those of static inventories and of past runs.

    \b
    Examples:
      runbook completion bash > ~/.local/share/bash-completion/completions/runbook
      runbook completion zsh > ~/.zfunc/_runbook     # with: fpath+=~/.zfunc; compinit
      runbook completion fish > ~/.config/fish/completions/runbook.fish
    """
    from click.shell_completion import get_completion_class  # noqa: PLC0415  # here only

    kind = get_completion_class(shell)
    if kind is None:
        raise ValueError(shell)
    completer = kind(context.find_root().command, {}, PROGRAM, VARIABLE)
    # Not `source`, which runs bash to ask for its version: the script may be for another machine.
    write((completer.source_template % completer.source_vars()).strip("\n"))
