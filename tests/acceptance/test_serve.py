"""Runs that start by the clock, through the real program."""

import json
import os
import signal
import subprocess
from pathlib import Path

from tests.acceptance.program import PATIENCE_S, PROGRAM, Program, wait_until
from tests.unit.notify.receivers import chat

SCHEDULES = """\
service: here
schedules:
  - {schedule: heal, runbook: counted-fix, host: alive, every: 2s}
"""
NOTIFY = """\
notify: here
targets: {chat: {env: CHAT_URL}}
tiers: [{tier: all, targets: [chat], about: [resolved, guard_tripped], collapse: 1s}]
"""
POLICY = """\
policy: here
rules:
  - {rule: make the file, answer: auto, when: {source: schedule, fix: make, host: alive}}
guards:
  budgets: [{fixes: 1, per: host, within: 1d}]
"""


def test_a_schedule_heals_within_its_policy(program: Program, tmp_path: Path) -> None:
    """Without a policy nothing is done; with one the file is made, once a day, and people are told.

    A run that a person asks for, twice by one key, goes through the same queue once.
    """
    (tmp_path / "schedules.yml").write_text(SCHEDULES)
    (tmp_path / "policy.yml").write_text(POLICY)
    (tmp_path / "notify.yml").write_text(NOTIFY)
    alone = program("run", "counted-fix", "-i", "inventory.yml", "--host", "alive", "--json",
                    "--source", "schedule")  # fmt: skip
    assert (alone.code, alone.document["verdict"]) == (3, "declined")

    log = tmp_path / "log"
    with chat() as receiver, log.open("wb") as told:
        service = subprocess.Popen(
            [*PROGRAM, "serve", "schedules.yml", "--json"],
            cwd=program.folder,
            env={
                **os.environ,
                "RUNBOOK_HOME": str(program.home),
                "RUNBOOK_INVENTORY": "inventory.yml",
                "RUNBOOK_POLICY": "policy.yml",
                "RUNBOOK_NOTIFY": "notify.yml",
                "CHAT_URL": receiver.url,
                **program.environment,
            },
            stdin=subprocess.DEVNULL,
            stderr=told,
        )
        try:
            wait_until(lambda: over(log))
            (tmp_path / "alive.flag").unlink()
            ended = len(over(log))
            wait_until(lambda: len(over(log)) >= ended + 2)
            asked = [
                program("trigger", "counted-fix", "--host", "alive", "--key", "k", "--json")
                for _ in range(2)
            ]
            wait_until(lambda: any(one.get("trigger") for one in over(log)))
        finally:
            service.send_signal(signal.SIGTERM)
            code = service.wait(timeout=60)

    assert code == 0
    said = [message["message"].splitlines()[0] for message in receiver.got]
    assert said == ["Resolved on 1 host", "Held back by a guard on 1 host"]
    assert (tmp_path / "alive.counter").read_text() == "x"
    assert [(one.code, one.document["new"]) for one in asked] == [(0, True), (0, False)]
    requests = program("queue", "--limit", "1000", "--json").document["requests"]
    [triggered] = [one for one in requests if one["source"] == "trigger"]
    assert triggered["request"] == asked[0].document["request"] == asked[1].document["request"]
    assert triggered["stage"] == "over"
    runs = program("history", "--json").document["runs"]
    assert triggered["run"] in {run["run_id"] for run in runs}
    assert {run["operator"] for run in runs} == {"schedule", "trigger"}
    assert "declined" in {run["verdict"] for run in runs}
    assert "resolved" in {run["verdict"] for run in runs}


def over(log: Path) -> list[dict[str, str]]:
    """Return what the log says of runs that ended."""
    lines = [json.loads(line) for line in log.read_text().splitlines()]
    return [line for line in lines if line["event"] == "over"]


def test_a_dry_run_says_what_it_would_do(program: Program, tmp_path: Path) -> None:
    """The service diagnoses, its log names the fix and what lets it be done; no file is made."""
    (tmp_path / "schedules.yml").write_text(SCHEDULES)
    (tmp_path / "policy.yml").write_text(POLICY)
    log = tmp_path / "log"
    with log.open("wb") as told:
        service = subprocess.Popen(
            [*PROGRAM, "serve", "schedules.yml", "--dry-run", "--json"],
            cwd=program.folder,
            env={
                **os.environ,
                "RUNBOOK_HOME": str(program.home),
                "RUNBOOK_INVENTORY": "inventory.yml",
                "RUNBOOK_POLICY": "policy.yml",
                **program.environment,
            },
            stdin=subprocess.DEVNULL,
            stderr=told,
        )
        try:
            wait_until(lambda: told_of(log, "would have fixed"))
        finally:
            service.send_signal(signal.SIGTERM)
            service.wait(timeout=PATIENCE_S)

    would = told_of(log, "would have fixed")[0]
    assert (would["host"], would["reason"]) == ("alive", "policy here allows it")
    assert not (tmp_path / "alive.flag").exists()
    assert {run["mode"] for run in program("history", "--json").document["runs"]} == {"diagnose"}


def told_of(log: Path, event: str) -> list[dict[str, str]]:
    """Return what the log says of one kind of event, as far as it is written."""
    whole = log.read_text().rpartition("\n")[0]
    return [line for line in map(json.loads, whole.splitlines()) if line["event"] == event]
