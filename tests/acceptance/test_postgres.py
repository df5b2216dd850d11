"""Runs whose journal is in a database: killed in mid-fix, with the server away, and gone on with."""

import time
from contextlib import closing
from dataclasses import replace
from pathlib import Path
from threading import Timer

from runbook.journal import RunFilter
from runbook.journal.postgres import open_journal
from runbook.model.event import FixApproved, FixIntended
from tests.acceptance.program import PATIENCE_S, Program, wait_until
from tests.acceptance.serving import over, working
from tests.postgres import Server
from tests.unit.schedule.collecting import collector

POLICY = """\
policy: here
rules:
  - {rule: make the file, answer: auto, when: {source: trigger, fix: make, host: alive}}
"""
RUN = ("run", "counted-fix", "-i", "inventory.yml", "--host", "alive", "--yes", "--json")


def test_a_run_survives_a_restart_of_the_server_and_its_own_death(
    program: Program, postgres_server: Server, tmp_path: Path
) -> None:
    """One that meets a restart in mid-fix ends as ever; one killed in mid-fix is gone on with.

    Nothing is written to a file, each verdict is in the database, and no fix begins without a yes.
    """
    url = postgres_server.journal()
    program = replace(program, environment={**program.environment, "RUNBOOK_JOURNAL": url})
    counter = tmp_path / "alive.counter"

    with program.started(*RUN, "--set", "takes=3") as running:
        while not counter.exists():
            time.sleep(0.05)
        postgres_server.stop()
        back = Timer(3.0, postgres_server.start)
        back.start()
        said, told = running.communicate(timeout=PATIENCE_S)
        back.join()
    assert running.returncode == 0, told
    assert '"resolved"' in said

    (tmp_path / "alive.flag").unlink()
    counter.unlink()
    with program.started(*RUN, "--set", "takes=2") as running:
        while not counter.exists():
            time.sleep(0.05)
        running.kill()
    refused = program("run", "counted-fix", "-i", "inventory.yml", "--host", "alive", "--yes")
    resumed = program("resume", "last", "--yes", "--json")
    shown = program("history", "--json").document["runs"]
    run = resumed.document["run_id"]
    report = program("report", run, "--json").document

    assert refused.code == 2
    assert "runbook resume" in refused.stderr
    assert resumed.code == 0, resumed.stderr
    assert resumed.document["hosts"]["alive"]["verdict"] in ("resolved", "self_recovered")
    assert (report["run_id"], report["verdict"]) == (run, resumed.document["verdict"])
    assert run in {each["run_id"] for each in shown}
    assert not (program.home / "journal.sqlite").exists()
    with closing(open_journal(url)) as journal:
        runs = journal.runs(RunFilter())
        events = [entry.event for run in runs for entry in journal.entries(run.id)]
        for run in runs:
            journal.verify(run.id)
        assert all(run.verdict is not None for run in runs)
        assert journal.claims() == []
    approved = sum(isinstance(event, FixApproved) for event in events)
    assert sum(isinstance(event, FixIntended) for event in events) <= approved


def test_what_one_machine_asks_for_a_worker_on_another_does(
    program: Program, postgres_server: Server, tmp_path: Path
) -> None:
    """A worker needs no schedules, only the database; without one it says so and does nothing.

    The trace of the run is sent once, although two machines share the journal.
    """
    (tmp_path / "policy.yml").write_text(POLICY)
    alone = program("worker")
    url = postgres_server.journal()
    here = replace(program, environment={**program.environment, "RUNBOOK_JOURNAL": url})
    there = replace(here, home=tmp_path / "another home")

    with collector() as (to, traces), working(there, OTEL_EXPORTER_OTLP_ENDPOINT=to) as log:
        asked = here("trigger", "counted-fix", "--host", "alive", "--json").document
        wait_until(lambda: bool(over(log)))

    assert alone.code == 2
    assert "error: no-database" in alone.stderr
    assert [line["outcome"] for line in over(log)] == ["resolved"]
    [request] = here("queue", "--json").document["requests"]
    assert (request["request"], request["stage"]) == (asked["request"], "over")
    assert here("report", request["run"], "--json").document["verdict"] == "resolved"
    assert [request["run"].encode() in trace for trace in traces] == [True]
    assert (tmp_path / "alive.counter").read_text() == "x"
