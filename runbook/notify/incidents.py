"""Which trouble belongs together, and what of it is new. Pure.

An incident is what went wrong with a runbook's hosts in the run that first met it, until all of them
are well again. It is known by that run's id, so that whatever is told of it can be kept in one
thread, and looked up with `runbook report`. A run that was cut into slices is one.
"""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass, replace
from fnmatch import fnmatchcase

from runbook.model.slices import whole_of
from runbook.model.verdict import Verdict
from runbook.notify.plan import Kind, Tier
from runbook.notify.signs import Sign


@dataclass(frozen=True, kw_only=True, slots=True)
class Trouble:
    """A host that a runbook finds in need, `since` POSIX seconds; `run` spoke of it last.

    `told` is what has been said of it, `late` are the tiers that heard of it after some time.
    """

    incident: str
    runbook: str
    host: str
    by: str
    run: str
    since: float
    told: frozenset[Kind] = frozenset()
    late: frozenset[str] = frozenset()
    text: str = ""


@dataclass(frozen=True, kw_only=True, slots=True)
class Notice:
    """One thing to tell one tier."""

    tier: str
    kind: Kind
    incident: str
    runbook: str
    host: str
    run: str
    at: float
    text: str


class Troubles:
    """All trouble there is; what it takes in becomes notices for `tiers`."""

    def __init__(self, tiers: Iterable[Tier], known: Iterable[Trouble] = ()) -> None:
        self._tiers = tuple(tiers)
        self._all = {(one.runbook, one.host): one for one in known}

    @property
    def open(self) -> tuple[Trouble, ...]:
        """What has not come to its end."""
        return tuple(self._all.values())

    def take(self, sign: Sign) -> list[Notice]:
        """Take a sign in; return what is to be told of it."""
        if sign.host is None:
            hosts = [one.host for one in self.open if one.run == sign.run]
            return [
                notice for host in hosts for notice in self._take(replace(sign, host=host), host)
            ]
        return self._take(sign, sign.host)

    def overdue(self, now: float) -> list[Notice]:
        """Return what later tiers are to be told, as it has lasted for so long."""
        return [notice for trouble in self.open for notice in self._overdue(trouble, now)]

    def _overdue(self, trouble: Trouble, now: float) -> Iterator[Notice]:
        for tier in self._tiers:
            lasts = now - trouble.since
            if tier.after_s == 0 or lasts < tier.after_s or tier.name in trouble.late:
                continue
            if not _is_for(tier, trouble):
                continue
            trouble = replace(trouble, late=trouble.late | {tier.name})
            self._all[trouble.runbook, trouble.host] = trouble
            if Kind.STILL_FAILING in tier.about:
                said = f"for {lasts / 60:.0f} min: {trouble.text}"
                yield _notice(tier, Kind.STILL_FAILING, trouble, now, said)

    def _take(self, sign: Sign, host: str) -> list[Notice]:
        key = sign.runbook, host
        known = self._all.get(key)
        if known is None and sign.kind is Kind.RESOLVED:
            return []  # It was well before, too.
        trouble = known or Trouble(
            incident=whole_of(sign.run) or sign.run,
            runbook=sign.runbook,
            host=host,
            by=sign.by,
            run=sign.run,
            since=sign.at,
        )
        if sign.kind is Kind.RESOLVED:
            del self._all[key]
        elif not _is_echo(sign, trouble):
            self._all[key] = replace(
                trouble, run=sign.run, by=sign.by, told=trouble.told | {sign.kind}, text=sign.text
            )
        if sign.kind in trouble.told or _is_echo(sign, trouble):
            return []
        return [
            _notice(tier, sign.kind, replace(trouble, run=sign.run), sign.at, sign.text)
            for tier in self._tiers
            if sign.kind in tier.about
            and (tier.after_s == 0 or tier.name in trouble.late)
            and _is_for(tier, trouble)
        ]


def _is_echo(sign: Sign, trouble: Trouble) -> bool:
    """Say whether a fix that a guard held back ends as declined, which is no news."""
    return (
        sign.verdict is Verdict.DECLINED
        and sign.run == trouble.run
        and Kind.GUARD_TRIPPED in trouble.told
    )


def _is_for(tier: Tier, trouble: Trouble) -> bool:
    named = ((tier.runbooks, trouble.runbook), (tier.hosts, trouble.host), (tier.by, trouble.by))
    return all(
        not patterns or any(fnmatchcase(value, pattern) for pattern in patterns)
        for patterns, value in named
    )


def _notice(tier: Tier, kind: Kind, trouble: Trouble, at: float, text: str) -> Notice:
    return Notice(
        tier=tier.name,
        kind=kind,
        incident=trouble.incident,
        runbook=trouble.runbook,
        host=trouble.host,
        run=trouble.run,
        at=at,
        text=text,
    )
