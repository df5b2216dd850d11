"""What the operator is shown before a fix, and what an approval is bound to."""

import hashlib
import json
from collections.abc import Callable, Collection, Iterable, Mapping

from runbook.driver.collisions import blocking_of
from runbook.driver.experience import Experience
from runbook.driver.operator import ApprovalRequest, Aside
from runbook.engine.evidence import cause_evidence
from runbook.executor import HostPreviewed
from runbook.model.definition import Fix, Runbook
from runbook.model.state import HostState


def approval_digest(closure: str, fix: str, state: HostState) -> str:
    """Return the hash that binds a yes: what would run, where, and what was found there.

    `closure` is keyed, and so is this. Rendered params are part of it.
    """
    bound = {
        "closure": closure,
        "fix": fix,
        "host": state.host,
        "params": state.params,
        "walked": state.walked,
    }
    return hashlib.sha256(json.dumps(bound, sort_keys=True, default=str).encode()).hexdigest()


def approval_request(
    runbook: Runbook,
    fix: Fix,
    hosts: tuple[str, ...],
    states: Mapping[str, HostState],
    previews: Mapping[str, HostPreviewed],
    *,
    experience: Experience | None = None,
    aside: Callable[[Aside], None] | None = None,
    blocking: Collection[str] = (),
    digests: Mapping[str, str] | None = None,
) -> ApprovalRequest:
    """Gather what a person needs to say yes or no."""
    texts = states[hosts[0]].texts.get(fix.id)
    evidence = {host: cause_evidence(states[host], fix) for host in hosts}
    return ApprovalRequest(
        fix=fix,
        hosts=hosts,
        title=texts.title if texts else fix.title,
        impact=texts.impact if texts else fix.impact,
        cause=runbook.causes.get(fix.cause) if fix.cause else None,
        states={host: states[host] for host in hosts},
        evidence={host: seen for host, seen in evidence.items() if seen is not None},
        run=states,
        previews=dict(previews),
        experience=experience,
        aside=aside,
        blocked=_blocked(hosts, states, blocking),
        digests=digests or {},
    )


def _blocked(
    hosts: Iterable[str], states: Mapping[str, HostState], blocking: Collection[str]
) -> dict[str, str]:
    """Return, by host, what else was seen to go on there that blocks a fix."""
    seen = {host: states[host].activity for host in hosts}
    found = {
        host: "; ".join(each.text for each in blocking_of(activity, blocking))
        for host, activity in seen.items()
        if activity is not None
    }
    return {host: why for host, why in found.items() if why}
