"""Hosts that are folders, and an executor that really changes them, by a process for each fix.

A host's folder holds `fault-a` and `fault-b`, which the fixes of those names remove. What happens
there is seen by nobody but the host: it writes down each fix that begins (`begun`), and each that
begins while another is at work (`overlaps`).
"""

import subprocess
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from runbook.executor import (
    Deliver,
    Ending,
    FixRequest,
    HostActed,
    HostObserved,
    HostsResolved,
    HostVerified,
    InvocationEnded,
    ObserveRequest,
    Report,
    Request,
    VerifyRequest,
)
from runbook.model.definition import CheckResult, FixResult
from runbook.model.event import Acted
from runbook.model.observation import Observation, Verification
from tests.engine_harness import book, check, fix

RUNBOOK = book(
    check("up", failed="a_ok"),
    check("a_ok", passed="b_ok", failed="a"),
    check("b_ok", failed="b"),
    fix("a", symptom="up", verify_cause="a_ok", cause="a", cause_removed="up"),
    fix("b", symptom="up", verify_cause="b_ok", cause="b", cause_removed="up"),
)

_FAULTS = {"up": ("a", "b"), "a_ok": ("a",), "b_ok": ("b",)}

_FIX = """
cd "$1" || exit
mkdir inside 2>/dev/null || echo "$2 $3" >> overlaps
echo "$2 $3" >> begun
sleep "$4"
rm -f "fault-$2"
rmdir inside 2>/dev/null
"""


def lay_out(folder: Path) -> None:
    """Make a healthy host, one with a fault, and one with two."""
    for name, faults in {"web1": "", "web2": "a", "web3": "ab"}.items():
        (folder / name).mkdir(parents=True)
        for fault in faults:
            (folder / name / f"fault-{fault}").touch()


@dataclass(frozen=True, kw_only=True, slots=True)
class Begun:
    """A fix that a host saw begin, for this invocation."""

    host: str
    step: str
    invocation: str


def begun(folder: Path) -> list[Begun]:
    """Return what hosts saw begin, each in order."""
    return _seen(folder, "begun")


def overlaps(folder: Path) -> list[Begun]:
    """Return what hosts saw begin while another fix was at work."""
    return _seen(folder, "overlaps")


def _seen(folder: Path, name: str) -> list[Begun]:
    return [
        Begun(host=path.parent.name, step=line.split()[0], invocation=line.split()[1])
        for path in sorted(folder.glob(f"*/{name}"))
        for line in path.read_text().splitlines()
    ]


@dataclass(kw_only=True)
class FolderExecutor:
    """Looks at folders and changes them; each fix takes `takes_s`.

    `passed` is told of each stage that is reached, and by which thread does not matter.
    """

    folder: Path
    clock: Callable[[], float] = time.time
    passed: Callable[[str], None] = lambda _: None
    takes_s: float = 0.02

    def start(self, request: Request, deliver: Deliver) -> "FolderInvocation":
        """Begin, and return at once."""
        invocation = FolderInvocation(request=request, executor=self, deliver=deliver)
        threading.Thread(target=invocation.run, name=request.id, daemon=True).start()
        return invocation

    def orphan(self, invocation: str) -> bool:
        """Say whether the process of a fix is at work, known by its arguments."""
        return any(invocation.encode() in line for line in _command_lines())


@dataclass(kw_only=True)
class FolderInvocation:
    """A request under way."""

    request: Request
    executor: FolderExecutor
    deliver: Deliver
    _ended: threading.Event = field(default_factory=threading.Event)

    def cancel(self) -> None:
        """Let it come to its end, which is near."""

    def wait(self, timeout_s: float | None = None) -> bool:
        """Wait for the end."""
        return self._ended.wait(timeout_s)

    def run(self) -> None:
        """Carry the request out."""
        for report in self._reports():
            self.deliver(report)
        self.deliver(InvocationEnded(request=self.request.id, ending=Ending.COMPLETED))
        self._ended.set()

    def _reports(self) -> Iterator[Report]:
        match self.request:
            case ObserveRequest(joining=True, steps=steps):
                hosts = tuple(sorted(path.name for path in self.executor.folder.iterdir()))
                yield HostsResolved(
                    request=self.request.id, hosts=hosts, params={host: {} for host in hosts}
                )
                yield from (self._observed(host, steps) for host in hosts)
            case ObserveRequest(wants=wants):
                yield from (self._observed(host, steps) for host, steps in wants.items())
            case FixRequest(fix=step, hosts=hosts):
                yield from self._fixed(step, hosts)
            case VerifyRequest(fix=step, hosts=hosts):
                yield from (self._verified(step, host) for host in hosts)
            case _:
                raise NotImplementedError(self.request)

    def _fixed(self, step: str, hosts: Sequence[str]) -> Iterator[Report]:
        self.executor.passed("before the fix's process")
        at_work = {
            host: subprocess.Popen(
                ["sh", "-c", _FIX, "sh", host, step, self.request.id, str(self.executor.takes_s)],
                cwd=self.executor.folder,
                start_new_session=True,
            )
            for host in hosts
        }
        self.executor.passed("the fix at work")
        for host, process in at_work.items():
            acted = Acted.FAILED if process.wait() else Acted.CHANGED
            self.executor.passed("after the fix's process")
            yield HostActed(request=self.request.id, host=host, acted=acted)
            yield self._verified(step, host)

    def _observed(self, host: str, steps: Sequence[str]) -> HostObserved:
        return HostObserved(
            request=self.request.id,
            host=host,
            observations={step: self._look(host, step) for step in steps},
        )

    def _look(self, host: str, step: str) -> Observation:
        found = [
            name
            for name in _FAULTS[step]
            if (self.executor.folder / host / f"fault-{name}").exists()
        ]
        return Observation(
            result=CheckResult.FAILED if found else CheckResult.PASSED,
            facts={"faults": list(found)},
            seen_at=self.executor.clock(),
        )

    def _verified(self, step: str, host: str) -> HostVerified:
        seen = {name: self._look(host, name) for name in (f"{step}_ok", "up")}
        cause, symptom = (item.result is CheckResult.PASSED for item in seen.values())
        result = (
            FixResult.RESOLVED
            if symptom
            else FixResult.CAUSE_REMOVED
            if cause
            else FixResult.NO_EFFECT
        )
        return HostVerified(
            request=self.request.id,
            host=host,
            verification=Verification(result=result, observations=seen),
        )


def _command_lines() -> Iterator[bytes]:
    for path in Path("/proc").glob("[0-9]*/cmdline"):
        try:
            yield path.read_bytes()
        except OSError:
            continue
