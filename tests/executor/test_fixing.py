"""Fixes on real hosts: what Ansible does to them, and what is made of it."""

import json
import os
import signal
import time
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from runbook.executor import Ending, FixRequest, Invocation, PreviewRequest, VerifyRequest
from runbook.executor.content.modules import runbook_lease
from runbook.executor.work import Work, compile_request
from runbook.executor.workspace import PID_FILE, base_folder
from runbook.model.definition import FixResult, Json
from runbook.model.event import Acted
from runbook.model.observation import TaskChange
from tests.executor_harness import Stage, Told, carry_out, local, request_id, until

ROLE_TASKS = """
- name: Try
  block:
    - name: Stumble
      ansible.builtin.fail: {msg: the first way is shut}
  rescue:
    - name: Take the other way
      ansible.builtin.copy:
        content: "{{ words }}"
        dest: "{{ place }}/copied"
        mode: "0600"
      notify: Finish
- name: Not so important
  ansible.builtin.fail: {msg: never mind}
  ignore_errors: true
- name: Keep the lease for the test
  ansible.builtin.copy:
    src: "{{ runbook_lease_path }}"
    dest: "{{ place }}/lease-meanwhile"
    mode: "0600"
    remote_src: true
"""

ROLE_HANDLERS = """
- name: Finish
  ansible.builtin.copy:
    content: "finished by {{ words }}"
    dest: "{{ place }}/finished"
    mode: "0600"
"""

CALLED = """
runbook: called
title: Called by another
params:
  target: {type: string}
  suffix: {type: string, default: "of {{ target }}"}
causes:
  fault: {title: A fault}
steps:
  - check: inside
    title: It is written
    probe: {file: {path: "{{ target }}", content: true}}
    passes: inside.exists and inside.content == "written by the called one " ~ suffix
    next: {passed: end(healthy), failed: write}
  - fix: write
    title: Write it
    cause: fault
    tasks:
      - name: Write
        ansible.builtin.copy:
          content: "written by the called one {{ suffix }}"
          dest: "{{ target }}"
          mode: "0600"
    verify: {symptom: inside, within: 0s}
    next: {resolved: end(healthy), cause_removed: end(unresolved)}
"""

RUNBOOK = """
runbook: fixing
title: All that fixes do
params:
  place: {type: string}
  target: {type: string, default: the caller's}
  balancer: {type: string, default: none}
causes:
  fault: {title: A fault}
steps:
  - check: seen
    title: Seen before
    probe: {file: {path: "{{ place }}/seen", content: true}}
    next: {passed: finished, failed: finished}
  - check: finished
    title: The handler has run
    probe: {file: {path: "{{ place }}/finished"}}
    next: {passed: deployed, failed: thorough}
  - check: deployed
    title: A task says that it is as it should be
    task:
      ansible.builtin.copy: {content: "{{ seen.content }}", dest: "{{ place }}/copied", mode: "0600"}
    next: {passed: dark, failed: thorough}
  - check: dark
    title: Nobody can see this
    probe: {file: {path: "{{ hostvars[inventory_hostname].never_defined }}"}}
    next: {passed: inner, failed: dim}
  - call: inner
    title: Let another do it
    runbook: called
    params: {target: "{{ place }}/inner"}
    next: {healthy: dim, unresolved: dim}
  - fix: thorough
    title: Everything at once
    cause: fault
    role: {name: thorough, vars: {words: "{{ seen.content }}"}}
    verify: {cause: deployed, symptom: finished, within: 0s}
    next: {resolved: delegating}
  - fix: dim
    title: Its effect cannot be seen
    cause: fault
    tasks:
      - name: Do nothing
        ansible.builtin.command: {argv: ["true"]}
        changed_when: false
    verify: {symptom: dark, within: 0s}
    next: {resolved: delegating, unknown: delegating}
  - fix: delegating
    title: Take it out of the balancer
    cause: fault
    tasks:
      - name: Keep both leases for the test
        ansible.builtin.shell: "cat {{ place }}/../*.lease > {{ place }}/leases"
        delegate_to: "{{ balancer }}"
      - name: Fail here
        ansible.builtin.fail: {msg: it does not let go}
    verify: {symptom: finished, within: 0s}
    next: {failed: hanging}
  - fix: hanging
    title: Never comes to an end
    cause: fault
    tasks:
      - name: Hang
        ansible.builtin.command: {argv: [sleep, "97.531"]}
    verify: {symptom: finished, within: 0s}
    timeout: 2s
    next: {unknown: various}
  - fix: various
    title: Changes of every kind
    cause: fault
    tasks:
      - name: A mode
        ansible.builtin.file: {path: "{{ place }}/seen", mode: "0640"}
      - name: A command
        ansible.builtin.command: {argv: [touch, "{{ place }}/commanded"]}
      - name: Rescued
        block:
          - name: Fail first
            ansible.builtin.fail: {msg: not this way}
        rescue:
          - name: Then not
            ansible.builtin.debug: {msg: this way}
      - name: A line
        ansible.builtin.lineinfile: {path: "{{ place }}/seen", line: second}
    verify: {symptom: finished, within: 0s}
"""


@pytest.fixture
def stage(tmp_path: Path) -> Stage:
    """Return a stage with the runbooks and the role."""
    role = tmp_path / "roles" / "thorough"
    for part, text in (("tasks", ROLE_TASKS), ("handlers", ROLE_HANDLERS)):
        (role / part).mkdir(parents=True)
        (role / part / "main.yml").write_text(text)
    (tmp_path / "called.yml").write_text(CALLED)
    return Stage(folder=tmp_path)


def hosts(stage: Stage, *names: str, **more: Json) -> dict[str, dict[str, Json]]:
    """Make hosts, each with a folder and a lease of its own."""
    made = {}
    for name in names:
        place = stage.folder / name
        place.mkdir()
        (place / "seen").write_text("first\n")
        made[name] = local(
            place=str(place), runbook_lease_path=str(stage.folder / f"{name}.lease"), **more
        )
    return made


def fix(
    stage: Stage,
    name: str,
    inventory: dict[str, dict[str, Json]],
    *on: str,
    known: dict[str, dict[str, Json]] | None = None,
    given: dict[str, Json] | None = None,
) -> Told:
    """Do a fix."""
    executor = stage.executor(
        stage.runbook(RUNBOOK),
        stage.inventory(inventory),
        roles=(stage.folder / "roles",),
        given=given or {},
    )
    request = FixRequest(id=request_id(), fix=name, hosts=on or tuple(inventory), known=known or {})
    return carry_out(executor, request)


def hold(stage: Stage, host: str, **lease: Json) -> Path:
    """Let another run hold a host."""
    boot = Path("/proc/sys/kernel/random/boot_id").read_text().strip()
    path = stage.folder / f"{host}.lease"
    held = {"run": "run-9", "holder": "bob on laptop", "expires_at": time.time() + 90, "boot": boot}
    path.write_text(json.dumps(held | lease))
    return path


def leases(stage: Stage) -> list[str]:
    """Return the leases that lie there."""
    return sorted(path.name for path in stage.folder.glob("*.lease"))


def test_a_role_is_done_to_its_end_before_anybody_looks(stage: Stage) -> None:
    """Rescued and ignored failures are none, handlers run first, what was seen before is known.

    A host that another run holds is left alone, with who holds it; all other leases end.
    """
    inventory = hosts(stage, "worker", "busy")
    held = hold(stage, "busy")
    words = "{{ 7 * 7 }} as seen"

    told = fix(
        stage,
        "thorough",
        inventory,
        known={host: {"seen": {"content": words}} for host in inventory},
    )

    acted = told.acted("worker")
    assert acted.acted is Acted.CHANGED
    assert acted.reason is None
    changes = {change.name.rpartition(" : ")[2]: change for change in acted.changes}
    assert changes["Stumble"].status == "failed"
    assert "the first way is shut" in changes["Stumble"].message
    assert changes["Not so important"].status == "failed"
    assert changes["Take the other way"].status == "changed"
    assert changes["Finish"].status == "changed"
    assert (stage.folder / "worker" / "finished").read_text() == f"finished by {words}"
    verification = told.verified("worker").verification
    assert verification.result is FixResult.RESOLVED
    assert {"deployed", "finished"} <= set(verification.observations)
    withheld = told.acted("busy")
    assert withheld.acted is Acted.WITHHELD
    assert "run-9" in (withheld.reason or "")
    assert "bob on laptop" in (withheld.reason or "")
    assert not (stage.folder / "busy" / "copied").exists()
    meanwhile = json.loads((stage.folder / "worker" / "lease-meanwhile").read_text())
    assert meanwhile["run"] == "run-1"
    assert meanwhile["holder"].startswith("ann on ")
    assert leases(stage) == ["busy.lease"]
    assert json.loads(held.read_text())["run"] == "run-9"


def test_a_fix_of_a_called_runbook_has_its_own_names(stage: Stage) -> None:
    """It sees its params as given by the call, even where `--set` names the caller's the same."""
    told = fix(stage, "inner/write", hosts(stage, "worker"), given={"target": "/never/there"})

    assert told.acted("worker").acted is Acted.CHANGED
    inner = stage.folder / "worker" / "inner"
    assert inner.read_text() == f"written by the called one of {inner}"
    assert told.verified("worker").verification.result is FixResult.RESOLVED


def test_what_was_masked_is_not_written_anywhere(stage: Stage) -> None:
    """A fix that needs a secret it saw earlier fails, before it writes asterisks in its place."""
    told = fix(
        stage,
        "thorough",
        hosts(stage, "worker"),
        known={"worker": {"seen": {"content": "password=********", "exists": True}}},
    )

    assert told.acted("worker").acted is Acted.FAILED
    assert "content" in (told.acted("worker").reason or "")
    assert not (stage.folder / "worker" / "copied").exists()
    assert leases(stage) == []


def test_what_cannot_be_seen_afterwards_is_unknown(stage: Stage) -> None:
    """An action without error proves nothing where nobody can look."""
    told = fix(stage, "dim", hosts(stage, "worker"))

    assert told.acted("worker").acted is Acted.UNCHANGED
    verification = told.verified("worker").verification
    assert verification.result is FixResult.UNKNOWN
    assert "never_defined" in (verification.observations["dark"].reason or "")


def test_hosts_that_tasks_are_delegated_to_are_leased_as_well(stage: Stage) -> None:
    """Both hosts of a cohort use the delegate's lease, and a failure gives everything back."""
    inventory = hosts(stage, "web1", "web2", "lb", balancer="lb")

    told = fix(stage, "delegating", inventory, "web1", "web2")

    for host in ("web1", "web2"):
        assert told.acted(host).acted is Acted.FAILED
        assert "it does not let go" in (told.acted(host).reason or "")
        seen = (stage.folder / host / "leases").read_text()
        assert seen.count('"run": "run-1"') == 3
    assert leases(stage) == []


def test_a_delegate_held_by_another_run_withholds_the_fix(stage: Stage) -> None:
    """Nothing is done to a host whose balancer is not ours, and its own lease is given back."""
    inventory = hosts(stage, "web1", "lb", balancer="lb")
    hold(stage, "lb")

    told = fix(stage, "delegating", inventory, "web1")

    assert told.acted("web1").acted is Acted.WITHHELD
    assert "bob on laptop" in (told.acted("web1").reason or "")
    assert leases(stage) == ["lb.lease"]


def test_a_fix_that_takes_too_long_is_unknown_and_ended(stage: Stage) -> None:
    """Its time is up soon after its timeout; what it did until then nobody knows."""
    told = fix(stage, "hanging", hosts(stage, "worker"))

    acted = told.acted("worker")
    assert acted.acted is Acted.UNKNOWN
    assert "too long" in (acted.reason or "")
    assert told.ended.ending is Ending.TIMED_OUT
    assert told.times[-1] < 20
    commands = [path.read_bytes() for path in Path("/proc").glob("[0-9]*/cmdline") if path.exists()]
    assert b"sleep\x0097.531\x00" not in commands


def test_a_preview_says_what_it_cannot_predict(stage: Stage) -> None:
    """Diffs of every module are shown, tasks that check mode skips are named, nothing happens."""
    inventory = hosts(stage, "worker")
    hold(stage, "worker")
    executor = stage.executor(stage.runbook(RUNBOOK), stage.inventory(inventory))
    place = stage.folder / "worker"
    (place / "seen").chmod(0o600)

    request = PreviewRequest(id=request_id(), fix="various", hosts=("worker",))
    told = carry_out(executor, request).previewed("worker")

    changes = {change.name: change for change in told.changes}
    assert told.failed is None
    assert _sides(changes["A mode"]) == ('-  "mode": "0600",', '+  "mode": "0640",')
    assert changes["A command"].status == "skipped"
    assert changes["A command"].message
    assert "+second" in changes["A line"].diff
    assert changes["A line"].status == "changed"
    assert sorted(path.name for path in place.iterdir()) == ["seen"]
    assert (place / "seen").read_text() == "first\n"


def _sides(change: TaskChange) -> tuple[str, ...]:
    return tuple(line for line in change.diff.splitlines() if "mode" in line)


def test_a_task_among_the_checks_is_asked_again_by_a_verification_alone(stage: Stage) -> None:
    """What was seen before the fix is known to the tasks that judge it."""
    inventory = hosts(stage, "worker")
    place = stage.folder / "worker"
    (place / "finished").touch()
    (place / "copied").write_text("as seen")
    (place / "copied").chmod(0o600)
    executor = stage.executor(stage.runbook(RUNBOOK), stage.inventory(inventory))
    request = VerifyRequest(
        id=request_id(),
        fix="thorough",
        hosts=("worker",),
        known={"worker": {"seen": {"content": "as seen"}}},
    )

    told = carry_out(executor, request)

    assert told.verified("worker").verification.result is FixResult.RESOLVED


LATE = """
runbook: late
title: Two tasks, one after the other
params:
  place: {type: string}
causes:
  fault: {title: A fault}
steps:
  - check: done
    title: Both are done
    probe: {file: {path: "{{ place }}/second"}}
    passes: done.exists
    next: {passed: end(healthy), failed: both}
  - fix: both
    title: Do both
    cause: fault
    tasks:
      - name: First
        ansible.builtin.shell: touch '{{ place }}/first' && sleep 1
      - name: Second
        ansible.builtin.command: {argv: [touch, "{{ place }}/second"]}
    verify: {symptom: done, within: 0s}
"""


def test_who_slept_beyond_his_lease_begins_nothing_more(
    stage: Stage, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A fix that is stopped keeps its host for as long as was said, and nobody else gets in.

    Then another run has it, and keeps it as the first one wakes: that one begins no further task.
    """
    inventory = hosts(stage, "web1")
    place, lease = stage.folder / "web1", str(stage.folder / "web1.lease")

    def briefly(*given: Any) -> Work:
        work = compile_request(*given)
        return replace(work, plan=replace(work.plan, lease_s=4.0))

    monkeypatch.setattr("runbook.executor.ansible.compile_request", briefly)
    executor = stage.executor(stage.runbook(LATE), stage.inventory(inventory))
    request = FixRequest(id=request_id(), fix="both", hosts=("web1",))
    refused: list[object] = []

    def sleep_on(_invocation: Invocation, _told: Told) -> None:
        until((place / "first").exists)
        group = int((base_folder() / request.id / PID_FILE).read_text())
        os.killpg(group, signal.SIGSTOP)
        while (against := runbook_lease.take(lease, "run-2", "x", "bob", 90.0)) is not None:
            refused.append(against["run"])
            time.sleep(0.05)
        os.killpg(group, signal.SIGCONT)

    told = carry_out(executor, request, meanwhile=sleep_on)

    assert set(refused) == {"run-1"}
    assert told.acted("web1").acted is Acted.UNKNOWN
    assert "lease on the host was over" in (told.acted("web1").reason or "")
    assert not (place / "second").exists()
    assert json.loads(Path(lease).read_text())["run"] == "run-2"
