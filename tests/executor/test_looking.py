"""Looking at real hosts: what each kind of step comes to."""

from dataclasses import replace
from pathlib import Path

import pytest

from runbook.executor import Ending, HostObserved, Invocation, ObserveRequest
from runbook.model.definition import CheckResult
from tests.executor_harness import (
    Stage,
    Told,
    black_hole,
    carry_out,
    local,
    observe,
    refusing_port,
    request_id,
    unreachable,
    until,
)

CALLED = """
runbook: called
title: Called by another
params:
  marker: {type: string}
  depth: {type: integer, default: 7}
steps:
  - check: seen
    title: The marker {{ marker }} is there
    probe: {file: {path: "{{ marker }}"}}
    passes: seen.exists and depth == 7
    next: {passed: end(healthy), failed: end(unresolved)}
"""

RUNBOOK = """
runbook: looking
title: One of each kind
params:
  place: {type: string}
  marker: {type: string, default: the caller's}
steps:
  - check: pointer
    title: The pointer of {{ inventory_hostname }}
    probe: {file: {path: "{{ place }}/pointer", content: true}}
    next: pointed
  - check: pointed
    title: What it points to
    probe: {file: {path: "{{ pointer.content }}", content: true}}
    passes: pointed.content == inventory_hostname
    next: neighbour
  - check: neighbour
    title: What the other host sees
    probe: {command: {shell: echo seen}}
    read_only: true
    from: other
    passes: neighbour.stdout == "seen"
    next: as_deployed
  - check: as_deployed
    title: The pointer is as deployed
    task:
      ansible.builtin.copy: {content: "{{ pointer.content }}", dest: "{{ place }}/pointer"}
    next: drifted
  - check: drifted
    title: The configuration is as deployed
    task:
      ansible.builtin.copy: {content: "new\\n", dest: "{{ place }}/configuration"}
    next: left_out
  - check: left_out
    title: Never looked at
    task:
      ansible.builtin.copy: {content: "new\\n", dest: "{{ place }}/configuration"}
      when: place == "nowhere"
    next: broken
  - check: broken
    title: The task fails
    task:
      ansible.builtin.assert: {that: place == "nowhere", fail_msg: this is not nowhere}
    next: reading
  - check: reading
    title: A command that reads
    task:
      ansible.builtin.command: {argv: [cat, "{{ place }}/configuration"]}
    read_only: true
    passes: reading.rc == 0 and "/further" in reading.stdout
    next: kept_quiet
  - check: kept_quiet
    title: A command whose output nobody may see
    task:
      ansible.builtin.command: {argv: [echo, quiet-words]}
      no_log: true
    read_only: true
    passes: kept_quiet.stdout == "quiet-words"
    next: further
  - check: further
    title: What the command's output points to
    probe: {file: {path: "{{ reading.stdout | trim }}", content: true}}
    passes: further.exists
    next: furthest
  - check: furthest
    title: A task that uses a probe that uses a task
    task:
      ansible.builtin.command: {argv: [echo, "{{ further.content }}"]}
    read_only: true
    passes: furthest.stdout == "reached"
    next: no_answer
  - check: no_answer
    title: The condition is no yes or no
    probe: {file: {path: "{{ place }}/pointer", content: true}}
    passes: no_answer.content
    next: lacking
  - check: lacking
    title: The condition needs what is not there
    probe: {file: {path: "{{ place }}/pointer"}}
    passes: lacking.path.never_heard_of
    next: question
  - ask: question
    title: Which way
    choices:
      left: {title: Left, next: which}
      right: {title: Right, next: which}
    expires: {after: 10m, next: which}
  - branch: which
    title: Which way
    cases:
      - {when: pointer.exists, next: inner}
      - {when: pointer.exists and not drifted.changed, next: inner}
      - {when: lacking.path.never_heard_of, next: inner}
      - {when: question.choice == "left", next: inner}
    next: {otherwise: inner}
  - call: inner
    title: Look deeper
    runbook: called
    params: {marker: "{{ pointer.content }}"}
    next: {healthy: evidence, unresolved: evidence}
  - collect: evidence
    title: For whoever comes next
    probes:
      pointer: {file: {path: "{{ place }}/pointer"}}
      nothing: {file: {path: "{{ hostvars[inventory_hostname].never_defined }}"}}
    next: by_hand
  - manual: by_hand
    title: Look with your own eyes
    instruction: Log in to {{ inventory_hostname }}, which points to {{ pointer.content }}.
    commands: ["cat {{ place }}/pointer", uptime]
    next: {done: how, not_done: how}
    expires: {after: 10m, next: end(escalated)}
  - ask: how
    title: How shall it be done?
    choices:
      now: {title: "Now, on {{ inventory_hostname }}", help: "In {{ place }}", next: unseen}
      never: {title: Never, next: unseen}
    expires: {after: 10m, next: end(escalated)}
  - manual: unseen
    title: Look at what nobody can know yet
    instruction: See {{ hostvars[inventory_hostname].never_defined }}.
    next: {done: end(escalated), not_done: end(escalated)}
    expires: {after: 10m, next: end(escalated)}
"""

SSH = """#!/bin/sh
echo "$@" "askpass=$SSH_ASKPASS_REQUIRE:$SSH_ASKPASS" >> {log}
exec ssh "$@"
"""

STEPS = (
    "pointer",
    "pointed",
    "neighbour",
    "as_deployed",
    "drifted",
    "left_out",
    "broken",
    "reading",
    "kept_quiet",
    "further",
    "furthest",
    "no_answer",
    "lacking",
    "which",
    "inner/seen",
    "evidence",
)


@pytest.fixture(scope="module")
def looked(tmp_path_factory: pytest.TempPathFactory) -> Told:
    """Look at one host, with another beside it that does not answer, all in one invocation."""
    stage = Stage(folder=tmp_path_factory.mktemp("looking"))
    place = stage.folder / "here"
    place.mkdir()
    (place / "pointer").write_text(str(place / "target"))
    (place / "target").write_text("here")
    (place / "configuration").write_text(f"{place}/further\n")
    (place / "further").write_text("reached")
    (stage.folder / "called.yml").write_text(CALLED)
    ssh = place / "ssh"
    ssh.write_text(SSH.format(log=place / "ssh-log"))
    ssh.chmod(0o700)
    gone = unreachable(refusing_port(), place=str(place), ansible_ssh_executable=str(ssh))
    inventory = stage.inventory(
        {
            "gone": gone,
            "here": local(
                place=str(place),
                runbook_maintenance="{{ 'planned' }}",
                runbook_collisions_block=["deploy"],
                runbook_lease_path=str(place / "lease"),
            ),
            "other": local(place=str(place)),
        }
    )
    executor = stage.executor(stage.runbook(RUNBOOK), inventory)
    request = ObserveRequest(
        id=request_id(),
        pattern="here:gone",
        wants={"here": STEPS, "gone": ("pointer", "drifted", "which")},
        known={"here": {"question": {"choice": "left"}}},
        activity=True,
    )
    for _ in range(10):
        told = carry_out(executor, replace(request, id=request_id()))
        activity = told.observed("here").activity
        # A busy machine may take longer over what else goes on than it is given.
        if activity is None or activity.reason is None:
            break
    assert "further" in (place / "configuration").read_text(), "a check changed something"
    return told


def test_ssh_checks_host_keys_and_asks_nobody(looked: Told) -> None:
    """Nothing turns off what Ansible does by default; a question fails instead of waiting."""
    log = Path(str(looked.seen("here", "reading").facts["stdout"])).parent / "ssh-log"

    calls = log.read_text().splitlines()

    assert calls
    assert not any("StrictHostKeyChecking=no" in call for call in calls)
    assert all("askpass=force:" in call and call.endswith("/false") for call in calls)


def test_one_black_hole_does_not_hold_the_others(tmp_path: Path) -> None:
    """The host that answers is reported while the other one's connection is still waited for."""
    stage = Stage(folder=tmp_path)

    def cancel_when_seen(invocation: Invocation, told: Told) -> None:
        until(lambda: any(isinstance(item, HostObserved) for item in told.reports))
        assert told.result("here", "pointer") is CheckResult.FAILED
        invocation.cancel()

    with black_hole() as port:
        (tmp_path / "called.yml").write_text(CALLED)
        inventory = stage.inventory(
            {
                "hole": unreachable(port, patience_s=100, place=str(tmp_path)),
                "here": local(place=str(tmp_path)),
            }
        )
        executor = stage.executor(stage.runbook(RUNBOOK), inventory)
        told = carry_out(executor, observe("pointer"), meanwhile=cancel_when_seen)

    assert told.result("hole", "pointer") is CheckResult.UNKNOWN
    assert told.ended.ending is Ending.CANCELLED


def test_what_else_goes_on_rides_along(looked: Told) -> None:
    """It comes with all that was looked at, however many tasks that took; the inventory has its say.

    Of a host that does not answer nothing is told.
    """
    activity = looked.observed("here").activity

    assert activity is not None
    assert activity.reason is None
    assert activity.facts["maintenance"] == "planned"
    assert activity.facts["lease"] is None
    assert activity.blocking == ("deploy",)
    assert activity.seen_at > 0
    assert looked.observed("gone").activity is None


def test_a_host_that_cannot_be_reached_is_unknown_in_all(looked: Told) -> None:
    """Probes, tasks and conditions of it are unknown, and the invocation is none the worse."""
    assert looked.result("gone", "pointer") is CheckResult.UNKNOWN
    assert looked.result("gone", "drifted") is CheckResult.UNKNOWN
    assert "unreachable" in (looked.seen("gone", "drifted").reason or "")
    assert set(looked.seen("gone", "which").facts["cases"]) == {"unknown"}
    assert looked.ended.ending is Ending.COMPLETED


def test_a_probe_that_uses_an_earlier_result_comes_after_it(looked: Told) -> None:
    """All are looked at in one go, each with what came before it, probes and tasks in turn."""
    assert looked.result("here", "pointed") is CheckResult.PASSED
    assert looked.result("here", "further") is CheckResult.PASSED
    assert looked.result("here", "furthest") is CheckResult.PASSED


def test_a_probe_looks_from_where_it_is_told(looked: Told) -> None:
    """With `from` another host of the inventory looks, on behalf of this one."""
    assert looked.result("here", "neighbour") is CheckResult.PASSED


@pytest.mark.parametrize(
    ("step", "result", "reason"),
    [
        ("as_deployed", CheckResult.PASSED, None),
        ("drifted", CheckResult.FAILED, "would change"),
        ("left_out", CheckResult.UNKNOWN, "skipped"),
        ("broken", CheckResult.UNKNOWN, "this is not nowhere"),
        ("reading", CheckResult.PASSED, None),
    ],
)
def test_a_task_is_judged_by_what_check_mode_says(
    looked: Told, step: str, result: CheckResult, reason: str | None
) -> None:
    """Nothing to change passes, something fails, a task skipped or failed could not look."""
    seen = looked.seen("here", step)

    assert seen.result is result
    assert (reason or "") in (seen.reason or "")


def test_a_task_that_would_change_something_shows_what(looked: Told) -> None:
    """The diff of the task is among its facts."""
    (diff,) = looked.seen("here", "drifted").facts["diff"]

    assert diff["before"].endswith("/further\n")
    assert diff["after"] == "new\n"


def test_what_no_log_hides_is_judged_and_not_shown(looked: Told) -> None:
    """The condition sees the output; neither facts nor reasons do."""
    assert looked.result("here", "kept_quiet") is CheckResult.PASSED
    assert looked.seen("here", "kept_quiet").facts == {}
    assert "quiet-words" not in repr(looked.seen("here", "kept_quiet").reason)


@pytest.mark.parametrize("step", ["no_answer", "lacking"])
def test_a_condition_without_a_truth_value_is_unknown(looked: Told, step: str) -> None:
    """Text is neither yes nor no, and neither is what does not exist."""
    seen = looked.seen("here", step)

    assert seen.result is CheckResult.UNKNOWN
    assert seen.reason
    assert seen.expected


def test_the_conditions_of_a_branch_are_each_true_false_or_unknown(looked: Told) -> None:
    """They see probes, tasks and the operator's answers; why one is unknown is said."""
    seen = looked.seen("here", "which")

    assert seen.facts["cases"] == ["true", "false", "unknown", "true"]
    assert "never_heard_of" in (seen.reason or "")


def test_a_called_runbook_has_names_of_its_own(looked: Told) -> None:
    """Its params are the arguments, rendered in the caller's scope, even over equal names."""
    assert looked.result("here", "inner/seen") is CheckResult.PASSED
    assert "/pointer" not in looked.observed("here").texts["inner/seen"].title
    assert looked.observed("here").texts["inner/seen"].title.endswith("target is there")
    assert looked.observed("here").texts["pointer"].title == "The pointer of here"


def test_what_is_to_be_done_by_hand_is_said_for_each_host(looked: Told) -> None:
    """Instruction, commands and choices are rendered for it, or left as written where they cannot."""
    texts = looked.observed("here").texts

    place = looked.seen("here", "pointer").facts["content"].removesuffix("/target")
    assert texts["by_hand"].instruction == f"Log in to here, which points to {place}/target."
    assert texts["by_hand"].commands == (f"cat {place}/pointer", "uptime")
    assert texts["how"].choices == ("Now, on here", "Never")
    assert texts["how"].helps == (f"In {place}", "")
    assert "unseen" not in texts
    assert "by_hand" not in looked.observed("gone").texts


def test_evidence_is_collected_without_judging(looked: Told) -> None:
    """Each probe of a bundle answers for itself; the one that could not look says why."""
    facts = looked.seen("here", "evidence").facts

    assert facts["pointer"]["exists"] is True
    assert "never_defined" in facts["nothing"]["could_not_look"]
