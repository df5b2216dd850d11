"""Driving one run: decide, write down, act, write down, until every host has its verdict."""

import queue
import time
from collections import deque
from collections.abc import Callable, Collection, Iterable, Mapping
from dataclasses import dataclass, field

from runbook.driver.acting import Acting, Guarding
from runbook.driver.arrivals import Arrivals
from runbook.driver.asides import Asides
from runbook.driver.desk import Desk, Replied, Wished
from runbook.driver.entering import Entrance
from runbook.driver.flights import Flights
from runbook.driver.gathering import Gathering
from runbook.driver.ledger import Ledger
from runbook.driver.observer import Observer
from runbook.driver.operator import EndRun, Note, Operator, OwnCheck, Recheck
from runbook.driver.ramping import Ramping
from runbook.driver.siblings import Siblings
from runbook.driver.stopping import InterruptedRunError, SlicedRunError, Stop
from runbook.engine.cohort import Cohort, cohorts
from runbook.engine.walking import walk
from runbook.errors import RunbookError
from runbook.executor import (
    Executor,
    HostActed,
    HostObserved,
    HostPreviewed,
    HostsResolved,
    HostVerified,
    InvocationEnded,
    LookRequest,
    ObserveRequest,
    Progress,
    Report,
)
from runbook.journal import Journal
from runbook.model.decision import (
    AwaitFix,
    Decision,
    Done,
    Observe,
    RequestApproval,
)
from runbook.model.definition import Runbook
from runbook.model.event import (
    AsideEvent,
    Event,
    LookAgain,
    Mode,
    Noted,
    RunEvent,
    RunFinished,
)
from runbook.model.policy import Ramp
from runbook.model.slices import Slice
from runbook.model.state import HostState
from runbook.model.verdict import Verdict, worst

GATHER_S = 0.3
"""How long hosts that need the same answer wait for another one before the operator is asked."""

MAX_OBSERVATIONS = 4
"""How many observations run at once; hosts that come later wait and are batched together."""

MAX_AT_WORK = 8
"""How many fixes, verifications and previews run at once, each a process of some 60 MB."""

ORPHAN_POLL_S = 0.2


@dataclass(frozen=True, kw_only=True, slots=True)
class Nudge:
    """Something changed without news from outside: look again at what is next."""


Message = Report | Stop | Replied | Wished | Nudge


@dataclass(kw_only=True)
class Driver:
    """Drives one run. `clock` gives POSIX seconds; `closure` computes the closure hash anew.

    With `stepping` the operator is asked before each step of the hosts that join. `wait_s` is how
    long to wait, in seconds, for hosts that another run holds. `paused` says why no fix may begin
    now, None where one may; with a `ramp` one begins in waves. A run of more than `at_most` hosts is
    cut into slices; of a `slice`, ramp and limits (`guarding`) are those of all slices together.
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
    wait_s: float = 0.0
    blocking: Collection[str] = ()
    paused: Callable[[], str | None] = lambda: None
    ramp: Ramp | None = None
    at_most: int | None = None
    slice: Slice | None = None
    guarding: Guarding | None = None
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
        self._flights = Flights(
            run=self.run,
            executor=self.executor,
            observer=self.observer,
            deliver=self._inbox.put,
        )
        self._entrance = Entrance(
            mode=self.mode,
            stepping=self.stepping,
            wait_s=self.wait_s,
            ledger=self.ledger,
            flights=self._flights,
            observer=self.observer,
            inbox=self._inbox,
            at_most=self.at_most,
        )
        self._asides = Asides()
        self._siblings = (
            None
            if self.slice is None
            else Siblings(
                run=self.run,
                slice=self.slice,
                runbook=self.runbook,
                journal=self.journal,
                own=lambda: self.ledger.states,
                clock=self.clock,
            )
        )
        self._ramping = Ramping(
            ramp=self.ramp,
            own=lambda: self.ledger.states,
            clock=self.clock,
            siblings=self._siblings,
        )
        self._arrivals = Arrivals(
            mode=self.mode,
            ledger=self.ledger,
            flights=self._flights,
            asides=self._asides,
            ramping=self._ramping,
            observer=self.observer,
        )
        self._desk = Desk(
            runbook=self.runbook,
            operator=self.operator,
            closure=self.approved_closure,
            deliver=self._inbox.put,
            blocking=self.blocking,
        )
        self._acting = Acting(
            ledger=self.ledger,
            flights=self._flights,
            desk=self._desk,
            executor=self.executor,
            operator=self.operator,
            observer=self.observer,
            closure=self.closure,
            approved_closure=self.approved_closure,
            paused=self.paused,
            ramping=self._ramping,
            awake=self._awake,
            siblings=self._siblings,
            guarding=self.guarding,
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
        another run holds a host, also after the time there is to wait, or Ansible cannot be used;
        nothing has been touched then, nor where there are so many that it raises SlicedRunError.
        """
        try:
            self._entrance.join(pattern)
        except (RunbookError, InterruptedRunError, SlicedRunError):
            self._flights.give_up()
            raise

    def take_up(
        self, states: Mapping[str, HostState], orphans: Mapping[str, str], past: Iterable[Event]
    ) -> None:
        """Go on from these states, which `past` came to.

        `orphans` names the last invocation of each host's fixes.
        """
        self.ledger.open(states)
        past = list(past)
        self._desk.recall(past)
        if self._siblings is not None:
            self._siblings.recall(past)
        self._idle.update(host for host, state in states.items() if state.verdict is None)
        self._orphans.update({host: orphans[host] for host in orphans if states[host].acting})

    def awaken(self) -> None:
        """Have hosts looked at again that wait for an answer: it may be there, or needless."""
        waiting = [host for host, one in self.states.items() if one.verdict is Verdict.WAITING]
        by = self.operator.name
        self._tell(
            *(LookAgain(host=host, step=self.ledger.position(host), by=by) for host in waiting)
        )
        self._idle.update(waiting)

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
        verdicts = [state.verdict or Verdict.UNKNOWN for state in self.states.values()]
        # A run with a host that waits is not over, whatever the others came to.
        verdict = Verdict.WAITING if Verdict.WAITING in verdicts else worst(verdicts)
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
        if self._stopping is None:
            self._acting.look_back()
        self._idle.update(self._ramping.due())
        if self._siblings is not None:
            self._tell(*self._siblings.of_own())
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
            self._acting.act(self._queue.popleft())

    def _walk(self, host: str) -> Decision:
        """Write down what follows without doing anything; return what is to be done then."""
        events, _, decision = walk(self.runbook, self.states[host], self.mode)
        self._tell(*events)
        return decision

    def _line_up(self, cohort: Cohort) -> None:
        """Have hosts wait for what they need; each waits in one place."""
        match cohort.decision:
            case AwaitFix():
                self._acting.await_orphans(cohort, self._orphans)
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
            activity=any(map(self._arrivals.wants_activity, wants)),
        )
        self._flights.launch(request, wants)

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
            case HostObserved() | HostActed() | HostVerified():
                self._idle.update(self._arrivals.take(message, self._stopping))
            case HostPreviewed() | InvocationEnded():
                self._on_flight(message)
            case HostsResolved() | Nudge():
                pass

    def _on_flight(self, report: HostPreviewed | InvocationEnded) -> None:
        if isinstance(report, HostPreviewed):
            flight = self._flights.find(report.request)
            if flight is not None and flight.ticket is not None:
                self._desk.predict(flight.ticket, report)
            return
        flight = self._flights.landed(report.request)
        looked = self._ramping.end(report.request)
        if looked is not None and self._stopping is None and self._siblings is not None:
            self.note(looked)
            self._siblings.looked(looked)
        if flight is None or self._asides.end(report.request):
            return
        if flight.ticket is None:
            self._idle.update(flight.hosts & self.states.keys())
        elif self._stopping is None:
            self._acting.ask_approval(flight.ticket)

    def _on_reply(self, replied: Replied) -> None:
        hosts, events = self._desk.take(replied)
        if self._stopping is None:
            self._tell(*events)
            self._desk.recall(events)
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
                self._asides.begin(
                    name, check, {host: self.ledger.position(host) for host in hosts}
                )
                self._flights.launch(
                    LookRequest(id=name, probe=probe, hosts=hosts, known=known), hosts
                )
            case Note(text=text, by=by):
                self.note(Noted(hosts=hosts, step=self.ledger.position(hosts[0]), text=text, by=by))
            case Recheck(by=by):
                self._desk.take_back(wished.ticket)
                self._tell(
                    *(
                        LookAgain(host=host, step=self.ledger.position(host), by=by)
                        for host in hosts
                    )
                )
                self._idle.update(hosts)
            case EndRun(why=why):
                self._desk.take_back(wished.ticket)
                self._on_stop(Stop(reason=why))

    def _on_stop(self, stop: Stop) -> None:
        self._stopping = stop
        self.operator.leave()
        self._flights.cancel(fixes=stop.now)
        if self._flights.fixing():
            self.observer.stopping(
                "Stopping now: the fix under way is given up."
                if stop.now
                else "Stopping once the fix under way has ended; Ctrl-C again gives it up."
            )

    # Helpers

    def _patience_s(self) -> float | None:
        """Return how long to wait for news before looking at the clock."""
        waits = [
            self._ramping.next_due_s(),
            self._desk.next_expiry_s(),
            self._gathering.next_due_s(),
        ]
        if self._orphans:
            waits.append(ORPHAN_POLL_S)
        return min((wait for wait in waits if wait is not None), default=None)
