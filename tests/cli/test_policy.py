"""`runbook policy test`: a policy is held to its own examples, and says where it is wrong."""

import re
from dataclasses import replace
from pathlib import Path

from tests.acceptance.program import Program

ROOT = Path(__file__).parents[2]
SOUND = """\
policy: production
rules:
  - rule: the backend may be restarted at night
    answer: auto
    when:
      runbook: fix-502
      fix: [restart_*, start_*]
      group: web
      source: [alert, schedule]
      time: {from: "22:00", to: "06:00", zone: Europe/Berlin}
  - rule: by day somebody is asked
    answer: ask
    when: {runbook: fix-502}
guards:
  budgets: [{fixes: 3, per: host, within: 1h}]
  flapping: {times: 3, within: 1h, quiet: 2h}
tests:
  - situation: {runbook: fix-502, fix: restart_backend, groups: [web], at: "2026-03-03T23:00:00+01:00"}
    expect: auto
  - situation: {runbook: fix-502, fix: restart_backend, groups: [web]}
    expect: ask
    rule: by day somebody is asked
"""


def test_a_policy_that_says_what_it_should(program: Program) -> None:
    """Each test is told with the rule that held; the exit code is 0."""
    (program.folder / "policy.yml").write_text(SOUND)

    done = program("policy", "test", "policy.yml")

    assert (done.code, done.stderr) == (0, "")
    assert done.stdout == (
        "as expected  policy.yml:18 fix-502 restart_backend on host, by alert: "
        "auto (rule “the backend may be restarted at night”)\n"
        "as expected  policy.yml:20 fix-502 restart_backend on host, by alert: "
        "ask (rule “by day somebody is asked”)\n"
        "2 tested, 0 otherwise than expected.\n"
    )


def test_a_policy_that_says_something_else(program: Program) -> None:
    """The exit code is 1, and the document names what was expected and what came instead."""
    (program.folder / "policy.yml").write_text(SOUND.replace("expect: ask", "expect: auto"))

    done = program("policy", "test", "policy.yml", "--json")

    assert done.code == 1
    told = [
        (one["line"], one["expected"], one["answer"], one["as_expected"])
        for one in done.document["tests"]
    ]
    assert told == [(18, "auto", "auto", True), (20, "auto", "ask", False)]


def test_all_that_is_wrong_is_told_at_once(program: Program) -> None:
    """Shape first, then meaning: every problem at its place; the exit code is 2."""
    path = program.folder / "policy.yml"
    path.write_text(
        SOUND.replace("answer: ask", "answr: ask").replace("within: 1h}]", "within: 1}]")
    )
    shape = program("policy", "test", "policy.yml", "--json")
    path.write_text(
        SOUND.replace("Europe/Berlin", "Europe/Berlyn")
        .replace("    rule: by day", "    rule: one day")
        .replace("answer: auto", "answer: auto\n    people: 2")
        .replace("+01:00", "")
    )
    meaning = program("policy", "test", "policy.yml", "--json")

    assert (shape.code, meaning.code) == (2, 2)
    assert [(one["reference"], one["line"]) for one in shape.document["errors"]] == [
        ("unknown-key", 12),
        ("missing-key", 11),
        ("wrong-value", 15),
    ]
    assert [(one["reference"], one["line"]) for one in meaning.document["errors"]] == [
        ("pointless-key", 5),
        ("unknown-zone", 11),
        ("wrong-value", 19),
        ("unknown-rule", 23),
    ]


def test_a_policy_that_cannot_be_read(program: Program) -> None:
    """It is said why, with the exit code 2."""
    done = program("policy", "test", "missing.yml", "--json")

    assert done.code == 2
    [error] = done.document["errors"]
    assert error["reference"] == "policy-unreadable"
    assert error["message"] == "cannot read the policy missing.yml: No such file or directory"


def test_the_policy_of_the_documentation_is_sound(program: Program) -> None:
    """What how-to/policies.md shows says what its own table of tests expects."""
    page = (ROOT / "docs/how-to/policies.md").read_text(encoding="utf-8")
    shown, waiting = re.findall(r"```yaml\n(.*?)```", page, re.DOTALL)
    (program.folder / "policy.yml").write_text(shown.replace("guards:", f"{waiting}guards:"))
    command = re.findall(r"```console\nrunbook (.*?)\n```", page)[0]

    done = program(*command.split())

    assert (done.code, done.stderr) == (0, "")
    assert done.stdout.endswith("3 tested, 0 otherwise than expected.\n")


def test_what_a_fix_earns_is_shown_and_tested(program: Program) -> None:
    """How-to/autonomy.md's policy passes its tests; without a journal nothing was earned yet."""
    page = (ROOT / "docs/how-to/autonomy.md").read_text(encoding="utf-8")
    [shown] = re.findall(r"```yaml\n(.*?)```", page, re.DOTALL)
    (program.folder / "policy.yml").write_text(shown)
    named = {**program.environment, "RUNBOOK_POLICY": "policy.yml"}

    tested = program("policy", "test", "policy.yml")
    stands = replace(program, environment=named)("autonomy")
    unset = program("autonomy")

    assert "auto (rule “restarts of web servers”, earned by 5 verified)" in tested.stdout
    assert tested.stdout.endswith("3 tested, 0 otherwise than expected.\n")
    assert stands.stdout == "No fix that could earn its autonomy was done yet.\n"
    assert (unset.code, "no-policy" in unset.stderr) == (2, True)
