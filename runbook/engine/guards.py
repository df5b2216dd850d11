"""Limits on unattended fixes: whether one stands in the way of a fix, and by which figure. Pure."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime

from runbook.engine.policy import contains
from runbook.model.policy import (
    Blackout,
    Budget,
    Flapping,
    Guards,
    PastFix,
    Scope,
    Situation,
    Tripped,
)


@dataclass(frozen=True, kw_only=True, slots=True)
class RunSoFar:
    """What a run has come to: its hosts, and which of them stand where.

    `in_need` are hosts with a cause whose fix is not verified yet, by cause; `failed` counts fixes
    that were not verified to have worked. `size` is how many hosts a run has that is cut into slices,
    of which some may not have begun: shares are of the `hosts` of those that have.
    """

    hosts: int
    in_need: Mapping[str, frozenset[str]]
    failed: int = 0
    size: int = 0

    @property
    def crowd(self) -> int:
        """How many hosts there are, whether or not anybody has looked at them."""
        return max(self.hosts, self.size)


def standing_in_the_way(
    guards: Guards, situation: Situation, past: Sequence[PastFix], run: RunSoFar
) -> Tripped | None:
    """Return the first guard that a fix would trip, in order of how much it forbids; None if none.

    `past` are fixes of this run and of earlier ones, in any order.
    """
    now = situation.at.timestamp()
    return (
        _blackout(guards.blackouts, situation.at)
        or _failures(guards.failures, run)
        or _shared_cause(guards, situation, run)
        or _healthy_share(guards, run)
        or (guards.flapping and _flapping(guards.flapping, situation, past, now))
        or _cooldown(guards.cooldown_s, situation, past, now)
        or next(
            (trip for one in guards.budgets if (trip := _budget(one, situation, past, now))), None
        )
        or None
    )


def _blackout(blackouts: Sequence[Blackout], moment: datetime) -> Tripped | None:
    for one in blackouts:
        if contains(one.window, moment):
            local = moment.astimezone(one.window.zone)
            return Tripped(
                guard="blackout",
                figure=f"{local:%a %H:%M} {one.window.zone.key} is within “{one.name}”",
            )
    return None


def _failures(limit: int | None, run: RunSoFar) -> Tripped | None:
    if limit is None or run.failed < limit:
        return None
    return Tripped(
        guard="failures",
        figure=f"fixes of this run that did not help: {run.failed}; stop at {limit}",
    )


def _shared_cause(guards: Guards, situation: Situation, run: RunSoFar) -> Tripped | None:
    if guards.shared_cause is None or run.crowd < guards.crowd:
        return None
    having = len(run.in_need.get(situation.cause, ()))
    if having / run.hosts < guards.shared_cause:
        return None
    return Tripped(
        guard="shared-cause",
        figure=f"{having} of {run.hosts} hosts have this cause; "
        f"from {guards.shared_cause:.0%} on it is taken to lie elsewhere",
    )


def _healthy_share(guards: Guards, run: RunSoFar) -> Tripped | None:
    if guards.healthy_share is None or run.crowd < guards.crowd:
        return None
    in_need = frozenset[str]().union(*run.in_need.values())
    healthy = run.hosts - len(in_need)
    if healthy / run.hosts >= guards.healthy_share:
        return None
    return Tripped(
        guard="healthy-share",
        figure=f"{healthy} of {run.hosts} hosts are healthy; {guards.healthy_share:.0%} must be",
    )


def _flapping(
    limit: Flapping, situation: Situation, past: Sequence[PastFix], now: float
) -> Tripped | None:
    """Trip where the cause came back too often, until it has stayed away for long enough."""
    times = sorted(
        one.at
        for one in past
        if one.host == situation.host and one.cause and one.cause == situation.cause
    )
    flapped_at = None
    for index, at in enumerate(times):
        # Flapping goes on for as long as the cause comes back before it has been quiet.
        if flapped_at is not None and at - times[index - 1] < limit.quiet_s:
            flapped_at = at
            continue
        recent = [one for one in times[: index + 1] if at - one < limit.within_s]
        flapped_at = at if len(recent) >= limit.times else None
    if flapped_at is None or now - flapped_at >= limit.quiet_s:
        return None
    recent = [one for one in times if flapped_at - one < limit.within_s]
    return Tripped(
        guard="flapping",
        figure=f"the cause was fixed {len(recent)} times on this host within "
        f"{_span(limit.within_s)}; {limit.times} are flapping",
        until=flapped_at + limit.quiet_s,
    )


def _cooldown(
    cooldown_s: float | None, situation: Situation, past: Sequence[PastFix], now: float
) -> Tripped | None:
    if cooldown_s is None:
        return None
    last = max(
        (one.at for one in past if (one.host, one.fix) == (situation.host, situation.fix)),
        default=None,
    )
    if last is None or now - last >= cooldown_s:
        return None
    return Tripped(
        guard="cooldown",
        figure=f"it was done here {_span(now - last)} ago; {_span(cooldown_s)} must pass",
        until=last + cooldown_s,
    )


def _budget(
    budget: Budget, situation: Situation, past: Sequence[PastFix], now: float
) -> Tripped | None:
    mine = _counted_by(budget.scope, situation.runbook, situation.fix, situation.host)
    times = sorted(
        one.at
        for one in past
        if now - one.at < budget.within_s
        and _counted_by(budget.scope, one.runbook, one.fix, one.host) == mine
    )
    if len(times) < budget.fixes:
        return None
    whom = {Scope.HOST: "on this host", Scope.FIX: "of this kind", Scope.RUNBOOK: "by this runbook"}
    said = whom.get(budget.scope, "in all")
    return Tripped(
        guard="budget",
        figure=f"fixes {said} within {_span(budget.within_s)}: {len(times)}; "
        f"at most {budget.fixes}",
        until=times[-budget.fixes] + budget.within_s,
    )


def _counted_by(scope: Scope, runbook: str, fix: str, host: str) -> tuple[str, ...]:
    match scope:
        case Scope.HOST:
            return (host,)
        case Scope.FIX:
            return (runbook, fix)
        case Scope.RUNBOOK:
            return (runbook,)
        case Scope.ALL:
            return ()


def _span(seconds: float) -> str:
    """Return a duration in its largest whole unit: 90 min rather than 1.5 h."""
    for size, unit in ((86400, "d"), (3600, "h"), (60, "min")):
        if seconds >= size and seconds % size == 0:
            return f"{seconds // size:.0f} {unit}"
    return f"{seconds:.0f} s"
