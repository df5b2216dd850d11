"""The people who are asked out of band, as a run meets them."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path

from runbook.driver.operator import ApprovalReply, ApprovalRequest
from runbook.model.masking import mask_value
from runbook.model.observation import Observation
from runbook.model.policy import Judgement
from runbook.schedule.approvals import AboutHost, Approval, Approvals, Ask, Stand
from runbook.schedule.state import FILE, opened

NOBODY = "nobody"


@dataclass(frozen=True, kw_only=True)
class FileBench:
    """Asks by the state file of `home`; `say` puts evidence into words. `clock` is POSIX seconds."""

    home: Path
    run: str
    runbook: str
    say: Callable[[Observation], str]
    clock: Callable[[], float]

    def answers(self, request: ApprovalRequest, judged: Mapping[str, Judgement]) -> ApprovalReply:
        """Return what people have said so far, and ask them what they were not asked yet."""
        approved: set[str] = set()
        reasons: dict[str, str] = {}
        names: dict[str, str] = {}
        waiting: dict[str, str] = {}
        with opened(self.home / FILE) as state:
            approvals = Approvals(state)
            approvals.expire(self._now)
            asked = approvals.of_run(self.run)
            fresh: dict[Judgement, list[str]] = {}
            for host in request.hosts:
                if request.states[host].typed:
                    names[host] = NOBODY
                    reasons[host] = "the inventory wants a name typed for this host, at a terminal"
                    continue
                found = self._asked_before(asked, request, host)
                if found is None:
                    fresh.setdefault(judged[host], []).append(host)
                elif found.stand is Stand.OPEN:
                    waiting[host] = _waits(found)
                else:
                    names[host], reasons[host] = _said(found)
                    approved |= {host} if found.stand is Stand.APPROVED else set()
            for judgement, hosts in fresh.items():
                put = approvals.put(self._ask(request, hosts, judgement))
                waiting |= dict.fromkeys(hosts, _waits(put))
        return ApprovalReply(
            approved=frozenset(approved), by=NOBODY, reasons=reasons, names=names, waiting=waiting
        )

    @property
    def _now(self) -> datetime:
        return datetime.fromtimestamp(self.clock(), tz=UTC)

    def _asked_before(
        self, asked: list[Approval], request: ApprovalRequest, host: str
    ) -> Approval | None:
        """Return the newest approval that is for exactly this."""
        for one in asked:
            about = one.ask.hosts.get(host)
            same = about is not None and about.digest == request.digests[host]
            if same and one.ask.fix == request.fix.id and one.stand is not Stand.WITHDRAWN:
                return one
        return None

    def _ask(self, request: ApprovalRequest, hosts: list[str], judgement: Judgement) -> Ask:
        now = self._now
        return Ask(
            run=self.run,
            runbook=self.runbook,
            fix=request.fix.id,
            title=str(mask_value(request.title)),
            impact=str(mask_value(request.impact or "")),
            cause="" if request.cause is None else request.cause.title,
            rule=judgement.rule or "",
            people=judgement.people,
            hosts={
                host: AboutHost(
                    digest=request.digests[host],
                    evidence=str(mask_value(self._evidence(request, host))),
                    also_here=str(mask_value(request.blocked.get(host, ""))),
                )
                for host in hosts
            },
            asked=now,
            expires=now + timedelta(seconds=judgement.expires_s),
        )

    def _evidence(self, request: ApprovalRequest, host: str) -> str:
        seen = request.evidence.get(host)
        return "" if seen is None else self.say(seen)


def _waits(approval: Approval) -> str:
    return f"waits for approval {approval.id}"


def _said(approval: Approval) -> tuple[str, str]:
    """Return who settled an approval, and why."""
    if approval.stand is Stand.EXPIRED:
        return NOBODY, approval.told
    settling = [vote for vote in approval.votes if vote.yes is (approval.stand is Stand.APPROVED)]
    reasons = "; ".join(vote.reason for vote in settling if vote.reason)
    return ", ".join(vote.who for vote in settling), reasons
