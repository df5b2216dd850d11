"""Runs that start by themselves, through the real program."""

import json
import re
from contextlib import closing
from dataclasses import replace
from http.client import HTTPConnection
from pathlib import Path

from runbook.journal.sqlite import open_journal
from tests.acceptance.counted_fix import lay_out
from tests.acceptance.program import Program, first_of, wait_until
from tests.acceptance.serving import lines, over, serving, told
from tests.scale.sliced import waves_of
from tests.unit.notify.receivers import chat
from tests.unit.schedule.collecting import collector
from tests.unit.schedule.notifications import alert, notification

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
CROWD_POLICY = """\
policy: here
rules: [{rule: make the file, answer: auto, when: {source: trigger, fix: make}}]
guards: {crowd: 2, ramp: {first: 1}}
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

    A run that a person asks for, twice by one key, goes through the same queue once. Each run that is
    over has sent its trace once, also the one that a person began.
    """
    (tmp_path / "schedules.yml").write_text(SCHEDULES)
    (tmp_path / "policy.yml").write_text(POLICY)
    (tmp_path / "notify.yml").write_text(NOTIFY)
    with collector() as (to, traces), chat() as receiver:
        program = replace(
            program, environment={**program.environment, "OTEL_EXPORTER_OTLP_ENDPOINT": to}
        )
        alone = program("run", "counted-fix", "-i", "inventory.yml", "--host", "alive", "--json",
                        "--source", "schedule")  # fmt: skip
        assert (alone.code, alone.document["verdict"]) == (3, "declined")
        with serving(
            program, "schedules.yml", RUNBOOK_NOTIFY="notify.yml", CHAT_URL=receiver.url
        ) as log:
            wait_until(lambda: over(log))
            (tmp_path / "alive.flag").unlink()
            ended = len(over(log))
            wait_until(lambda: len(over(log)) >= ended + 2)
            asked = [
                program("trigger", "counted-fix", "--host", "alive", "--key", "k", "--json")
                for _ in range(2)
            ]
            wait_until(lambda: any(one.get("trigger") for one in over(log)))

    said = [message["message"].splitlines()[0] for message in receiver.got]
    assert said == ["Resolved on 1 host", "Held back by a guard on 1 host"]
    assert (tmp_path / "alive.counter").read_text() == "x"
    assert [(one.code, one.document["new"]) for one in asked] == [(0, True), (0, False)]
    requests = program("queue", "--limit", "1000", "--json").document["requests"]
    [triggered] = [one for one in requests if one["source"] == "trigger"]
    assert triggered["request"] == asked[0].document["request"] == asked[1].document["request"]
    assert triggered["stage"] == "over"
    runs = program("history", "--json").document["runs"]
    sent = [sum(run["run_id"].encode() in trace for trace in traces) for run in runs]
    assert sent == [1] * len(runs)
    assert triggered["run"] in {run["run_id"] for run in runs}
    assert {run["operator"] for run in runs} == {"schedule", "trigger"}
    assert "declined" in {run["verdict"] for run in runs}
    assert "resolved" in {run["verdict"] for run in runs}


SERVICE = """\
service: here
listen: 127.0.0.1:0
hooks:
  - hook: alertmanager
    kind: alertmanager
    bearer: token
    routes:
      - {route: site, when: {labels.alertname: Site*}, runbook: counted-fix,
         host: "{labels.instance}", within: pair, severity: "{labels.severity}"}
"""
ASKING = """\
policy: here
rules:
  - {rule: look first, answer: ask, expires: 1h, when: {source: alert, severity: critical}}
"""


def test_an_alert_waits_for_a_person_and_is_healed_then(program: Program, tmp_path: Path) -> None:
    """It fires, and a run waits, holding nothing; somebody approves it, and the file is made."""
    (tmp_path / "service.yml").write_text(SERVICE)
    (tmp_path / "policy.yml").write_text(ASKING)
    (tmp_path / "token").write_text("0123456789abcdef\n")
    content = notification(alert("alive:9100"), alert("all"))
    headers = {"Authorization": "Bearer 0123456789abcdef"}

    with serving(program, "service.yml") as log:
        address = first_of(lambda: next(told(log, "listening"), None))["address"]
        connection = HTTPConnection(address)
        connection.request("POST", "/hooks/alertmanager", content, headers)
        answer = json.loads(connection.getresponse().read())
        connection.close()
        wait_until(lambda: list(told(log, "waiting")))
        shown = program("approvals")
        [waiting] = program("approvals", "--json").document["approvals"]
        [run] = program("history", "--json").document["runs"]
        yes = program("approve", str(waiting["approval"]), "--reason", "it is fine")
        wait_until(lambda: list(told(log, "over")))

    assert list(answer["accepted"]) == ["SiteDown-alive:9100"]
    assert list(answer["refused"]) == ["SiteDown-all"]
    assert run["verdict"] == "waiting"
    assert re.search(r"1: Make the file, on alive\n.*cause: The file is missing\n", shown.stdout)
    assert "seen on alive: " in shown.stdout
    assert yes.stdout == "Approval 1 is approved; `runbook serve` goes on with the run.\n"
    assert [line["event"] for line in lines(log)] == [
        "listening", "serving", "told", "refused", "started", "waiting", "answered", "goes on",
        "over", "stopping", "stopped",
    ]  # fmt: skip
    report = program("report", run["run_id"]).stdout
    assert "it is fine" in report
    assert (tmp_path / "alive.counter").read_text() == "x"
    queue = program("queue", "--json").document
    [request] = queue["requests"]
    assert [one["alert"] for one in queue["refused"]] == ["SiteDown-all"]
    assert (request["stage"], request["told"]) == ("over", "resolved")
    assert program("report", run["run_id"], "--format", "json").document["verdict"] == "resolved"


def test_a_dry_run_says_what_it_would_do(program: Program, tmp_path: Path) -> None:
    """The service diagnoses, its log names the fix and what lets it be done; no file is made."""
    (tmp_path / "schedules.yml").write_text(SCHEDULES)
    (tmp_path / "policy.yml").write_text(POLICY)
    with serving(program, "schedules.yml", "--dry-run") as log:
        wait_until(lambda: list(told(log, "would have fixed")))

    would = next(told(log, "would have fixed"))
    assert (would["host"], would["reason"]) == ("alive", "policy here allows it")
    assert not (tmp_path / "alive.flag").exists()
    assert {run["mode"] for run in program("history", "--json").document["runs"]} == {"diagnose"}


def test_a_run_over_many_hosts_is_cut_into_slices_and_stays_one(
    program: Program, tmp_path: Path
) -> None:
    """Two hosts, one to a slice: the second slice has its wave once the first one's host is well."""
    folder = tmp_path / "crowd"
    folder.mkdir()
    names = ("web1", "web2")
    local: dict[str, object] = {"ansible_connection": "local"}
    lay_out(folder, **{name: dict(local) for name in names})
    crowd = replace(program, folder=folder)
    (folder / "schedules.yml").write_text("service: here\nslice_hosts: 1\n")
    (folder / "policy.yml").write_text(CROWD_POLICY)

    with serving(crowd, "schedules.yml") as log:
        crowd("trigger", "counted-fix", "--host", "pair")
        wait_until(lambda: len(over(log)) == 3)

    assert over(log)[-1]["outcome"] == "resolved in 2 slices"
    run = over(log)[-1]["run"]
    [listed] = crowd("history", "--json").document["runs"]
    assert (listed["run_id"], listed["verdict"]) == (run, "resolved")
    assert [one["hosts"] for one in listed["slices"]] == [["web1"], ["web2"]]
    report = crowd("report", "last", "--json").document
    assert report["run_id"] == run
    assert {host: told["verdict"] for host, told in report["hosts"].items()} == dict.fromkeys(
        names, "resolved"
    )
    assert [(folder / f"{name}.counter").read_text() for name in names] == ["x", "x"]
    with closing(open_journal(crowd.home / "journal.sqlite")) as journal:
        assert waves_of(journal, run) == [1, 1]
