"""A runbook and runs of it, to be shown."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from types import MappingProxyType

from runbook.driver.approvals import approval_request
from runbook.driver.operator import ApprovalRequest
from runbook.engine import decide, evolve, start
from runbook.executor import HostPreviewed
from runbook.model.decision import Record
from runbook.model.definition import Cause, CheckResult, Fix, FixResult, Json, Runbook
from runbook.model.event import (
    Acted,
    FixApproved,
    FixDeclined,
    FixEnded,
    FixIntended,
    FixVerified,
    HostEvent,
    HostJoined,
    Mode,
    Observed,
)
from runbook.model.observation import Observation, TaskChange, Texts, Verification
from runbook.model.state import HostState
from tests.engine_harness import book, check, fix

SITE_PASSES = "site.answered and site.status not in [502, 503, 504]"

IMPACT = "Requests in flight are dropped for about 2 s"


def site_book() -> Runbook:
    """Return a runbook that finds a stopped backend and restarts it."""
    site = replace(
        check("site", failed="backend", unknown="end:unknown"),
        title="The site answers through nginx",
        passes=SITE_PASSES,
    )
    backend = replace(
        check("backend", passed="end:unresolved", failed="restart", unknown="end:unknown"),
        title="The backend service is running",
        passes="backend.running",
    )
    restart = replace(
        fix(
            "restart",
            symptom="site",
            verify_cause="backend",
            cause="backend_stopped",
            cause_removed="site",
        ),
        title="Restart {{ backend_service }}",
        impact=IMPACT,
    )
    found = book(site, backend, restart)
    cause = Cause(id="backend_stopped", title="The backend service is not running", likelihood=0.7)
    return replace(
        found,
        name="fix-502",
        title="502 Bad Gateway from nginx in front of a Python backend",
        causes={cause.id: cause},
    )


def seen(
    result: str, expected: str | None = None, reason: str | None = None, **facts: Json
) -> Observation:
    """Build an observation."""
    return Observation(
        result=CheckResult(result), expected=expected, reason=reason, facts=facts, seen_at=1.8e9
    )


def broken(status: int = 502, state: str = "FATAL") -> dict[str, Observation]:
    """Return what is seen of a host whose backend is down."""
    return {
        "site": seen("failed", SITE_PASSES, answered=True, status=status, error=None),
        "backend": seen("failed", "backend.running", running=False, exists=True, state=state),
    }


def well() -> dict[str, Observation]:
    """Return what is seen of a host that is well."""
    return {
        "site": seen("passed", SITE_PASSES, answered=True, status=200, error=None),
        "backend": seen("passed", "backend.running", running=True, exists=True, state="RUNNING"),
    }


def unreachable(
    reason: str = "unreachable: ssh: connect to host port 22: timed out",
) -> dict[str, Observation]:
    """Return what is seen of a host that is not there, or could not be looked at for a reason."""
    return {name: seen("unknown", reason=reason) for name in ("site", "backend")}


TEXTS = {"restart": Texts(title="Restart myapp", impact=IMPACT)}


@dataclass(kw_only=True)
class Play:
    """Hosts walking through a runbook: `on` takes events and yields all that follow from them."""

    runbook: Runbook = field(default_factory=site_book)
    mode: Mode = Mode.RUN
    states: dict[str, HostState] = field(default_factory=dict)

    def on(self, *events: HostEvent) -> Iterator[HostEvent]:
        """Take events, each followed by what only has to be written down."""
        for event in events:
            self.states.setdefault(event.host, start(self.runbook, event.host))
            yield self._take(event)
            while isinstance(
                decision := decide(self.runbook, self.states[event.host], self.mode), Record
            ):
                yield self._take(decision.event)

    def _take(self, event: HostEvent) -> HostEvent:
        self.states[event.host] = evolve(self.runbook, self.states[event.host], event)
        return event

    def joined(self, *hosts: str) -> list[HostEvent]:
        """Have hosts join."""
        for host in hosts:
            self.states[host] = start(self.runbook, host)
        return [self._take(HostJoined(host=host)) for host in hosts]


def looked(host: str, observations: Mapping[str, Observation]) -> Observed:
    """Build the event of looking at a host."""
    return Observed(host=host, observations=observations, texts=TEXTS)


def approved(host: str, step: str = "restart") -> FixApproved:
    """Build a yes."""
    return FixApproved(host=host, step=step, by="ann", digest="d")


def declined(host: str, step: str = "restart", reason: str = "") -> FixDeclined:
    """Build a no."""
    return FixDeclined(host=host, step=step, by="ann", reason=reason)


def intended(host: str, step: str = "restart") -> FixIntended:
    """Build an intent."""
    return FixIntended(host=host, step=step, attempt=1, invocation="i")


def ended(host: str, acted: Acted = Acted.CHANGED, reason: str | None = None) -> FixEnded:
    """Build the end of an action."""
    change = TaskChange(name="Restart the service", status="changed")
    return FixEnded(host=host, step="restart", acted=acted, changes=(change,), reason=reason)


def verified(host: str, result: FixResult) -> FixVerified:
    """Build a verification."""
    good = result is FixResult.RESOLVED
    observations = well() if good else broken()
    verification = Verification(result=result, observations=observations)
    return FixVerified(host=host, step="restart", verification=verification)


def fixed(host: str, result: FixResult = FixResult.RESOLVED) -> Sequence[HostEvent]:
    """Return all events from the approval of the fix to its verification."""
    return approved(host), intended(host), ended(host), verified(host, result)


DIFF = """\
--- before: /etc/systemd/system/myapp.service
+++ after: /etc/systemd/system/myapp.service
@@ -1,3 +1,3 @@
 [Service]
-ExecStart=/srv/myapp/.venv/bin/uvicorn app.main:app --port 8001
+ExecStart=/srv/myapp/.venv/bin/uvicorn app.main:app --port 8000
 Restart=on-failure
"""


UNIT = """\
ansible.builtin.template:
  src: myapp.service.j2
  dest: /etc/systemd/system/myapp.service
"""


def predicted(host: str, diff: str = DIFF, failed: str | None = None) -> HostPreviewed:
    """Build what Ansible predicts for a host."""
    return HostPreviewed(
        request="r",
        host=host,
        changes=(
            TaskChange(name="Install the unit", status="changed", diff=diff, rendered=UNIT),
            TaskChange(name="Make sure that the folder is there", status="ok"),
            TaskChange(name="Wait until it answers", status="skipped", message="not in check mode"),
        ),
        failed=failed,
    )


def asked(
    play: Play, *hosts: str, previews: Mapping[str, HostPreviewed] | None = None
) -> ApprovalRequest:
    """Build the request to approve the restart on hosts of a play that stand at it."""
    if previews is None:
        previews = {host: predicted(host) for host in hosts}
    fix_step = play.runbook.steps["restart"]
    assert isinstance(fix_step, Fix)
    return approval_request(play.runbook, fix_step, hosts, play.states, previews)


def stopped(*hosts: str, state: Mapping[str, str] = MappingProxyType({})) -> Play:
    """Return a play whose hosts have all come to the restart; `state` is the backend's on each."""
    play = Play()
    play.joined(*hosts)
    for host in hosts:
        list(play.on(looked(host, broken(state=state.get(host, "FATAL")))))
    return play
