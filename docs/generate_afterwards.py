"""Write the example report and drawing of docs/how-to/afterwards.md.

python docs/generate_afterwards.py
"""

from collections.abc import Mapping
from datetime import UTC
from pathlib import Path

from runbook.journal import Entry, RunSummary
from runbook.journal.memory import MemoryJournal
from runbook.model.definition import CheckResult, End, FixResult, Goto
from runbook.model.event import (
    Acted,
    CauseFound,
    Event,
    FixApproved,
    FixConcluded,
    FixEnded,
    FixIntended,
    FixVerified,
    HostFinished,
    HostJoined,
    Mode,
    Observed,
    RunFinished,
    RunStarted,
    StepConcluded,
)
from runbook.model.observation import Observation, TaskChange, Texts, Verification
from runbook.model.verdict import Verdict
from runbook.spec.library import load
from runbook.views.paths import sketched, titles_of
from runbook.views.report_html import report_html
from runbook.views.report_story import account_of
from runbook.views.taken import taken_by, titles_for, walked_tree
from runbook.views.tree_svg import tree_page

ROOT = Path(__file__).resolve().parent.parent
FOLDER = ROOT / "docs" / "how-to" / "afterwards"

_RUN = "20260215-031200-9f3a"
_START = 1771125120.0  # 2026-02-15 03:12:00 UTC
_TEXTS = {
    "state": Texts(title="webmagic-celery is running, says systemd"),
    "has_port": Texts(title="Does webmagic-celery listen on a port?"),
    "why": Texts(title="Is it known, and is it not being started already?"),
    "has_log": Texts(title="Is it known where webmagic-celery writes its errors?"),
    "log_space": Texts(title="There is room for the log of webmagic-celery"),
    "traceback": Texts(title="The log of webmagic-celery does not end in a failed import"),
    "reason": Texts(title="Was it killed for lack of memory?"),
    "start": Texts(title="Start webmagic-celery", impact="Jobs that wait are worked on at once"),
}
_EXPECTED = {
    "state": "state.running",
    "log_space": "log_space.free_bytes > 50000000",
    "traceback": "traceback.type is none",
}


def files() -> Mapping[Path, str]:
    """Return the content of each file."""
    summary, entries = _written()
    account = account_of(summary, entries)
    drawing = tree_page(
        f"service-down, run {_RUN}",
        walked_tree(account),
        titles_for(account),
        taken=taken_by(account.hosts.values()),
    )
    return {
        FOLDER / "report.html": report_html(summary, entries, zone=UTC) + "\n",
        FOLDER / "service-down.svg": drawing,
    }


def _written() -> tuple[RunSummary, list[Entry]]:
    runbook = load("service-down", [ROOT / "runbooks"])
    started = RunStarted(
        runbook=runbook.name,
        closure="0",
        pattern="workers",
        mode=Mode.RUN,
        title=runbook.title,
        causes={cause.id: cause.title for cause in runbook.causes.values()},
        steps=titles_of(runbook),
        tree=sketched(runbook),
        operator="anna",
    )
    journal = MemoryJournal()
    journal.begin(
        RunSummary(
            id=_RUN,
            runbook=runbook.name,
            mode=Mode.RUN,
            pattern="workers",
            operator="anna",
            started_at=_START,
        )
    )
    for at, events in (
        (0.0, [started]),
        (0.4, [HostJoined(host=host) for host in ("worker1", "worker2", "worker3")]),
        (1.9, [*_stopped("worker1"), *_well("worker3")]),
        (2.1, _full("worker2")),
        (31.0, _approved("worker1")),
        (33.2, _ended("worker1")),
        (44.0, [*_resolved("worker1"), RunFinished(verdict=Verdict.ESCALATED)]),
    ):
        journal.append(_RUN, events, at=_START + at, who="anna")
    return journal.find(_RUN), list(journal.entries(_RUN))


def _look(step: str, result: CheckResult, **facts: object) -> Observation:
    return Observation(
        result=result,
        facts=facts,
        expected=_EXPECTED.get(step),
        seen_at=_START + 1.8,
        took_s=0.02,
    )


def _chose(*cases: str) -> Observation:
    return Observation(result=CheckResult.PASSED, facts={"cases": list(cases)})


def _walk(host: str, *steps: tuple[str, str, Observation, Goto | End]) -> list[Event]:
    seen = {step: look for step, _, look, _ in steps}
    return [
        Observed(host=host, observations=seen, texts=_TEXTS),
        *(
            StepConcluded(host=host, step=step, result=result, next=target, evidence=look)
            for step, result, look, target in steps
        ),
    ]


def _well(host: str) -> list[Event]:
    running = _look("state", CheckResult.PASSED, running=True, state="active", pid=811)
    return [
        *_walk(
            host,
            ("state", "passed", running, Goto(step="has_port")),
            ("has_port", "otherwise", _chose("false"), End(verdict=Verdict.HEALTHY)),
        ),
        HostFinished(host=host, verdict=Verdict.HEALTHY),
    ]


def _stopped(host: str) -> list[Event]:
    stopped = _look("state", CheckResult.FAILED, running=False, state="inactive", pid=None)
    space = _look("log_space", CheckResult.PASSED, free_bytes=9_400_000_000)
    clean = _look("traceback", CheckResult.PASSED, type=None)
    return [
        *_walk(
            host,
            ("state", "failed", stopped, Goto(step="why")),
            ("why", "otherwise", _chose("false", "false", "false", "false"), Goto(step="has_log")),
            ("has_log", "case 1", _chose("true"), Goto(step="log_space")),
            ("log_space", "passed", space, Goto(step="traceback")),
            ("traceback", "passed", clean, Goto(step="reason")),
            ("reason", "otherwise", _chose("false"), Goto(step="start")),
        ),
        CauseFound(host=host, step="start", cause="stopped", evidence=stopped),
    ]


def _full(host: str) -> list[Event]:
    stopped = _look("state", CheckResult.FAILED, running=False, state="failed", pid=None)
    full = _look("log_space", CheckResult.FAILED, free_bytes=0, mount="/var", used_percent=100.0)
    end = End(verdict=Verdict.ESCALATED, cause="disk_full")
    return [
        *_walk(
            host,
            ("state", "failed", stopped, Goto(step="why")),
            ("why", "otherwise", _chose("false", "false", "false", "false"), Goto(step="has_log")),
            ("has_log", "case 1", _chose("true"), Goto(step="log_space")),
            ("log_space", "failed", full, end),
        ),
        HostFinished(host=host, verdict=Verdict.ESCALATED, causes=("disk_full",)),
    ]


def _approved(host: str) -> list[Event]:
    yes = FixApproved(
        host=host, step="start", by="anna", digest="0", reason="nobody stopped it on purpose"
    )
    return [yes, FixIntended(host=host, step="start", attempt=1, invocation="1")]


def _ended(host: str) -> list[Event]:
    changes = (
        TaskChange(
            name="Let it start at boot",
            status="changed",
            diff="--- before\n+++ after\n@@ -1 +1 @@\n-disabled\n+enabled\n",
        ),
        TaskChange(name="Start webmagic-celery", status="changed"),
    )
    return [FixEnded(host=host, step="start", acted=Acted.CHANGED, changes=changes)]


def _resolved(host: str) -> list[Event]:
    running = _look("state", CheckResult.PASSED, running=True, state="active", pid=4711)
    seen = Verification(result=FixResult.RESOLVED, observations={"state": running}, took_s=10.6)
    end = End(verdict=Verdict.RESOLVED, cause="stopped")
    return [
        FixVerified(host=host, step="start", verification=seen),
        FixConcluded(host=host, step="start", result=FixResult.RESOLVED, next=end, cause="stopped"),
        HostFinished(host=host, verdict=Verdict.RESOLVED, causes=("stopped",)),
    ]


if __name__ == "__main__":
    FOLDER.mkdir(exist_ok=True)
    for path, text in files().items():
        path.write_text(text, encoding="utf-8")
