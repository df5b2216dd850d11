"""What the operator has been asked and has not answered yet."""

import time
from collections.abc import Callable, Collection, Iterable, Mapping
from dataclasses import dataclass, field, replace

from runbook.driver.approvals import approval_digest, approval_request
from runbook.driver.experience import Experience
from runbook.driver.operator import (
    Answer,
    Answers,
    ApprovalReply,
    Aside,
    EndRun,
    GoOn,
    Jump,
    Operator,
    Question,
    Skip,
    StepReply,
    StepRequest,
)
from runbook.engine.cohort import Cohort
from runbook.engine.evidence import last_failed
from runbook.executor import HostPreviewed
from runbook.model.decision import AskOperator, AskStep, RequestApproval
from runbook.model.definition import Ask, Fix, Manual, Runbook
from runbook.model.event import (
    Answered,
    Event,
    FixApproved,
    FixDeclined,
    HostEvent,
    HostFinished,
    Reach,
    StepAllowed,
    StepJumped,
    SteppingSet,
    StepSkipped,
)
from runbook.model.observation import Texts
from runbook.model.state import HostState
from runbook.model.verdict import Verdict


@dataclass(frozen=True, kw_only=True, slots=True)
class Replied:
    """An answer to a ticket, on its way to the driver."""

    ticket: str
    reply: ApprovalReply | Answer | Answers | StepReply


@dataclass(frozen=True, kw_only=True, slots=True)
class Wished:
    """What somebody asked about a ticket wants before they answer, on its way to the driver."""

    ticket: str
    aside: Aside


@dataclass(kw_only=True, slots=True)
class _Ticket:
    cohort: Cohort
    previews: dict[str, HostPreviewed] = field(default_factory=dict)
    digests: dict[str, str] = field(default_factory=dict)
    states: Mapping[str, HostState] = field(default_factory=dict)
    expires_at: float | None = None
    choices: Mapping[str, str] = field(default_factory=dict)


@dataclass(kw_only=True)
class Desk:
    """Puts approvals and questions to the operator, and turns answers into events.

    `blocking` are the kinds of collisions that only a person may pass over.
    """

    runbook: Runbook
    operator: Operator
    closure: str
    deliver: Callable[[Replied | Wished], None]
    blocking: Collection[str] = ()
    clock: Callable[[], float] = time.monotonic
    _tickets: dict[str, _Ticket] = field(default_factory=dict)
    _refusals: list[FixDeclined] = field(default_factory=list)

    def open(self, ticket: str, cohort: Cohort) -> None:
        """Note that a cohort waits for an answer which is yet to be asked for."""
        self._tickets[ticket] = _Ticket(cohort=cohort)

    def predict(self, ticket: str, preview: HostPreviewed) -> None:
        """Add what Ansible predicts for one host."""
        if ticket in self._tickets:
            self._tickets[ticket].previews[preview.host] = preview

    def ask_approval(
        self,
        ticket: str,
        states: Mapping[str, HostState],
        experience: Experience | None,
        run: Mapping[str, HostState],
    ) -> None:
        """Ask for the approval of a cohort's fix, bound to what is known now.

        `states` are those of the hosts, `run` those of all that the run is for.
        """
        waiting = self._tickets[ticket]
        assert isinstance(waiting.cohort.decision, RequestApproval)  # noqa: S101 -- as opened
        fix = self.runbook.steps[waiting.cohort.decision.fix]
        assert isinstance(fix, Fix)  # noqa: S101 -- as the engine promises
        hosts = waiting.cohort.hosts
        waiting.digests = {
            host: approval_digest(self.closure, fix.id, states[host]) for host in hosts
        }
        waiting.states = states
        self.operator.approve(
            approval_request(
                self.runbook,
                fix,
                hosts,
                run,
                waiting.previews,
                experience=experience,
                aside=lambda aside: self.deliver(Wished(ticket=ticket, aside=aside)),
                blocking=self.blocking,
                digests=waiting.digests,
            ),
            lambda reply: self.deliver(Replied(ticket=ticket, reply=reply)),
        )

    def recall(self, events: Iterable[Event]) -> None:
        """Take note of what was declined for more than the host that was asked about."""
        declined = (event for event in events if isinstance(event, FixDeclined))
        self._refusals += [event for event in declined if event.reach is not Reach.HOST]

    def refused(self, hosts: Iterable[str], fix: str) -> list[FixDeclined]:
        """Return the no that somebody said to a fix beforehand, for each host; none is no answer."""
        standing = [
            event for event in self._refusals if event.reach is Reach.RUN or event.step == fix
        ]
        return [replace(standing[0], host=host, step=fix) for host in hosts] if standing else []

    def ask_question(self, ticket: str, cohort: Cohort, states: Mapping[str, HostState]) -> None:
        """Put an `ask` or `manual` step to the operator, for as long as it allows."""
        assert isinstance(cohort.decision, AskOperator)  # noqa: S101 -- as the driver promises
        step = self.runbook.steps[cohort.decision.step]
        assert isinstance(step, Ask | Manual)  # noqa: S101 -- as the engine promises
        self._tickets[ticket] = _Ticket(
            cohort=cohort, expires_at=self.clock() + step.expires.after_s
        )
        texts = states[cohort.hosts[0]].texts.get(step.id)
        title = texts.title if texts is not None else step.title
        if texts is not None:
            step = _as_rendered(step, texts)
        seen = {host: last_failed(states[host]) for host in cohort.hosts}
        self._tickets[ticket].states = states
        if isinstance(step, Ask):
            self._tickets[ticket].choices = {choice.id: choice.title for choice in step.choices}
        self.operator.answer(
            Question(
                step=step,
                hosts=cohort.hosts,
                title=title,
                states={host: states[host] for host in cohort.hosts},
                evidence={host: one for host, one in seen.items() if one is not None},
                digests={
                    host: approval_digest(self.closure, step.id, states[host])
                    for host in cohort.hosts
                },
            ),
            lambda reply: self.deliver(Replied(ticket=ticket, reply=reply)),
        )

    def hosts_of(self, ticket: str) -> tuple[str, ...]:
        """Return the hosts that wait for a ticket's answer; none where it was closed."""
        waiting = self._tickets.get(ticket)
        return () if waiting is None else waiting.cohort.hosts

    def take_back(self, ticket: str) -> None:
        """Close a ticket without an answer."""
        self._tickets.pop(ticket, None)

    def ask_step(self, ticket: str, cohort: Cohort, states: Mapping[str, HostState]) -> None:
        """Ask what to do with the step that a cohort stands at."""
        assert isinstance(cohort.decision, AskStep)  # noqa: S101 -- as the driver promises
        decision = cohort.decision
        self._tickets[ticket] = _Ticket(cohort=cohort)
        state = states[cohort.hosts[0]]
        seen = {host: states[host].known.get(decision.step) for host in cohort.hosts}
        self.operator.step(
            StepRequest(
                step=self.runbook.steps[decision.step],
                hosts=cohort.hosts,
                title=self._title(decision.step, state),
                looks=tuple(self._title(step, state) for step in decision.looks),
                result=decision.result,
                titles={step: texts.title for step, texts in state.texts.items()},
                seen={host: one for host, one in seen.items() if one is not None},
                states={host: states[host] for host in cohort.hosts},
            ),
            lambda reply: self.deliver(Replied(ticket=ticket, reply=reply)),
        )

    def _title(self, step: str, state: HostState) -> str:
        texts = state.texts.get(step)
        return texts.title if texts is not None else self.runbook.steps[step].title

    def take(self, replied: Replied) -> tuple[tuple[str, ...], list[HostEvent]]:
        """Close a ticket; return its hosts and what the answer means. Nothing if it was closed."""
        waiting = self._tickets.pop(replied.ticket, None)
        if waiting is None:
            return (), []
        hosts = waiting.cohort.hosts
        match waiting.cohort.decision, replied.reply:
            case RequestApproval(fix=fix), ApprovalReply() as reply:
                return hosts, [_ruled(waiting, host, fix, reply) for host in hosts]
            case AskOperator(step=step), Answer() as answer:
                return hosts, [_answered(waiting, host, step, answer) for host in hosts]
            case AskOperator(step=step), Answers() as answers:
                return hosts, [_told_of(waiting, host, step, answers) for host in hosts]
            case AskStep(step=step), GoOn() | Skip() | Jump() | EndRun() as reply:
                is_fix = isinstance(self.runbook.steps[step], Fix)
                return hosts, [
                    event for host in hosts for event in _stepped(host, step, reply, is_fix=is_fix)
                ]
        return hosts, []

    def expired(self) -> list[tuple[tuple[str, ...], list[HostEvent]]]:
        """Close the questions whose time is up; return their hosts and events."""
        now = self.clock()
        over = [
            ticket
            for ticket, waiting in self._tickets.items()
            if waiting.expires_at is not None and waiting.expires_at <= now
        ]
        nobody = Answer(answer="expired", by="nobody")
        return [self.take(Replied(ticket=ticket, reply=nobody)) for ticket in over]

    def next_expiry_s(self) -> float | None:
        """Return the seconds until the next question's time is up."""
        times = [item.expires_at for item in self._tickets.values() if item.expires_at is not None]
        return max(0.0, min(times) - self.clock()) if times else None


def _as_rendered(step: Ask | Manual, texts: Texts) -> Ask | Manual:
    """Return a question with its texts as they are for a host, as far as those are known."""
    match step:
        case Manual() if texts.instruction:
            return replace(step, instruction=texts.instruction, commands=texts.commands)
        case Ask() if texts.choices:
            told = zip(step.choices, texts.choices, texts.helps, strict=True)
            choices = (replace(one, title=title, help=text) for one, title, text in told)
            return replace(step, choices=tuple(choices))
        case _:
            return step


def _ruled(waiting: _Ticket, host: str, fix: str, reply: ApprovalReply) -> HostEvent:
    """Return what an answer to a request means for one of its hosts."""
    if host in reply.waiting:
        return _suspended(waiting, host, reply.waiting[host])
    by, reason = reply.names.get(host, reply.by), reply.reasons.get(host, reply.reason)
    if host in reply.approved:
        return FixApproved(host=host, step=fix, by=by, digest=waiting.digests[host], reason=reason)
    return FixDeclined(
        host=host,
        step=fix,
        by=by,
        reason=reason,
        guard=reply.guards.get(host, ""),
        reach=reply.reach,
    )


def _suspended(waiting: _Ticket, host: str, reason: str) -> HostFinished:
    causes = tuple(dict.fromkeys(found.cause for found in waiting.states[host].causes))
    return HostFinished(host=host, verdict=Verdict.WAITING, reason=reason, causes=causes)


def _answered(waiting: _Ticket, host: str, step: str, answer: Answer) -> Answered:
    return Answered(
        host=host,
        step=step,
        answer=answer.answer,
        by=answer.by,
        note=answer.note,
        title=waiting.choices.get(answer.answer, ""),
    )


def _told_of(waiting: _Ticket, host: str, step: str, answers: Answers) -> HostEvent:
    """Return what answers to a question mean for one of its hosts."""
    if host in answers.given:
        return _answered(waiting, host, step, answers.given[host])
    return _suspended(waiting, host, answers.waiting[host])


def _stepped(host: str, step: str, reply: StepReply, *, is_fix: bool) -> list[HostEvent]:
    match reply:
        case GoOn(by=by, rest=True):
            return [SteppingSet(host=host, on=False, by=by)]
        case GoOn(by=by):
            return [StepAllowed(host=host, step=step, by=by)]
        case Skip(by=by, reason=reason) if is_fix:
            return [FixDeclined(host=host, step=step, by=by, reason=reason or "skipped")]
        case Skip(by=by, result=result, to=target, reason=reason):
            return [
                StepSkipped(host=host, step=step, result=result, next=target, by=by, reason=reason)
            ]
        case Jump(by=by, to=to, reason=reason):
            return [StepJumped(host=host, step=step, to=to, by=by, reason=reason)]
        case EndRun():
            return []
