"""Telling people while something else goes on, and what was told: the settings' notifications."""

from collections.abc import Callable, Iterator, Mapping
from contextlib import closing, contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

from runbook.settings import Settings
from runbook.views.safe_text import printable

if TYPE_CHECKING:
    from runbook.notify.outbox import Message

_LAST_TRIES_S = 10.0


@contextmanager
def notified(settings: Settings, log: Callable[[str, Mapping[str, str]], None]) -> Iterator[None]:
    """Tell whom the setting `notify` names of what happens meanwhile; nobody without one.

    `log` is told what was delivered and what was not. Raises RunbookError where the notifications
    are unsound, a target has no URL, or Apprise is missing.
    """
    if settings.notify is None:
        yield
        return
    from runbook.journal.opening import open_journal  # noqa: PLC0415 -- where they are wanted
    from runbook.notify.notifier import Notifier  # noqa: PLC0415
    from runbook.notify.outbox import FILE, Outbox  # noqa: PLC0415
    from runbook.notify.reading import load_plan  # noqa: PLC0415
    from runbook.notify.sender import check_target, require_apprise  # noqa: PLC0415

    plan = load_plan(settings.notify)
    require_apprise()
    for target in plan.targets.values():
        check_target(target)
    with (
        closing(open_journal(settings.journal)) as journal,
        closing(Outbox(settings.home / FILE)) as outbox,
    ):
        notifier = Notifier(plan=plan, journal=journal, outbox=outbox, log=log, clean=printable)
        notifier.turn()  # From here on it is told, whatever else is being begun.
        notifier.start()
        try:
            yield
        finally:
            notifier.stop(_LAST_TRIES_S)


def undelivered_in(home: Path) -> Callable[[], int]:
    """Return what counts the messages in a state folder that were not delivered yet."""

    def count() -> int:
        from runbook.notify.outbox import FILE, Outbox  # noqa: PLC0415 -- where it is asked for

        if not (home / FILE).exists():
            return 0
        with closing(Outbox(home / FILE)) as outbox:
            return outbox.undelivered()

    return count


def told_of(home: Path, run: str) -> list[tuple[float, str]]:
    """Return who was told of a run, and what could not be delivered, each with its POSIX seconds."""
    from runbook.notify.outbox import FILE, Outbox  # noqa: PLC0415 -- where it is asked for

    if not (home / FILE).exists():
        return []
    with closing(Outbox(home / FILE)) as outbox:
        return [
            (one.at, f"{one.target}: {state_of(one)}: {one.body.partition(chr(10))[0]}")
            for one in outbox.of_run(run)
        ]


def state_of(message: "Message") -> str:
    """Say whether a message was delivered; where a try failed, how many there were, and why."""
    state = message.state.replace("_", " ")
    if not message.told:
        return state
    tries = "1 try" if message.attempts == 1 else f"{message.attempts} tries"
    return f"{state} ({tries}: {message.told})"
