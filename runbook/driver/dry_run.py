"""What would have been done: a diagnosis that came to a fix, put to whoever would have answered."""

from dataclasses import dataclass

from runbook.driver.approvals import approval_request
from runbook.driver.operator import ApprovalReply, Operator
from runbook.engine.evolve import replay
from runbook.journal import Journal
from runbook.model.definition import Fix, Runbook
from runbook.model.event import HostFinished, RunFinished


@dataclass(frozen=True, kw_only=True, slots=True)
class Would:
    """A fix that a host's walk came to: whether it would have been done (`does`), and why."""

    host: str
    fix: str
    title: str
    does: bool
    reason: str


def would_have(runbook: Runbook, journal: Journal, run: str, operator: Operator) -> list[Would]:
    """Return the fixes that a diagnosis ended at; raise RunbookError.

    `operator` is whoever would have been asked, and answers at once.
    """
    walked = [
        entry.event
        for entry in journal.entries(run)
        if not isinstance(entry.event, HostFinished | RunFinished)
    ]
    states = replay(runbook, walked)
    at_fix: dict[str, list[str]] = {}
    for host, state in states.items():
        if isinstance(runbook.steps.get(state.position or ""), Fix):
            at_fix.setdefault(state.position or "", []).append(host)
    found = []
    for step, hosts in at_fix.items():
        fix = runbook.steps[step]
        assert isinstance(fix, Fix)  # noqa: S101 -- as was looked at
        request = approval_request(runbook, fix, tuple(hosts), states, {})
        said = ApprovalReply(approved=frozenset(hosts), by="", reason="it is not destructive")
        if fix.destructive:
            replies: list[ApprovalReply] = []
            operator.approve(request, replies.append)
            [said] = replies
        found += [
            Would(
                host=host,
                fix=step,
                title=request.title,
                does=host in said.approved,
                reason=said.reasons.get(host, said.reason),
            )
            for host in hosts
        ]
    return found
