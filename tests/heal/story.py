"""One fault, from the moment it is injected until nobody complains any more, told as it happens."""

import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from tests.acceptance.program import PATIENCE_S, Program, first_of, wait_until
from tests.acceptance.serving import lines, serving, told
from tests.heal.ground import Ground
from tests.heal.watching import Pace, Watchers, watching

_TOKEN = "0123456789abcdef0123456789abcdef"
_FIGURES = '{__name__=~"runbook_(runs|causes|fixes)_total|runbook_repair_seconds_sum"}'

_SERVICE = """\
service: home
listen: 127.0.0.1:0
hooks:
  - hook: alertmanager
    kind: alertmanager
    bearer: hook.token
    routes:
      - route: web sites
        when: {labels.alertname: SiteDown, labels.severity: critical}
        runbook: fix-502
        host: "{labels.instance}"
        within: prod
        severity: "{labels.severity}"
"""
_POLICY = """\
policy: home
rules:
  - rule: the backend may be started
    answer: %s
    when: {runbook: fix-502, source: alert, severity: critical, group: prod}
guards:
  budgets: [{fixes: 3, per: host, within: 1h}]
"""


@dataclass(kw_only=True)
class Scene:
    """A site that is watched, and a service that may heal it; `say` hears what happens."""

    ground: Ground
    watchers: Watchers
    program: Program
    log: Path
    say: Callable[[str], None]
    _told: int = 0
    _began: float = field(default_factory=time.monotonic)

    def play(self, answer: str) -> dict[str, Any]:
        """Break the site, and see it healed by a policy that says `answer`; return the run's report.

        Where that is `ask`, somebody approves of it from a process of their own. Raises
        AssertionError where something does not come about.
        """
        (self.program.folder / "policy.yml").write_text(_POLICY % answer)
        self._told, self._began = len(lines(self.log)), time.monotonic()
        self._tell(f"the policy says {answer}; the site answers {self.ground.status()}")
        self.ground.stop_backend()
        self._tell(f"somebody stops the backend: the site answers {self.ground.status()}")
        self._see({"Prometheus: the alert SiteDown fires": self._fires})
        self._see(
            {"Alertmanager calls the webhook: one alert accepted": self._heard("told", "accepted")}
        )
        run = self._line("started")["run"]
        self._tell(f"runbook serve begins run {run} of fix-502 on web1")
        if answer == "ask":
            self._approve()
        self._see(
            {
                "the site answers 200 again": lambda: self.ground.status() == 200,
                "Prometheus: the alert is gone": lambda: not self.watchers.alert(),
                "Alertmanager tells that it is resolved: nothing starts": self._heard(
                    "told", "resolved"
                ),
                "the fix has held, the run is over": self._heard("over"),
            }
        )
        return self.program("report", run, "--format", "json").document

    def settled_figures(self, *, runs: int) -> dict[str, float]:
        """Return what Prometheus has of the service's figures, once it has those of so many runs."""
        wait_until(lambda: self.watchers.figures(f"sum(runbook_runs_total) >= {runs}"))
        return self.watchers.figures(_FIGURES)

    def _approve(self) -> None:
        self._see({"the run waits for an approval, and holds nothing": self._heard("waiting")})
        [waiting] = self.program("approvals", "--json").document["approvals"]
        self._tell("another terminal, $ runbook approvals")
        self.say(self.program("approvals").stdout.rstrip())
        number = str(waiting["approval"])
        said = self.program("approve", number, "--reason", "seen in the graphs").stdout.strip()
        self._tell(f"another terminal, $ runbook approve {number}: {said}")
        self._see({"runbook serve goes on with the run": self._heard("goes on")})

    def _fires(self) -> bool:
        return self.watchers.alert() == "firing"

    def _see(self, expected: Mapping[str, Callable[[], bool]]) -> None:
        """Wait until all of it has come about, in whichever order, and tell of each when it does."""
        left = dict(expected)
        deadline = time.monotonic() + PATIENCE_S
        while left:
            assert time.monotonic() < deadline, f"did not come about: {', '.join(left)}"
            ends = [line["outcome"] for line in told(self.log, "over")]
            assert set(ends) <= {"resolved"}, ends
            for what in [what for what, true in left.items() if true()]:
                del left[what]
                self._tell(what)
            time.sleep(0.1)

    def _heard(self, event: str, detail: str = "event") -> Callable[[], bool]:
        """Return what says whether the service's log tells of an event since the story began."""
        return lambda: any(
            line["event"] == event and detail in line for line in lines(self.log)[self._told :]
        )

    def _line(self, event: str) -> dict[str, str]:
        """Wait for the log to tell of an event, and return the line."""
        wait_until(self._heard(event))
        return next(line for line in lines(self.log)[self._told :] if line["event"] == event)

    def _tell(self, what: str) -> None:
        self.say(f"{time.monotonic() - self._began:7.1f} s  {what}")


@contextmanager
def scene(ground: Ground, folder: Path, pace: Pace, say: Callable[[str], None]) -> Iterator[Scene]:
    """Have a site watched, and a service wait for what is told of it."""
    program = Program(home=folder / "home", folder=folder, before=ground.before)
    (folder / "service.yml").write_text(_SERVICE)
    (folder / "hook.token").write_text(_TOKEN)
    (folder / "policy.yml").write_text(_POLICY % "deny")
    inventory = {"RUNBOOK_INVENTORY": str(ground.inventory)}
    with serving(program, "service.yml", **inventory) as log:
        address = first_of(lambda: _address(log))
        with watching(ground, folder, pace, address, _TOKEN) as watchers:
            watched = Scene(ground=ground, watchers=watchers, program=program, log=log, say=say)
            wait_until(lambda: watchers.figures("probe_success == 1"))
            say(f"Prometheus, the blackbox exporter and Alertmanager watch {ground.title}")
            yield watched


def _address(log: Path) -> str | None:
    """Return where the service listens."""
    return next((line["address"] for line in told(log, "listening")), None)
