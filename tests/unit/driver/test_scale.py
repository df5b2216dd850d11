"""What thousands of hosts cost the loop."""

import threading
from collections import Counter
from dataclasses import dataclass, replace

import pytest

from runbook.driver import loop
from runbook.engine import walking
from runbook.engine.decide import decide
from runbook.executor import Deliver, HostObserved, ObserveRequest, Report, Request
from runbook.executor.scripted import ScriptedHost, ScriptedInvocation
from runbook.model.decision import Decision
from runbook.model.definition import Runbook
from runbook.model.event import Event, FixIntended, Mode
from runbook.model.observation import Texts
from runbook.model.state import HostState
from runbook.model.verdict import Verdict
from tests.unit.driver.stage import ONE_FIX, Cancellable, Person, Stage, host

MANY = 400


def test_each_host_is_decided_on_a_bounded_number_of_times(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """News of one host costs nothing for the others, gathered or not: the loop is linear."""
    decided: Counter[str] = Counter()

    def counting(runbook: Runbook, state: HostState, mode: Mode) -> Decision:
        decided[state.host] += 1
        return decide(runbook, state, mode)

    monkeypatch.setattr(walking, "decide", counting)
    hosts: dict[str, ScriptedHost] = {f"web{n}": host() for n in range(MANY)}
    stage = Stage(runbook=ONE_FIX, hosts=hosts)

    assert stage.play() is Verdict.RESOLVED
    assert max(count for name, count in decided.items() if name) <= 8


def test_steady_arrivals_do_not_put_the_question_off_for_ever() -> None:
    """One host hangs, so more could come; the others are asked about all the same."""
    person = Person()
    stage = Stage(
        runbook=ONE_FIX,
        hosts={"web1": host(), "web2": host(None, None, "up")},
        operator=person,
        gather_s=0.1,
    )

    def on_event(event: Event) -> None:
        if isinstance(event, FixIntended):
            stage.script.cancel_all()

    stage.on_event = on_event
    stage.play()
    assert [request.hosts for request in person.asked] == [("web1",)]


@dataclass(kw_only=True)
class Slow(Cancellable):
    """Lets fixes and looks after them take a while, and gives each host a title of its own.

    `most` is how many of them were under way at once.
    """

    most: int = 0

    def start(self, request: Request, deliver: Deliver) -> ScriptedInvocation:
        """Begin, and return at once."""

        def with_titles(report: Report) -> None:
            if isinstance(report, HostObserved):
                texts = {"restart": Texts(title=f"Restart {report.host}")}
                report = replace(report, texts=texts)
            deliver(report)

        invocation = super().start(request, with_titles)
        if not isinstance(request, ObserveRequest):
            self.most = max(self.most, sum(not one.wait(0) for one in self.invocations))
            threading.Timer(0.05, invocation.cancel).start()
        return invocation


def test_only_so_many_processes_act_at_once() -> None:
    """Hosts whose fixes read differently are fixed apart, yet not all at the same time."""
    hosts = {
        f"web{n}": replace(host(), stuck=frozenset({"restart"}))
        for n in range(2 * loop.MAX_AT_WORK)
    }
    executor = Slow(hosts=hosts)
    stage = Stage(runbook=ONE_FIX, hosts=hosts, executor=executor)
    stage.play()

    assert len(stage.of(FixIntended)) == len(hosts)
    assert executor.most <= loop.MAX_AT_WORK
