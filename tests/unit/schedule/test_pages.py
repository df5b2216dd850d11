"""What a service answers whoever watches over it, and that rules and dashboard ask for nothing else."""

import json
import re
import shutil
import subprocess
import tomllib
from collections.abc import Iterator
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta
from http import HTTPStatus
from pathlib import Path
from urllib.error import HTTPError
from urllib.request import urlopen

import pytest
import yaml
from prometheus_client.parser import text_string_to_metric_families

from runbook import __version__
from runbook.executor.scripted import ScriptedFix
from runbook.journal import RunSummary
from runbook.journal.memory import MemoryJournal
from runbook.model.definition import FixResult
from runbook.model.event import HostFinished, Mode, RunFinished, RunStarted
from runbook.model.observation import Verification
from runbook.model.policy import Source
from runbook.model.verdict import Verdict
from runbook.schedule.listener import Listener
from runbook.schedule.metrics import NAMES
from runbook.schedule.pages import STALE_S, Pages
from runbook.schedule.queue import Queue
from runbook.schedule.requests import Request
from runbook.schedule.state import FileState, State
from tests.unit.driver.stage import ONE_FIX, Person, Stage, host

CONTRIB = Path(__file__).parents[3] / "contrib"
USELESS = ScriptedFix(verification=Verification(result=FixResult.NO_EFFECT))


@dataclass
class World:
    """A service's journal and queue, at a time that the test says."""

    state: State
    journal: MemoryJournal = field(default_factory=MemoryJournal)
    now: float = 100.0
    paused: bool = False

    def __post_init__(self) -> None:
        self.queue = Queue(self.state)
        self.pages = Pages(
            journal=self.journal,
            queue=self.queue,
            is_paused=lambda: self.paused,
            undelivered=lambda: 3,
            clock=lambda: self.now,
        )

    def run(self, run: str, by: str, *, fix: ScriptedFix) -> None:
        """Have a run of one host end."""
        Stage(
            runbook=replace(ONE_FIX, evidence_max_age_s=1e12),
            hosts={"web1": host(fixes={"restart": [fix]})},
            operator=Person(name=by),
            journal=self.journal,
            run=run,
            now=self.now,
        ).play()

    def metrics(self) -> dict[str, float]:
        """Return what Prometheus reads, each with its labels."""
        page = self.pages.page("/metrics")
        assert page is not None
        assert (page.status, page.kind[:10]) == (HTTPStatus.OK, "text/plain")
        return {
            sample.name + "".join(f" {value}" for value in sample.labels.values()): sample.value
            for family in text_string_to_metric_families(page.content)
            for sample in family.samples
        }


@pytest.fixture
def world(tmp_path: Path) -> Iterator[World]:
    """Give a world."""
    state = FileState(tmp_path / "service.sqlite")
    yield World(state)
    state.close()


def test_metrics_add_up_what_runs_came_to(world: World) -> None:
    """Runs, verdicts, causes, fixes and time to repair of what was written since; each once."""
    world.run("r1", "ann", fix=ScriptedFix())
    assert world.metrics()["runbook_runs_total example resolved person"] == 1
    world.run("r2", "alert", fix=USELESS)

    told = world.metrics()

    assert told["runbook_runs_total example resolved person"] == 1
    assert told["runbook_runs_total example unresolved alert"] == 1
    assert told["runbook_hosts_total example unresolved"] == 1
    assert told["runbook_causes_total example stopped"] == 2
    assert told["runbook_fixes_total example restart resolved"] == 1
    assert told["runbook_fixes_total example restart no_effect"] == 1
    assert told["runbook_repair_seconds_bucket example 5"] == 1
    assert told["runbook_repair_seconds_bucket example +Inf"] == 1
    assert told["runbook_repair_seconds_count example"] == 1


def test_a_run_that_waits_counts_once_it_is_over(world: World) -> None:
    """Neither the run nor its cause is counted while it waits for an answer."""
    waiting = RunFinished(verdict=Verdict.WAITING)
    finished = HostFinished(host="web1", verdict=Verdict.WAITING, causes=("stopped",))
    started = RunStarted(runbook="example", closure="c", pattern="all", mode=Mode.RUN)
    world.journal.begin(
        RunSummary(
            id="r1",
            runbook="example",
            mode=Mode.RUN,
            pattern="all",
            operator="alert",
            started_at=world.now,
        )
    )
    world.metrics()
    world.journal.append("r1", [started, finished, waiting], at=world.now, who="alert")

    assert not [name for name in world.metrics() if name.startswith("runbook_runs_total")]

    over = RunFinished(verdict=Verdict.RESOLVED)
    world.journal.append("r1", [over], at=world.now, who="alert")
    assert world.metrics()["runbook_runs_total example resolved alert"] == 1


def test_metrics_tell_how_the_service_stands(world: World) -> None:
    """Queue, its oldest request, pause, undelivered messages, version: as they are when asked."""
    due = datetime.fromtimestamp(world.now, tz=UTC)
    for number in range(2):
        request = Request(
            key=f"k{number}",
            source=Source.TRIGGER,
            asker="ann",
            runbook="fix-502",
            pattern="web1",
            line="l",
            due=due + timedelta(seconds=number),
        )
        world.queue.put(request, due)
    world.now += 60
    world.paused = True

    told = world.metrics()

    assert told["runbook_requests queued"] == 2
    assert told["runbook_requests running"] == 0
    assert told["runbook_oldest_request_age_seconds"] == 60
    assert told["runbook_approvals_waiting"] == 0
    assert told["runbook_paused"] == 1
    assert told["runbook_notices_undelivered"] == 3
    assert told["runbook_last_turn_timestamp_seconds"] == 100
    assert told[f"runbook_info {__version__}"] == 1
    # Nobody is called where the state is a file.
    assert not [name for name in told if name.startswith("runbook_worker")]


def test_a_service_that_stands_still_is_not_well(world: World) -> None:
    """Over HTTP: well and ready; not after a minute without a turn; not ready without its state."""
    listener = Listener("127.0.0.1", 0, (), lambda _: pytest.fail("nobody calls"), world.pages.page)

    def status(path: str) -> int:
        try:
            with urlopen(f"http://{listener.address}{path}", timeout=10) as answer:
                return int(answer.status)
        except HTTPError as error:
            error.close()
            return error.code

    try:
        assert [status(path) for path in ("/healthz", "/readyz", "/metrics?x=1")] == [200] * 3
        world.now += STALE_S + 1
        assert (status("/healthz"), status("/readyz")) == (503, 503)
        world.pages.turned()
        assert (status("/healthz"), status("/readyz")) == (200, 200)
        world.journal.close()
        assert (status("/healthz"), status("/readyz"), status("/metrics")) == (200, 503, 503)
        assert status("/hooks/none") == 404
    finally:
        listener.close()


def test_labels_are_text_whatever_is_in_them(world: World) -> None:
    """A quotation mark, a backslash and a line break in a name are read back as they were."""
    figures = world.pages._figures
    figures._count("causes", runbook='a"b\\c\nd', cause="x")

    assert world.metrics()['runbook_causes_total a"b\\c\nd x'] == 1


def test_rules_and_dashboard_ask_for_what_there_is() -> None:
    """Every metric that they name is told; promtool, where there is one, finds the rules sound."""
    rules = CONTRIB / "prometheus" / "runbook.rules.yml"
    [group] = yaml.safe_load(rules.read_text())["groups"]
    board = json.loads((CONTRIB / "grafana" / "runbook.json").read_text())
    queries = [rule["expr"] for rule in group["rules"]]
    queries += [target["expr"] for panel in board["panels"] for target in panel["targets"]]

    asked = {name for query in queries for name in re.findall(r"\brunbook_[a-z_]+", query)}

    assert asked <= NAMES
    # What is told and what nobody looks at would be told for nothing.
    assert NAMES - asked <= {
        "runbook_repair_seconds_sum",
        "runbook_repair_seconds_count",
        "runbook_info",
    }
    promtool = shutil.which("promtool")
    if promtool is not None:
        subprocess.run([promtool, "check", "rules", rules], check=True)


def test_the_unit_is_sound() -> None:
    """It serves, with SIGTERM to the service alone; systemd, where there is one, agrees."""
    path = CONTRIB / "systemd" / "runbook.service"
    unit = path.read_text()
    assert re.search(r"^ExecStart=.* runbook serve /", unit, re.MULTILINE)
    assert "KillMode=mixed" in unit
    analyze = shutil.which("systemd-analyze")
    if analyze is not None:
        done = subprocess.run(
            [analyze, "verify", path], capture_output=True, text=True, check=False
        )
        assert (done.returncode, done.stderr) == (0, "")


def test_the_container_is_made_of_what_there_is() -> None:
    """It copies what the package is built from and nothing else, and asks for extras that exist."""
    path = CONTRIB / "container" / "Containerfile"
    text = path.read_text()
    root = CONTRIB.parent
    project = tomllib.loads((root / "pyproject.toml").read_text())
    wheel = project["tool"]["hatch"]["build"]["targets"]["wheel"]
    needed = {"pyproject.toml", project["project"]["readme"]}
    needed |= {*wheel["packages"], *wheel["force-include"]}
    copied = re.findall(r"^COPY (.+) /src\S*$", text, re.MULTILINE)
    [extras] = re.findall(r"'/src\[([\w,]+)\]'", text)

    assert {word for words in copied for word in words.split()} == needed
    assert all((root / name).exists() for name in needed)
    assert set(extras.split(",")) <= project["project"]["optional-dependencies"].keys()
    hadolint = shutil.which("hadolint")
    if hadolint is not None:
        subprocess.run([hadolint, path], check=True)
