"""A service that acts on nothing: it diagnoses, and its log says what would have been done."""

import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass

from runbook.driver.dry_run import Would, would_have
from runbook.driver.operator import AbsentOperator, ApprovingOperator, Operator
from runbook.driver.policing import PolicedOperator
from runbook.errors import RunbookError
from runbook.journal import Journal
from runbook.model.definition import Runbook
from runbook.model.policy import Policy
from runbook.schedule.queue import Queue
from runbook.schedule.requests import Request
from runbook.settings import Settings
from runbook.spec.loading import load
from runbook.spec.policy_file import load_policy

FILE = "dry-run.sqlite"
"""Its own state, beside that of the service that acts: it takes nothing from it."""


@dataclass(frozen=True, kw_only=True)
class DryRunLog:
    """Hands on what happens to `log`, and after each run what it would have done."""

    log: Callable[[str, Mapping[str, str]], None]
    settings: Settings
    journal: Journal
    queue: Queue

    def __call__(self, what: str, details: Mapping[str, str]) -> None:
        """Take what happens."""
        self.log(what, details)
        kept = self.queue.of_run(details["run"]) if what == "over" and "run" in details else None
        if kept is None or kept.request.diagnose:
            return
        try:
            found = self._found(kept.request, kept.run)
        except RunbookError as error:
            self.log("cannot tell", {"run": kept.run, "reason": error.problems[0].message})
            return
        for one in found:
            self.log(
                "would have fixed" if one.does else "would have left",
                {"run": kept.run, "host": one.host, "fix": one.title, "reason": one.reason},
            )

    def _found(self, request: Request, run: str) -> list[Would]:
        runbook = load(request.runbook, self.settings.library)
        policy = None if self.settings.policy is None else load_policy(self.settings.policy)
        return would_have(runbook, self.journal, run, self._operator(request, runbook, policy))

    def _operator(self, request: Request, runbook: Runbook, policy: Policy | None) -> Operator:
        name = request.source.value
        if policy is None:
            return AbsentOperator(name=name, because="there is no policy that allows it")
        return PolicedOperator(
            operator=ApprovingOperator(name=name, because=f"policy {policy.name} allows it"),
            policy=policy,
            runbook=runbook,
            journal=self.journal,
            source=request.source,
            severity=request.severity,
            attended=False,
            clock=time.time,
        )
