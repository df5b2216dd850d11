"""A rich console as we use it: nothing is guessed from text, and no encoding is an error."""

import os
from typing import TextIO

from rich.console import Console

from runbook.views.safe_text import tolerate


def console_on(stream: TextIO, *, colour: bool = True, plain: bool = False) -> Console:
    """Return a console that writes to a stream; `colour` only permits, `NO_COLOR` forbids.

    With `plain` it is used as a dumb terminal is: nothing but lines of text.
    """
    tolerate(stream)
    return Console(
        file=stream,
        no_color=None if colour else True,
        highlight=False,
        markup=False,
        emoji=False,
        soft_wrap=False,
        _environ={**os.environ, "TERM": "dumb"} if plain else None,
    )
