"""Requests under way, and the hosts that still owe each of them a report."""

import secrets
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field

from runbook.driver.observer import Observer
from runbook.executor import (
    Executor,
    FixRequest,
    Invocation,
    LookRequest,
    ObserveRequest,
    PreviewRequest,
    Report,
    Request,
    UndoRequest,
    WatchRequest,
)

LAST_WAIT_S = 10.0
"""How long to wait for cancelled invocations before leaving them."""


@dataclass(kw_only=True, slots=True)
class Flight:
    """One request under way; `ticket` is the approval its previews are for."""

    request: Request
    hosts: set[str]
    invocation: Invocation
    ticket: str | None = None

    @property
    def acts(self) -> bool:
        """Whether it changes hosts."""
        return isinstance(self.request, FixRequest | UndoRequest)


@dataclass(kw_only=True)
class Flights:
    """All requests under way of one run; `deliver` takes their reports from any thread."""

    run: str
    executor: Executor
    observer: Observer
    deliver: Callable[[Report], None]
    _under_way: dict[str, Flight] = field(default_factory=dict)
    _named: int = 0

    def name(self) -> str:
        """Return an id for a request, unique over all processes that ever drive the run."""
        self._named += 1
        return f"{self.run}-{self._named}-{secrets.token_hex(3)}"

    def launch(self, request: Request, hosts: Iterable[str], ticket: str | None = None) -> Flight:
        """Start a request, and say so; raises RunbookError where that is not possible."""
        flight = Flight(
            request=request,
            hosts=set(hosts),
            invocation=self.executor.start(request, self.deliver),
            ticket=ticket,
        )
        self._under_way[request.id] = flight
        self.observer.working(tuple(sorted(flight.hosts)), describe(request))
        return flight

    def find(self, request: str) -> Flight | None:
        """Return a request under way."""
        return self._under_way.get(request)

    def landed(self, request: str) -> Flight | None:
        """Take a request off the list; nothing more comes of it."""
        return self._under_way.pop(request, None)

    def fixing(self) -> set[str]:
        """Return the hosts something is being changed on."""
        return {host for flight in self._under_way.values() if flight.acts for host in flight.hosts}

    def observing(self) -> int:
        """Return how many observations are under way."""
        return sum(isinstance(item.request, ObserveRequest) for item in self._under_way.values())

    def at_work(self) -> int:
        """Return how many requests are under way that do more than look through a period."""
        return sum(
            not isinstance(item.request, ObserveRequest | WatchRequest | LookRequest)
            for item in self._under_way.values()
        )

    def cancel(self, *, fixes: bool) -> None:
        """Cancel what is under way; fixes only if told."""
        for flight in self._under_way.values():
            if fixes or not flight.acts:
                flight.invocation.cancel()

    def see_out(self) -> None:
        """Let fixes come to their end, though all has been told: they give back their leases."""
        for flight in self._under_way.values():
            if flight.acts:
                flight.invocation.wait(LAST_WAIT_S)

    def give_up(self) -> None:
        """Cancel everything and wait a little for its end."""
        self.cancel(fixes=True)
        for flight in self._under_way.values():
            flight.invocation.wait(LAST_WAIT_S)
        self._under_way.clear()


def describe(request: Request) -> str:
    """Say what a request does, for the eye."""
    match request:
        case ObserveRequest():
            return "looking"
        case FixRequest(fix=fix):
            return f"doing {fix}"
        case UndoRequest(fix=fix):
            return f"undoing {fix}"
        case PreviewRequest(fix=fix, undo=True):
            return f"asking Ansible what undoing {fix} would change"
        case PreviewRequest(fix=fix):
            return f"asking Ansible what {fix} would change"
        case LookRequest():
            return "looking at what the operator wants to see"
        case WatchRequest(step=step):
            return f"watching ({step})"
        case _:
            return "looking again"
