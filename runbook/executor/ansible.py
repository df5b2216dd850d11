"""The boundary to ansible-runner: the one executor that reaches hosts.

Traps of ansible-runner 2.4 this file is shaped by: events a handler returns False for are not
written to disk, which is what we want; everything under `env/` would override arguments, so it is
suppressed; exit code 254 means both timed out and cancelled, so `status` is read; the results a
process prints can be forged by hosts, so none of them is used (see `content/callback_plugins`).
"""

import json
import os
import re
import sys
import threading
import time
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from runbook.errors import RunbookError
from runbook.executor import (
    Deliver,
    Ending,
    FixRequest,
    InvocationEnded,
    ObserveRequest,
    PreviewRequest,
    Request,
    UndoRequest,
    VerifyRequest,
    WatchRequest,
)
from runbook.executor.compile import (
    PLAYBOOK_FILE,
    Play,
    dump,
    fix_play,
    observation_play,
    preview_play,
    sampling_play,
)
from runbook.executor.plan import (
    Plan,
    Sampling,
    planned_params,
    planned_scopes,
    planned_step,
    planned_texts,
    verified,
    watched,
)
from runbook.executor.target import Target
from runbook.executor.translate import Translator
from runbook.executor.workspace import RESULTS_FILE, Workspace, base_folder
from runbook.model.definition import Action, Check, Fix, Json, Runbook, Watch

POLL_S = 0.02
"""How often the private channel is read; a look costs some microseconds."""

START_S = 60.0
"""What Ansible may take beyond the work itself: start, inventory, connections that hang."""


@dataclass(kw_only=True)
class AnsibleExecutor:
    """Runs requests by ansible-runner, each in a process of its own."""

    runbook: Runbook
    target: Target
    run: str
    operator: str = ""

    def start(self, request: Request, deliver: Deliver) -> "AnsibleInvocation":
        """Compile the request and begin; raise RunbookError where there is no place to work in."""
        work = compile_request(self.runbook, self.run, self.operator, request)
        workspace = Workspace.create(request.id)
        try:
            workspace.fill(
                content=Path(self.runbook.folder),
                roles=self.target.roles,
                playbook=dump([work.play(str(workspace.plan))]),
                plan=work.plan.as_data(),
                defaults={
                    name: param.default
                    for name, param in self.runbook.params.items()
                    if not param.required
                },
                extra=self.target.given,
            )
        except RunbookError:
            workspace.remove()
            raise
        invocation = AnsibleInvocation(
            request=request,
            workspace=workspace,
            target=self.target,
            translator=Translator(request=request, sampling=work.plan.sampling),
            limit_s=work.limit_s,
            deliver=deliver,
        )
        invocation.begin()
        return invocation

    def orphan(self, invocation: str) -> bool:
        """Say whether Ansible is still at work on an invocation whose driver died."""
        folder = base_folder() / invocation
        pid = _process_of(folder / RESULTS_FILE)
        return pid is not None and _runs_playbook(pid, folder)


@dataclass(frozen=True, kw_only=True, slots=True)
class Work:
    """A compiled request."""

    plan: Plan
    limit_s: float
    runbook: Runbook
    request: Request

    def play(self, plan_path: str) -> Play:
        """Return the play, whose tasks read the plan at this path."""
        match self.request:
            case ObserveRequest(pattern=pattern):
                return observation_play(self.runbook, self.plan, plan_path, pattern)
            case FixRequest(fix=step, hosts=hosts):
                fix = _fix(self.runbook, step)
                return fix_play(self.runbook, fix, fix.action, plan_path, hosts, verify=True)
            case UndoRequest(fix=step, hosts=hosts):
                fix = _fix(self.runbook, step)
                return fix_play(self.runbook, fix, _undo(fix), plan_path, hosts, verify=False)
            case PreviewRequest(fix=step, hosts=hosts):
                return preview_play(_fix(self.runbook, step), plan_path, hosts)
            case VerifyRequest(hosts=hosts) | WatchRequest(hosts=hosts):
                return sampling_play(self.runbook, _sampled(self.plan), plan_path, hosts)


def compile_request(runbook: Runbook, run: str, operator: str, request: Request) -> Work:
    """Turn a request into a plan for the plugins and a bound in seconds."""
    everyone: tuple[str, ...] = ()
    wants: Mapping[str, tuple[str, ...]] = {}
    sampling: Sampling | None = None
    lease_s = 0.0
    limit_s = START_S
    match request:
        case ObserveRequest():
            everyone, wants = request.steps, request.wants
        case WatchRequest(step=step):
            watch = runbook.steps[step]
            if not isinstance(watch, Watch):
                raise TypeError(f"{step} is not a watch step")
            sampling = watched(watch, runbook)
        case FixRequest(fix=step) | VerifyRequest(fix=step):
            fix = _fix(runbook, step)
            sampling = verified(fix, runbook)
            if isinstance(request, FixRequest):
                limit_s += fix.timeout_s
        case UndoRequest(fix=step) | PreviewRequest(fix=step):
            limit_s += _fix(runbook, step).timeout_s
    if sampling is not None:
        limit_s += sampling.within_s + sampling.hold_s
    steps = set(everyone).union(*wants.values(), sampling.steps if sampling else ())
    limit_s += _longest_look(runbook, steps)
    if isinstance(request, FixRequest | UndoRequest):
        lease_s = limit_s + START_S
    plan = Plan(
        run=run,
        request=request.id,
        joining=isinstance(request, ObserveRequest) and request.joining,
        params=planned_params(runbook),
        scopes=planned_scopes(runbook),
        steps={id_: planned_step(step) for id_, step in runbook.steps.items() if id_ in steps},
        texts=planned_texts(runbook) if isinstance(request, ObserveRequest) else {},
        everyone=everyone,
        wants=wants,
        known=request.known,
        sampling=sampling,
        lease_s=lease_s,
        operator=operator,
    )
    return Work(plan=plan, limit_s=limit_s, runbook=runbook, request=request)


def _longest_look(runbook: Runbook, steps: set[str]) -> float:
    timeouts = [0.0]
    for step in steps:
        found = runbook.steps[step]
        if isinstance(found, Check):
            timeouts.append(getattr(found.look, "timeout_s", 60.0))
    return sum(sorted(timeouts)[-3:])


def _fix(runbook: Runbook, step: str) -> Fix:
    fix = runbook.steps[step]
    if not isinstance(fix, Fix):
        raise TypeError(f"{step} is not a fix")
    return fix


def _undo(fix: Fix) -> Action:
    if fix.undo is None:
        raise ValueError(f"{fix.id} has no undo")
    return fix.undo


def _sampled(plan: Plan) -> Sampling:
    if plan.sampling is None:
        raise ValueError("the plan says nothing of sampling")
    return plan.sampling


@dataclass(kw_only=True)
class AnsibleInvocation:
    """One ansible-playbook process, and the thread that reads what it tells."""

    request: Request
    workspace: Workspace
    target: Target
    translator: Translator
    limit_s: float
    deliver: Deliver
    _cancelled: threading.Event = field(default_factory=threading.Event)
    _ended: threading.Event = field(default_factory=threading.Event)

    def begin(self) -> None:
        """Start the thread."""
        threading.Thread(target=self._run, name=self.request.id, daemon=True).start()

    def cancel(self) -> None:
        """Ask Ansible to stop; noticed within a fraction of a second."""
        self._cancelled.set()

    def wait(self, timeout_s: float | None = None) -> bool:
        """Wait for the end."""
        return self._ended.wait(timeout_s)

    def _run(self) -> None:
        ending = Ending.BROKEN
        reason: str | None = "it could not be started"
        try:
            ending, reason = self._invoke()
        except RunbookError as error:
            reason = error.render()
        finally:
            for report in self.translator.finish(ending, reason):
                self.deliver(report)
            self.workspace.remove()
            self.deliver(InvocationEnded(request=self.request.id, ending=ending, reason=reason))
            self._ended.set()

    def _invoke(self) -> tuple[Ending, str | None]:
        import ansible_runner  # noqa: PLC0415 -- costs 150 ms, which only runs have to pay

        printed: list[str] = []
        config = ansible_runner.interface.init_runner(
            private_data_dir=str(self.workspace.folder),
            playbook=PLAYBOOK_FILE,
            inventory=[str(self.workspace.defaults), *self.target.inventories],
            cmdline=_command_line(self.target, self.workspace, self.request),
            envvars=_environment(self.target),
            settings={"pexpect_timeout": 0.1, "suppress_output_file": True},
            suppress_env_files=True,
            omit_event_data=True,
            quiet=True,
            timeout=int(self.limit_s) + 1,
            forks=self.target.forks,
            event_handler=lambda event: _keep_text(event, printed),
            cancel_callback=self._cancelled.is_set,
        )
        runner = threading.Thread(target=config.run, name=f"{self.request.id}-runner", daemon=True)
        runner.start()
        ended = False
        for record in _records(self.workspace.results, runner):
            ended = ended or record.get("kind") == "end"
            for report in self.translator.feed(record):
                self.deliver(report)
        status = str(config.status)
        if status == "timeout":
            return Ending.TIMED_OUT, f"more than {self.limit_s:.0f} s"
        if status == "canceled":
            return Ending.CANCELLED, None
        if ended:
            return Ending.COMPLETED, None
        return Ending.BROKEN, _last_words(printed, config.rc)


def _command_line(target: Target, workspace: Workspace, request: Request) -> str:
    import shlex  # noqa: PLC0415 -- only here

    words = ["-e", f"@{workspace.extra}"]
    for value in target.extra_vars:
        words += ["-e", value]
    for value in target.vault_ids:
        words += ["--vault-id", value]
    for value in target.vault_password_files:
        words += ["--vault-password-file", value]
    if isinstance(request, PreviewRequest):
        words += ["--check", "--diff"]
    return shlex.join(words)


def _environment(target: Target) -> dict[str, str]:
    """Return what Ansible's environment gets beside our own."""
    binaries = str(Path(sys.executable).parent)
    environment = {
        "PATH": os.pathsep.join([binaries, os.environ.get("PATH", os.defpath)]),
        "ANSIBLE_PIPELINING": "True",
        "ANSIBLE_RETRY_FILES_ENABLED": "False",
        "ANSIBLE_NOCOLOR": "True",
        "ANSIBLE_LOCALHOST_WARNING": "False",
        "ANSIBLE_INVENTORY_UNPARSED_FAILED": "True",
        "ANSIBLE_INVENTORY_ANY_UNPARSED_IS_FAILED": "True",
        "ANSIBLE_DEPRECATION_WARNINGS": "False",
        "PYTHONWARNINGS": "ignore",
    }
    if target.config is not None:
        environment["ANSIBLE_CONFIG"] = str(target.config)
    return environment


def _keep_text(event: Mapping[str, Any], printed: list[str]) -> bool:
    """Keep the last lines for the case that Ansible never comes to its end; write nothing."""
    text = str(event.get("stdout") or "")
    if text:
        printed.append(text)
        del printed[:-40]
    return False


def _last_words(printed: list[str], rc: Json) -> str:
    text = re.sub(r"\x1b\[[0-9;]*m", "", "\n".join(printed))
    lines = [line.strip() for line in text.splitlines() if line.strip()]
    telling = [line for line in lines if re.search(r"\b(ERROR|FATAL|error)\b", line)]
    words = " ".join((telling or lines)[:6]) or "it said nothing"
    return f"{words[:1500]} (exit code {rc})"


def _records(path: Path, writer: threading.Thread) -> Iterator[Mapping[str, Any]]:
    """Yield the records of the private channel as they come, to the end of the writer."""
    rest = b""
    position = 0
    while True:
        alive = writer.is_alive()
        try:
            with path.open("rb") as file:
                file.seek(position)
                data = file.read()
        except FileNotFoundError:
            data = b""
        position += len(data)
        *lines, rest = (rest + data).split(b"\n")
        for line in lines:
            yield json.loads(line)
        if not alive:
            return
        if not lines:
            time.sleep(POLL_S)


def _process_of(results: Path) -> int | None:
    try:
        with results.open("rb") as file:
            return int(json.loads(file.readline())["pid"])
    except (OSError, ValueError, KeyError):
        return None


def _runs_playbook(pid: int, folder: Path) -> bool:
    """Say whether a process is the ansible-playbook of this workspace, not one that got its pid."""
    try:
        command = Path(f"/proc/{pid}/cmdline").read_bytes()
        state = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0]
    except (OSError, IndexError):
        return False
    return os.fsencode(folder.name) in command and state != "Z"
