"""How the engine's cost grows with hosts.

Walks 100, 1,000 and 10,000 hosts at once through a runbook of 30 steps, against a scripted source
that answers in memory. Every host passes 29 checks and branches, comes to a destructive fix at the
30th step, has it approved and done, and walks the same way once more to its verdict. Each row is a
process of its own, so that its peak memory is its own. Seconds are of CPU, as machines are shared.

    python benchmarks/engine_scale.py
"""

import resource
import subprocess
import sys
import time
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
sys.path.insert(0, str(ROOT))

from runbook.engine import cohorts, decide, evolve, start  # noqa: E402
from runbook.model.decision import (  # noqa: E402
    AwaitFix,
    Decision,
    Observe,
    Record,
    RequestApproval,
    StartFix,
    VerifyFix,
)
from runbook.model.definition import (  # noqa: E402
    AnsibleTasks,
    Branch,
    Case,
    Check,
    CheckResult,
    End,
    Fix,
    FixResult,
    Goto,
    Probe,
    Runbook,
    Step,
    Verify,
)
from runbook.model.event import (  # noqa: E402
    Acted,
    FixApproved,
    FixEnded,
    FixIntended,
    FixVerified,
    HostEvent,
    Mode,
    Observed,
)
from runbook.model.observation import Observation, Verification  # noqa: E402
from runbook.model.state import HostState  # noqa: E402
from runbook.model.verdict import Verdict  # noqa: E402

SIZES = (100, 1_000, 10_000)
STEPS = 30
FIX = "restart"


def tree() -> Runbook:
    """Return the runbook: a way of checks with a branch in every seventh place, a fix at its end."""
    unresolved = End(verdict=Verdict.UNRESOLVED)
    escalated = End(verdict=Verdict.ESCALATED)
    steps: list[Step] = []
    for number in range(STEPS - 1):
        name = f"step{number}"
        last = number == STEPS - 2
        onward = Goto(step=FIX if last else f"step{number + 1}")
        if number % 7 == 6:
            steps.append(
                Branch(
                    id=name,
                    title=name,
                    cases=(Case(when="x", next=unresolved), Case(when="y", next=onward)),
                    otherwise=unresolved,
                    unknown=escalated,
                )
            )
            continue
        steps.append(
            Check(
                id=name,
                title=name,
                look=Probe(type="tcp", arguments={"port": number}),
                next={
                    CheckResult.PASSED: End(verdict=Verdict.HEALTHY) if last else onward,
                    CheckResult.FAILED: onward if last else unresolved,
                    CheckResult.UNKNOWN: escalated,
                },
                needs=(f"step{number - 1}",) if number % 7 == 5 else (),
            )
        )
    back = Goto(step="step0")
    fix = Fix(
        id=FIX,
        title="Restart",
        action=AnsibleTasks(bodies=()),
        verify=Verify(symptom="step0", cause=f"step{STEPS - 2}"),
        next=dict.fromkeys(FixResult, back),
        cause="stopped",
    )
    steps.append(fix)
    return Runbook(
        name="scale", title="Scale", start="step0", steps={step.id: step for step in steps}
    )


def answer(runbook: Runbook, state: HostState, decision: Decision) -> tuple[HostEvent, ...]:
    """Return what the world says to a decision; a host's last check fails until its fix is done."""
    host = state.host
    match decision:
        case Record(event=event):
            return (event,)
        case Observe(steps=steps):
            looks: dict[str, Observation] = {}
            for step in steps:
                if isinstance(runbook.steps[step], Branch):
                    facts = {"cases": ["false", "true"]}
                    looks[step] = Observation(result=CheckResult.PASSED, facts=facts)
                    continue
                fault = step == f"step{STEPS - 2}" and not state.fixes
                result = CheckResult.FAILED if fault else CheckResult.PASSED
                looks[step] = Observation(result=result, facts={"connected": not fault})
            return (Observed(host=host, observations=looks),)
        case RequestApproval(fix=fix):
            return (FixApproved(host=host, step=fix, by="scale", digest="d"),)
        case StartFix(fix=fix, attempt=attempt):
            return (FixIntended(host=host, step=fix, attempt=attempt, invocation="i"),)
        case AwaitFix(fix=fix):
            return (FixEnded(host=host, step=fix, acted=Acted.CHANGED),)
        case VerifyFix(fix=fix):
            verification = Verification(result=FixResult.CAUSE_REMOVED)
            return (FixVerified(host=host, step=fix, verification=verification),)
        case _:
            return ()


def walk(count: int) -> tuple[float, int]:
    """Walk `count` hosts to their verdicts; return seconds of CPU and events."""
    runbook = tree()
    began = time.process_time()
    states = {
        f"web{number}.example": start(runbook, f"web{number}.example") for number in range(count)
    }
    events = 0
    live = list(states)
    while live:
        decisions: dict[str, Decision] = {}
        for host in live:
            while isinstance(decision := decide(runbook, states[host], Mode.RUN), Record):
                states[host] = evolve(runbook, states[host], decision.event)
                events += 1
            if states[host].verdict is None:
                decisions[host] = decision
        for cohort in cohorts(runbook, decisions, states):
            for host in cohort.hosts:
                for event in answer(runbook, states[host], cohort.decision):
                    states[host] = evolve(runbook, states[host], event)
                    events += 1
        live = list(decisions)
    took = time.process_time() - began
    wrong = [host for host, state in states.items() if state.verdict is not Verdict.RESOLVED]
    if wrong:
        raise SystemExit(f"{len(wrong)} hosts were not resolved, {wrong[0]} among them")
    return took, events


def row(count: int) -> tuple[float, int, float]:
    """Walk in a process of its own; return seconds of CPU, events and peak memory in MiB."""
    done = subprocess.run(
        [sys.executable, __file__, str(count)], check=True, capture_output=True, text=True
    )
    took, events, peak = done.stdout.split()
    return float(took), int(events), float(peak)


def main() -> None:
    """Print a table, or, given a number of hosts, the figures of its row."""
    if len(sys.argv) > 1:
        took, events = walk(int(sys.argv[1]))
        # Linux gives kilobytes, macOS bytes.
        unit = 1024 if sys.platform != "darwin" else 1024 * 1024
        print(took, events, resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / unit)
        return
    print(
        f"{'hosts':>7} {'CPU s':>8} {'events':>8} {'µs/event':>9} {'RSS MiB':>8} {'cost/host':>10}"
    )
    first: float | None = None
    for count in SIZES:
        took, events, peak = row(count)
        each = took / count
        first = first or each
        print(
            f"{count:>7} {took:>8.2f} {events:>8} {took / events * 1e6:>9.1f} {peak:>8.0f}"
            f" {each / first:>9.2f}x"
        )


if __name__ == "__main__":
    main()
