"""Write docs/reference/cli.md from the commands themselves.

python docs/generate_cli.py
"""

import re
from collections.abc import Iterator
from inspect import cleandoc
from pathlib import Path

import click

from runbook.model.verdict import Verdict, exit_code
from runbook.views.cli import COMMANDS, main

ROOT = Path(__file__).resolve().parent.parent
PAGE = ROOT / "docs" / "reference" / "cli.md"

_INTRODUCTION = """\
# The command line

<!-- Written by docs/generate_cli.py. Change the commands instead. -->

Other programs may rely on what this page says: names, exit codes, and what goes to which stream.

**Streams.** Standard output has the result, and with `--json` exactly one JSON document; everything
else goes to standard error. An error met with `--json` is told twice: in words on standard error, and
as `{"errors": [...], "exit_code": N}` on standard output. Each error has `reference` (a stable name),
`severity`, `message`, `context`, `hint`, and `file`, `line`, `column` where there is a place; what is
not known is null.

**Colour** is used on terminals only, and never says what words do not. `--no-color`, the environment
variable [`NO_COLOR`](https://no-color.org) and `TERM=dumb` turn it off.

**Alone.** `runbook` without a command asks, where a person sits at a terminal: which unfinished run to
resume, or which runbook (by number, name or what is wrong), on which hosts (Tab completes), and how. The
command is shown before it is carried out, and its exit code counts; `q` leaves with 0. Elsewhere the
help is printed.

**Everywhere.** `-h` and `--help` explain a command. `--no-color` and `-v` may stand before or after a
command's name. Where settings are from: [how to configure](../how-to/configure.md).
"""

_MEANINGS = {
    2: "Usage error, unsound runbook, bad setting, host held by another run, journal not usable: "
    "nothing was touched",
    130: "Interrupted",
    70: "A defect of runbook. The traceback is saved in the state folder; `-vv` shows it",
    74: "The work is done, but the result could not be written to standard output",
    141: "Whoever read standard output went away",
}


_EVERYWHERE = {"no_color", "verbose"}


def page() -> str:
    """Return the whole page."""
    return "\n".join(_lines())


def _lines() -> Iterator[str]:
    yield _INTRODUCTION
    yield "## Exit codes"
    yield ""
    yield "| code | means |"
    yield "| --- | --- |"
    codes: dict[int, list[str]] = {}
    for verdict in Verdict:
        codes.setdefault(exit_code(verdict), []).append(f"`{verdict.value}`")
    meanings = {code: f"Verdict {', '.join(names)}" for code, names in codes.items()}
    meanings[2] = f"{_MEANINGS[2]}. Verdict {', '.join(codes[2])}"
    for code, meaning in sorted({**_MEANINGS, **meanings}.items()):
        yield f"| {code} | {meaning} |"
    yield ""
    yield "With several hosts the worst counts: 2, then 4, 1, 3, 0."
    root = click.Context(main, info_name="runbook")
    for title, section in COMMANDS.items():
        yield ""
        yield f"## {title}"
        for name in section:
            command = main.get_command(root, name)
            if command is None:
                raise LookupError(name)
            yield from _command(command, click.Context(command, info_name=name, parent=root), 3)
    yield ""


def _command(command: click.Command, context: click.Context, level: int) -> Iterator[str]:
    usage = " ".join([context.command_path, *command.collect_usage_pieces(context)])
    yield ""
    yield f"{'#' * level} `{usage}`"
    yield from _text(command.help or "")
    options = [
        option
        for option in command.params
        if isinstance(option, click.Option) and option.name not in _EVERYWHERE
    ]
    if options:
        yield ""
        yield "| option | meaning |"
        yield "| --- | --- |"
        for option in options:
            yield f"| {_spelling(option, context)} | {_cell(option.help or '')}{_default(option)} |"
    if isinstance(command, click.Group):
        for name in command.list_commands(context):
            inner = command.get_command(context, name)
            if inner is None:
                raise LookupError(name)
            below = click.Context(inner, info_name=name, parent=context)
            yield from _command(inner, below, level + 1)


def _text(said: str) -> Iterator[str]:
    """Yield paragraphs; examples, marked as click has it, become code below their title."""
    for paragraph in cleandoc(said).split("\n\n"):
        yield ""
        if not paragraph.startswith("\b"):
            yield _escaped(" ".join(paragraph.split()))
            continue
        title, *lines = paragraph.lstrip("\b\n").splitlines()
        yield title
        yield ""
        yield "```console"
        yield from (line.strip() for line in lines)
        yield "```"


def _spelling(option: click.Option, context: click.Context) -> str:
    value = "" if option.is_flag or option.count else f" {option.make_metavar(context)}"
    return _cell(f"`{', '.join(option.opts)}{value}`")


def _default(option: click.Option) -> str:
    return f" Default: {option.default}." if option.show_default else ""


def _escaped(text: str) -> str:
    return re.sub(r"([*_<])", r"\\\1", text)


def _cell(text: str) -> str:
    return text.replace("|", "\\|")


if __name__ == "__main__":
    PAGE.parent.mkdir(parents=True, exist_ok=True)
    PAGE.write_text(page(), encoding="utf-8")
