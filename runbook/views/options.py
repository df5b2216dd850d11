"""Options that several commands have, each defined once, as decorators.

`target` hands over `target: Aim`, `output` hands over `output: Output`; the others hand over what
they are called.
"""

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from functools import wraps
from typing import Any

import click

from runbook.views.completing import complete_hosts, complete_runbooks, complete_runs

__all__ = [
    "Aim",
    "Manner",
    "Output",
    "complete_hosts",
    "complete_runbooks",
    "complete_runs",
    "host",
    "manner",
    "no_colour",
    "options_again",
    "output",
    "plain",
    "step",
    "target",
    "verbose",
    "yes",
]

_Command = Callable[..., Any]


@dataclass(kw_only=True, slots=True)
class Manner:
    """How the program is to speak, as far as its arguments have been read."""

    json: bool = False
    colour: bool = True
    verbosity: int = 0
    plain: bool = False


@dataclass(frozen=True, kw_only=True, slots=True)
class Output:
    """How a command is to say what it has to say.

    `json`: standard output is exactly one JSON document. `colour` is False where it was forbidden;
    whether a stream can show any is another matter (`wants_colour`). `verbosity` counts `-v`. With
    `plain` nothing is drawn.
    """

    json: bool
    colour: bool
    verbosity: int
    plain: bool = False


@dataclass(frozen=True, kw_only=True, slots=True)
class Aim:
    """What a run is aimed at and with, as typed; `given` are the `KEY=VALUE` of `--set`."""

    inventories: tuple[str, ...]
    given: tuple[str, ...]
    extra_vars: tuple[str, ...]
    vault_ids: tuple[str, ...]
    vault_password_files: tuple[str, ...]
    forks: int | None

    @property
    def flags(self) -> dict[str, object]:
        """What of it overrides settings, as `load_settings` takes it."""
        return {"inventory": self.inventories, "forks": self.forks}

    @property
    def options(self) -> tuple[str, ...]:
        """The options that a later command like this one has to be given again.

        Values of params are not among them: they may be secret.
        """
        return options_again(self.inventories, self.vault_ids, self.vault_password_files)


def options_again(
    inventories: Iterable[str], vault_ids: Iterable[str], vault_password_files: Iterable[str]
) -> tuple[str, ...]:
    """Return the options that say these of a command line."""
    said = (
        ("-i", inventories),
        ("--vault-id", vault_ids),
        ("--vault-password-file", vault_password_files),
    )
    return tuple(word for option, values in said for value in values for word in (option, value))


def manner(context: click.Context) -> Manner:
    """Return how this call of the program is to speak."""
    return context.find_root().ensure_object(Manner)


def no_colour(command: _Command) -> _Command:
    """Add `--no-color`, which works before and after a command's name."""

    def forbid(context: click.Context, _: click.Parameter, value: object) -> None:
        if value:
            manner(context).colour = False
            context.color = False

    return click.option(
        "--no-color",
        is_flag=True,
        expose_value=False,
        is_eager=True,
        callback=forbid,
        help="Use no colour; nor is any used where NO_COLOR is set, or off a terminal.",
    )(command)


def verbose(command: _Command) -> _Command:
    """Add `-v`, which works before and after a command's name."""

    def add(context: click.Context, _: click.Parameter, value: int) -> None:
        manner(context).verbosity += value

    return click.option(
        "-v",
        "--verbose",
        count=True,
        expose_value=False,
        is_eager=True,
        callback=add,
        help="Say more; -vv shows the traceback of a defect.",
    )(command)


def plain(command: _Command) -> _Command:
    """Add `--plain`; it goes above `output`."""

    def note(context: click.Context, _: click.Parameter, value: object) -> None:
        if value:
            manner(context).plain = True

    return click.option(
        "--plain",
        is_flag=True,
        expose_value=False,
        is_eager=True,
        callback=note,
        help="A line for each thing that happens, and nothing drawn: for screen readers.",
    )(command)


def output(command: _Command) -> _Command:
    """Add `--json`, `--no-color` and `-v`."""

    def note(context: click.Context, _: click.Parameter, value: object) -> None:
        if value:
            manner(context).json = True

    @wraps(command)
    def with_output(*args: Any, **kwargs: Any) -> Any:
        spoken = manner(click.get_current_context())
        given = Output(
            json=spoken.json,
            colour=spoken.colour,
            verbosity=spoken.verbosity,
            plain=spoken.plain,
        )
        return command(*args, output=given, **kwargs)

    return click.option(
        "--json",
        is_flag=True,
        expose_value=False,
        is_eager=True,
        callback=note,
        help="Write exactly one JSON document to standard output.",
    )(no_colour(verbose(with_output)))


def host(command: _Command) -> _Command:
    """Add `--host`."""
    return click.option(
        "--host",
        metavar="PATTERN",
        shell_complete=complete_hosts,
        help="The hosts, as an Ansible host pattern: web1, prod, 'prod:!web3'.",
    )(command)


def yes(command: _Command) -> _Command:
    """Add `--yes`."""
    return click.option(
        "--yes", is_flag=True, help="Approve every fix that no policy denies; nothing is asked."
    )(command)


def step(command: _Command) -> _Command:
    """Add `--step`."""
    return click.option(
        "--step",
        is_flag=True,
        help="Ask before each step, looks too: go on, skip it, jump to another, run the rest, stop.",
    )(command)


_TARGET = (
    click.option(
        "-i",
        "--inventory",
        "inventories",
        multiple=True,
        metavar="PATH",
        type=click.Path(),
        help="An Ansible inventory, or a list of hosts that ends in a comma; may be repeated.",
    ),
    click.option(
        "--set",
        "given",
        multiple=True,
        metavar="KEY=VALUE",
        help="Give a param of the runbook; wins over the inventory; may be repeated.",
    ),
    click.option(
        "-e",
        "--extra-vars",
        multiple=True,
        metavar="VARS",
        help="Variables as for ansible-playbook: KEY=VALUE, YAML, JSON or @FILE; may be repeated.",
    ),
    click.option(
        "--vault-id",
        "vault_ids",
        multiple=True,
        metavar="ID",
        help="A vault identity as for ansible-playbook; may be repeated.",
    ),
    click.option(
        "--vault-password-file",
        "vault_password_files",
        multiple=True,
        metavar="PATH",
        type=click.Path(),
        help="A file with a vault password; may be repeated.",
    ),
    click.option(
        "--forks",
        type=click.IntRange(1, 500),
        metavar="N",
        help="How many hosts at once (default: 50).",
    ),
)


def target(command: _Command) -> _Command:
    """Add what Ansible is called with: `-i`, `--set`, `-e`, the vault's options, `--forks`."""

    @wraps(command)
    def with_target(
        *args: Any,
        inventories: tuple[str, ...],
        given: tuple[str, ...],
        extra_vars: tuple[str, ...],
        vault_ids: tuple[str, ...],
        vault_password_files: tuple[str, ...],
        forks: int | None,
        **kwargs: Any,
    ) -> Any:
        aim = Aim(
            inventories=inventories,
            given=given,
            extra_vars=extra_vars,
            vault_ids=vault_ids,
            vault_password_files=vault_password_files,
            forks=forks,
        )
        return command(*args, target=aim, **kwargs)

    decorated: _Command = with_target
    for option in reversed(_TARGET):
        decorated = option(decorated)
    return decorated
