"""Driving one run: decide, write down, act, write down, until every host has its verdict."""

import queue
import time
from collections import deque
from collections.abc import Callable, Collection, Iterable, Mapping
from dataclasses import dataclass, field

from runbook.driver.asides import Asides
from runbook.driver.desk import Desk, Replied, Wished
from runbook.driver.experience import look_back
from runbook.driver.flights import Flight, Flights, describe
from runbook.driver.gathering import Gathering
from runbook.driver.joining import held, unfit, unusable
from runbook.driver.ledger import Ledger
from runbook.driver.observer import Observer
from runbook.driver.operator import EndRun, Note, Operator, OwnCheck, Recheck
from runbook.engine.cohort import Cohort, cohorts
from runbook.engine.decide import decide
from runbook.engine.evidence import evidence_seen_at
from runbook.engine.evolve import start
from runbook.engine.walking import walk
from runbook.errors import RunbookError
from runbook.executor import (
    Executor,
    FixRequest,
    HostActed,
    HostObserved,
    HostPreviewed,
    HostsResolved,
    HostVerified,
    InvocationEnded,
    LookRequest,
    ObserveRequest,
    PreviewRequest,
    Progress,
    Report,
    Request,
    VerifyRequest,
    WatchRequest,
)
from runbook.journal import Journal
from runbook.model.decision import (
    AskOperator,
    AskStep,
    AwaitFix,
    Decision,
    Done,
    Observe,
    RequestApproval,
    StartFix,
    VerifyFix,
    WatchCheck,
)
from runbook.model.definition import CheckResult, FixResult, Runbook
from runbook.model.event import (
    Acted,
    ActivitySeen,
    AsideEvent,
    EvidenceExpired,
    FixEnded,
    FixIntended,
    FixVerified,
    HostJoined,
    LookAgain,
    Mode,
    Noted,
    Observed,
    RunEvent,
    RunFinished,
    SteppingSet,
)
from runbook.model.state import HostState
from runbook.model.verdict import Verdict, worst

GATHER_S = 0.3
"""How long hosts that need the same answer wait for another one before the operator is asked."""

MAX_OBSERVATIONS = 4
"""How many observations run at once; hosts that come later wait and are batched together."""

MAX_AT_WORK = 8
"""How many fixes, verifications and previews run at once, each a process of some 60 MB."""

ORPHAN_POLL_S = 0.2

CHANGED_MEANWHILE = "changed-meanwhile"


@dataclass(frozen=True, kw_only=True, slots=True)
class Stop:
    """The operator wants to stop: `now` gives up fixes under way as well."""

    reason: str
    now: bool = False


@dataclass(frozen=True, kw_only=True, slots=True)
class Nudge:
    """Something changed without news from outside: look again at what is next."""


Message = Report | Stop | Replied | Wished | Nudge


class InterruptedRunError(Exception):
    """The run stopped before its end; it is journaled and can be resumed."""


@dataclass(kw_only=True)
class Driver:
    """Drives one run. `clock` gives POSIX seconds; `closure` computes the closure hash anew.

    With `stepping` the operator is asked before each step of the hosts that join.
    """

    run: str
    runbook: Runbook
    mode: Mode
    executor: Executor
    journal: Journal
    operator: Operator
    observer: Observer
    closure: Callable[[], str]
    approved_closure: str
    clock: Callable[[], float] = time.time
    gather_s: float = GATHER_S
    stepping: bool = False
    blocking: Collection[str] = ()
    _inbox: queue.SimpleQueue[Message] = field(default_factory=queue.SimpleQueue)
    _idle: set[str] = field(default_factory=set)
    _unseen: dict[str, tuple[str, ...]] = field(default_factory=dict)
    _queue: deque[Cohort] = field(default_factory=deque)
    _orphans: dict[str, str] = field(default_factory=dict)
    _stopping: Stop | None = None
    _failure: RunbookError | None = None

    def __post_init__(self) -> None:
        self.ledger = Ledger(
            run=self.run,
            runbook=self.runbook,
            journal=self.journal,
            observer=self.observer,
            who=self.operator.name,
            clock=self.clock,
        )
        self._tell = self.ledger.tell
        self._gathering = Gathering(quiet_s=self.gather_s)
        self._flights = Flights(run=self.run, executor=self.executor, deliver=self._inbox.put)
        self._asides = Asides()
        self._desk = Desk(
            runbook=self.runbook,
            operator=self.operator,
            closure=self.approved_closure,
            deliver=self._inbox.put,
            blocking=self.blocking,
        )

    @property
    def states(self) -> Mapping[str, HostState]:
        """Where each host's walk stands."""
        return self.ledger.states

    def stop(self, stop: Stop) -> None:
        """Ask the loop to stop; safe from a signal handler."""
        self._inbox.put(stop)

    def join_hosts(self, pattern: str) -> None:
        """Find the target set and look at all of it, in one invocation.

        Raises RunbookError where the pattern names nobody, a param is missing or of the wrong type,
        another run holds a host, or Ansible cannot be used; nothing has been touched then.
        """
        try:
            self._join(pattern)
        except (RunbookError, InterruptedRunError):
            self._flights.give_up()
            raise

    def _join(self, pattern: str) -> None:
        first = decide(self.runbook, start(self.runbook, ""), self.mode)
        steps = first.steps if isinstance(first, Observe) and not self.stepping else ()
        request = ObserveRequest(
            id=self._flights.name(),
            pattern=pattern,
            joining=True,
            steps=steps,
            activity=self.mode is Mode.RUN,
        )
        flight = self._launch(request, ())
        while not self.states:
            message = self._inbox.get()
            match message:
                case HostsResolved():
                    self._welcome(message, flight, pattern)
                case InvocationEnded(reason=reason):
                    raise unusable(reason)
                case Stop():
                    raise InterruptedRunError(message.reason)
                case _:
                    self._take(message)

    def _welcome(self, resolved: HostsResolved, flight: Flight, pattern: str) -> None:
        problem = unfit(resolved, pattern)
        if problem is None and self.mode is Mode.RUN:
            conflict = self.journal.claim(self.run, resolved.hosts, at=self.clock())
            if conflict is not None:
                problem = held(conflict.claims)
        if problem is not None:
            raise problem
        flight.hosts.update(resolved.hosts)
        self.ledger.open({host: start(self.runbook, host) for host in resolved.hosts})
        self._tell(
            *(
                HostJoined(
                    host=host,
                    params=resolved.params.get(host, {}),
                    groups=resolved.groups.get(host, ()),
                    typed=host in resolved.typed,
                )
                for host in resolved.hosts
            )
        )
        if self.stepping:
            by = self.operator.name
            self._tell(*(SteppingSet(host=host, on=True, by=by) for host in resolved.hosts))

    def take_up(self, states: Mapping[str, HostState], orphans: Mapping[str, str]) -> None:
        """Go on from these states; `orphans` names the last invocation of each host's fixes."""
        self.ledger.open(states)
        self._idle.update(host for host, state in states.items() if state.verdict is None)
        self._orphans.update({host: orphans[host] for host in orphans if states[host].acting})

    def finish(self) -> Verdict:
        """Drive until every host has its verdict; return the run's.

        Raises InterruptedRunError when stopped, RunbookError when the journal cannot be written or
        what would be executed has changed. No invocation is left running in any case.
        """
        try:
            self._loop()
        except RunbookError:
            self._let_fixes_end()
            raise
        finally:
            self._flights.see_out()
            self._flights.give_up()
        verdict = worst(state.verdict or Verdict.UNKNOWN for state in self.states.values())
        self.note(RunFinished(verdict=verdict))
        return verdict

    def note(self, event: RunEvent | AsideEvent) -> None:
        """Write down something that concerns the run as a whole."""
        self.ledger.note(event)

    def _loop(self) -> None:
        while True:
            self._advance()
            if not self.ledger.unfinished:
                return
            if self._stopping is not None and not self._flights.fixing():
                raise self._failure or InterruptedRunError(self._stopping.reason)
            try:
                self._take(self._inbox.get(timeout=self._patience_s()))
            except queue.Empty:
                for hosts, events in self._desk.expired():
                    self._tell(*events)
                    self._idle.update(hosts)
            while not self._inbox.empty():
                self._take(self._inbox.get())

    def _advance(self) -> None:
        """Go on as far as possible; what stands in the way lets fixes under way come to an end."""
        try:
            self._pump()
        except RunbookError as error:
            if self.ledger.is_lost or self._failure is not None:
                raise
            self._failure = error
            self._on_stop(Stop(reason=error.problems[0].message))

    def _let_fixes_end(self) -> None:
        """Wait for fixes under way, which nobody can write down: half of one is worse than all."""
        self._flights.cancel(fixes=False)
        while self._flights.fixing():
            match self._inbox.get():
                case Stop():
                    self._flights.cancel(fixes=True)
                case InvocationEnded(request=request):
                    self._flights.landed(request)
                case _:
                    pass

    # Deciding and dispatching

    def _pump(self) -> None:
        """Take every idle host as far as it goes without doing anything, then do things."""
        decided: dict[str, Decision] = {}
        for host in tuple(self._idle):
            decision = self._walk(host)
            if not isinstance(decision, AwaitFix):
                self._idle.discard(host)
            if not isinstance(decision, Done):
                decided[host] = decision
        for cohort in cohorts(self.runbook, decided, self.states):
            self._line_up(cohort)
        if self._stopping is not None:
            return
        self._look()
        # Nobody else comes while nobody is looked at.
        due = self._gathering.due(all_of_them=not self._flights.observing())
        self._queue.extend(cohorts(self.runbook, due, self.states))
        while self._queue and self._flights.at_work() < MAX_AT_WORK:
            self._act(self._queue.popleft())

    def _walk(self, host: str) -> Decision:
        """Write down what follows without doing anything; return what is to be done then."""
        events, _, decision = walk(self.runbook, self.states[host], self.mode)
        self._tell(*events)
        return decision

    def _line_up(self, cohort: Cohort) -> None:
        """Have hosts wait for what they need; each waits in one place."""
        match cohort.decision:
            case AwaitFix():
                self._await_orphans(cohort)
            case Observe(steps=steps):
                self._unseen.update(dict.fromkeys(cohort.hosts, steps))
            case RequestApproval() as decision:
                self._gathering.add(decision, cohort.hosts)
            case _:
                self._queue.append(cohort)

    def _look(self) -> None:
        """Look at all hosts that need it in one invocation, whatever each of them needs."""
        if not self._unseen or self._flights.observing() >= MAX_OBSERVATIONS:
            return
        wants, self._unseen = self._unseen, {}
        request = ObserveRequest(
            id=self._flights.name(),
            pattern=",".join(wants),
            wants=wants,
            known=self.ledger.known(wants),
            # Later, what was changed there may be our own doing.
            activity=any(map(self._wants_activity, wants)),
        )
        self._launch(request, wants)

    def _act(self, cohort: Cohort) -> None:
        hosts = cohort.hosts
        match cohort.decision:
            case VerifyFix(fix=fix):
                name, known = self._flights.name(), self.ledger.known(hosts)
                self._launch(VerifyRequest(id=name, fix=fix, hosts=hosts, known=known), hosts)
            case WatchCheck(step=step):
                name, known = self._flights.name(), self.ledger.known(hosts)
                self._launch(WatchRequest(id=name, step=step, hosts=hosts, known=known), hosts)
            case StartFix() as decision:
                self._start_fix(decision, hosts)
            case RequestApproval() as decision:
                self._request_approval(cohort, decision.fix)
            case AskStep():
                self._desk.ask_step(self._flights.name(), cohort, self.states)
            case AskOperator():
                self._desk.ask_question(self._flights.name(), cohort, self.states)

    def _start_fix(self, decision: StartFix, hosts: tuple[str, ...]) -> None:
        fresh = tuple(host for host in hosts if self._evidence_is_fresh(host, decision.fix))
        if not fresh:
            return
        if self.closure() != self.approved_closure:
            raise changed_meanwhile(self.run)
        request = FixRequest(
            id=self._flights.name(), fix=decision.fix, hosts=fresh, known=self.ledger.known(fresh)
        )
        self._tell(
            *(
                FixIntended(
                    host=host,
                    step=decision.fix,
                    attempt=decision.attempt,
                    invocation=request.id,
                )
                for host in fresh
            )
        )
        try:
            self._launch(request, fresh)
        except RunbookError as error:
            reason = error.problems[0].message
            self._tell(
                *(
                    FixEnded(host=host, step=decision.fix, acted=Acted.WITHHELD, reason=reason)
                    for host in fresh
                )
            )
            raise

    def _evidence_is_fresh(self, host: str, fix: str) -> bool:
        """Say whether a host may be acted upon; if not, it is sent back to be observed again."""
        seen_at = evidence_seen_at(self.runbook, self.states[host])
        age = 0.0 if seen_at is None else self.clock() - seen_at
        if age <= self.runbook.evidence_max_age_s:
            return True
        self._tell(EvidenceExpired(host=host, step=fix, age_s=round(age, 1)))
        self._awake(host)
        return False

    def _request_approval(self, cohort: Cohort, fix: str) -> None:
        ticket = self._flights.name()
        self._desk.open(ticket, cohort)
        if not self.operator.wants_previews:
            self._desk.ask_approval(ticket, self.states, None)
            return
        request = PreviewRequest(
            id=self._flights.name(),
            fix=fix,
            hosts=cohort.hosts,
            known=self.ledger.known(cohort.hosts),
        )
        self._launch(request, cohort.hosts, ticket)

    def _ask_approval(self, ticket: str) -> None:
        hosts = self._desk.hosts_of(ticket)
        past = look_back(self.journal, self.runbook.name, hosts, self._position(hosts[0]))
        self._desk.ask_approval(ticket, self.states, past)

    def _await_orphans(self, cohort: Cohort) -> None:
        """After a crash: wait for what the dead driver left running, then find out."""
        for host in cohort.hosts:
            if host in self._orphans and self.executor.orphan(self._orphans[host]):
                self.observer.working((host,), "waiting for the fix that was left running")
                continue
            self._orphans.pop(host, None)
            self._tell(
                FixEnded(
                    host=host,
                    step=self._position(host),
                    acted=Acted.UNKNOWN,
                    reason="the run was interrupted while the fix was under way",
                    interrupted=True,
                )
            )
            self._awake(host)

    def _wants_activity(self, host: str) -> bool:
        """Say whether it is to be seen what else goes on: before the first fix, and not lately."""
        state = self.states[host]
        seen_at = state.activity.seen_at if state.activity is not None else 0.0
        is_old = self.clock() - seen_at > self.runbook.evidence_max_age_s
        return self.mode is Mode.RUN and not state.fixes and (state.activity is None or is_old)

    def _awake(self, host: str) -> None:
        """Have a host decided anew, without news from outside."""
        self._idle.add(host)
        self._inbox.put(Nudge())

    # Taking in what comes

    def _take(self, message: Message) -> None:
        match message:
            case Stop():
                self._on_stop(message)
            case Replied():
                self._on_reply(message)
            case Wished():
                self._on_wish(message)
            case Progress(host=host, text=text):
                self.observer.working(() if host is None else (host,), text)
            case HostObserved():
                self._on_observed(message)
            case HostActed():
                self._on_acted(message)
            case HostVerified():
                self._on_verified(message)
            case HostPreviewed() | InvocationEnded():
                self._on_flight(message)
            case HostsResolved() | Nudge():
                pass

    def _on_observed(self, report: HostObserved) -> None:
        aside = self._asides.take(report)
        if aside is not None:
            self.note(aside)
            return
        if not self._is_owed(report.request, report.host):
            return
        seen = report.observations
        cut_off = self._stopping is not None and all(
            item.result is CheckResult.UNKNOWN for item in seen.values()
        )
        if not cut_off:  # What we cut off ourselves says nothing of the host.
            events: list[Observed | ActivitySeen] = [
                Observed(host=report.host, observations=seen, texts=report.texts)
            ]
            if report.activity is not None and self._wants_activity(report.host):
                events.append(ActivitySeen(host=report.host, activity=report.activity))
            self._tell(*events)
        self._settle(report.request, report.host)

    def _on_acted(self, report: HostActed) -> None:
        if not self._is_owed(report.request, report.host):
            return
        acted = report.acted
        if acted is Acted.WITHHELD and self._stopping is not None and self._stopping.now:
            # We cut it off ourselves, which says nothing of the host: resumed, it is looked at anew.
            acted = Acted.UNKNOWN
        self._tell(
            FixEnded(
                host=report.host,
                step=self._position(report.host),
                acted=acted,
                changes=report.changes,
                reason=report.reason,
                interrupted=self._stopping is not None and acted is Acted.UNKNOWN,
            )
        )
        if report.acted in (Acted.CHANGED, Acted.UNCHANGED):
            self.observer.working((report.host,), "looking again")
        else:
            self._settle(report.request, report.host)

    def _on_verified(self, report: HostVerified) -> None:
        if not self._is_owed(report.request, report.host):
            return
        given_up = self._stopping is not None and self._stopping.now
        if not (given_up and report.verification.result is FixResult.UNKNOWN):
            # What we cut off ourselves says nothing of the fix: resumed, the host is looked at again.
            self._tell(
                FixVerified(
                    host=report.host,
                    step=self._position(report.host),
                    verification=report.verification,
                )
            )
        self._settle(report.request, report.host)

    def _on_flight(self, report: HostPreviewed | InvocationEnded) -> None:
        if isinstance(report, HostPreviewed):
            flight = self._flights.find(report.request)
            if flight is not None and flight.ticket is not None:
                self._desk.predict(flight.ticket, report)
            return
        flight = self._flights.landed(report.request)
        if flight is None or self._asides.end(report.request):
            return
        if flight.ticket is None:
            self._idle.update(flight.hosts)
        elif self._stopping is None:
            self._ask_approval(flight.ticket)

    def _on_reply(self, replied: Replied) -> None:
        hosts, events = self._desk.take(replied)
        if self._stopping is None:
            self._tell(*events)
            if hosts and isinstance(replied.reply, EndRun):
                self._on_stop(Stop(reason=replied.reply.why))
        self._idle.update(hosts)

    def _on_wish(self, wished: Wished) -> None:
        hosts = self._desk.hosts_of(wished.ticket)
        match wished.aside:
            case OwnCheck() as check if not hosts or self._stopping is not None:
                check.told({})
            case _ if not hosts:
                pass
            case OwnCheck(probe=probe) as check:
                name, known = self._flights.name(), self.ledger.known(hosts)
                self._asides.begin(name, check, {host: self._position(host) for host in hosts})
                self._launch(LookRequest(id=name, probe=probe, hosts=hosts, known=known), hosts)
            case Note(text=text, by=by):
                self.note(Noted(hosts=hosts, step=self._position(hosts[0]), text=text, by=by))
            case Recheck(by=by):
                self._desk.take_back(wished.ticket)
                self._tell(
                    *(LookAgain(host=host, step=self._position(host), by=by) for host in hosts)
                )
                self._idle.update(hosts)
            case EndRun(why=why):
                self._desk.take_back(wished.ticket)
                self._on_stop(Stop(reason=why))

    def _on_stop(self, stop: Stop) -> None:
        self._stopping = stop
        self._flights.cancel(fixes=stop.now)
        if self._flights.fixing():
            self.observer.stopping(
                "Stopping now: the fix under way is given up."
                if stop.now
                else "Stopping once the fix under way has ended; Ctrl-C again gives it up."
            )

    # Helpers

    def _launch(self, request: Request, hosts: Iterable[str], ticket: str | None = None) -> Flight:
        flight = self._flights.launch(request, hosts, ticket)
        self.observer.working(tuple(sorted(flight.hosts)), describe(request))
        return flight

    def _is_owed(self, request: str, host: str) -> bool:
        flight = self._flights.find(request)
        return flight is not None and host in flight.hosts

    def _settle(self, request: str, host: str) -> None:
        flight = self._flights.find(request)
        if flight is not None:
            flight.hosts.discard(host)
        self._idle.add(host)

    def _position(self, host: str) -> str:
        return self.states[host].position or ""

    def _patience_s(self) -> float | None:
        """Return how long to wait for news before looking at the clock."""
        waits = [self._desk.next_expiry_s(), self._gathering.next_due_s()]
        if self._orphans:
            waits.append(ORPHAN_POLL_S)
        return min((wait for wait in waits if wait is not None), default=None)


def changed_meanwhile(run: str) -> RunbookError:
    """Return the error of a closure that is no longer what the run began with."""
    return RunbookError.of(
        CHANGED_MEANWHILE,
        f"the runbook, a role or Ansible itself changed after run {run} began",
        context="What was looked at and approved is not what would be done now.",
        hint=f"start a new run; nothing more is done in this one (if it is not over yet, close it: "
        f"runbook resume {run} --abandon)",
    )
