"""What is known of a run's hosts: written down first, counted then, shown last."""

from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field

from runbook.driver.observer import Observer
from runbook.engine.evolve import evolve
from runbook.errors import RunbookError
from runbook.journal import Journal
from runbook.model.definition import CheckResult, Json, Runbook
from runbook.model.event import AsideEvent, HostEvent, RunEvent
from runbook.model.state import HostState


@dataclass(kw_only=True)
class Ledger:
    """The states of a run's hosts, kept in step with its journal. `clock` gives POSIX seconds.

    `unfinished` counts the hosts without a verdict. `is_lost` says that the journal could not be
    written: what happens from then on is known to nobody else, so nothing more may be begun.
    """

    run: str
    runbook: Runbook
    journal: Journal
    observer: Observer
    who: str
    clock: Callable[[], float]
    states: dict[str, HostState] = field(default_factory=dict)
    unfinished: int = 0
    is_lost: bool = False

    def open(self, states: Mapping[str, HostState]) -> None:
        """Take hosts in."""
        self.states.update(states)
        self.unfinished = sum(state.verdict is None for state in self.states.values())

    def tell(self, *events: HostEvent) -> None:
        """Write events down, then let them count; raise RunbookError if they cannot be written.

        Nor is anything written where one of them does not fit its host's state: a journal that
        holds a misfit cannot be resumed from.
        """
        if not events:
            return
        after = self._after(events)
        self._append(events)
        open_before = sum(self.states[host].verdict is None for host in after)
        self.states.update(after)
        self.unfinished += sum(one.verdict is None for one in after.values()) - open_before
        for event in events:
            self.observer.happened(event, self.states)

    def note(self, event: RunEvent | AsideEvent) -> None:
        """Write down what changes no host's state; raise RunbookError."""
        self._append((event,))
        self.observer.happened(event, self.states)

    def known(self, hosts: Iterable[str]) -> dict[str, dict[str, Json]]:
        """Return what a later invocation may use of what is known of hosts."""
        return {host: _facts(self.states[host]) for host in hosts}

    def position(self, host: str) -> str:
        """Return the step a host stands at, "" where its path is closed."""
        return self.states[host].position or ""

    def _after(self, events: Iterable[HostEvent]) -> dict[str, HostState]:
        after: dict[str, HostState] = {}
        for event in events:
            before = after.get(event.host) or self.states[event.host]
            after[event.host] = evolve(self.runbook, before, event)
        return after

    def _append(self, events: tuple[HostEvent, ...] | tuple[RunEvent | AsideEvent, ...]) -> None:
        with self._noticing_loss():
            self.journal.append(self.run, events, at=self.clock(), who=self.who)

    @contextmanager
    def _noticing_loss(self) -> Iterator[None]:
        try:
            yield
        except RunbookError:
            self.is_lost = True
            raise


def _facts(state: HostState) -> dict[str, Json]:
    seen = {
        step: dict(item.facts)
        for step, item in state.known.items()
        if item.facts and item.result is not CheckResult.UNKNOWN
    }
    return {**seen, **{step: {"choice": answer} for step, answer in state.answers.items()}}
