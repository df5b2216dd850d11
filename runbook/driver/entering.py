"""Finding a run's hosts and taking them in, once no other run holds one of them."""

import queue
import time
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from runbook.driver.flights import Flight, Flights
from runbook.driver.joining import held, unfit, unusable, waiting_for
from runbook.driver.ledger import Ledger
from runbook.driver.observer import Observer
from runbook.driver.stopping import InterruptedRunError, SlicedRunError, Stop
from runbook.engine.decide import decide
from runbook.engine.evolve import start
from runbook.executor import HostsResolved, InvocationEnded, ObserveRequest, Progress
from runbook.journal import Claim
from runbook.model.decision import Observe
from runbook.model.event import HostJoined, Mode, RunSliced, SteppingSet
from runbook.model.slices import sliced

POLL_S = 0.5
"""How often it is looked whether hosts are free by now."""


@dataclass(kw_only=True)
class Entrance:
    """Where a run's hosts come in; what is reported arrives in `inbox`.

    `wait_s` is how long to wait, in seconds, where another run holds one of them. With `stepping`
    the operator is asked before each step. More than `at_most` hosts are cut into slices.
    """

    mode: Mode
    stepping: bool
    wait_s: float
    ledger: Ledger
    flights: Flights
    observer: Observer
    inbox: "queue.SimpleQueue[Any]"
    at_most: int | None = None

    def join(self, pattern: str) -> None:
        """Find the target set and look at all of it, in one invocation.

        Where another run holds a host, wait as long as was said, and look anew then. Raises as
        `Driver.join_hosts`.
        """
        until = time.monotonic() + self.wait_s
        while claims := self._enter(pattern):
            # What is seen while somebody else is at work says nothing of the time after it.
            self.flights.give_up()
            self._wait(claims, until)

    def _enter(self, pattern: str) -> Sequence[Claim]:
        """Take the hosts in and return nothing, or what stands against it."""
        runbook = self.ledger.runbook
        first = decide(runbook, start(runbook, ""), self.mode)
        request = ObserveRequest(
            id=self.flights.name(),
            pattern=pattern,
            joining=True,
            steps=first.steps if isinstance(first, Observe) and not self.stepping else (),
            activity=self.mode is Mode.RUN,
            at_most=self.at_most,
        )
        flight = self.flights.launch(request, ())
        while True:
            match self.inbox.get():
                case HostsResolved(request=request.id) as resolved:
                    return self._welcome(resolved, flight, pattern)
                case InvocationEnded(request=request.id, reason=reason):
                    raise unusable(reason)
                case Stop(reason=reason):
                    raise InterruptedRunError(reason)
                case Progress(host=host, text=text):
                    self.observer.working(() if host is None else (host,), text)

    def _welcome(self, resolved: HostsResolved, flight: Flight, pattern: str) -> Sequence[Claim]:
        problem = unfit(resolved, pattern)
        if problem is not None:
            raise problem
        ledger = self.ledger
        if self.at_most is not None and len(resolved.hosts) > self.at_most:
            slices = sliced(resolved.hosts, self.at_most)
            ledger.note(RunSliced(hosts=slices))
            raise SlicedRunError(slices)
        if self.mode is Mode.RUN:
            conflict = ledger.journal.claim(ledger.run, resolved.hosts, at=ledger.clock())
            if conflict is not None:
                return conflict.claims
        flight.hosts.update(resolved.hosts)
        ledger.open({host: start(ledger.runbook, host) for host in resolved.hosts})
        ledger.tell(
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
            ledger.tell(
                *(SteppingSet(host=host, on=True, by=ledger.who) for host in resolved.hosts)
            )
        return ()

    def _wait(self, against: Sequence[Claim], until: float) -> None:
        """Wait until none of these hosts is held; raise RunbookError where that will not be."""
        hosts = {claim.host for claim in against}
        while standing := self._standing(hosts):
            # A dead run that is in a fix lets go of nothing until somebody finds out what it did.
            if any(claim.alive is False for claim in standing) or time.monotonic() >= until:
                raise held(standing)
            self.observer.working((), waiting_for(standing))
            try:
                message = self.inbox.get(timeout=POLL_S)
            except queue.Empty:
                continue
            if isinstance(message, Stop):
                raise InterruptedRunError(message.reason)

    def _standing(self, hosts: set[str]) -> list[Claim]:
        """Return what another run holds of hosts, and would not lose to who asks for it."""
        return [
            claim
            for claim in self.ledger.journal.claims()
            if claim.host in hosts
            and claim.run != self.ledger.run
            and not (claim.alive is False and not claim.acting)
        ]
