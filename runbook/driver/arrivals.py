"""What comes back from hosts: written down, unless we cut it off ourselves."""

from dataclasses import dataclass

from runbook.driver.asides import Asides
from runbook.driver.flights import Flights
from runbook.driver.ledger import Ledger
from runbook.driver.observer import Observer
from runbook.driver.ramping import Ramping
from runbook.driver.siblings import fell_back
from runbook.driver.stopping import Stop
from runbook.executor import HostActed, HostObserved, HostVerified
from runbook.model.definition import CheckResult, FixResult
from runbook.model.event import (
    Acted,
    ActivitySeen,
    FixEnded,
    FixRechecked,
    FixVerified,
    Mode,
    Observed,
)


@dataclass(kw_only=True)
class Arrivals:
    """Writes down what hosts report. What says nothing of a host, as it was cut off, is left out."""

    mode: Mode
    ledger: Ledger
    flights: Flights
    asides: Asides
    ramping: Ramping
    observer: Observer

    def take(
        self, report: HostObserved | HostActed | HostVerified, stopping: Stop | None
    ) -> frozenset[str]:
        """Write a report down; return the hosts of which nothing more is owed by its request."""
        if isinstance(report, HostObserved):
            aside = self.asides.take(report)
            if aside is not None:
                self.ledger.note(aside)
                return frozenset()
        if isinstance(report, HostVerified):
            again = self.ramping.take(report)
            if again is not None:
                self._rechecked(again, stopping)
                return frozenset()
        flight = self.flights.find(report.request)
        if flight is None or report.host not in flight.hosts:
            return frozenset()
        match report:
            case HostObserved():
                self._observed(report, stopping)
            case HostActed():
                self._acted(report, stopping)
                if report.acted in (Acted.CHANGED, Acted.UNCHANGED):
                    self.observer.working((report.host,), "looking again")
                    return frozenset()
            case HostVerified():
                self._verified(report, stopping)
        flight.hosts.discard(report.host)
        return frozenset({report.host})

    def wants_activity(self, host: str) -> bool:
        """Say whether it is to be seen what else goes on: before the first fix, and not lately."""
        state = self.ledger.states[host]
        seen_at = state.activity.seen_at if state.activity is not None else 0.0
        is_old = self.ledger.clock() - seen_at > self.ledger.runbook.evidence_max_age_s
        return self.mode is Mode.RUN and not state.fixes and (state.activity is None or is_old)

    def _observed(self, report: HostObserved, stopping: Stop | None) -> None:
        seen = report.observations
        if stopping is not None and all(
            item.result is CheckResult.UNKNOWN for item in seen.values()
        ):
            return  # What we cut off ourselves says nothing of the host.
        events: list[Observed | ActivitySeen] = [
            Observed(host=report.host, observations=seen, texts=report.texts)
        ]
        if report.activity is not None and self.wants_activity(report.host):
            events.append(ActivitySeen(host=report.host, activity=report.activity))
        self.ledger.tell(*events)

    def _acted(self, report: HostActed, stopping: Stop | None) -> None:
        acted = report.acted
        if acted is Acted.WITHHELD and stopping is not None and stopping.now:
            # We cut it off ourselves, which says nothing of the host: resumed, it is looked at anew.
            acted = Acted.UNKNOWN
        self.ledger.tell(
            FixEnded(
                host=report.host,
                step=self.ledger.position(report.host),
                acted=acted,
                changes=report.changes,
                reason=report.reason,
                interrupted=stopping is not None and acted is Acted.UNKNOWN,
            )
        )

    def _rechecked(self, event: FixRechecked, stopping: Stop | None) -> None:
        """Write down how a host of an earlier wave does; one that fell back is not resolved."""
        if stopping is not None and event.verification.result is FixResult.UNKNOWN:
            return  # We cut it off ourselves, which says nothing of the host.
        if event.host not in self.ledger.states:
            return  # Of a host of another slice it is told at the end of the look.
        if event.verification.result is FixResult.RECURRED:
            self.ledger.tell(*fell_back(event, self.ledger.states[event.host]))
        else:
            self.ledger.tell(event)

    def _verified(self, report: HostVerified, stopping: Stop | None) -> None:
        given_up = stopping is not None and stopping.now
        if given_up and report.verification.result is FixResult.UNKNOWN:
            return  # We cut it off ourselves: resumed, the host is looked at again.
        self.ledger.tell(
            FixVerified(
                host=report.host,
                step=self.ledger.position(report.host),
                verification=report.verification,
            )
        )
