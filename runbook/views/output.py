"""Standard output and standard error: results on the one, everything else on the other."""

import os
import sys
from typing import Any

import click


def wants_colour(stream: object) -> bool:
    """Say whether colour may go to a stream: a terminal that can, and `NO_COLOR` is not set.

    See https://no-color.org.
    """
    isatty = getattr(stream, "isatty", None)
    return (
        isatty is not None
        and bool(isatty())
        and not os.environ.get("NO_COLOR")
        and os.environ.get("TERM") != "dumb"
    )


def columns() -> int | None:
    """Return how many characters a line of standard output has, None where that is no terminal."""
    # Python has no standard output at all where it was closed beforehand.
    if sys.stdout is None or not sys.stdout.isatty():
        return None
    import shutil  # noqa: PLC0415  # most calls want none

    return shutil.get_terminal_size().columns


def write(text: str) -> None:
    """Write lines of a result to standard output."""
    # Named, or click would write UTF-8 where the stream says that it takes ASCII alone.
    click.echo(text, file=sys.stdout)


def write_json(document: Any) -> None:
    """Write the one JSON document of a command to standard output."""
    import json  # noqa: PLC0415  # most calls want none

    # ASCII alone: the same whatever the encoding, and nothing in it steers a terminal.
    write(json.dumps(document, indent=2))


def ask(text: str) -> None:
    """Write a question to standard error, for an answer on the same line."""
    click.echo(text, err=True, nl=False)


def tell(text: str) -> None:
    """Write lines for whoever reads along to standard error; pass over one that is gone."""
    try:
        click.echo(text, err=True)
    except OSError:
        return
