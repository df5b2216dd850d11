"""One switch that holds all that nobody watches, until a time that is named with it."""

from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

from runbook.model.masking import mask_text
from runbook.schedule.queue import Queue
from runbook.schedule.state import State, at, is_there, moment, opened


@dataclass(frozen=True, kw_only=True, slots=True)
class Pause:
    """Until then nothing starts by itself, and no run that nobody watches begins a fix."""

    since: datetime
    until: datetime
    by: str
    reason: str

    @property
    def said(self) -> str:
        """Say it in words, by this machine's clock."""
        return (
            f"paused by {self.by} until {self.until.astimezone():%Y-%m-%d %H:%M %z}: {self.reason}"
        )


class Switch:
    """The pauses of a state folder: all of them are kept, the latest one counts."""

    def __init__(self, state: State) -> None:
        self._state = state

    def pause(self, pause: Pause) -> None:
        """Hold everything; a pause that lasts is replaced. What looks like a secret is not kept."""
        with self._state.writing() as connection:
            connection.execute(
                "INSERT INTO pauses (since, until, by, reason) VALUES (?, ?, ?, ?)",
                (at(pause.since), at(pause.until), pause.by, mask_text(pause.reason)),
            )

    def lift(self, by: str, now: datetime) -> Pause | None:
        """End the pause that lasts, and return it; None where there is none."""
        with self._state.writing() as connection:
            lasting = self.lasting(now)
            connection.execute(
                "UPDATE pauses SET lifted = ?, lifted_by = ? WHERE lifted IS NULL AND until > ?",
                (at(now), by, at(now)),
            )
            if lasting is not None:
                Queue(self._state).call_for_all()
        return lasting

    def lasting(self, now: datetime) -> Pause | None:
        """Return the pause that lasts, None where there is none."""
        rows = self._state.rows(
            "SELECT since, until, by, reason, lifted FROM pauses ORDER BY id DESC LIMIT 1"
        )
        if not rows:
            return None
        since, until, by, reason, lifted = rows[0]
        if lifted is not None or until <= at(now):
            return None
        return Pause(since=moment(since), until=moment(until), by=by, reason=reason)


def paused_in(place: Path | str) -> Callable[[], str | None]:
    """Return a look at the switch of a state, which says in words why it holds."""

    def look() -> str | None:
        if not is_there(place):
            return None
        with opened(place) as state:
            lasting = Switch(state).lasting(datetime.now(tz=UTC))
        return None if lasting is None else lasting.said

    return look
