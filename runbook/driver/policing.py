"""Asking the policy before anybody else: what it denies is declined, what it leaves open is asked."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from typing import TypeVar

from runbook.driver.autonomy import Record, said_of
from runbook.driver.experience import attempts
from runbook.driver.operator import (
    Answer,
    Answers,
    ApprovalReply,
    ApprovalRequest,
    Bench,
    Operator,
    Question,
    StepReply,
    StepRequest,
)
from runbook.engine.guards import RunSoFar, standing_in_the_way
from runbook.engine.policy import judge
from runbook.journal import Journal, MilestoneFilter
from runbook.model.definition import Fix, FixResult, Runbook
from runbook.model.policy import (
    Guards,
    Judgement,
    PastFix,
    Permission,
    Policy,
    Situation,
    Source,
    Tripped,
)
from runbook.model.state import HostState
from runbook.model.verdict import Verdict

Value = TypeVar("Value")

_DID_NOT_HELP = frozenset({FixResult.RECURRED, FixResult.NO_EFFECT, FixResult.FAILED})
_STILL_IN_NEED = frozenset(
    {Verdict.UNRESOLVED, Verdict.ESCALATED, Verdict.DECLINED, Verdict.UNKNOWN}
)
_MOST_PAST = 100_000


@dataclass(frozen=True, kw_only=True, slots=True)
class _Refusal:
    """Why a fix may not be done on a host; `guard` names the limit that stands in the way."""

    reason: str
    guard: str = ""


@dataclass(frozen=True, kw_only=True)
class PolicedOperator:
    """Hands on to `operator` what a policy does not deny, host by host.

    A person's yes, `--yes` too, is one person's approval; where nobody watches (`source` is not a
    person) what the policy calls `auto` is done, and `bench` answers where it says `ask`; without
    one that is declined. Guards hold for all, but for those that count
    shares of a run's hosts where a person decides fix by fix (`attended`). `clock` gives POSIX
    seconds; `severity` is that of the alert behind the run, `size` how many hosts it has where it is
    cut into slices.
    """

    operator: Operator
    policy: Policy
    runbook: Runbook
    journal: Journal
    source: Source
    attended: bool
    clock: Callable[[], float]
    severity: str = ""
    bench: Bench | None = None
    size: int = 0

    @property
    def name(self) -> str:
        """The name of whoever answers what the policy leaves open."""
        return self.operator.name

    @property
    def wants_previews(self) -> bool:
        """As whoever answers wants it."""
        return self.operator.wants_previews

    def approve(self, request: ApprovalRequest, reply: Callable[[ApprovalReply], None]) -> None:
        """Decline what the policy denies, and have the rest answered."""
        refused, earned, asked = self._judged(request)
        said = ApprovalReply(
            approved=frozenset(),
            by=self._by,
            reasons={host: f"{self._by}: {no.reason}" for host, no in refused.items()} | earned,
            guards={host: no.guard for host, no in refused.items()},
            names=dict.fromkeys(refused, self._by),
        )
        if self.bench is not None and asked:
            answers = self.bench.answers(_narrowed(request, list(asked)), asked)
            said = _joined(said, answers)
        left = [host for host in request.hosts if host not in refused and host not in asked]
        if not left:
            reply(said)
            return
        self.operator.approve(_narrowed(request, left), lambda answer: reply(_joined(answer, said)))

    def answer(self, question: Question, reply: Callable[[Answer | Answers], None]) -> None:
        """Have a question answered; policies are for fixes."""
        self.operator.answer(question, reply)

    def step(self, request: StepRequest, reply: Callable[[StepReply], None]) -> None:
        """Have a person who goes step by step asked; what a step does is policed where it acts."""
        self.operator.step(request, reply)

    def leave(self) -> None:
        """Have nothing more asked."""
        self.operator.leave()

    @property
    def _by(self) -> str:
        return f"policy {self.policy.name}"

    def _judged(
        self, request: ApprovalRequest
    ) -> tuple[dict[str, "_Refusal"], dict[str, str], dict[str, Judgement]]:
        """Return why the fix may not be done, by host, by what it has earned it, and who is asked.

        The last are the hosts that people are asked about out of band, with what the policy says.
        """
        past, run = self._past(), self._so_far(request.run)
        record = Record(self.journal, self.runbook.name)
        refused, earned, asked = {}, {}, {}
        for host in request.hosts:
            situation = self._situation(request.fix, host, request.states[host])
            judged, figure = self._judge(situation, record)
            refusal = self._refusal(judged, figure) or self._guarded(situation, past, run)
            if refusal is not None:
                refused[host] = refusal
                continue
            if judged.earned:
                earned[host] = f"{self._by}: rule “{judged.rule}”: earned: {figure}"
            if judged.permission is Permission.ASK and self.bench is not None:
                asked[host] = judged
            # What is about to be done counts for the next host.
            past = [*past, self._about_to_be(request.fix, host)]
        return refused, earned, asked

    def tripped(
        self, fix: str, hosts: Sequence[str], states: Mapping[str, HostState]
    ) -> dict[str, Tripped]:
        """Return by host the guard that a fix would trip there now; `states` are those of all hosts.

        It is for fixes that were approved a while ago.
        """
        step = self.runbook.steps[fix]
        assert isinstance(step, Fix)  # noqa: S101 -- as who asks promises
        past, run = self._past(), self._so_far(states)
        found: dict[str, Tripped] = {}
        for host in hosts:
            situation = self._situation(step, host, states[host])
            trip = standing_in_the_way(self._guards, situation, past, run)
            if trip is None:
                past = [*past, self._about_to_be(step, host)]
            else:
                found[host] = trip
        return found

    def _past(self) -> list[PastFix]:
        return past_fixes(self.journal, self.runbook, self._look_back_s(), self.clock())

    def _so_far(self, states: Mapping[str, HostState]) -> RunSoFar:
        return replace(so_far(self.runbook, states), size=self.size)

    def _judge(self, situation: Situation, record: Record) -> tuple[Judgement, str]:
        """Return what the policy says; where the fix can earn its autonomy, with the figure."""
        judged = judge(self.policy, situation)
        if judged.autonomy is None or self.source is Source.PERSON:
            return judged, ""
        stands = record.of(situation.fix, judged)
        judged = judge(self.policy, replace(situation, verified=stands.verified))
        return judged, said_of(stands, judged)

    def _situation(self, fix: Fix, host: str, state: HostState) -> Situation:
        return Situation(
            runbook=self.runbook.name,
            fix=fix.id,
            cause=fix.cause or "",
            host=host,
            groups=frozenset(state.groups),
            severity=self.severity,
            source=self.source,
            at=datetime.fromtimestamp(self.clock(), tz=UTC),
        )

    def _about_to_be(self, fix: Fix, host: str) -> PastFix:
        return PastFix(
            runbook=self.runbook.name,
            fix=fix.id,
            cause=fix.cause or "",
            host=host,
            at=self.clock(),
        )

    def _refusal(self, judged: Judgement, figure: str) -> "_Refusal | None":
        said = "no rule allows it" if judged.rule is None else f"rule “{judged.rule}”"
        so_far = f" ({figure})" if figure else ""
        match judged.permission:
            case Permission.DENY:
                return _Refusal(reason=said)
            case Permission.ASK if self.bench is not None:
                pass
            case Permission.ASK if judged.people > 1:
                return _Refusal(reason=f"{said}: {judged.people} people have to approve it{so_far}")
            case Permission.ASK if self.source is not Source.PERSON:
                return _Refusal(reason=f"{said}: a person has to approve it{so_far}")
        return None

    def _guarded(
        self, situation: Situation, past: Sequence[PastFix], run: RunSoFar
    ) -> "_Refusal | None":
        tripped = standing_in_the_way(self._guards, situation, past, run)
        if tripped is None:
            return None
        return _Refusal(reason=f"{tripped.guard}: {tripped.figure}", guard=tripped.guard)

    @property
    def _guards(self) -> Guards:
        guards = self.policy.guards
        return replace(guards, healthy_share=None, shared_cause=None) if self.attended else guards

    def _look_back_s(self) -> float:
        """Return how far back the guards look, in seconds."""
        guards = self.policy.guards
        spans = [budget.within_s for budget in guards.budgets]
        spans += [guards.cooldown_s] if guards.cooldown_s is not None else []
        if guards.flapping is not None:
            # Flapping lasts while the cause keeps coming back: far enough for several returns.
            spans.append(guards.flapping.within_s + 10 * guards.flapping.quiet_s)
        return max(spans, default=0.0)


def past_fixes(journal: Journal, runbook: Runbook, look_back_s: float, now: float) -> list[PastFix]:
    """Return the fixes of all runs within a span; of other runbooks' only where and when is known.

    The journal is asked twice, however many runs there are.
    """
    if look_back_s == 0:
        return []
    since = now - look_back_s
    entries = journal.milestones(MilestoneFilter(since=since, limit=_MOST_PAST))
    own = MilestoneFilter(runbook=runbook.name, since=since, limit=_MOST_PAST)
    ours = {entry.run for entry in journal.milestones(own)}
    return [
        PastFix(
            runbook=runbook.name if attempt.run in ours else "",
            fix=attempt.step,
            host=attempt.host,
            at=attempt.at,
            cause=_cause_of(runbook, attempt.step) if attempt.run in ours else "",
        )
        for attempt in attempts(entries)
    ]


def so_far(runbook: Runbook, states: Mapping[str, HostState]) -> RunSoFar:
    """Return what a run has come to, as guards count it."""
    in_need: dict[str, set[str]] = {}
    failed = 0
    for host, state in states.items():
        cause = _need(runbook, state)
        if cause is not None:
            in_need.setdefault(cause, set()).add(host)
        failed += sum(record.result in _DID_NOT_HELP for record in state.fixes)
    return RunSoFar(
        hosts=len(states),
        in_need={cause: frozenset(hosts) for cause, hosts in in_need.items()},
        failed=failed,
    )


def _need(runbook: Runbook, state: HostState) -> str | None:
    """Return the cause a host is in need of a fix for: "" where it has no name, None for none."""
    if state.verdict in _STILL_IN_NEED:
        return state.causes[-1].cause if state.causes else None
    step = runbook.steps.get(state.position or "")
    return (step.cause or "") if state.verdict is None and isinstance(step, Fix) else None


def _cause_of(runbook: Runbook, step: str) -> str:
    fix = runbook.steps.get(step)
    return (fix.cause or "") if isinstance(fix, Fix) else ""


def _narrowed(request: ApprovalRequest, hosts: Sequence[str]) -> ApprovalRequest:
    """Return a request for some of its hosts."""
    return replace(
        request,
        hosts=tuple(hosts),
        states=_only(request.states, hosts),
        evidence=_only(request.evidence, hosts),
        previews=_only(request.previews, hosts),
        blocked=_only(request.blocked, hosts),
        digests=_only(request.digests, hosts),
    )


def _joined(one: ApprovalReply, other: ApprovalReply) -> ApprovalReply:
    """Return both answers as one; the other one gives names and reasons host by host."""
    return replace(
        one,
        approved=one.approved | other.approved,
        reasons={**other.reasons, **one.reasons},
        guards={**other.guards, **one.guards},
        names={**other.names, **one.names},
        waiting={**other.waiting, **one.waiting},
    )


def _only(values: Mapping[str, Value], hosts: Sequence[str]) -> dict[str, Value]:
    return {host: values[host] for host in hosts if host in values}
