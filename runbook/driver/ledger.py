"""What is known of a run's hosts: written down first, counted then, shown last."""

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import TypeVar

from runbook.driver.observer import Observer
from runbook.engine.evolve import evolve
from runbook.errors import RunbookError
from runbook.journal import Journal
from runbook.model.definition import CheckResult, Json, Runbook
from runbook.model.event import AsideEvent, HostEvent, RunEvent
from runbook.model.state import HostState

Told = TypeVar("Told", bound=HostEvent)


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
        self._take_in(events, after)

    def tell_alone(self, whole: str, choose: Callable[[], Sequence[Told]]) -> Sequence[Told]:
        """Write down what `choose` returns, while no other slice of the run `whole` does so.

        It is returned. `choose` may be asked again after what came of it was undone.
        """

        def work() -> Sequence[Told]:
            events = choose()
            self._after(events)
            if events:
                self.journal.append(self.run, events, at=self.clock(), who=self.who)
            return events

        with self._noticing_loss():
            events = self.journal.alone(whole, work)
        self._take_in(events, self._after(events))
        return events

    def note_alone(self, whole: str, choose: Callable[[], RunEvent | None]) -> RunEvent | None:
        """Write down what `choose` returns of the run as a whole; as `tell_alone`."""

        def work() -> RunEvent | None:
            event = choose()
            if event is not None:
                self.journal.append(self.run, (event,), at=self.clock(), who=self.who)
            return event

        with self._noticing_loss():
            event = self.journal.alone(whole, work)
        if event is not None:
            self.observer.happened(event, self.states)
        return event

    def _take_in(self, events: Iterable[HostEvent], after: Mapping[str, HostState]) -> None:
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
        return {host: facts_of(self.states[host]) for host in hosts}

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


def facts_of(state: HostState) -> dict[str, Json]:
    """Return what a later invocation may use of what is known of a host."""
    seen = {
        step: dict(item.facts)
        for step, item in state.known.items()
        if item.facts and item.result is not CheckResult.UNKNOWN
    }
    return {**seen, **{step: {"choice": answer} for step, answer in state.answers.items()}}
