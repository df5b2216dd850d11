"""Where all fixes stand that a policy lets earn their autonomy."""

from dataclasses import dataclass, replace
from datetime import datetime

from runbook.driver.autonomy import tries
from runbook.engine.autonomy import Standing, Try, on_group, standing
from runbook.engine.policy import judge
from runbook.journal import Journal
from runbook.model.policy import Permission, Policy, Situation, Source


@dataclass(frozen=True, kw_only=True, slots=True)
class Row:
    """A fix on the hosts of a group ("" for all), by the rule that lets it earn its autonomy."""

    rule: str
    runbook: str
    fix: str
    group: str
    after: int
    standing: Standing
    answer: Permission


def standings(policy: Policy, journal: Journal, now: datetime) -> list[Row]:
    """Return where each fix stands that was ever begun, as an alert would meet it now."""
    by_fix: dict[tuple[str, str], list[Try]] = {}
    for one in tries(journal):
        by_fix.setdefault((one.runbook, one.fix), []).append(one)
    rows: dict[tuple[str, str, str, str], Row] = {}
    for (runbook, fix), done in sorted(by_fix.items()):
        for one in done:
            situation = Situation(
                runbook=runbook,
                fix=fix,
                cause=one.cause,
                host=one.host,
                groups=one.groups,
                source=Source.ALERT,
                at=now,
            )
            judged = judge(policy, situation)
            if judged.autonomy is None or judged.rule is None:
                continue
            for group in judged.counted:
                key = judged.rule, runbook, fix, group
                if key in rows:
                    continue
                stands = standing(on_group(done, group), enough=judged.autonomy)
                earned = judge(policy, replace(situation, verified=stands.verified))
                rows[key] = Row(
                    rule=judged.rule,
                    runbook=runbook,
                    fix=fix,
                    group=group,
                    after=judged.autonomy,
                    standing=stands,
                    answer=earned.permission,
                )
    return list(rows.values())
