"""What a policy says of a fix that is about to be done. Pure: the moment is part of the situation."""

from datetime import datetime, timedelta
from fnmatch import fnmatchcase

from runbook.model.policy import Judgement, Permission, Policy, Rule, Situation, Window


def judge(policy: Policy, situation: Situation) -> Judgement:
    """Return what a policy says: a rule that denies wins over all, else the first one that fits.

    `ask` is `auto` where the rule says after how many fixes, and so many were verified.
    """
    fitting = [rule for rule in policy.rules if fits(rule, situation)]
    denying = (rule for rule in fitting if rule.permission is Permission.DENY)
    rule = next(denying, fitting[0] if fitting else None)
    if rule is None:
        return Judgement(permission=policy.otherwise, rule=None)
    if rule.permission is not Permission.ASK or rule.autonomy is None:
        return Judgement(
            permission=rule.permission,
            rule=rule.name,
            people=rule.people,
            expires_s=rule.expires_s,
        )
    earned = situation.verified >= rule.autonomy
    return Judgement(
        permission=Permission.AUTO if earned else Permission.ASK,
        rule=rule.name,
        people=rule.people,
        expires_s=rule.expires_s,
        autonomy=rule.autonomy,
        counted=_counted_by(rule, situation),
        earned=earned,
    )


def fits(rule: Rule, situation: Situation) -> bool:
    """Say whether all that a rule names is so."""
    named = (
        (rule.runbooks, situation.runbook),
        (rule.fixes, situation.fix),
        (rule.causes, situation.cause),
        (rule.hosts, situation.host),
        (rule.severities, situation.severity),
    )
    return (
        all(not patterns or _any_fits(patterns, value) for patterns, value in named)
        and (not rule.groups or any(_any_fits(rule.groups, name) for name in situation.groups))
        and (not rule.sources or situation.source in rule.sources)
        and (not rule.windows or any(contains(one, situation.at) for one in rule.windows))
    )


def contains(window: Window, moment: datetime) -> bool:
    """Say whether a moment (with a time zone) is within a window: its start is, its end is not."""
    local = moment.astimezone(window.zone)
    minute = local.hour * 60 + local.minute
    over_midnight = window.end <= window.start
    if over_midnight and minute < window.end:
        return _on_day(window, local - timedelta(days=1))
    within = minute >= window.start if over_midnight else window.start <= minute < window.end
    return within and _on_day(window, local)


def _on_day(window: Window, local: datetime) -> bool:
    return not window.days or local.weekday() in window.days


def _counted_by(rule: Rule, situation: Situation) -> tuple[str, ...]:
    """Return the groups of a host on which a rule counts: those it names, else all hosts as one."""
    if not rule.groups:
        return ("",)
    return tuple(sorted(name for name in situation.groups if _any_fits(rule.groups, name)))


def _any_fits(patterns: tuple[str, ...], value: str) -> bool:
    return any(fnmatchcase(value, pattern) for pattern in patterns)
