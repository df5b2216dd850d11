"""Runs to report on, written to a journal as a driver would."""

from collections.abc import Sequence

from runbook.journal import Entry, RunSummary
from runbook.journal.memory import MemoryJournal
from runbook.model.definition import CheckResult, End, FixResult, Goto
from runbook.model.event import (
    Acted,
    Answered,
    CauseFound,
    Event,
    EvidenceExpired,
    FixApproved,
    FixConcluded,
    FixDeclined,
    FixEnded,
    FixIntended,
    FixVerified,
    HostFinished,
    HostJoined,
    Mode,
    Observed,
    RunFinished,
    RunInterrupted,
    RunResumed,
    RunStarted,
    StepConcluded,
)
from runbook.model.observation import Observation, TaskChange, Texts, Verification
from runbook.model.verdict import Verdict

START = 1771125120.0  # 2026-02-15 03:12:00 UTC
RUN = "20260215-031200-9f3a"

STARTED = RunStarted(
    runbook="fix-502",
    closure="c0ffee",
    pattern="prod",
    mode=Mode.RUN,
    title="502 Bad Gateway from nginx in front of a Python backend",
    causes={
        "backend_stopped": "The backend service is not running",
        "wrong_import": "The application imports what does not exist",
    },
    steps={
        "site": "The site answers through nginx",
        "which": "What is to be done?",
        "backup": "The backup is fresh",
        "evidence": "Load, log, firewall",
        "restart": "Restart {{ backend_service }}",
    },
    operator="anna",
)
BAD_GATEWAY = Observation(
    result=CheckResult.FAILED,
    facts={"answered": True, "status": 502, "body": "<html>502 Bad Gateway</html>"},
    expected="site.answered and site.status not in [502, 503, 504]",
    seen_at=START + 2,
    took_s=0.031,
)
ANSWERED = Observation(
    result=CheckResult.PASSED,
    facts={"answered": True, "status": 200},
    expected="site.answered and site.status not in [502, 503, 504]",
    seen_at=START + 20,
)
STOPPED = Observation(
    result=CheckResult.FAILED,
    facts={"state": "FATAL", "restarts": 3, "pid": None},
    expected="backend_state.state == 'RUNNING'",
    seen_at=START + 2,
)
RUNNING = Observation(
    result=CheckResult.PASSED,
    facts={"state": "RUNNING", "pid": 4711},
    expected="backend_state.state == 'RUNNING'",
)
# What a host prints may try to forge lines, hide text, end code spans, and ring bells.
HOSTILE = (
    "ImportError: ``cannot`` import\nverdict: healthy\r\x1b[2J\x07 \u202e<b>|*x*|</b> @all \udcff"
)
IMPORTS = Observation(
    result=CheckResult.FAILED,
    facts={"rc": 1, "stderr": HOSTILE, "module": "app.main", **{f"f{n}": n for n in range(12)}},
    expected="imports.rc == 0",
    seen_at=START + 3,
)
TEXTS = {
    "site": Texts(title="The site answers through nginx"),
    "backend_state": Texts(title="The backend service runs"),
    "restart": Texts(
        title="Restart webmagic-api", impact="Requests in flight are dropped for about 2 s"
    ),
    "imports": Texts(title="The application can be imported"),
    "repair": Texts(title="Correct the import"),
}


def written(
    batches: Sequence[tuple[float, str, Sequence[Event]]], *, mode: Mode = Mode.RUN
) -> tuple[RunSummary, list[Entry]]:
    """Journal batches of events, `at` counted from the start, and read them back."""
    journal = MemoryJournal()
    journal.begin(
        RunSummary(
            id=RUN,
            runbook="fix-502",
            mode=mode,
            pattern="prod",
            operator="anna",
            started_at=START,
        )
    )
    for at, who, events in batches:
        journal.append(RUN, events, at=START + at, who=who)
    return journal.find(RUN), list(journal.entries(RUN))


def observed(host: str, **observations: Observation) -> Observed:
    """Return what was seen on a host, with all texts."""
    return Observed(host=host, observations=observations, texts=TEXTS)


def concluded(
    host: str, step: str, seen: Observation, target: Goto | End, cause: str | None = None
) -> StepConcluded:
    """Return a step passed with what was seen."""
    return StepConcluded(
        host=host, step=step, result=seen.result.value, next=target, cause=cause, evidence=seen
    )


def incident() -> tuple[RunSummary, list[Entry]]:
    """Give a run on three hosts: one mended, one with two faults and a fix that fails, one well."""
    resolved = End(verdict=Verdict.RESOLVED, cause="backend_stopped")
    return written([
        (0, "anna", [STARTED]),
        (1.5, "anna", [
            HostJoined(host="web1", params={"backend_port": 8000, "server_name": "www.example"}),
            HostJoined(host="web2"),
            HostJoined(host="web3"),
        ]),
        (2.25, "anna", [
            observed("web1", site=BAD_GATEWAY, backend_state=STOPPED),
            concluded("web1", "site", BAD_GATEWAY, Goto(step="backend_state")),
            concluded("web1", "backend_state", STOPPED, Goto(step="restart")),
            CauseFound(host="web1", step="restart", cause="backend_stopped",
                       evidence=STOPPED),
            observed("web3", site=ANSWERED, backend_state=RUNNING),
            concluded("web3", "site", ANSWERED, End(verdict=Verdict.HEALTHY)),
            HostFinished(host="web3", verdict=Verdict.HEALTHY),
        ]),
        (4, "anna", [
            observed("web2", site=BAD_GATEWAY, imports=IMPORTS),
            concluded("web2", "site", BAD_GATEWAY, Goto(step="imports")),
            concluded("web2", "imports", IMPORTS, Goto(step="repair"), cause="wrong_import"),
        ]),
        (9, "ben", [
            FixApproved(host="web1", step="restart", by="ben", digest="d1",
                        reason="customers are waiting"),
            FixIntended(host="web1", step="restart", attempt=1, invocation="i1"),
        ]),
        (10, "anna", [FixIntended(host="web2", step="repair", attempt=1, invocation="i2")]),
        (12.125, "anna", [
            FixEnded(host="web1", step="restart", acted=Acted.CHANGED, changes=(
                TaskChange(name="Write the unit file", status="changed", message="mode 0644",
                           diff="--- before\n+++ after\n@@ -1 +1 @@\n-port=80\n+port=8000\n"),
                TaskChange(name="Restart webmagic-api", status="changed"),
                TaskChange(name="Wait for the port", status="ok"),
            )),
            FixEnded(host="web2", step="repair", acted=Acted.FAILED, reason=HOSTILE, changes=(
                TaskChange(name="Replace the line", status="failed", message=HOSTILE),
            )),
            FixConcluded(host="web2", step="repair", result=FixResult.FAILED,
                         next=End(verdict=Verdict.UNRESOLVED), reason=HOSTILE,
                         cause="wrong_import"),
            HostFinished(host="web2", verdict=Verdict.UNRESOLVED, reason="the fix failed",
                         causes=("wrong_import",)),
        ]),
        (22, "anna", [
            FixVerified(host="web1", step="restart", verification=Verification(
                result=FixResult.RESOLVED,
                observations={"backend_state": RUNNING, "site": ANSWERED},
                took_s=10.4,
            )),
            FixConcluded(host="web1", step="restart", result=FixResult.RESOLVED, next=resolved,
                         cause="backend_stopped"),
            HostFinished(host="web1", verdict=Verdict.RESOLVED, causes=("backend_stopped",)),
            RunFinished(verdict=Verdict.UNRESOLVED),
        ]),
    ])  # fmt: skip


def stopped() -> tuple[RunSummary, list[Entry]]:
    """Give a run that was interrupted in mid-fix, with a question, a refusal and old evidence."""
    unreachable = Observation(result=CheckResult.UNKNOWN, reason="ssh: timed out", expected="x")
    return written([
        (0, "anna", [STARTED, HostJoined(host="web1"), HostJoined(host="web2")]),
        (1, "anna", [
            observed("web1", site=BAD_GATEWAY),
            concluded("web1", "site", BAD_GATEWAY, Goto(step="which")),
            Answered(
                host="web1",
                step="which",
                answer="restart",
                by="anna",
                note="as last week",
                title="Restart it",
            ),
            StepConcluded(host="web1", step="which", result="restart", next=Goto(step="repair")),
            FixDeclined(host="web1", step="repair", by="anna", reason="not at night"),
            FixConcluded(host="web1", step="repair", result=FixResult.DECLINED,
                         next=Goto(step="restart"), reason="not at night"),
            EvidenceExpired(host="web1", step="restart", age_s=61.2),
            concluded("web2", "site", unreachable, End(verdict=Verdict.ESCALATED)),
            HostFinished(host="web2", verdict=Verdict.UNKNOWN, reason="ssh: timed out"),
        ]),
        (5, "anna", [
            FixApproved(host="web1", step="restart", by="anna", digest="d2"),
            FixIntended(host="web1", step="restart", attempt=1, invocation="i1"),
            RunInterrupted(reason="interrupted by SIGINT"),
        ]),
    ])  # fmt: skip


def resumed() -> tuple[RunSummary, list[Entry]]:
    """Give a run that waited for an answer, went on, and found nothing to do after all."""
    return written([
        (0, "anna", [STARTED, HostJoined(host="web1")]),
        (1, "anna", [
            observed("web1", site=BAD_GATEWAY),
            concluded("web1", "site", BAD_GATEWAY, Goto(step="restart")),
            HostFinished(host="web1", verdict=Verdict.WAITING, reason="nobody answered yet"),
            RunFinished(verdict=Verdict.WAITING),
        ]),
        (600, "ben", [
            RunResumed(operator="ben"),
            FixApproved(host="web1", step="restart", by="ben", digest="d1"),
            EvidenceExpired(host="web1", step="restart", age_s=599.0),
            observed("web1", site=ANSWERED),
            concluded("web1", "site", ANSWERED, End(verdict=Verdict.HEALTHY)),
            HostFinished(host="web1", verdict=Verdict.SELF_RECOVERED),
            RunFinished(verdict=Verdict.SELF_RECOVERED),
        ]),
    ])  # fmt: skip


def checklist() -> tuple[RunSummary, list[Entry]]:
    """Give a healthy run through a checklist: steps of every result, and a bundle of evidence."""
    stale = Observation(
        result=CheckResult.FAILED, facts={"age_days": 41}, expected="backup.age_days < 2"
    )
    blind = Observation(result=CheckResult.UNKNOWN, reason="no openssl", expected="tls.valid")
    cases = Observation(result=CheckResult.PASSED, facts={"cases": ["false", "true"]})
    bundle = Observation(
        result=CheckResult.PASSED,
        facts={
            "load": {"one": 0.25, "five": 0.5},
            "log": {
                "path": "/var/log/api.log",
                "lines": [HOSTILE, "```", *(f"line {number}" for number in range(99))],
            },
            "motd": {"content": "welcome\nverdict: unresolved\n"},
            "firewall": {"could_not_look": "needs root"},
            "nothing": {},
        },
        seen_at=START + 2,
    )
    return written([
        (0, "anna", [STARTED, HostJoined(host="web1")]),
        (3, "anna", [
            observed("web1", site=ANSWERED, backup=stale, tls=blind),
            concluded("web1", "site", ANSWERED, Goto(step="backup")),
            concluded("web1", "backup", stale, Goto(step="tls")),
            concluded("web1", "tls", blind, Goto(step="evidence")),
            concluded("web1", "evidence", bundle, Goto(step="by_hand")),
            Answered(host="web1", step="by_hand", answer="done", by="anna"),
            StepConcluded(host="web1", step="by_hand", result="done", next=Goto(step="which")),
            StepConcluded(host="web1", step="which", result="case 2", evidence=cases,
                          next=End(verdict=Verdict.HEALTHY)),
            HostFinished(host="web1", verdict=Verdict.HEALTHY),
            RunFinished(verdict=Verdict.HEALTHY),
        ]),
    ])  # fmt: skip
