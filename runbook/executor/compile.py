"""From a request to a playbook: pure, and the only place that writes Ansible content."""

from collections.abc import Iterable, Mapping
from typing import Any

import yaml

from runbook.executor.plan import Plan, Sampling, register_of
from runbook.model.definition import (
    Action,
    AnsibleRole,
    AnsibleTask,
    Check,
    Fix,
    Json,
    Runbook,
)
from runbook.model.yaml_nodes import Tagged

PLAN_FILE = "plan.json"
PLAYBOOK_FILE = "runbook-play.yml"
COMMAND_MODULES = frozenset({"command", "shell", "raw", "script", "win_command", "win_shell"})
"""Modules that do whatever they are told; their author's `read_only` is all that makes a check."""

Play = dict[str, Any]
Task = dict[str, Any]


LOOKED = "runbook_looked"
"""Registered, not set as a fact: a module can return facts, and would replace what was seen."""

WANTED = f"({LOOKED}.wants | default([]))"

BEGUN = "runbook_begun"


class _Dumper(yaml.SafeDumper):
    """Writes Ansible content with its tags."""

    def ignore_aliases(self, data: Any) -> bool:  # noqa: ARG002 -- PyYAML's signature
        return True


def _represent_tagged(dumper: yaml.SafeDumper, node: Tagged) -> yaml.Node:
    style = "|" if "\n" in node.value else '"'
    return dumper.represent_scalar(node.tag, node.value, style=style)


_Dumper.add_representer(Tagged, _represent_tagged)


def dump(plays: list[Play]) -> str:
    """Return plays as YAML text, `!vault` and `!unsafe` kept."""
    return yaml.dump(plays, Dumper=_Dumper, sort_keys=False, allow_unicode=True, width=1000)


def observation_play(runbook: Runbook, plan: Plan, plan_path: str, pattern: str) -> Play:
    """Return the one play that looks at all hosts, each at its own pace (`strategy: free`).

    Probes come first and together; what they bring is judged in the same task where no Ansible
    task is wanted as a check, else after those tasks.
    """
    wanted = set(plan.everyone).union(*plan.wants.values())
    tasks = [
        {
            **_ours("runbook_observe", plan_path, phase="look", origin="host"),
            "register": LOOKED,
        }
    ]
    tasks += [
        {
            **_ours("runbook_observe", plan_path, phase="look", origin=origin),
            "delegate_to": origin,
            "when": f"{WANTED} | length > 0",
            "register": LOOKED,
        }
        for origin in _other_origins(plan)
    ]
    checks = [_check_task(runbook.steps[step]) for step in plan.steps if step in wanted]
    tasks += [task for task in checks if task is not None]
    if len(tasks) > 1:
        tasks.append(
            {
                **_ours("runbook_observe", plan_path, phase="judge"),
                "when": f"{WANTED} | length > 0",
            }
        )
    return {
        "name": f"Look ({runbook.name})",
        "hosts": pattern,
        "gather_facts": False,
        "strategy": "free",
        "tasks": tasks,
    }


def fix_play(
    runbook: Runbook,
    fix: Fix,
    action: Action,
    plan_path: str,
    hosts: Iterable[str],
    *,
    verify: bool,
) -> Play:
    """Return the play of one fix on a cohort (`strategy: linear`): lease, action, look again."""
    others = delegates(action)
    tasks = [
        *[{**_ours("runbook_begin", plan_path), "delegate_to": other} for other in others],
        {**_ours("runbook_begin", plan_path), "register": BEGUN},
        *action_tasks(action),
        {"name": "Flush handlers", "ansible.builtin.meta": "flush_handlers"},
        _ours("runbook_acted", plan_path),
    ]
    if verify:
        tasks += verification_tasks(runbook, fix, plan_path)
    ends = [
        _ours("runbook_end", plan_path),
        *[{**_ours("runbook_end", plan_path), "delegate_to": other} for other in others],
    ]
    return {
        **_acting_play(runbook, fix, hosts),
        "tasks": [{"name": fix.id, "block": tasks, "always": ends}],
    }


def preview_play(runbook: Runbook, fix: Fix, plan_path: str, hosts: Iterable[str]) -> Play:
    """Return the play of a fix for Ansible's check mode: no lease, nothing verified."""
    return {
        **_acting_play(runbook, fix, hosts),
        "tasks": [
            {**_ours("runbook_begin", plan_path, lease="none"), "register": BEGUN},
            *action_tasks(fix.action),
            _ours("runbook_acted", plan_path),
        ],
    }


def _acting_play(runbook: Runbook, fix: Fix, hosts: Iterable[str]) -> Play:
    """Return the frame of a fix's play, with the names its scope has beside the host's own.

    They are play variables, so that handlers have them too, and each is looked up in what the begin
    task registered: a name nothing is known of stays undefined.
    """
    names = {
        step.id.rpartition("/")[2] for step in runbook.steps.values() if step.scope == fix.scope
    }
    if fix.scope in runbook.scopes and fix.scope:
        names |= runbook.scopes[fix.scope].params.keys()
    return {
        "name": fix.id,
        "hosts": list(hosts),
        "gather_facts": fix.facts,
        "strategy": "linear",
        "vars": {name: f"{{{{ {BEGUN}.names.{name} }}}}" for name in sorted(names)},
    }


def sampling_play(
    runbook: Runbook, sampling: Sampling, plan_path: str, hosts: Iterable[str]
) -> Play:
    """Return the play that only looks, repeatedly."""
    return {
        "name": f"Look again ({runbook.name})",
        "hosts": list(hosts),
        "gather_facts": False,
        "strategy": "free",
        "tasks": [
            *_sampled_task_checks(runbook, sampling),
            _ours("runbook_observe", plan_path, phase="sample"),
        ],
    }


def verification_tasks(runbook: Runbook, fix: Fix, plan_path: str) -> list[Task]:
    """Return the tasks that judge a fix."""
    wanted = tuple(step for step in (fix.verify.cause, fix.verify.symptom) if step)
    repeated = [
        _repeated(task, fix.verify.within_s)
        for task in (_check_task(runbook.steps[step], always=True) for step in wanted)
        if task is not None
    ]
    return [*repeated, _ours("runbook_observe", plan_path, phase="sample")]


def _sampled_task_checks(runbook: Runbook, sampling: Sampling) -> list[Task]:
    found = (_check_task(runbook.steps[step], always=True) for step in sampling.steps)
    return [_repeated(task, sampling.within_s) for task in found if task is not None]


def _repeated(task: Task, within_s: float) -> Task:
    if "until" in task or within_s < 2:
        return task
    return {
        **task,
        "until": f"{task['register']} is not changed and {task['register']} is not failed",
        "retries": max(1, int(within_s / 2)),
        "delay": 2,
    }


def action_tasks(action: Action) -> list[Task]:
    """Return the author's tasks, or the role, as tasks of ours."""
    if isinstance(action, AnsibleRole):
        arguments: dict[str, Json] = {"name": action.name}
        if action.tasks_from is not None:
            arguments["tasks_from"] = action.tasks_from
        task: Task = {"name": action.name, "ansible.builtin.import_role": arguments}
        if action.variables:
            task["vars"] = dict(action.variables)
        return [task]
    return [dict(body) for body in action.bodies]


def delegates(action: Action) -> tuple[str, ...]:
    """Return the hosts an action's own tasks are delegated to; they are leased as well.

    A delegate that depends on a loop's item cannot be named ahead, nor can one inside a role.
    """
    if isinstance(action, AnsibleRole):
        return ()
    found: dict[str, None] = {}
    for body in action.bodies:
        delegate = body.get("delegate_to")
        looping = any(key == "loop" or key.startswith("with_") for key in body)
        if isinstance(delegate, str) and not (looping and "{{" in delegate):
            found[delegate] = None
    return tuple(found)


def _other_origins(plan: Plan) -> tuple[str, ...]:
    return tuple(
        dict.fromkeys(
            probe.origin
            for step in plan.steps.values()
            for probe in step.probes
            if probe.origin not in ("host", "controller")
        )
    )


def _check_task(step: Any, *, always: bool = False) -> Task | None:
    """Return a task check as a task: in check mode, registered, its failure our business."""
    if not isinstance(step, Check) or not isinstance(step.look, AnsibleTask):
        return None
    body = dict(step.look.body)
    author = body.pop("when", None)
    conditions = [] if author is None else (author if isinstance(author, list) else [author])
    wanted = [] if always else [f"'{step.id}' in {WANTED}"]
    task: Task = {
        **body,
        "name": body.get("name", step.id),
        "register": register_of(step.id),
        "check_mode": not commands(body),
        "diff": True,
        "ignore_errors": True,
        "vars": {**dict(body.get("vars", {})), "runbook_check": True},
    }
    if wanted or conditions:
        task["when"] = [*wanted, *conditions]
    return task


def commands(body: Mapping[str, Json]) -> bool:
    """Say whether a task's module is a command, which check mode would only skip."""
    return any(key.rpartition(".")[2] in COMMAND_MODULES for key in body)


def _ours(action: str, plan_path: str, **arguments: str) -> Task:
    return {"name": action, action: {"plan": plan_path, **arguments}}
