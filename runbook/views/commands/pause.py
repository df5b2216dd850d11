"""`runbook pause` and `runbook unpause`: the switch that holds all that nobody watches."""

from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING

import click

from runbook.views import options
from runbook.views.configured import settings_for, state_place
from runbook.views.output import write, write_json
from runbook.views.safe_text import printable
from runbook.views.span import Span

if TYPE_CHECKING:
    from runbook.schedule.pause import Pause, Switch

_LONGEST = timedelta(days=31)


@click.command("pause")
@click.option("--for", "span", type=Span(), help="For how long: 30m, 2h, 1d; at most 31d.")
@click.option("--reason", metavar="TEXT", help="Why, for whoever wonders; needed with --for.")
@options.output
def pause_command(span: timedelta | None, reason: str | None, output: options.Output) -> None:
    r"""Hold all that nobody watches: start nothing, begin no fix.

    With --for, `runbook serve` starts nothing until that time, and no run that nobody watches
    (started by a schedule, an alert, a trigger, or with --yes) begins a fix; one that has begun is
    seen through. It lasts through restarts. Runs at a terminal, where a person says yes, go on.
    Alone, it says whether a pause lasts.

    \b
    Examples:
      runbook pause --for 2h --reason 'moving the database'
      runbook pause
    """
    from runbook.schedule.pause import Pause  # noqa: PLC0415 -- which --help needs not
    from runbook.views.running import operator_name  # noqa: PLC0415

    if (span is None) is not (reason is None):
        raise click.UsageError("--for and --reason go together: say for how long, and why.")
    if span is not None and span > _LONGEST:
        raise click.UsageError("A pause lasts at most 31 days.")
    now = datetime.now(tz=UTC)
    with _switch() as switch:
        if span is not None and reason is not None:
            switch.pause(Pause(since=now, until=now + span, by=operator_name(), reason=reason))
        _show(switch.lasting(now), output)


@click.command("unpause")
@options.output
def unpause_command(output: options.Output) -> None:
    r"""End the pause.

    What waited is started by `runbook serve` at once.

    \b
    Example:
      runbook unpause
    """
    from runbook.views.running import operator_name  # noqa: PLC0415 -- which --help needs not

    now = datetime.now(tz=UTC)
    with _switch() as switch:
        lifted = switch.lift(operator_name(), now)
    if output.json:
        write_json({"paused": False, "lifted": None if lifted is None else _document(lifted)})
        return
    write("There was no pause." if lifted is None else printable(f"No longer {lifted.said}"))


@contextmanager
def _switch() -> "Iterator[Switch]":
    from runbook.schedule.pause import Switch  # noqa: PLC0415 -- which --help needs not
    from runbook.schedule.state import opened  # noqa: PLC0415

    with opened(state_place(settings_for())) as state:
        yield Switch(state)


def _show(pause: "Pause | None", output: options.Output) -> None:
    if output.json:
        write_json({"paused": pause is not None, **({} if pause is None else _document(pause))})
        return
    write("Not paused." if pause is None else printable(f"Everything is {pause.said}"))


def _document(pause: "Pause") -> dict[str, str]:
    return {
        "since": pause.since.isoformat(timespec="seconds"),
        "until": pause.until.isoformat(timespec="seconds"),
        "by": pause.by,
        "reason": pause.reason,
    }
