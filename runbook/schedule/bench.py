"""The people who are asked out of band, as a run meets them."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path

from runbook.driver.operator import Answer, Answers, ApprovalReply, ApprovalRequest, Question
from runbook.engine.decide import EXPIRED
from runbook.model.definition import Manual
from runbook.model.masking import mask_value
from runbook.model.observation import Observation
from runbook.model.policy import Judgement
from runbook.schedule.approvals import AboutHost, Approval, Approvals, Ask, Stand
from runbook.schedule.state import opened

NOBODY = "nobody"


@dataclass(frozen=True, kw_only=True)
class StateBench:
    """Asks by the service's state at a place; `say` puts evidence into words. `clock` is POSIX seconds."""

    place: Path | str
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
        with opened(self.place) as state:
            approvals = Approvals(state)
            approvals.expire(self._now)
            asked = approvals.of_run(self.run)
            fresh: dict[Judgement, list[str]] = {}
            for host in request.hosts:
                if request.states[host].typed:
                    names[host] = NOBODY
                    reasons[host] = "the inventory wants a name typed for this host, at a terminal"
                    continue
                found = _asked_before(asked, request.fix.id, host, request.digests[host])
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

    def choices(self, question: Question) -> Answers:
        """Return what people have answered so far, and ask them what they were not asked yet."""
        given: dict[str, Answer] = {}
        waiting: dict[str, str] = {}
        with opened(self.place) as state:
            approvals = Approvals(state)
            approvals.expire(self._now)
            asked = approvals.of_run(self.run)
            fresh: list[str] = []
            for host in question.hosts:
                found = _asked_before(asked, question.step.id, host, question.digests[host])
                if found is None:
                    fresh.append(host)
                elif found.stand is Stand.OPEN:
                    waiting[host] = _waits(found)
                else:
                    given[host] = _answered(found)
            if fresh:
                put = approvals.put(self._question(question, fresh))
                waiting |= dict.fromkeys(fresh, _waits(put))
        return Answers(given=given, waiting=waiting)

    @property
    def _now(self) -> datetime:
        return datetime.fromtimestamp(self.clock(), tz=UTC)

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
                    evidence=str(mask_value(self._said(request.evidence.get(host)))),
                    also_here=str(mask_value(request.blocked.get(host, ""))),
                )
                for host in hosts
            },
            asked=now,
            expires=now + timedelta(seconds=judgement.expires_s),
        )

    def _question(self, question: Question, hosts: list[str]) -> Ask:
        now, step = self._now, question.step
        match step:
            case Manual(instruction=instruction, commands=commands):
                by_hand = "\n".join((instruction, *commands))
                choices = {"done": "It is done", "not_done": "It was not done"}
            case _:
                by_hand = ""
                choices = {one.id: str(mask_value(one.title)) for one in step.choices}
        return Ask(
            run=self.run,
            runbook=self.runbook,
            fix=step.id,
            title=str(mask_value(question.title)),
            impact=str(mask_value(by_hand)),
            cause="",
            rule="",
            people=1,
            hosts={
                host: AboutHost(
                    digest=question.digests[host],
                    evidence=str(mask_value(self._said(question.evidence.get(host)))),
                )
                for host in hosts
            },
            asked=now,
            expires=now + timedelta(seconds=step.expires.after_s),
            choices=choices,
        )

    def _said(self, seen: Observation | None) -> str:
        return "" if seen is None else self.say(seen)


def _asked_before(asked: list[Approval], step: str, host: str, digest: str) -> Approval | None:
    """Return the newest approval that is for exactly this."""
    for one in asked:
        about = one.ask.hosts.get(host)
        same = about is not None and about.digest == digest
        if same and one.ask.fix == step and one.stand is not Stand.WITHDRAWN:
            return one
    return None


def _waits(approval: Approval) -> str:
    return f"waits for approval {approval.id}"


def _answered(approval: Approval) -> Answer:
    """Return what a question came to; nobody's answer in time is none."""
    if approval.stand is Stand.EXPIRED:
        return Answer(answer=EXPIRED, by=NOBODY, note=approval.told)
    [vote] = (one for one in approval.votes if one.answer)
    return Answer(answer=vote.answer, by=vote.who, note=vote.reason)


def _said(approval: Approval) -> tuple[str, str]:
    """Return who settled an approval, and why."""
    if approval.stand is Stand.EXPIRED:
        return NOBODY, approval.told
    settling = [vote for vote in approval.votes if vote.yes is (approval.stand is Stand.APPROVED)]
    reasons = "; ".join(vote.reason for vote in settling if vote.reason)
    return ", ".join(vote.who for vote in settling), reasons
