"""From a request to a playbook: pure, and the only place that writes Ansible content."""

import json
from collections.abc import Iterable, Iterator, Mapping
from typing import Any

from runbook.executor.plan import Plan, Sampling, register_of
from runbook.executor.staging import HERE, Phase, phases
from runbook.model.definition import (
    Action,
    AnsibleRole,
    AnsibleTask,
    Check,
    Fix,
    Json,
    Runbook,
)

COMMAND_MODULES = frozenset({"command", "shell", "raw", "script", "win_command", "win_shell"})
"""Modules that do whatever they are told; their author's `read_only` is all that makes a check."""

Play = dict[str, Any]
Task = dict[str, Any]


LOOKED = "runbook_looked"
"""Registered, not set as a fact: a module can return facts, and would replace what was seen."""

WANTED = f"({LOOKED}.wants | default([]))"

BEGUN = "runbook_begun"

RETRY_S = 2
"""How long an Ansible task waits before it looks again."""


def dump(plays: list[Play]) -> str:
    """Return plays as text for Ansible: those that only look as JSON, which it reads fastest.

    What authors wrote may hold `!vault` and `!unsafe`, which need YAML.
    """
    if all("runbook_observe" in task for play in plays for task in play.get("tasks", [{}])):
        return json.dumps(plays)
    from runbook.executor.yaml_text import as_yaml  # noqa: PLC0415 -- most commands need none

    return as_yaml(plays)


def observation_play(
    runbook: Runbook, plan: Plan, plan_path: str, pattern: str | list[str]
) -> Play:
    """Return the one play that looks at all hosts, each at its own pace.

    That takes `strategy: free` where there are several tasks. It goes through all hosts a thousand
    times a second, while `linear`, which waits for results only, is as free with a single task.

    Probes come first and together; what they bring is judged in the same task where no Ansible
    task is wanted as a check, else after those tasks. Where nothing is wanted, texts are rendered.
    """
    tasks: list[Task] = []
    for phase in phases(plan.steps.values()):
        if phase.origin is None:
            tasks += [
                _check_task(runbook, step, f"{LOOKED}.given", wanted=f"'{step}' in {WANTED}")
                for step in phase.steps
            ]
        else:
            tasks.append(_look_task(phase, plan_path, first=not tasks))
    if not tasks:
        tasks.append(_ours("runbook_observe", plan_path, phase="judge"))
    elif len(tasks) > 1:
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
        "strategy": "linear" if len(tasks) == 1 else "free",
        "tasks": tasks,
    }


def fix_play(
    runbook: Runbook,
    fix: Fix,
    action: Action,
    plan_path: str,
    *,
    hosts: Iterable[str],
    sampling: Sampling | None,
) -> Play:
    """Return the play of one fix on a cohort (`strategy: linear`): lease, action, look again."""
    others = delegates(action)
    tasks = [
        *[{**_leasing("runbook_begin", plan_path), "delegate_to": other} for other in others],
        {**_leasing("runbook_begin", plan_path), "register": BEGUN},
        *action_tasks(action),
        {"name": "Flush handlers", "ansible.builtin.meta": "flush_handlers"},
        _ours("runbook_acted", plan_path),
    ]
    if sampling is not None:
        tasks += _sampling_tasks(runbook, sampling, plan_path)
    ends = [
        _leasing("runbook_end", plan_path),
        *[{**_leasing("runbook_end", plan_path), "delegate_to": other} for other in others],
    ]
    return {
        **_acting_play(runbook, fix, hosts),
        "tasks": [{"name": fix.id, "block": tasks, "always": ends}],
    }


def preview_play(
    runbook: Runbook, fix: Fix, action: Action, plan_path: str, hosts: Iterable[str]
) -> Play:
    """Return the play of a fix for Ansible's check mode: no lease, nothing verified."""
    return {
        **_acting_play(runbook, fix, hosts),
        "tasks": [
            {**_ours("runbook_begin", plan_path, lease="none"), "register": BEGUN},
            *action_tasks(action),
            _ours("runbook_acted", plan_path),
        ],
    }


def _acting_play(runbook: Runbook, fix: Fix, hosts: Iterable[str]) -> Play:
    """Return the frame of a fix's play, with the names its text uses beside the host's own.

    They are play variables, so that handlers have them too, and each is looked up in what the begin
    task registered: a name nothing is known of stays undefined. Other names stay free for roles.
    """
    names = {need.rpartition("/")[2] for need in fix.needs}
    if fix.scope:
        names |= runbook.scopes[fix.scope].params.keys()
    return {
        "name": fix.id,
        "hosts": list(hosts),
        "gather_facts": fix.facts,
        "strategy": "linear",
        "vars": {name: f"{{{{ {BEGUN}.given['{fix.scope}'].{name} }}}}" for name in sorted(names)},
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
            {**_ours("runbook_begin", plan_path, lease="none"), "register": BEGUN},
            *_sampling_tasks(runbook, sampling, plan_path),
        ],
    }


def _sampling_tasks(runbook: Runbook, sampling: Sampling, plan_path: str) -> list[Task]:
    """Return the tasks that look repeatedly: each Ansible task until it passes, then the probes."""
    tasks: list[Task] = []
    for id_ in sampling.steps:
        step = runbook.steps[id_]
        if not isinstance(step, Check) or not isinstance(step.look, AnsibleTask):
            continue
        task = _check_task(runbook, id_, f"{BEGUN}.given", wanted=None)
        if "until" not in task and sampling.within_s >= RETRY_S:
            register = task["register"]
            task["until"] = step.passes or f"{register} is not changed and {register} is not failed"
            task["retries"] = int(sampling.within_s / RETRY_S)
            task["delay"] = RETRY_S
        tasks.append(task)
    return [*tasks, _ours("runbook_observe", plan_path, phase="sample")]


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
    return () if isinstance(action, AnsibleRole) else tuple(dict.fromkeys(_named(action.bodies)))


def _named(bodies: Iterable[Json]) -> Iterator[str]:
    for body in bodies:
        delegate = body.get("delegate_to")
        looping = any(key == "loop" or key.startswith("with_") for key in body)
        if isinstance(delegate, str) and not (looping and "{{" in delegate):
            yield delegate
        for part in ("block", "rescue", "always"):
            yield from _named(body.get(part) or ())


def _look_task(phase: Phase, plan_path: str, *, first: bool) -> Task:
    task = _ours(
        "runbook_observe", plan_path, phase="look", origin=phase.origin, steps=list(phase.steps)
    )
    task["register"] = LOOKED
    if phase.origin != HERE:
        task["delegate_to"] = phase.origin
    if not first:
        task["when"] = f"{WANTED} | length > 0"
    return task


def _check_task(runbook: Runbook, id_: str, given: str, *, wanted: str | None) -> Task:
    """Return a task check as a task: in check mode, registered, its failure our business.

    `given` is the expression of what is known by scope and name.
    """
    step = runbook.steps[id_]
    if not isinstance(step, Check) or not isinstance(step.look, AnsibleTask):
        raise TypeError(f"{id_} is not a task")
    body = dict(step.look.body)
    author = body.pop("when", None)
    conditions = [] if author is None else (author if isinstance(author, list) else [author])
    names = {need.rpartition("/")[2]: _known(runbook, need, given) for need in step.needs}
    if step.scope:
        params = runbook.scopes[step.scope].params
        names |= {name: f"{{{{ {given}['{step.scope}'].{name} }}}}" for name in params}
    names[id_.rpartition("/")[2]] = f"{{{{ {register_of(id_)} }}}}"
    task: Task = {
        **body,
        "name": body.get("name", step.id),
        "register": register_of(step.id),
        "check_mode": not commands(body),
        "diff": True,
        "ignore_errors": True,
        "vars": {**names, **dict(body.get("vars", {})), "runbook_check": True},
    }
    if wanted is not None:
        conditions = [wanted, *conditions]
    if conditions:
        task["when"] = conditions
    return task


def _known(runbook: Runbook, step: str, given: str) -> str:
    """Return the expression of a step's result, by its place in the play."""
    found = runbook.steps.get(step)
    if isinstance(found, Check) and isinstance(found.look, AnsibleTask):
        return f"{{{{ {register_of(step)} }}}}"
    scope, _, name = step.rpartition("/")
    return f"{{{{ {given}['{scope}'].{name} }}}}"


def commands(body: Mapping[str, Json]) -> bool:
    """Say whether a task's module is a command, which check mode would only skip."""
    return any(key.rpartition(".")[2] in COMMAND_MODULES for key in body)


def _ours(action: str, plan_path: str, **arguments: Json) -> Task:
    return {"name": action, action: {"plan": plan_path, **arguments}}


def _leasing(action: str, plan_path: str) -> Task:
    """Return a task of ours that runs a module, which the host has to unpack somewhere.

    On a disk that is full, the very thing a fix may be for, memory is where there is room. Where
    there is no such folder Python looks for another.
    """
    return {**_ours(action, plan_path), "environment": {"TMPDIR": "/dev/shm"}}  # noqa: S108
