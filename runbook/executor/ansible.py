"""The executor that reaches hosts, by Ansible; `runner` starts the processes.

What a process prints can be forged by hosts, so results come by a file of our own, which only our
callback plugin writes (see `content/callback_plugins`).
"""

import json
import secrets
import threading
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from runbook.errors import RunbookError
from runbook.executor import (
    Deliver,
    Ending,
    InvocationEnded,
    ObserveRequest,
    PreviewRequest,
    Request,
)
from runbook.executor.bounds import Bounds
from runbook.executor.compile import dump, observation_play
from runbook.executor.leftovers import is_at_work
from runbook.executor.plain import words
from runbook.executor.plan import Plan
from runbook.executor.process import Forking, Process
from runbook.executor.runner import Starter
from runbook.executor.target import Target
from runbook.executor.translate import Translator
from runbook.executor.work import compile_request
from runbook.executor.workspace import Workspace
from runbook.model.definition import Json, Runbook

POLL_S = 0.1
"""How often the private channel is read at least: our callback wakes us, but nobody else does."""


@dataclass(kw_only=True)
class AnsibleExecutor:
    """Runs each request in a process of its own, forked from `starter`.

    Without one, or where it has ended or has another configuration, each request starts its own.
    """

    runbook: Runbook
    target: Target
    run: str
    operator: str = ""
    starter: Forking | None = None
    _ahead: Process | None = None

    @contextmanager
    def begun_ahead(self) -> Iterator[None]:
        """Have Ansible read the inventory while it is still being worked out what is asked first.

        What nobody has asked anything by the end of this is ended. What fails is no matter here: who
        asks is told.
        """
        with suppress(OSError, RunbookError):
            self._begin_ahead()
        try:
            yield
        finally:
            process, self._ahead = self._ahead, None
            if process is not None:
                _give_up(process)

    def _begin_ahead(self) -> None:
        starter = self._shared()
        if starter is None:
            return
        name = f"{self.run}-ahead-{secrets.token_hex(3)}"
        workspace = self._workspace(name, self.target.given)
        process = Process(workspace=workspace, starter=starter)
        plan = Plan(run=self.run, request=name, joining=True)
        look = observation_play(self.runbook, plan, str(workspace.plan), "all")
        try:
            process.begin_ahead(self.target, dump([look]))
        except (OSError, RunbookError):
            # Nobody would ever do what is asked of one that was not begun.
            _give_up(process)
            raise
        self._ahead = process

    def start(self, request: Request, deliver: Deliver) -> "AnsibleInvocation":
        """Compile the request and begin; raise RunbookError where there is no place to work in."""
        work = compile_request(self.runbook, self.target, self.run, self.operator, request)
        own = None
        process = self._begun_for(request)
        if process is None:
            shadowed = work.plan.shadowed
            given = {
                name: value for name, value in self.target.given.items() if name not in shadowed
            }
            workspace = self._workspace(request.id, given)
            starter = self._shared()
            try:
                if starter is None:
                    starter = own = Starter.start(self.target.config)
            except RunbookError:
                workspace.remove()
                raise
            process = Process(workspace=workspace, starter=starter)
        workspace = process.workspace
        try:
            playbook = dump([work.play(str(workspace.plan))])
            workspace.ask(playbook=playbook, plan=work.plan.as_data())
        except RunbookError:
            _give_up(process)
            if own is not None:
                own.close()
            raise
        invocation = AnsibleInvocation(
            request=request,
            target=self.target,
            process=process,
            own=own,
            bounds=work.bounds,
            translator=Translator(request=request, sampling=work.plan.sampling),
            deliver=deliver,
        )
        invocation.begin()
        return invocation

    def _begun_for(self, request: Request) -> Process | None:
        """Return what was begun ahead, where it can do a request: one that only looks."""
        process = self._ahead
        if process is None or not isinstance(request, ObserveRequest):
            return None
        self._ahead = None
        if process.starter.is_running():
            return process
        _give_up(process)
        return None

    def _workspace(self, name: str, given: Mapping[str, Json]) -> Workspace:
        """Make a workspace where all is but what is asked; raise RunbookError."""
        workspace = Workspace.create(name)
        try:
            workspace.fill(
                content=Path(self.runbook.folder),
                called=tuple(map(Path, self.runbook.called_folders)),
                roles=self.target.roles,
                defaults={
                    name: param.default
                    for name, param in self.runbook.params.items()
                    if not param.required
                },
                extra=given,
            )
        except RunbookError:
            workspace.remove()
            raise
        return workspace

    def _shared(self) -> Forking | None:
        starter = self.starter
        if starter is None or starter.config != self.target.config or not starter.is_running():
            return None
        return starter

    def orphan(self, invocation: str) -> bool:
        """Say whether Ansible is still at work on an invocation whose driver died."""
        return is_at_work(invocation)


@dataclass(kw_only=True)
class AnsibleInvocation:
    """One ansible-playbook process, and the thread that reads what it tells.

    `own` is a starter that serves nobody else, and ends with it.
    """

    request: Request
    target: Target
    process: Process
    own: Starter | None
    bounds: Bounds
    translator: Translator
    deliver: Deliver
    _ended: threading.Event = field(default_factory=threading.Event)

    def begin(self) -> None:
        """Start the thread."""
        threading.Thread(target=self._run, name=self.request.id, daemon=True).start()

    def cancel(self) -> None:
        """Have Ansible stop; noticed within a fraction of a second."""
        self.process.cancel()

    def wait(self, timeout_s: float | None = None) -> bool:
        """Wait for the end."""
        return self._ended.wait(timeout_s)

    def _run(self) -> None:
        ending = Ending.BROKEN
        reason: str | None = "it could not be started"
        try:
            ending, reason = self._carry_out()
        except OSError as error:
            reason = str(error)
        finally:
            for report in self.translator.finish(ending, reason):
                self.deliver(report)
            self.process.workspace.remove()
            if self.own is not None:
                self.own.close()
            self.deliver(InvocationEnded(request=self.request.id, ending=ending, reason=reason))
            self._ended.set()

    def _carry_out(self) -> tuple[Ending, str | None]:
        process = self.process
        came_to_its_end = False
        try:
            check_mode = isinstance(self.request, PreviewRequest)
            process.start(self.target, self.bounds.at_start(), check_mode=check_mode)
            for record in _records(process):
                came_to_its_end = came_to_its_end or record.get("kind") == "end"
                allowed_s = self.bounds.after(record)
                if allowed_s is not None:
                    process.allow(allowed_s)
                for report in self.translator.feed(record):
                    self.deliver(report)
        finally:
            process.close()
        if came_to_its_end:
            return Ending.COMPLETED, None
        if process.timed_out:
            return Ending.TIMED_OUT, f"more than {process.allowed_s:.0f} s"
        if process.cancelled:
            return Ending.CANCELLED, None
        return Ending.BROKEN, words(process.last_words())


def _give_up(process: Process) -> None:
    """End a process that nobody has asked anything, with its workspace."""
    process.close()
    process.workspace.remove()


def _records(process: Process) -> Iterator[Mapping[str, Any]]:
    """Yield the records of the private channel as they come, to the end of the process."""
    path = process.workspace.results
    rest = b""
    position = 0
    while True:
        running = process.is_running()
        try:
            with path.open("rb") as file:
                file.seek(position)
                data = file.read()
        except FileNotFoundError:
            data = b""
        position += len(data)
        *lines, rest = (rest + data).split(b"\n")
        for line in lines:
            record = _record(line)
            if record is not None:
                yield record
        if not running:
            return
        if not lines:
            process.wait(POLL_S)


def _record(line: bytes) -> Mapping[str, Any] | None:
    """Read a record; a line that is none is left out, and its host counts as not looked at."""
    try:
        record = json.loads(line)
    except (ValueError, RecursionError):
        return None
    return record if isinstance(record, dict) else None
