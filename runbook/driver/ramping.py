"""Letting a fix onto the hosts of a run in waves: the next one begins when the last one has helped."""

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field

from runbook.engine.ramp import Standing, standing, wave
from runbook.model.policy import Ramp
from runbook.model.state import HostState


@dataclass(kw_only=True)
class Ramping:
    """Holds hosts back that a fix was approved for. `clock` gives POSIX seconds.

    Without a `ramp` all may begin.
    """

    ramp: Ramp | None
    states: Callable[[], Mapping[str, HostState]]
    clock: Callable[[], float]
    _held: dict[str, list[str]] = field(default_factory=dict)
    _over_at: dict[tuple[str, int], float] = field(default_factory=dict)

    def let(self, fix: str, hosts: tuple[str, ...]) -> tuple[tuple[str, ...], str]:
        """Return the hosts that may begin now, and why all others may not at all ("" if they may).

        Others are held until they are `due`.
        """
        if self.ramp is None or len(self.states()) < self.ramp.crowd:
            return hosts, ""
        so_far = standing(fix, self.states())
        if so_far.failed:
            return (), f"the wave before did not help on {', '.join(so_far.failed[:3])}"
        chosen = wave(self.ramp, so_far, hosts) if self._waits_s(fix, so_far) == 0 else ()
        held = [host for host in hosts if host not in chosen]
        if held:
            self._held.setdefault(fix, []).extend(held)
        return chosen, ""

    def due(self) -> Iterable[str]:
        """Hand over the hosts that need not be held any longer."""
        ready = [fix for fix in self._held if self._is_ready(fix)]
        return [host for fix in ready for host in self._held.pop(fix)]

    def next_due_s(self) -> float | None:
        """Return the seconds until a pause between waves is over; None where there is none."""
        waits = [self._waits_s(fix, standing(fix, self.states())) for fix in self._held]
        return min((wait for wait in waits if wait is not None), default=None)

    def _is_ready(self, fix: str) -> bool:
        so_far = standing(fix, self.states())
        return bool(so_far.failed) or self._waits_s(fix, so_far) == 0

    def _waits_s(self, fix: str, so_far: Standing) -> float | None:
        """Return how long the next wave still has to wait; None while one is under way."""
        if self.ramp is None or so_far.under_way:
            return None
        if so_far.begun == 0:
            return 0.0
        now = self.clock()
        over_at = self._over_at.setdefault((fix, so_far.begun), now)
        return max(0.0, over_at + self.ramp.pause_s - now)
