"""Many notices, few messages. Pure: the moment is an argument."""

from collections.abc import Sequence
from dataclasses import dataclass

from runbook.notify.incidents import Notice
from runbook.notify.plan import Kind, Tier


@dataclass(frozen=True, kw_only=True, slots=True)
class Held:
    """A notice that is yet to be told; `id` is the store's."""

    id: int
    notice: Notice


@dataclass(frozen=True, kw_only=True, slots=True)
class Sent:
    """A message that was written `at` POSIX seconds; no incident where it was about several."""

    at: float
    incident: str | None
    kind: Kind | None


@dataclass(frozen=True, kw_only=True, slots=True)
class Bundle:
    """What goes into one message: one kind of notice of one incident, or all that is left."""

    held: tuple[Held, ...]

    @property
    def incident(self) -> str | None:
        """The incident it is about, None for several."""
        found = {one.notice.incident for one in self.held}
        return found.pop() if len(found) == 1 else None

    @property
    def kind(self) -> Kind | None:
        """What it is about, None for several kinds."""
        found = {one.notice.kind for one in self.held}
        return found.pop() if len(found) == 1 else None


def collapsed(tier: Tier, held: Sequence[Held], sent: Sequence[Sent], now: float) -> list[Bundle]:
    """Return the messages that go out now; what is in none of them is held on.

    The first of a kind goes at once; more of the same incident and kind are put together until the
    tier's time has passed since. Of the `burst` messages within that time the last one takes all
    that is left.
    """
    recent = [one for one in sent if now - one.at < tier.collapse_s]
    said = {(one.incident, one.kind) for one in recent}
    groups: dict[tuple[str, Kind], list[Held]] = {}
    for one in held:
        groups.setdefault((one.notice.incident, one.notice.kind), []).append(one)
    due = [tuple(group) for key, group in groups.items() if key not in said]
    places = tier.burst - len(recent)
    if places <= 0:
        return []
    if len(due) <= places:
        return [Bundle(held=group) for group in due]
    rest = tuple(one for group in due[places - 1 :] for one in group)
    return [*(Bundle(held=group) for group in due[: places - 1]), Bundle(held=rest)]
