"""Letting a fix onto the hosts of a run in waves: the next one begins when the last one has helped."""

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field, replace

from runbook.engine.ramp import Standing, standing, wave
from runbook.executor import HostVerified, VerifyRequest
from runbook.model.definition import FixResult
from runbook.model.event import FixRechecked
from runbook.model.policy import Ramp
from runbook.model.state import HostState


@dataclass(kw_only=True, slots=True)
class _Look:
    """A look under way at the hosts of earlier waves; `begun` is how many had the fix then."""

    fix: str
    begun: int
    left: set[str]


@dataclass(kw_only=True)
class Ramping:
    """Holds hosts back that a fix was approved for. `clock` gives POSIX seconds.

    Without a `ramp` all may begin. Before each wave but the first one, the hosts of those before it
    are looked at again.
    """

    ramp: Ramp | None
    states: Callable[[], Mapping[str, HostState]]
    clock: Callable[[], float]
    _held: dict[str, list[str]] = field(default_factory=dict)
    _over_at: dict[tuple[str, int], float] = field(default_factory=dict)
    _looks: dict[str, _Look] = field(default_factory=dict)
    _seen_again: dict[str, int] = field(default_factory=dict)
    _unseen: dict[str, str] = field(default_factory=dict)

    def let(self, fix: str, hosts: tuple[str, ...]) -> tuple[tuple[str, ...], str]:
        """Return the hosts that may begin now, and why all others may not at all ("" if they may).

        Others are held until they are `due`.
        """
        if self.ramp is None or len(self.states()) < self.ramp.crowd:
            return hosts, ""
        so_far = standing(fix, self.states())
        if so_far.failed:
            return (), self._why_not(so_far.failed)
        if fix in self._unseen:
            return (), f"nobody could see whether {self._unseen[fix]} is still well"
        chosen = wave(self.ramp, so_far, hosts) if self._is_ready(fix) else ()
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
        looked_at = {look.fix for look in self._looks.values()}
        fixes = self._held.keys() - looked_at
        waits = [self._waits_s(fix, standing(fix, self.states())) for fix in fixes]
        return min((wait for wait in waits if wait is not None), default=None)

    # Looking again at the waves before

    def looks(self) -> Iterable[tuple[str, tuple[str, ...]]]:
        """Return the fixes whose next wave waits for nothing but a look, with the hosts to look at."""
        looked_at = {look.fix for look in self._looks.values()}
        for fix in self._held.keys() - looked_at:
            so_far = standing(fix, self.states())
            if not self._is_ready(fix) and self._waits_s(fix, so_far) == 0:
                yield fix, so_far.well

    def look(self, request: VerifyRequest) -> None:
        """Note that a look at hosts is under way."""
        begun = standing(request.fix, self.states()).begun
        self._looks[request.id] = _Look(fix=request.fix, begun=begun, left=set(request.hosts))

    def take(self, report: HostVerified) -> FixRechecked | None:
        """Return what such a look says of a host; None where the report is of no such look."""
        look = self._looks.get(report.request)
        if look is None or report.host not in look.left:
            return None
        look.left.discard(report.host)
        seen = report.verification
        match seen.result:
            case FixResult.UNKNOWN:
                self._unseen[look.fix] = report.host
            case FixResult.RESOLVED:
                pass
            case _:
                seen = replace(seen, result=FixResult.RECURRED)
        return FixRechecked(host=report.host, step=look.fix, verification=seen)

    def end(self, request: str) -> None:
        """Note that nothing more comes of a request."""
        look = self._looks.pop(request, None)
        if look is not None:
            self._seen_again[look.fix] = look.begun
            if look.left:
                self._unseen[look.fix] = min(look.left)

    def _is_ready(self, fix: str) -> bool:
        """Say whether hosts of a fix need not be held: for the next wave, or as there will be none."""
        so_far = standing(fix, self.states())
        if so_far.failed or fix in self._unseen:
            return True
        seen = not so_far.well or self._seen_again.get(fix) == so_far.begun
        return seen and self._waits_s(fix, so_far) == 0

    def _why_not(self, failed: tuple[str, ...]) -> str:
        names = ", ".join(failed[:3])
        fixes = (self.states()[host].fixes for host in failed)
        if any(one.result == FixResult.RECURRED for tries in fixes for one in tries):
            return f"what a wave before did has not lasted on {names}"
        return f"the wave before did not help on {names}"

    def _waits_s(self, fix: str, so_far: Standing) -> float | None:
        """Return how long the next wave still has to wait; None while one is under way."""
        if self.ramp is None or so_far.under_way:
            return None
        if so_far.begun == 0:
            return 0.0
        now = self.clock()
        over_at = self._over_at.setdefault((fix, so_far.begun), now)
        return max(0.0, over_at + self.ramp.pause_s - now)
