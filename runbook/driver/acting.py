"""Starting what hosts need next: fixes, looks at what came of them, and questions to the operator."""

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass

from runbook.driver.desk import Desk
from runbook.driver.experience import look_back
from runbook.driver.flights import Flights
from runbook.driver.ledger import Ledger, facts_of
from runbook.driver.observer import Observer
from runbook.driver.operator import Operator
from runbook.driver.ramping import Ramping
from runbook.driver.siblings import Siblings
from runbook.engine.cohort import Cohort
from runbook.engine.evidence import evidence_seen_at
from runbook.errors import RunbookError
from runbook.executor import Executor, FixRequest, PreviewRequest, VerifyRequest, WatchRequest
from runbook.model.decision import (
    AskOperator,
    AskStep,
    RequestApproval,
    StartFix,
    VerifyFix,
    WatchCheck,
)
from runbook.model.event import (
    Acted,
    EvidenceExpired,
    FixDeclined,
    FixEnded,
    FixIntended,
    WaveLookBegun,
    WaveLookEnded,
)
from runbook.model.policy import Tripped
from runbook.model.state import HostState

Guarding = Callable[[str, Sequence[str], Mapping[str, HostState]], Mapping[str, Tripped]]
"""Says by host which limit a fix would trip now, given the states of a run's hosts."""

CHANGED_MEANWHILE = "changed-meanwhile"

CLOCKS_DIFFER_S = 1.0
"""By how much what was seen may be of later than now, as clocks are read and corrected."""

RUNBOOK = "runbook"
"""Who declines what nobody was asked about."""


@dataclass(kw_only=True)
class Acting:
    """Starts what a cohort needs, and writes the intent of a fix down before it.

    `closure` computes the closure hash anew, which has to be `approved_closure` before a fix;
    `paused` says why none may begin now; `awake` has a host decided anew. In a slice of a run nothing
    is begun before its `siblings` and, where there are limits, `guarding` were asked once more, with
    nobody else beginning anything meanwhile.
    """

    ledger: Ledger
    flights: Flights
    desk: Desk
    executor: Executor
    operator: Operator
    observer: Observer
    closure: Callable[[], str]
    approved_closure: str
    paused: Callable[[], str | None]
    ramping: Ramping
    awake: Callable[[str], None]
    siblings: Siblings | None = None
    guarding: Guarding | None = None

    def act(self, cohort: Cohort) -> None:
        """Start what a cohort needs; raise RunbookError where that is not possible."""
        name, hosts = self.flights.name(), cohort.hosts
        match cohort.decision:
            case VerifyFix(fix=fix):
                known = self.ledger.known(hosts)
                request = VerifyRequest(id=name, fix=fix, hosts=hosts, known=known)
                self.flights.launch(request, hosts)
            case WatchCheck(step=step):
                known = self.ledger.known(hosts)
                self.flights.launch(
                    WatchRequest(id=name, step=step, hosts=hosts, known=known), hosts
                )
            case StartFix() as decision:
                self._start_fix(decision, hosts)
            case RequestApproval(fix=fix):
                self._request_approval(name, cohort, fix)
            case AskStep():
                self.desk.ask_step(name, cohort, self.ledger.states)
            case AskOperator():
                self.desk.ask_question(name, cohort, self.ledger.states)

    def _start_fix(self, decision: StartFix, hosts: tuple[str, ...]) -> None:
        fresh = tuple(host for host in hosts if self._evidence_is_fresh(host, decision.fix))
        if not fresh:
            return
        paused = self.paused()
        if paused is not None:
            self._decline(decision.fix, fresh, paused)
            return
        if self.closure() != self.approved_closure:
            raise changed_meanwhile(self.ledger.run)
        name = self.flights.name()
        if self.siblings is None:
            events: Sequence[FixIntended | FixDeclined] = self._chosen(decision, fresh, name)
            self.ledger.tell(*events)
        else:
            events = self.ledger.tell_alone(
                self.siblings.slice.whole, lambda: self._chosen(decision, fresh, name)
            )
        for event in events:
            if isinstance(event, FixDeclined):
                self.awake(event.host)
        fresh = tuple(event.host for event in events if isinstance(event, FixIntended))
        if not fresh:
            return
        request = FixRequest(id=name, fix=decision.fix, hosts=fresh, known=self.ledger.known(fresh))
        try:
            self.flights.launch(request, fresh)
        except RunbookError as error:
            reason = error.problems[0].message
            self.ledger.tell(
                *(
                    FixEnded(host=host, step=decision.fix, acted=Acted.WITHHELD, reason=reason)
                    for host in fresh
                )
            )
            raise

    def _chosen(
        self, decision: StartFix, hosts: tuple[str, ...], invocation: str
    ) -> list[FixIntended | FixDeclined]:
        """Return what is to be written down of hosts before a fix: where it begins, and where not."""
        fix = decision.fix
        if self.siblings is not None:
            self.siblings.refresh()
        wave, stopped = self.ramping.let(fix, hosts)
        if stopped:
            reason = f"ramp: {stopped}"
            return [
                FixDeclined(host=host, step=fix, by=RUNBOOK, reason=reason, guard="ramp")
                for host in hosts
            ]
        tripped: Mapping[str, Tripped] = {}
        if self.siblings is not None and self.guarding is not None:
            tripped = self.guarding(fix, wave, self.siblings.looked_at)
        return [
            FixDeclined(
                host=host,
                step=fix,
                by=RUNBOOK,
                reason=f"{tripped[host].guard}: {tripped[host].figure}",
                guard=tripped[host].guard,
            )
            if host in tripped
            else FixIntended(host=host, step=fix, attempt=decision.attempt, invocation=invocation)
            for host in wave
        ]

    def look_back(self) -> None:
        """Look again at hosts of earlier waves, where the next one waits for nothing else."""
        for fix, hosts in tuple(self.ramping.looks()):
            if self.siblings is not None and not self._may_look(fix, self.siblings):
                continue
            states = self.ledger.states if self.siblings is None else self.siblings.everybody
            known = {host: facts_of(states[host]) for host in hosts}
            request = VerifyRequest(id=self.flights.name(), fix=fix, hosts=hosts, known=known)
            self.ramping.look(request)
            self.flights.launch(request, hosts)

    def _may_look(self, fix: str, siblings: Siblings) -> bool:
        """Say whether it is for this slice to look, and tell the others; nobody looks at nobody."""

        def choose() -> WaveLookBegun | WaveLookEnded | None:
            siblings.refresh()
            wanted = dict(self.ramping.looks())
            if fix not in wanted:
                return None
            begun = self.ramping.begun(fix)
            return (WaveLookBegun if wanted[fix] else WaveLookEnded)(step=fix, begun=begun)

        told = self.ledger.note_alone(siblings.slice.whole, choose)
        if isinstance(told, WaveLookEnded):
            siblings.looked(told)
        return isinstance(told, WaveLookBegun)

    def _decline(self, fix: str, hosts: Iterable[str], reason: str) -> None:
        """Have a fix not done that was about to begin."""
        for host in hosts:
            self.ledger.tell(FixDeclined(host=host, step=fix, by=RUNBOOK, reason=reason))
            self.awake(host)

    def _evidence_is_fresh(self, host: str, fix: str) -> bool:
        """Say whether a host may be acted upon; if not, it is sent back to be observed again."""
        runbook = self.ledger.runbook
        seen_at = evidence_seen_at(runbook, self.ledger.states[host])
        age = 0.0 if seen_at is None else self.ledger.clock() - seen_at
        # What was seen later than now was seen before the clock was set back, nobody knows when.
        if -CLOCKS_DIFFER_S <= age <= runbook.evidence_max_age_s:
            return True
        self.ledger.tell(EvidenceExpired(host=host, step=fix, age_s=round(age, 1)))
        self.awake(host)
        return False

    def _request_approval(self, ticket: str, cohort: Cohort, fix: str) -> None:
        hosts = cohort.hosts
        if refused := self.desk.refused(hosts, fix):
            self.ledger.tell(*refused)
            for host in hosts:
                self.awake(host)
            return
        self.desk.open(ticket, cohort)
        if not self.operator.wants_previews:
            self.desk.ask_approval(ticket, self.ledger.states, None, self._whole())
            return
        name, known = self.flights.name(), self.ledger.known(hosts)
        request = PreviewRequest(id=name, fix=fix, hosts=hosts, known=known)
        self.flights.launch(request, hosts, ticket)

    def _whole(self) -> Mapping[str, HostState]:
        """Return the states of all hosts that count where a fix is asked about."""
        if self.siblings is None:
            return self.ledger.states
        self.siblings.refresh()
        return self.siblings.looked_at

    def ask_approval(self, ticket: str) -> None:
        """Put a fix to the operator, now that Ansible has said what it would change."""
        hosts = self.desk.hosts_of(ticket)
        journal, name = self.ledger.journal, self.ledger.runbook.name
        past = look_back(journal, name, hosts, self.ledger.position(hosts[0]))
        self.observer.working(hosts, "waiting for a decision")
        self.desk.ask_approval(ticket, self.ledger.states, past, self._whole())

    def await_orphans(self, cohort: Cohort, orphans: dict[str, str]) -> None:
        """After a crash: wait for what the dead driver left running, then find out.

        `orphans` are the invocations left running, by host; those that have ended are taken out.
        """
        for host in cohort.hosts:
            if host in orphans and self.executor.orphan(orphans[host]):
                self.observer.working((host,), "waiting for the fix that was left running")
                continue
            orphans.pop(host, None)
            self.ledger.tell(
                FixEnded(
                    host=host,
                    step=self.ledger.position(host),
                    acted=Acted.UNKNOWN,
                    reason="the run was interrupted while the fix was under way",
                    interrupted=True,
                )
            )
            self.awake(host)


def changed_meanwhile(run: str) -> RunbookError:
    """Return the error of a closure that is no longer what the run began with."""
    return RunbookError.of(
        CHANGED_MEANWHILE,
        f"the runbook, a role or Ansible itself changed after run {run} began",
        context="What was looked at and approved is not what would be done now.",
        hint=f"start a new run; nothing more is done in this one (if it is not over yet, close it: "
        f"runbook resume {run} --abandon)",
    )
