# GPL-3.0-or-later. Runs on the controller, inside ansible-playbook.
"""Write what Ansible itself knows about each host's results to our private file, masked.

The records are the only source of results: a host decides what its modules return, but not which
host and task Ansible attributes them to. They are read by `runbook.executor.translate`.
"""

import gc
import json
import os
import signal
from collections.abc import Mapping, Sequence
from contextlib import suppress
from pathlib import Path
from typing import Any

import yaml
from ansible import context
from ansible.plugins.callback import CallbackBase
from ansible.template import Templar

from runbook.executor import nearby
from runbook.executor.ansible_core import (
    AnsibleTemplating,
    bound_answers,
    secrets_given,
    secrets_in,
    secrets_of,
)
from runbook.executor.differences import difference
from runbook.executor.leasing import Leases
from runbook.executor.looking import CouldNotRenderError, Names, rehearse
from runbook.executor.pacing import Pace
from runbook.executor.params import problem_with
from runbook.executor.plain import TooMuchError, plain
from runbook.executor.plan import Plan, plan_in, variable_of
from runbook.executor.workspace import CUT_OFF_FILE, OUTPUT_PIPE, PLAN_FILE
from runbook.model.definition import Json
from runbook.model.masking import MASK, Masker, masker_of

DOCUMENTATION = """
    name: runbook_results
    type: stdout
    short_description: Results for the runbook engine
    description: Writes masked results as JSON lines to the file beside the playbook's plan.
"""

OURS = ("runbook_begin", "runbook_observe", "runbook_acted", "runbook_end")
TEXT_LIMIT = 4000
DIFF_LIMIT = 20_000
EDGE = 4096
CONFIRM = "runbook_confirm"
TOLD = ("failed", "ignored", "skipped", "unreachable")
MOST_ITEMS = 20


class CallbackModule(CallbackBase):  # type: ignore[misc]
    """The callback; it takes the place of the one that prints, and prints nothing."""

    CALLBACK_VERSION = 2.0
    CALLBACK_TYPE = "stdout"
    CALLBACK_NAME = "runbook_results"

    def __init__(self) -> None:
        super().__init__()
        self._plan: Plan | None = None
        self._folder = Path()
        self._descriptor = -1
        self._waker = -1
        self._masks: dict[str, Masker] = {}
        self._secrets: dict[str, frozenset[str]] = {}
        self._play: Any = None
        self._items: dict[str, list[str]] = {}
        self._leases = Leases(seconds=0.0)
        self._pace = Pace()

    def _tell(self, kind: str, **told: Json) -> None:
        self._write(json.dumps({"kind": kind, **told}, default=str))

    def _write(self, record: str) -> None:
        line = f"{record}\n"
        os.write(self._descriptor, line.encode("utf-8", "replace"))
        with suppress(OSError):  # Who reads looks from time to time, and may be gone or held up.
            os.write(self._waker, b"\n")

    def v2_playbook_on_start(self, playbook: Any) -> None:
        """Find the plan, begin the file of results, and bound what hosts may answer."""
        folder = Path(playbook._basedir).parent  # noqa: SLF001 -- no public name before 2.20
        bound_answers(folder / PLAN_FILE)
        self._folder = folder
        self._plan = plan_in(str(folder / PLAN_FILE))
        self._leases = Leases(seconds=self._plan.lease_s)
        self._descriptor = os.open(
            folder / "results.jsonl", os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o600
        )
        with suppress(OSError):
            self._waker = os.open(folder / OUTPUT_PIPE, os.O_WRONLY | os.O_NONBLOCK)

    def v2_playbook_on_play_start(self, play: Any) -> None:
        """Tell the play's hosts with their params, before any of them is contacted."""
        if self._plan is None:
            return
        self._play = play
        manager = play.get_variable_manager()
        self._templating({}).get_ready(self._plan)
        if kinds := self._plan.kinds_asked_here():
            nearby.get_ready(kinds)
        hosts = manager._inventory.get_hosts(play.hosts)  # noqa: SLF001 -- as Ansible's own callbacks
        if not self._plan.joining:
            self._rehearse(hosts, {})
            return
        if self._plan.at_most is not None and len(hosts) > self._plan.at_most:
            self._tell("hosts", hosts=[host.get_name() for host in hosts])
            self._tell("end")
            raise SystemExit(0)
        params: dict[str, dict[str, Json]] = {}
        problems: list[dict[str, str]] = []
        typed: list[str] = []
        first: Mapping[str, Any] = {}
        for host in hosts:
            name = host.get_name()
            variables = manager.get_vars(play=play, host=host)
            first = first or variables
            params[name] = self._params(variables, name, problems)
            if self._wants_typing(variables, name, problems):
                typed.append(name)
        self._tell(
            "hosts",
            hosts=[host.get_name() for host in hosts],
            groups={host.get_name(): _groups(host) for host in hosts},
            params=params,
            problems=problems,
            typed=typed,
        )
        self._rehearse(hosts, first)
        # Workers that look through what is there by now, for garbage, copy all of it.
        gc.freeze()

    def _rehearse(self, hosts: Sequence[Any], variables: Mapping[str, Any]) -> None:
        """Have what comes to the same on many hosts be rendered before their processes are forked."""
        if self._plan is None or len(hosts) < 2 or not self._plan.steps:
            return
        name = hosts[0].get_name()
        variables = variables or self._play.get_variable_manager().get_vars(
            play=self._play, host=hosts[0]
        )
        templating = self._templating(dict(variables))
        templating.learns = True
        rehearse(Names(plan=self._plan, templating=templating, host=variables), name)

    def _wants_typing(
        self, variables: dict[str, Any], host: str, problems: list[dict[str, str]]
    ) -> bool:
        """Say whether the inventory wants a name typed before a fix on this host."""
        if CONFIRM not in variables:
            return False
        try:
            how = self._templating(variables).value_of(CONFIRM, variables)
        except CouldNotRenderError as error:
            how = error
        if how not in ("typed", "simple"):
            message = f"it can be typed or simple, not {how}"
            told = _masked(self._mask_for(host, variables), message, 120)
            problems.append({"host": host, "param": CONFIRM, "message": told})
        return bool(how == "typed")

    def _params(
        self, variables: dict[str, Any], host: str, problems: list[dict[str, str]]
    ) -> dict[str, Json]:
        assert self._plan is not None  # noqa: S101 -- for the type checker
        templating = self._templating(variables)
        mask = self._mask_for(host, variables)
        facts = variables.get("ansible_facts")
        rendered: dict[str, Json] = {}
        for name, param in self._plan.params.items():
            variable = variable_of(name)
            problem: str | None = None
            if isinstance(facts, Mapping) and variable in facts:
                problem = "a fact that the host told has its name, and would replace it"
            elif variable not in variables:
                problem = "it has no value" if param.required else None
            else:
                try:
                    value = templating.value_of(variable, variables)
                    problem = problem_with(value, param.schema, secret=param.secret)
                    rendered[name] = MASK if param.secret else mask.value(value)
                except CouldNotRenderError as error:
                    problem = str(error)
            if problem is not None:
                problems.append({"host": host, "param": name, "message": mask.text(problem)})
        return rendered

    def _templating(self, variables: dict[str, Any]) -> AnsibleTemplating:
        return AnsibleTemplating(Templar(loader=self._play.get_loader(), variables=variables))

    def _mask_for(self, host: str, variables: dict[str, Any] | None = None) -> Masker:
        assert self._plan is not None  # noqa: S101 -- for the type checker
        if host not in self._masks:
            if variables is None:
                manager = self._play.get_variable_manager()
                found = manager._inventory.get_host(host)  # noqa: SLF001 -- as Ansible's own callbacks
                variables = manager.get_vars(play=self._play, host=found) if found else {}
            self._hide(host, secrets_of(self._plan, variables, self._templating(variables)))
        return self._masks[host]

    def _hide(self, host: str, secrets: frozenset[str]) -> None:
        known = self._secrets.get(host, frozenset())
        if host not in self._masks or not secrets <= known:
            self._secrets[host] = known | secrets
            self._masks[host] = masker_of(self._secrets[host])

    def _learn_secrets(self, host: str, result: Any) -> None:
        """Hide also what the role of a task keeps sealed, and what a called runbook was given."""
        assert self._plan is not None  # noqa: S101 -- for the type checker
        self._mask_for(host)
        role = result.task._role  # noqa: SLF001 -- no public name
        if role is not None:
            kept = {**role.get_default_vars(), **role.get_vars(include_params=False)}
            self._hide(host, secrets_in(kept, ()))
        given = result.result.get("given")
        if result.task.action == "runbook_begin" and isinstance(given, Mapping):
            self._hide(host, secrets_given(self._plan, given))

    def v2_runner_on_start(self, host: Any, task: Any) -> None:
        """Tell which task a host begins.

        A look is begun once there is a processor for it, no task of a fix once its lease is over.
        """
        if self._plan is None:
            return
        if task.action == "runbook_observe":
            self._pace.begin(task._uuid)  # noqa: SLF001 -- no public name
        name = host.get_name()
        if task.action == "runbook_begin" and task.args.get("lease") != "none":
            self._leases.take(name)
        if task.action in OURS:
            return
        if late := self._leases.over():
            self._break_off(late)
        self._tell("began", host=name, task=self._mask_for(name).text(task.get_name().strip()))

    def _break_off(self, late: tuple[str, ...]) -> None:
        """End this process and its workers before the task begins: others may be at work there."""
        reason = (
            f"the lease on the host was over, as Ansible was stopped, asleep or held up for more than"
            f" {self._leases.seconds:.0f} s: nothing more was begun"
        )
        for host in late:
            self._tell("lost", host=host, reason=reason)
        os.killpg(0, signal.SIGKILL)

    def v2_runner_on_ok(self, result: Any) -> None:
        """Tell a result that is neither failed nor skipped."""
        status = "changed" if result.result.get("changed") else "ok"
        self._on_result(result, status)

    def v2_runner_on_failed(self, result: Any, ignore_errors: bool = False) -> None:
        """Tell a failure; one its author ignores is not the fix's failure."""
        if not ignore_errors and _was_cut_off(result.result):
            self._keep_lease(result.host.get_name())
            self._on_result(result, "unreachable")
            return
        self._on_result(result, "ignored" if ignore_errors else "failed")

    def _keep_lease(self, host: str) -> None:
        """Have `runbook_end` keep what others wait for: the module may be at work there still."""
        if self._plan is not None:
            with (self._folder / CUT_OFF_FILE).open("a", encoding="utf-8") as file:
                file.write(f"{host}\n")

    def v2_runner_on_skipped(self, result: Any) -> None:
        """Tell a task that did not run; in a preview these cannot be predicted."""
        self._on_result(result, "skipped")

    def v2_runner_on_unreachable(self, result: Any) -> None:
        """Tell a host that could not be reached."""
        self._on_result(result, "unreachable")

    def _on_result(self, result: Any, status: str) -> None:
        if self._plan is None:
            return
        host = result.host.get_name()
        action = result.task.action
        data = result.result
        self._learn_secrets(host, result)
        if action == "runbook_observe" and "runbook" in data:
            # Ours, a long text: who it is of is added to it, after all else, which so cannot change it.
            whose = json.dumps({"kind": "observed", "host": host})
            self._write(f"{data['runbook'][:-1]}, {whose[1:]}")
            return
        if action in OURS and status in ("ok", "changed"):
            self._tell("ours", host=host, task=action)
            return
        mask = self._mask_for(host)
        self._tell(
            "task",
            host=host,
            task=action if action in OURS else mask.text(result.task.get_name().strip()),
            ours=action in OURS,
            status=status,
            check=bool(result.task.vars.get("runbook_check")),
            message=_masked(mask, _message(data), TEXT_LIMIT) if status in TOLD else "",
            diff=_masked(mask, _difference(data), DIFF_LIMIT),
            rendered=self._rendered(mask, result),
        )

    def _rendered(self, mask: Masker, result: Any) -> str:
        """Return a task as it came to the host, a loop item by item; only of a prediction."""
        if not context.CLIARGS.get("check"):
            return ""
        items = self._items.pop(result.host.get_name(), [])
        return "".join(items[:MOST_ITEMS]) or _rendered(mask, result)

    def v2_runner_item_on_ok(self, result: Any) -> None:
        """Keep what an item of a loop came to."""
        if self._plan is not None and context.CLIARGS.get("check"):
            host = result.host.get_name()
            self._items.setdefault(host, []).append(_rendered(self._mask_for(host), result))

    v2_runner_item_on_failed = v2_runner_item_on_skipped = v2_runner_item_on_ok

    def v2_playbook_on_no_hosts_matched(self) -> None:
        """Tell that the pattern names nobody."""
        if self._plan is not None:
            self._tell("nobody")

    def v2_playbook_on_stats(self, stats: Any) -> None:  # noqa: ARG002 -- Ansible's signature
        """Tell that the playbook came to its end."""
        if self._plan is not None:
            self._tell("end")


def _groups(host: Any) -> list[str]:
    return sorted(group.name for group in host.get_groups() if group.name != "all")


def _masked(mask: Masker, text: str, limit: int) -> str:
    """Mask and cut, without looking through all that a host cares to send."""
    if len(text) <= 4 * limit:
        return mask.text(text)[:limit]
    # The cut may go through a secret, whose first part is then not known as one.
    return mask.text(text[: 4 * limit + EDGE])[:-EDGE][:limit]


def _rendered(mask: Masker, result: Any) -> str:
    """Return the task's module with its arguments as rendered for the host, masked, as YAML."""
    data = result.result
    if result.task.action.endswith("validate_argument_spec"):
        return ""  # Ansible's own, and longer than all of the role's tasks.
    if data.get("_ansible_no_log") or "censored" in data or result.task.no_log:
        return f"{result.task.action}: hidden by no_log"
    given = (result.task_fields.get("args") or {}).items()
    own = {name: value for name, value in given if not name.startswith("_ansible_")}
    try:
        arguments = plain(own, max_characters=DIFF_LIMIT)
    except TooMuchError:
        return f"{result.task.action}: its arguments are too long to be shown"
    body = {str(result.task.action): mask.value(arguments)}
    return yaml.safe_dump(body, sort_keys=False, allow_unicode=True, width=1000)


def _difference(data: dict[str, Any]) -> str:
    hidden = bool(data.get("_ansible_no_log")) or "censored" in data
    return "" if hidden or not data.get("diff") else difference(data["diff"])


def _message(data: dict[str, Any]) -> str:
    if data.get("_ansible_no_log") or "censored" in data:
        return "hidden by no_log"
    parts = _told(data)
    items = data.get("results")
    for item in items[:MOST_ITEMS] if isinstance(items, list) else ():
        if isinstance(item, dict) and item.get("failed"):
            parts += _told(item)
    return "\n".join(parts)


def _told(data: dict[str, Any]) -> list[str]:
    parts = [str(data[key]) for key in ("msg", "skip_reason") if data.get(key)]
    if data.get("rc") not in (None, 0):
        parts.append(f"rc {data['rc']}")
    if _was_cut_off(data):
        parts = ["the connection was cut before an answer came", *parts]
    # What is above the last line of a module that broke is its traceback.
    broke = str(data.get("module_stderr") or "").strip().rpartition("\n")[2]
    said = [str(data[key]).strip() for key in ("stderr", "stdout") if data.get(key)]
    return parts + said + ([broke] if broke else [])


def _was_cut_off(data: Mapping[str, Any]) -> bool:
    """Say whether our end of a connection was killed, so that no answer of the module came."""
    rc = data.get("rc")
    return "module_stdout" in data and isinstance(rc, int) and rc < 0
