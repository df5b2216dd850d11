"""Choosing how a run is shown to whoever looks on."""

import os
from collections.abc import Mapping
from types import TracebackType
from typing import Protocol, Self, TextIO

from runbook.driver.observer import Observer
from runbook.model.definition import Runbook
from runbook.views.plain import PlainObserver


class View(Observer, Protocol):
    """An observer that shows what it sees, as long as it is entered; it can step aside."""

    def __enter__(self) -> Self: ...

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None: ...

    def pause(self) -> None:
        """Stop writing, so that somebody else can."""

    def resume(self) -> None:
        """Go on writing."""


def is_live(stream: TextIO, environment: Mapping[str, str] = os.environ) -> bool:
    """Say whether a stream can be drawn over: a terminal that is not dumb, with somebody there."""
    return (
        stream.isatty()
        and environment.get("TERM", "dumb") not in ("dumb", "unknown")
        and not environment.get("CI")
    )


def observer_for(
    runbook: Runbook,
    stream: TextIO,
    *,
    plain: bool = False,
    colour: bool = True,
    verbose: bool = False,
) -> View:
    """Return what shows a run on a stream: a tree on a terminal, else a line for each event.

    `plain` asks for lines even on a terminal, as screen readers need them. With `verbose` lines
    begin with the time, and each host has a branch of the tree to itself.
    """
    if plain or not is_live(stream):
        return PlainObserver(runbook=runbook, stream=stream, timestamps=verbose)
    from runbook.views.echo import Echo  # noqa: PLC0415 -- only for a terminal
    from runbook.views.live import LiveObserver  # noqa: PLC0415 -- rich, only for a terminal
    from runbook.views.terminal import console_on  # noqa: PLC0415

    return LiveObserver(
        runbook=runbook,
        console=console_on(stream, colour=colour),
        folded=not verbose,
        echo=Echo(descriptor=stream.fileno()),
    )
