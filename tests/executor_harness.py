"""Requests carried out and listened to; every one is held to the executor's promises."""

import atexit
import itertools
import json
import os
import socket
import sys
import threading
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from functools import cache
from pathlib import Path

from runbook.executor import (
    OWN_LOOK,
    Executor,
    FixRequest,
    HostActed,
    HostObserved,
    HostPreviewed,
    HostsResolved,
    HostVerified,
    Invocation,
    InvocationEnded,
    LookRequest,
    ObserveRequest,
    PreviewRequest,
    Progress,
    Report,
    Request,
    UndoRequest,
    VerifyRequest,
    WatchRequest,
)
from runbook.executor.ansible import AnsibleExecutor
from runbook.executor.runner import Starter
from runbook.executor.target import Target
from runbook.executor.workspace import base_folder
from runbook.model.definition import CheckResult, Json, Runbook
from runbook.model.event import Acted
from runbook.model.observation import Observation
from runbook.spec.library import load

LIMIT_S = 300.0
"""No request of a test takes longer, however busy the machine is."""

_numbers = itertools.count(1)


@cache
def shared_starter() -> Starter:
    """Return the process that imported Ansible for the tests of this process."""
    starter = Starter.start()
    atexit.register(starter.close)
    return starter


def request_id() -> str:
    """Return an id no other request has."""
    return f"test-{os.getpid()}-{next(_numbers)}"


@dataclass(kw_only=True)
class Told:
    """What came of one request, in order, with the seconds since its start."""

    request: Request
    reports: list[Report] = field(default_factory=list)
    times: list[float] = field(default_factory=list)

    @property
    def ended(self) -> InvocationEnded:
        """The last report."""
        last = self.reports[-1]
        assert isinstance(last, InvocationEnded)
        return last

    @property
    def resolved(self) -> HostsResolved:
        """The target set."""
        return next(item for item in self.reports if isinstance(item, HostsResolved))

    def seen(self, host: str, step: str) -> Observation:
        """Return what was seen of a step."""
        return self.observed(host).observations[step]

    def result(self, host: str, step: str) -> CheckResult:
        """Return how a step was judged."""
        return self.seen(host, step).result

    def observed(self, host: str) -> HostObserved:
        """Return the observation of a host."""
        return next(
            item for item in self.reports if isinstance(item, HostObserved) and item.host == host
        )

    def acted(self, host: str) -> HostActed:
        """Return what the action did on a host."""
        return next(
            item for item in self.reports if isinstance(item, HostActed) and item.host == host
        )

    def verified(self, host: str) -> HostVerified:
        """Return how a host was judged after a fix."""
        return next(
            item for item in self.reports if isinstance(item, HostVerified) and item.host == host
        )

    def previewed(self, host: str) -> HostPreviewed:
        """Return what is predicted for a host."""
        return next(
            item for item in self.reports if isinstance(item, HostPreviewed) and item.host == host
        )

    def at_s(self, wanted: Report) -> float:
        """Return when a report came."""
        return self.times[self.reports.index(wanted)]


def carry_out(
    executor: Executor,
    request: Request,
    *,
    meanwhile: Callable[[Invocation, Told], None] | None = None,
) -> Told:
    """Start a request, wait for its end, and hold what was reported to the promises."""
    told = Told(request=request)
    begun = time.monotonic()
    lock = threading.Lock()

    def deliver(report: Report) -> None:
        with lock:
            told.reports.append(report)
            told.times.append(time.monotonic() - begun)

    invocation = executor.start(request, deliver)
    if meanwhile is not None:
        meanwhile(invocation, told)
    assert invocation.wait(LIMIT_S), "it does not end"
    assert not (base_folder() / request.id).exists(), "its folder is left behind, secrets and all"
    hold_to_promises(told)
    return told


def until(condition: Callable[[], bool], limit_s: float = LIMIT_S) -> None:
    """Wait for something to become true."""
    ends = time.monotonic() + limit_s
    while not condition():
        assert time.monotonic() < ends, "it never became true"
        time.sleep(0.02)


def expected_hosts(told: Told) -> tuple[str, ...]:
    """Return the hosts that owe a final report."""
    match told.request:
        case ObserveRequest(joining=True, at_most=at_most):
            resolved = [item for item in told.reports if isinstance(item, HostsResolved)]
            hosts = resolved[0].hosts if resolved else ()
            return hosts if at_most is None or len(hosts) <= at_most else ()
        case ObserveRequest(wants=wants):
            return tuple(wants)
        case _:
            return tuple(told.request.hosts)


def hold_to_promises(told: Told) -> None:
    """Fail unless every host has its one final report, in order, and the end is the end."""
    request = told.request
    assert all(report.request == request.id for report in told.reports)
    ends = [number for number, item in enumerate(told.reports) if isinstance(item, InvocationEnded)]
    assert ends == [len(told.reports) - 1]
    joining = isinstance(request, ObserveRequest) and request.joining
    resolved = [item for item in told.reports if isinstance(item, HostsResolved)]
    assert len(resolved) <= joining
    if resolved:
        assert told.reports[0] is resolved[0]
    hosts = expected_hosts(told)
    by_host: dict[str, list[Report]] = {host: [] for host in hosts}
    for report in told.reports:
        if isinstance(report, Progress):
            assert report.host is None or not _finished(by_host[report.host])
        elif not isinstance(report, HostsResolved | InvocationEnded):
            by_host[report.host].append(report)
    for host, reports in by_host.items():
        _hold_host(request, host, reports)


def _finished(reports: list[Report]) -> bool:
    return any(
        isinstance(report, HostObserved | HostPreviewed | HostVerified) for report in reports
    )


def _hold_host(request: Request, host: str, reports: list[Report]) -> None:
    match request:
        case ObserveRequest(wants=wants, steps=steps):
            assert [type(item) for item in reports] == [HostObserved], host
            (observed,) = reports
            assert isinstance(observed, HostObserved)
            assert set(observed.observations) == set(wants.get(host, steps)), host
        case LookRequest():
            assert [type(item) for item in reports] == [HostObserved], host
            (observed,) = reports
            assert isinstance(observed, HostObserved)
            assert set(observed.observations) == {OWN_LOOK}
        case WatchRequest(step=step):
            assert [type(item) for item in reports] == [HostObserved], host
            (observed,) = reports
            assert isinstance(observed, HostObserved)
            assert set(observed.observations) == {step}
        case PreviewRequest():
            assert [type(item) for item in reports] == [HostPreviewed], host
        case VerifyRequest():
            assert [type(item) for item in reports] == [HostVerified], host
        case UndoRequest():
            assert [type(item) for item in reports] == [HostActed], host
        case FixRequest():
            assert isinstance(reports[0], HostActed), host
            done = reports[0].acted in (Acted.CHANGED, Acted.UNCHANGED)
            wanted = [HostActed, HostVerified] if done else [HostActed]
            assert [type(item) for item in reports] == wanted, host
            if not done:
                assert reports[0].reason, host


def observe(*steps: str, pattern: str = "all") -> ObserveRequest:
    """Look at steps of a target set."""
    return ObserveRequest(id=request_id(), pattern=pattern, joining=True, steps=steps)


def local(**variables: Json) -> dict[str, Json]:
    """Return the variables of a host that is this machine."""
    return {
        "ansible_connection": "local",
        "ansible_python_interpreter": sys.executable,
        **variables,
    }


def unreachable(port: int, *, patience_s: int = 6, **variables: Json) -> dict[str, Json]:
    """Return the variables of a host behind a port of this machine where nobody answers."""
    return {
        "ansible_connection": "ssh",
        "ansible_host": "127.0.0.1",
        "ansible_port": port,
        "ansible_python_interpreter": sys.executable,
        "ansible_timeout": patience_s,
        "ansible_ssh_common_args": f"-F none -o ConnectTimeout={patience_s} -o BatchMode=yes "
        "-o ControlMaster=no -o ControlPath=none",
        **variables,
    }


def refusing_port() -> int:
    """Return a port of this machine that nobody listens on."""
    with socket.socket() as unused:
        unused.bind(("127.0.0.1", 0))
        port = unused.getsockname()[1]
    assert isinstance(port, int)
    return port


@contextmanager
def black_hole() -> Iterator[int]:
    """Give a port whose accept queue is full: connections to it never come about."""
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        listener.listen(0)
        port = listener.getsockname()[1]
        waiting = []
        for _ in range(3):
            caller = socket.socket()
            caller.settimeout(0)
            caller.connect_ex(("127.0.0.1", port))
            waiting.append(caller)
        try:
            yield port
        finally:
            for caller in waiting:
                caller.close()


@dataclass(frozen=True, kw_only=True)
class Stage:
    """A folder with a runbook and an inventory, and executors for them."""

    folder: Path

    def runbook(self, text: str) -> Runbook:
        """Write and load a runbook."""
        name = text.split("runbook: ", 1)[1].split("\n", 1)[0]
        path = self.folder / f"{name}.yml"
        path.write_text(text, "utf-8")
        return load(str(path), [self.folder])

    def inventory(
        self,
        hosts: Mapping[str, Mapping[str, Json]],
        name: str = "hosts.json",
        groups: Mapping[str, Sequence[str]] | None = None,
    ) -> str:
        """Write an inventory (JSON is YAML); `groups` are the hosts of each group."""
        children = {
            group: {"hosts": dict.fromkeys(members)} for group, members in (groups or {}).items()
        }
        path = self.folder / name
        path.write_text(json.dumps({"all": {"hosts": dict(hosts), "children": children}}), "utf-8")
        return str(path)

    def executor(
        self, runbook: Runbook, *inventories: str, run: str = "run-1", **target: Json
    ) -> AnsibleExecutor:
        """Return the executor that reaches hosts; all of a test process have one starter."""
        return AnsibleExecutor(
            runbook=runbook,
            target=Target(inventories=inventories, **target),
            run=run,
            operator="ann",
            starter=shared_starter(),
        )
