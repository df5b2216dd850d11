"""How many hosts of a run may get a fix now: one, then twice as many after each wave that helped. Pure."""

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass

from runbook.model.definition import FixResult
from runbook.model.event import Acted
from runbook.model.policy import Ramp
from runbook.model.state import FixPhase, HostState
from runbook.model.verdict import Verdict

_HELPED = frozenset({FixResult.RESOLVED.value, FixResult.CAUSE_REMOVED.value})
_UNDER_WAY = frozenset({FixPhase.INTENDED, FixPhase.ENDED, FixPhase.VERIFIED})


@dataclass(frozen=True, kw_only=True, slots=True)
class Standing:
    """How far the waves of a fix have come: hosts on which it was begun, and what came of it.

    `under_way` are those where it is not seen yet whether it helped, `failed` those where it did
    not, or not for long. `well` are those that were seen to be well in the end.
    """

    begun: int
    under_way: int
    failed: tuple[str, ...]
    well: tuple[str, ...] = ()


def is_in_fix(state: HostState) -> bool:
    """Say whether a fix was begun on a host and it is not seen yet what came of it."""
    return state.verdict is None and state.fix.phase in _UNDER_WAY


def standing(fix: str, states: Mapping[str, HostState], fallen: Collection[str] = ()) -> Standing:
    """Return how a fix stands in a run; hosts where it was withheld do not count.

    `fallen` are hosts of which it is known otherwise that it did not help, or not for long.
    """
    begun, under_way = 0, 0
    failed: list[str] = []
    well: list[str] = []
    for host, state in states.items():
        tries = [one for one in state.fixes if one.step == fix and one.acted is not Acted.WITHHELD]
        if not tries:
            continue
        begun += 1
        if host in fallen:
            failed.append(host)
        elif state.position == fix and is_in_fix(state):
            under_way += 1
        elif tries[-1].result not in _HELPED:
            failed.append(host)
        elif state.verdict is Verdict.RESOLVED:
            well.append(host)
    return Standing(begun=begun, under_way=under_way, failed=tuple(failed), well=tuple(well))


def wave(
    ramp: Ramp, so_far: Standing, hosts: Sequence[str], before: int | None = None
) -> tuple[str, ...]:
    """Return the hosts of those that wait which make the next wave; none while one is under way.

    With `first` hosts in the first one, each wave is twice as large as the one before it. Where
    several slices make a wave together, `before` is how many hosts had the fix when it began: what is
    left of its room may still be taken while it is under way.
    """
    if so_far.failed:
        return ()
    if before is None:
        return () if so_far.under_way else tuple(hosts[: so_far.begun + ramp.first])
    return tuple(hosts[: max(0, 2 * before + ramp.first - so_far.begun)])
