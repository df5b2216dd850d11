"""The hosts: all of them in one invocation of Ansible, which changes nothing on them."""

import os
import queue
import re
from collections.abc import Iterator, Mapping
from contextlib import suppress
from pathlib import Path

from runbook.doctor import Finding, State
from runbook.driver.collisions import collisions
from runbook.driver.joining import unfit, unusable
from runbook.executor import (
    HostObserved,
    HostsResolved,
    InvocationEnded,
    ObserveRequest,
    Report,
)
from runbook.executor.ansible import AnsibleExecutor
from runbook.executor.target import Target
from runbook.model.definition import (
    AnsibleTask,
    Check,
    CheckResult,
    End,
    Json,
    Probe,
    Runbook,
    Step,
)
from runbook.model.observation import Observation
from runbook.model.verdict import Verdict

OLDEST_PYTHON = (3, 8)
"""What ansible-core 2.19 needs on hosts, and so do our probes."""

MOST_SKEW_S = 10.0
"""How far a host's clock may be from ours, what the round trip takes included."""

BAD_BYTES = 100 << 20

_STEPS: Mapping[str, Probe] = {
    "host": Probe(type="host", arguments={}),
    "clock": Probe(type="time", arguments={}),
    "disk": Probe(type="disk", arguments={"path": "/"}),
    "disk_tmp": Probe(type="disk", arguments={"path": "/tmp"}),  # noqa: S108 -- Ansible's own folder
}
_BECOME = "become"


def hosts(pattern: str, target: Target) -> list[Finding]:
    """Look at all hosts of a pattern.

    Raises RunbookError where the pattern names nobody, or Ansible cannot be used.
    """
    run = f"doctor-{os.getpid()}-{os.urandom(3).hex()}"
    executor = AnsibleExecutor(runbook=_runbook(), target=target, run=run)
    request = ObserveRequest(
        id=run, pattern=pattern, joining=True, steps=(*_STEPS, _BECOME), activity=True
    )
    inbox: queue.SimpleQueue[Report] = queue.SimpleQueue()
    invocation = executor.start(request, inbox.put)
    try:
        return _gathered(pattern, inbox)
    finally:
        invocation.cancel()
        invocation.wait(10.0)


def _gathered(pattern: str, inbox: "queue.SimpleQueue[Report]") -> list[Finding]:
    named: tuple[str, ...] = ()
    found: dict[str, list[Finding]] = {}
    while True:
        match inbox.get():
            case HostsResolved() as resolved:
                problem = unfit(resolved, pattern)
                if problem is not None:
                    raise problem
                named = resolved.hosts
            case HostObserved() as seen:
                found[seen.host] = list(judged(seen))
            case InvocationEnded(reason=reason):
                if not named:
                    raise unusable(reason)
                return [finding for host in named for finding in found.get(host, [])]
            case _:
                pass


def _runbook() -> Runbook:
    """Return what is looked at, as a runbook: it is carried out as any other."""
    end = End(verdict=Verdict.HEALTHY)
    nexts = dict.fromkeys(CheckResult, end)
    steps: dict[str, Step] = {
        name: Check(id=name, title=name, look=probe, passes="true", next=nexts)
        for name, probe in _STEPS.items()
    }
    # Not a probe's `as`: a run's fixes become another user in Ansible's own way.
    task = {
        "ansible.builtin.command": {"argv": ["id", "-u"]},
        "become": True,
        "changed_when": False,
    }
    steps[_BECOME] = Check(
        id=_BECOME,
        title=_BECOME,
        look=AnsibleTask(body=task),
        passes=f"{_BECOME}.rc == 0",
        next=nexts,
    )
    folder = str(Path(__file__).parent / "content")
    return Runbook(name="doctor", title="Doctor", start="host", steps=steps, folder=folder)


def judged(seen: HostObserved) -> Iterator[Finding]:
    """Yield what was found out about a host."""
    name, looks = seen.host, seen.observations
    host = looks["host"]
    if not host.facts:
        yield _unanswered(name, host)
        return
    told = f"{host.facts.get('hostname')}, {host.facts.get('os')}"
    yield Finding(check="reachable", title="Reachable", state=State.GOOD, seen=told, host=name)
    yield _python(name, str(host.facts.get("python")))
    yield _become(name, looks[_BECOME])
    yield _clock(name, looks["clock"])
    yield _disk(name, "disk", "Disk /", looks["disk"])
    yield _disk(name, "disk-tmp", "Disk /tmp", looks["disk_tmp"])
    yield _activity(seen)


def _unanswered(name: str, host: Observation) -> Finding:
    reason = host.reason or "no answer"
    if reason.startswith("unreachable"):
        return Finding(
            check="reachable",
            title="Reachable",
            state=State.UNREACHABLE,
            seen=reason.removeprefix("unreachable: "),
            remedy=f"ansible -m ping {name} -vvv (with the same -i)",
            host=name,
        )
    return Finding(
        check="python-on-host",
        title="Python there",
        state=State.BAD,
        seen=reason,
        remedy="install Python 3.8 or later there, or set ansible_python_interpreter",
        host=name,
    )


def _python(name: str, version: str) -> Finding:
    numbers = tuple(int(part) for part in re.findall(r"\d+", version)[:2])
    good = numbers >= OLDEST_PYTHON
    return Finding(
        check="python-on-host",
        title="Python there",
        state=State.GOOD if good else State.BAD,
        seen=version,
        remedy=None if good else "install Python 3.8 or later, or set ansible_python_interpreter",
        host=name,
    )


def _become(name: str, seen: Observation) -> Finding:
    root = str(seen.facts.get("stdout", "")).strip()
    if seen.result is CheckResult.PASSED:
        told = "becomes root" if root == "0" else f"becomes the user with the id {root}"
        return Finding(check="become", title="Become", state=State.GOOD, seen=told, host=name)
    # What sudo itself says is told beside Ansible's complaint that nothing else came.
    words = [
        str(seen.facts.get(name) or "") for name in ("module_stderr", "module_stdout", "stderr")
    ]
    said = next((text for text in words if text.strip()), None)
    reason = said or str(seen.facts.get("msg") or "") or seen.reason or "no answer"
    return Finding(
        check="become",
        title="Become",
        state=State.BAD,
        seen=" ".join(reason.split())[:300],
        remedy=f"ansible {name} -b -m command -a 'id -u' (with the same -i) tries it alone; a password "
        "of sudo belongs into ansible_become_password, vaulted",
        host=name,
    )


def _clock(name: str, seen: Observation) -> Finding:
    there = _number(seen.facts.get("now_s"))
    if there is None:
        return Finding(
            check="clock-skew",
            title="Clock there",
            state=State.NOTE,
            seen=seen.reason or "no answer",
            host=name,
        )
    skew = there - seen.seen_at
    good = abs(skew) <= MOST_SKEW_S
    ahead = "ahead of" if skew > 0 else "behind"
    return Finding(
        check="clock-skew",
        title="Clock there",
        state=State.GOOD if good else State.NOTE,
        seen="as ours" if good else f"{abs(skew):.0f} s {ahead} ours",
        remedy=None if good else "timedatectl set-ntp true (there)",
        host=name,
    )


def _disk(name: str, check: str, title: str, seen: Observation) -> Finding:
    free = _number(seen.facts.get("free_bytes"))
    if free is None:
        return Finding(
            check=check, title=title, state=State.NOTE, seen=seen.reason or "no answer", host=name
        )
    good = free >= BAD_BYTES and not seen.facts.get("read_only")
    told = f"{free / (1 << 20):.0f} MB free" + (
        ", read-only" if seen.facts.get("read_only") else ""
    )
    return Finding(
        check=check,
        title=title,
        state=State.GOOD if good else State.BAD,
        seen=told,
        remedy=None if good else f"runbook run disk-full --host {name}",
        host=name,
    )


def _activity(seen: HostObserved) -> Finding:
    going_on = () if seen.activity is None else collisions(seen.activity)
    if seen.activity is None or (seen.activity.reason and not going_on):
        told = seen.activity.reason if seen.activity else None
        return _also(seen.host, State.NOTE, told or "nobody looked")
    if not going_on:
        return _also(seen.host, State.GOOD, "nothing")
    told = "; ".join(each.text for each in going_on)
    lease = next((each for each in going_on if each.kind == "run"), None)
    remedy = (
        "runbook history (there, or where that run is); a lease ends by itself" if lease else None
    )
    return _also(seen.host, State.NOTE, told, remedy)


def _also(host: str, state: State, seen: str, remedy: str | None = None) -> Finding:
    return Finding(
        check="also-here", title="Also here", state=state, seen=seen, remedy=remedy, host=host
    )


def _number(value: Json) -> float | None:
    if isinstance(value, bool) or not isinstance(value, int | float):
        return None
    with suppress(OverflowError):
        return float(value)
    return None
