"""From a file to the records of the model: every key of the language arrives where it belongs."""

from pathlib import Path

import pytest

from runbook.errors import RunbookError
from runbook.model.definition import (
    AnsibleRole,
    AnsibleTask,
    AnsibleTasks,
    Ask,
    Branch,
    Check,
    CheckResult,
    Collect,
    End,
    Fix,
    FixResult,
    Goto,
    Manual,
    Probe,
    Runbook,
    Watch,
)
from runbook.model.verdict import Verdict
from runbook.model.yaml_nodes import Tagged
from runbook.spec.library import load
from tests.unit.spec.writing import CHECK, write

EXAMPLES = Path(__file__).parents[2] / "runbooks"


@pytest.fixture(scope="module")
def example() -> Runbook:
    """Load the runbook with a step of each kind."""
    return load("all-kinds", [EXAMPLES])


def test_metadata_arrives(example: Runbook) -> None:
    """Name, texts, start, params, causes and durations are as written."""
    assert example.name == "all-kinds"
    assert example.description == "Shows every kind of step.\n"
    assert example.symptoms == ("slow", "502")
    assert example.start == "site"
    assert example.evidence_max_age_s == 120
    assert example.folder == str(EXAMPLES)
    assert example.sources == (str(EXAMPLES / "all-kinds.yml"), str(EXAMPLES / "minimal.yml"))
    port = example.params["backend_port"]
    assert (port.default, port.required, port.secret) == (8000, False, False)
    assert port.schema == {"type": "integer", "minimum": 1, "maximum": 65535}
    assert example.params["backend_token"].secret
    assert example.params["url"].title == "Address of the health page"
    assert example.causes["backend_stopped"].likelihood == 0.7


def test_steps_keep_the_order_written(example: Runbook) -> None:
    """The graph lists steps as the file does, those of a called runbook in the call's place."""
    assert list(example.steps) == [
        "site",
        "backend_port_open",
        "unit_file",
        "unit_state",
        "which",
        "imports/site",
        "imports/restart",
        "operator",
        "restart",
        "steady",
        "by_hand",
        "site_again",
        "evidence",
    ]


def test_a_probe_check_arrives(example: Runbook) -> None:
    """A check by probe has its arguments, its condition, what it needs, and its ways."""
    check = example.steps["site"]

    assert isinstance(check, Check)
    assert check.look == Probe(
        type="http",
        arguments={"url": "{{ url }}", "headers": {"Authorization": "Bearer {{ backend_token }}"}},
        timeout_s=3.0,
    )
    assert check.passes == "site.answered and site.status in allowed"
    assert check.needs == ()
    assert check.ahead_of_need
    assert check.next == {
        CheckResult.PASSED: End(verdict=Verdict.HEALTHY),
        CheckResult.FAILED: Goto(step="backend_port_open"),
        CheckResult.UNKNOWN: End(verdict=Verdict.ESCALATED),
    }
    assert check.help
    assert check.where is not None
    assert (check.where.line, check.where.column) == (19, 5)


def test_a_probe_has_a_condition_of_its_own(example: Runbook) -> None:
    """Without `passes`, the probe type's own condition is used, under the check's id."""
    check = example.steps["backend_port_open"]

    assert isinstance(check, Check)
    assert check.passes == "backend_port_open.listening"


def test_a_task_check_arrives(example: Runbook) -> None:
    """A check by task carries the task as written, and has no condition unless one is given."""
    check = example.steps["unit_file"]

    assert isinstance(check, Check)
    assert isinstance(check.look, AnsibleTask)
    assert check.look.body["ansible.builtin.copy"]["mode"] == "0644"
    assert check.passes is None
    assert check.cause == "config_drift"


def test_effects_make_a_check_wait_for_its_turn(example: Runbook) -> None:
    """A check that its author calls lazy, or that does something, is never run ahead of need."""
    again = example.steps["site_again"]

    assert isinstance(again, Check)
    assert again.lazy
    assert again.effect == "Posts to the health page"
    assert not again.ahead_of_need


def test_another_method_has_an_effect_by_itself(tmp_path: Path) -> None:
    """A POST is an effect even if nobody says so."""
    path = write(tmp_path, "a", CHECK.replace("url:", "method: POST, url:"))
    check = load(str(path), []).steps["site"]

    assert isinstance(check, Check)
    assert check.effect == "sends a POST request"


def test_a_fix_arrives(example: Runbook) -> None:
    """A fix has its action, its verification, its undo, and a way for each result."""
    fix = example.steps["restart"]

    assert isinstance(fix, Fix)
    assert isinstance(fix.action, AnsibleTasks)
    assert [body["name"] for body in fix.action.bodies] == ["Restart", "Wait for the port"]
    assert isinstance(fix.undo, AnsibleTasks)
    assert fix.destructive
    assert (fix.verify.symptom, fix.verify.cause) == ("site", "backend_port_open")
    assert (fix.verify.within_s, fix.verify.hold_s, fix.verify.every_s) == (30, 5, 0.5)
    assert (fix.max_visits, fix.timeout_s) == (2, 120)
    assert fix.affects == ("requests in flight",)
    assert fix.next == {
        FixResult.RESOLVED: Goto(step="steady"),
        FixResult.CAUSE_REMOVED: Goto(step="site"),
        FixResult.RECURRED: End(verdict=Verdict.UNRESOLVED),
        FixResult.NO_EFFECT: Goto(step="by_hand"),
        FixResult.FAILED: End(verdict=Verdict.UNRESOLVED),
        FixResult.UNKNOWN: End(verdict=Verdict.UNKNOWN),
        FixResult.DECLINED: Goto(step="by_hand"),
    }


def test_a_fix_without_ways_ends_as_it_came_out(example: Runbook) -> None:
    """By default a resolved fix concludes its cause; a removed cause starts the walk again."""
    fix = load("minimal", [EXAMPLES]).steps["restart"]

    assert isinstance(fix, Fix)
    assert fix.next[FixResult.RESOLVED] == End(verdict=Verdict.RESOLVED, cause="stopped")
    assert fix.next[FixResult.CAUSE_REMOVED] == Goto(step="site")
    assert fix.next[FixResult.DECLINED] == End(verdict=Verdict.DECLINED)


def test_the_other_kinds_arrive(example: Runbook) -> None:
    """Branch, ask, watch, manual and collect have what they were given."""
    which, operator, steady, by_hand, evidence = (
        example.steps[name] for name in ("which", "operator", "steady", "by_hand", "evidence")
    )

    assert isinstance(which, Branch)
    assert which.needs == ("site",)
    assert which.cases[0].next == Goto(step="imports/site")
    assert which.otherwise == Goto(step="operator")
    assert which.unknown == Goto(step="evidence")
    assert isinstance(operator, Ask)
    assert [choice.id for choice in operator.choices] == ["restart", "leave"]
    assert operator.expires.after_s == 600
    assert isinstance(steady, Watch)
    assert (steady.check, steady.for_s, steady.every_s) == ("site", 10, 1)
    assert steady.next[CheckResult.PASSED] == End(verdict=Verdict.RESOLVED, cause="backend_stopped")
    assert isinstance(by_hand, Manual)
    assert by_hand.commands[1] == "systemctl start backend"
    assert by_hand.done == Goto(step="site_again")
    assert isinstance(evidence, Collect)
    assert list(evidence.probes) == ["memory", "log"]


def test_a_called_runbook_is_joined(example: Runbook) -> None:
    """Its steps, causes and verdicts are qualified; its params are its scope's."""
    site, fix = example.steps["imports/site"], example.steps["imports/restart"]

    assert isinstance(site, Check)
    assert isinstance(fix, Fix)
    assert site.scope == fix.scope == "imports"
    assert site.passes == "site.answered and site.status == 200"
    assert site.next[CheckResult.PASSED] == Goto(step="operator")
    assert fix.cause == "imports/stopped"
    assert fix.verify.symptom == "imports/site"
    assert fix.next[FixResult.CAUSE_REMOVED] == Goto(step="imports/site")
    assert fix.next[FixResult.RESOLVED] == End(verdict=Verdict.RESOLVED, cause="imports/stopped")
    assert example.causes["imports/stopped"].title == "The service is not running"
    scope = example.scopes["imports"]
    assert (scope.runbook, scope.parent) == ("minimal", "")
    assert scope.arguments == {"url": "{{ url }}/imports"}
    assert list(scope.params) == ["url"]


def test_verdicts_pass_through_calls_of_calls(tmp_path: Path) -> None:
    """A verdict that a call does not name ends the calling runbook, whose own caller may name it."""
    write(tmp_path, "inner", CHECK)
    write(tmp_path, "middle", "- {call: below, title: Down, runbook: inner}")
    call = "- {call: outer, title: Down, runbook: middle, next: {healthy: site}}\n"
    path = write(tmp_path, "top", call + CHECK)
    linked = load(str(path), [tmp_path])

    inner = linked.steps["outer/below/site"]
    assert linked.start == inner.id
    assert isinstance(inner, Check)
    assert inner.next[CheckResult.PASSED] == Goto(step="site")
    assert inner.next[CheckResult.FAILED] == End(verdict=Verdict.ESCALATED)


def test_folders_of_called_runbooks_are_known(tmp_path: Path) -> None:
    """What a called runbook's steps name lies beside it, which may be elsewhere than its caller."""
    (tmp_path / "library").mkdir()
    (tmp_path / "own").mkdir()
    write(tmp_path / "library", "inner", CHECK)
    write(tmp_path / "library", "middle", "- {call: below, title: Down, runbook: inner}")
    path = write(tmp_path / "own", "top", "- {call: outer, title: Down, runbook: middle}\n")

    linked = load(str(path), [tmp_path / "library"])

    assert linked.folder == str(tmp_path / "own")
    assert linked.called_folders == (str(tmp_path / "library"),)
    assert load("middle", [tmp_path / "library"]).called_folders == ()


def test_needs_reach_through_arguments(tmp_path: Path) -> None:
    """A called step that uses a param needs the caller's step that the argument is made of."""
    inner = CHECK.replace("127.0.0.1", "{{ address }}")
    write(tmp_path, "inner", inner, params="{address: {type: string}}")
    call = (
        "- {call: below, title: Down, runbook: inner, "
        'params: {address: "{{ first.body }}"}, next: {healthy: second}}\n'
    )
    first = CHECK.replace("site", "first").replace("end(healthy)", "below")
    second = (
        "- {branch: second, title: Decide, cases: [{when: first.status == 1, "
        "next: end(healthy)}], next: {otherwise: end(unresolved)}}\n"
    )
    path = write(tmp_path, "top", first + call + second)
    linked = load(str(path), [tmp_path])

    assert linked.steps["below/site"].needs == ("first",)
    assert linked.steps["second"].needs == ("first",)


def test_bounds_hold_for_all_steps_of_a_loop(tmp_path: Path) -> None:
    """The visits given to one step of a loop let the walk pass the loop's other steps as often."""
    loop = (
        CHECK.replace("end(escalated)", "again") + "- {check: again, title: Again, "
        "probe: {tcp: {port: 80}}, max_visits: 5, next: {passed: site, failed: end(unresolved)}}\n"
    )
    linked = load(str(write(tmp_path, "a", loop)), [])

    assert linked.steps["again"].max_visits == 5
    assert linked.steps["site"].max_visits == 6


def test_a_bounded_call_bounds_what_it_calls(tmp_path: Path) -> None:
    """Steps of a runbook called in a loop may be visited as often as the call, fixes only once."""
    (tmp_path / "minimal.yml").write_text((EXAMPLES / "minimal.yml").read_text())
    call = "- {call: below, title: Down, runbook: minimal, max_visits: 3, next: {healthy: site}}\n"
    path = write(tmp_path, "top", CHECK.replace("end(escalated)", "below") + call)
    linked = load(str(path), [tmp_path])

    assert linked.steps["below/site"].max_visits == 3
    assert linked.steps["below/restart"].max_visits == 1
    assert linked.steps["site"].max_visits == 4


def test_one_target_serves_all_results(tmp_path: Path) -> None:
    """`next: STEP` is a checklist: it goes on whatever was found."""
    steps = CHECK.replace("{passed: end(healthy), failed: end(escalated)}", "end(unresolved)")
    check = load(str(write(tmp_path, "a", steps)), []).steps["site"]

    assert isinstance(check, Check)
    assert check.next == dict.fromkeys(CheckResult, End(verdict=Verdict.UNRESOLVED))


def test_a_role_arrives_with_its_tags(tmp_path: Path) -> None:
    """A role keeps its variables as nodes: vaulted and unsafe text stays what it is."""
    (tmp_path / "roles" / "web").mkdir(parents=True)
    fix = (
        CHECK.replace("end(escalated)", "repair") + "- fix: repair\n  title: Repair\n"
        "  destructive: false\n  facts: true\n"
        "  role: {name: web, tasks_from: more, vars: {a: !unsafe '{{ x }}', b: !vault c, d: 0644}}\n"
        "  verify: {symptom: site}\n"
    )
    step = load(str(write(tmp_path, "a", fix)), []).steps["repair"]

    assert isinstance(step, Fix)
    assert step.action == AnsibleRole(
        name="web",
        tasks_from="more",
        variables={
            "a": Tagged(tag="!unsafe", value="{{ x }}"),
            "b": Tagged(tag="!vault", value="c"),
            "d": 0o644,
        },
    )
    assert step.facts
    assert not step.destructive


def test_expanding_too_many_calls_is_refused(tmp_path: Path) -> None:
    """Calls of calls multiply; a runbook of more steps than anybody could read is an error."""
    write(tmp_path, "r0", CHECK)
    for level in range(1, 6):
        calls = [
            f"- {{call: c{n}, title: T, runbook: r{level - 1}, next: {{healthy: c{n + 1}}}}}"
            for n in range(9)
        ]
        calls.append(f"- {{call: c9, title: T, runbook: r{level - 1}}}")
        write(tmp_path, f"r{level}", "\n".join(calls))

    with pytest.raises(RunbookError) as caught:
        load("r5", [tmp_path])

    assert caught.value.problems[0].reference == "too-many-steps"


@pytest.mark.parametrize(
    ("written", "mistaken"),
    [
        ("check: site", 'check: "site\\n"'),
        ("end(healthy)", '"end(healthy)\\n"'),
        ("  title", '  timeout: "1s\\n"\n  title'),
        ("  title", "  max_visits: 0\n  title"),
        ("  title", "  max_visits: true\n  title"),
        ("  title", "  timeout: 1e999\n  title"),
    ],
)
def test_near_misses_are_refused(tmp_path: Path, written: str, mistaken: str) -> None:
    """A value that only looks like the right one (a line break behind it) is a wrong value."""
    path = write(tmp_path, "a", CHECK.replace(written, mistaken, 1))

    with pytest.raises(RunbookError) as caught:
        load(str(path), [])
    assert caught.value.problems[0].reference == "wrong-value"


@pytest.mark.parametrize(
    ("text", "seconds"),
    [("500ms", 0.5), ("30s", 30), ("1.5m", 90), ("2h", 7200), ("3", 3), ("0.25", 0.25)],
)
def test_durations_are_seconds(tmp_path: Path, text: str, seconds: float) -> None:
    """A duration is a number with a unit, or a number of seconds."""
    path = write(tmp_path, "a", CHECK.replace("  title", f"  timeout: {text}\n  title"))
    check = load(str(path), []).steps["site"]

    assert isinstance(check, Check)
    assert isinstance(check.look, Probe)
    assert check.look.timeout_s == seconds
