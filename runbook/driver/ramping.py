"""Letting a fix onto the hosts of a run in waves: the next one begins when the last one has helped."""

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field, replace

from runbook.driver.siblings import Siblings
from runbook.engine.ramp import Standing, is_in_fix, standing, wave
from runbook.executor import HostVerified, VerifyRequest
from runbook.model.definition import FixResult
from runbook.model.event import FixRechecked, WaveLookEnded
from runbook.model.observation import Verification
from runbook.model.policy import Ramp
from runbook.model.state import HostState


@dataclass(kw_only=True, slots=True)
class _Look:
    """A look under way at the hosts of earlier waves; `begun` is how many had the fix then."""

    fix: str
    begun: int
    left: set[str]
    elsewhere: dict[str, Verification] = field(default_factory=dict)


@dataclass(kw_only=True)
class Ramping:
    """Holds hosts back that a fix was approved for. `clock` gives POSIX seconds.

    Without a `ramp` all may begin. Before each wave but the first one, the hosts of those before it
    are looked at again. `own` are the states of the run's hosts; where it is a slice, the waves are
    those of all slices together, and a look by one of them is good for all.
    """

    ramp: Ramp | None
    own: Callable[[], Mapping[str, HostState]]
    clock: Callable[[], float]
    siblings: Siblings | None = None
    _held: dict[str, dict[str, None]] = field(default_factory=dict)
    _over_at: dict[tuple[str, int], float] = field(default_factory=dict)
    _looks: dict[str, _Look] = field(default_factory=dict)
    _seen_again: dict[str, int] = field(default_factory=dict)
    _unseen: dict[str, str] = field(default_factory=dict)

    def let(self, fix: str, hosts: tuple[str, ...]) -> tuple[tuple[str, ...], str]:
        """Return the hosts that may begin now, and why all others may not at all ("" if they may).

        Others are held until they are `due`.
        """
        if self.ramp is None or self._size() < self.ramp.crowd:
            return hosts, ""
        so_far = self._standing(fix)
        if so_far.failed:
            return (), self._why_not(fix, so_far.failed)
        if unseen := self._not_seen(fix):
            return (), f"nobody could see whether {unseen} is still well"
        chosen = wave(self.ramp, so_far, hosts, self._before(fix)) if self._is_ready(fix) else ()
        held = self._held.setdefault(fix, {})
        # Where what came of this was undone, it is asked for again.
        for host in hosts:
            held.pop(host, None)
        held.update(dict.fromkeys(host for host in hosts if host not in chosen))
        if not held:
            del self._held[fix]
        return chosen, ""

    def due(self) -> Iterable[str]:
        """Hand over the hosts that need not be held any longer."""
        if self._held and self.siblings is not None:
            self.siblings.refresh_from_time_to_time()
        ready = [fix for fix in self._held if self._is_ready(fix)]
        return [host for fix in ready for host in self._held.pop(fix)]

    def next_due_s(self) -> float | None:
        """Return the seconds until a pause between waves is over; None where there is none.

        Where others make waves as well, it is looked from time to time how these stand.
        """
        looked_at = {look.fix for look in self._looks.values()}
        fixes = self._held.keys() - looked_at
        waits = [self._waits_s(fix, self._standing(fix)) for fix in fixes]
        if self._held and self.siblings is not None:
            return self.siblings.next_refresh_s()
        return min((wait for wait in waits if wait is not None), default=None)

    # Looking again at the waves before

    def looks(self) -> Iterable[tuple[str, tuple[str, ...]]]:
        """Return the fixes whose next wave waits for nothing but a look, with the hosts to look at."""
        looked_at = {look.fix for look in self._looks.values()}
        for fix in self._held.keys() - looked_at:
            so_far = self._standing(fix)
            if self.siblings is not None and self.siblings.is_looking(fix, so_far.begun):
                continue
            if not self._is_ready(fix) and self._waits_s(fix, so_far) == 0:
                yield fix, so_far.well

    def begun(self, fix: str) -> int:
        """Return on how many hosts a fix was begun."""
        return self._standing(fix).begun

    def look(self, request: VerifyRequest) -> None:
        """Note that a look at hosts is under way."""
        begun = self.begun(request.fix)
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
        if report.host not in self.own():
            look.elsewhere[report.host] = seen
        return FixRechecked(host=report.host, step=look.fix, verification=seen)

    def end(self, request: str) -> WaveLookEnded | None:
        """Note that nothing more comes of a request; return what the other slices are told of it."""
        look = self._looks.pop(request, None)
        if look is None:
            return None
        self._seen_again[look.fix] = look.begun
        if look.left:
            self._unseen[look.fix] = min(look.left)
        if self.siblings is None:
            return None
        return WaveLookEnded(
            step=look.fix,
            begun=look.begun,
            unseen=self._unseen.get(look.fix, ""),
            seen=look.elsewhere,
        )

    def _size(self) -> int:
        return len(self.own()) if self.siblings is None else self.siblings.slice.size

    def _states(self) -> Mapping[str, HostState]:
        return self.own() if self.siblings is None else self.siblings.everybody

    def _standing(self, fix: str) -> Standing:
        fallen = () if self.siblings is None else self.siblings.fallen(fix)
        return standing(fix, self._states(), fallen)

    def _before(self, fix: str) -> int | None:
        """Return how many hosts had a fix when the present wave began, for slices that share it."""
        return None if self.siblings is None else self.siblings.before(fix)

    def _not_seen(self, fix: str) -> str:
        elsewhere = "" if self.siblings is None else self.siblings.unseen(fix)
        return self._unseen.get(fix, "") or elsewhere

    def _is_ready(self, fix: str) -> bool:
        """Say whether hosts of a fix need not be held: for the next wave, or as there will be none."""
        so_far = self._standing(fix)
        if so_far.failed or self._not_seen(fix):
            return True
        before = self._before(fix)
        if before is None:
            seen = not so_far.well or self._seen_again.get(fix) == so_far.begun
        elif so_far.under_way:
            # Others may join a wave while it is under way, as far as it has room.
            assert self.ramp is not None  # noqa: S101 -- as otherwise none is held
            return before < so_far.begun < 2 * before + self.ramp.first
        else:
            seen = before >= so_far.begun
        return seen and self._waits_s(fix, so_far) == 0

    def _why_not(self, fix: str, failed: tuple[str, ...]) -> str:
        names = ", ".join(failed[:3])
        states = self._states()
        if all(is_in_fix(states[host]) for host in failed):
            return f"nobody knows what became of the wave before on {names}"
        fixes = (states[host].fixes for host in failed)
        fallen = () if self.siblings is None else self.siblings.fallen(fix)
        if any(one.result == FixResult.RECURRED for tries in fixes for one in tries) or any(
            host in fallen for host in failed
        ):
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
