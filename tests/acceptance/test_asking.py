"""Runs that nobody watches, of a runbook that asks somebody: suspended, answered, gone on with."""

from pathlib import Path

from tests.acceptance.program import Program

ASKING = """\
runbook: asking
title: Somebody has to say what is to be done
params:
  flag: {type: string}
steps:
  - check: present
    title: The file is there
    probe: {file: {path: "{{ flag }}"}}
    passes: present.exists
    next: {passed: end(healthy), failed: which}
  - ask: which
    title: What is to be done about {{ inventory_hostname }}?
    choices:
      leave: {title: Leave it, next: end(unresolved)}
      call: {title: Call somebody, next: end(escalated)}
    expires: {after: 1h, next: end(escalated)}
"""


def test_a_question_suspends_what_nobody_watches(program: Program, tmp_path: Path) -> None:
    """The process ends, holding nothing; the answer, from another one, leads the run to its end.

    So does that of a diagnosis, which holds no host, but a worker.
    """
    (tmp_path / "runbooks/asking.yml").write_text(ASKING)
    target = ("--host", "alive", "-i", "inventory.yml", "--source", "schedule", "--json")
    asked = program("diagnose", "asking", *target)
    [waiting] = program("approvals", "--json").document["approvals"]
    wrong = program("answer", str(waiting["approval"]), "run")
    right = program("answer", str(waiting["approval"]), "leave", "--reason", "it is old")
    over = program("resume", asked.document["run_id"], "--unattended", "--json")

    assert (asked.code, asked.document["verdict"]) == (3, "waiting")
    assert waiting["title"] == "What is to be done about alive?"
    assert waiting["choices"] == {"leave": "Leave it", "call": "Call somebody"}
    assert list(waiting["hosts"]) == ["alive"]
    assert (wrong.code, "hint: runbook answer 1 leave|call" in wrong.stderr) == (2, True)
    assert right.stdout.startswith("Question 1 is answered; go on with: runbook resume ")
    assert (over.code, over.document["verdict"]) == (1, "unresolved")
    assert over.document["hosts"]["alive"]["path"] == ["present", "present", "which"]
