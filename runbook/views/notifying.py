"""Telling people while something else goes on, and what was told: the settings' notifications."""

from collections.abc import Callable, Iterator, Mapping
from contextlib import closing, contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

from runbook.settings import Settings
from runbook.views.safe_text import printable

if TYPE_CHECKING:
    from runbook.notify.outbox import Message, Outbox

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
    from runbook.notify.reading import load_plan  # noqa: PLC0415
    from runbook.notify.sender import check_target, require_apprise  # noqa: PLC0415

    plan = load_plan(settings.notify)
    require_apprise()
    for target in plan.targets.values():
        check_target(target)
    with (
        closing(open_journal(settings.journal)) as journal,
        outbox_of(settings) as outbox,
    ):
        notifier = Notifier(plan=plan, journal=journal, outbox=outbox, log=log, clean=printable)
        notifier.turn()  # From here on it is told, whatever else is being begun.
        notifier.start()
        try:
            yield
        finally:
            notifier.stop(_LAST_TRIES_S)


@contextmanager
def outbox_of(settings: Settings) -> Iterator["Outbox"]:
    """Have what was told and is to be open for a while: where the journal is, or a file beside it."""
    from runbook.notify.notice_file import NoticeFile, Store  # noqa: PLC0415 -- where it is asked for
    from runbook.notify.outbox import Outbox  # noqa: PLC0415

    store: Store
    if isinstance(settings.journal, str):
        from runbook.schedule.shared_state import TELLING, SharedState  # noqa: PLC0415 -- an extra

        store = SharedState(settings.journal, writing=TELLING)
    else:
        store = NoticeFile(_file(settings))
    with closing(Outbox(store)) as outbox:
        yield outbox


def was_anything_told(settings: Settings) -> bool:
    """Say whether there may be messages, as far as can be told without opening anything."""
    return isinstance(settings.journal, str) or _file(settings).exists()


def undelivered_in(settings: Settings) -> Callable[[], int]:
    """Return what counts the messages that were not delivered yet."""

    def count() -> int:
        if settings.notify is None or not was_anything_told(settings):
            return 0
        with outbox_of(settings) as outbox:
            return outbox.undelivered()

    return count


def _file(settings: Settings) -> Path:
    from runbook.notify.notice_file import FILE  # noqa: PLC0415 -- where it is asked for

    return settings.home / FILE


def state_of(message: "Message") -> str:
    """Say whether a message was delivered; where a try failed, how many there were, and why."""
    state = message.state.replace("_", " ")
    if not message.told:
        return state
    tries = "1 try" if message.attempts == 1 else f"{message.attempts} tries"
    return f"{state} ({tries}: {message.told})"
