"""A site heals by itself: real Prometheus, blackbox exporter and Alertmanager, and the real program."""

import subprocess
from pathlib import Path

import pytest

from tests.heal.ground import sandbox
from tests.heal.programs import AMTOOL, PROMTOOL, command_of
from tests.heal.story import scene
from tests.heal.watching import HURRIED, RULES

pytestmark = pytest.mark.prometheus


def test_an_alert_heals_the_site_and_is_resolved(tmp_path_factory: pytest.TempPathFactory) -> None:
    """Nobody touches anything, and with `ask` somebody approves; figures and journal tell both.

    The fault is the same: the backend is stopped. The alert is gone in the end, and what is told of
    that starts nothing.
    """
    folder = tmp_path_factory.mktemp("h")
    said: list[str] = []
    with sandbox(folder) as ground, scene(ground, folder, HURRIED, said.append) as watched:
        reports = [watched.play(answer) for answer in ("auto", "ask")]
        figures = watched.settled_figures(runs=2)
        runs = watched.program("history", "--json").document["runs"]

    for report in reports:
        web1 = report["hosts"]["web1"]
        assert report["verdict"] == "resolved"
        assert [cause["id"] for cause in web1["causes"]] == ["backend_stopped"]
        assert [(fix["outcome"], fix["verified"]) for fix in web1["fixes"]] == [("resolved", True)]
    assert [run["operator"] for run in runs] == ["alert", "alert"]
    assert figures["runbook_runs_total alert fix-502 resolved"] == 2
    assert figures["runbook_causes_total backend_stopped fix-502"] == 2
    [approved] = [line for line in said if "$ runbook approve " in line]
    assert approved.endswith("is approved; `runbook serve` goes on with the run.")


def test_the_rules_fire_when_they_should() -> None:
    """Prometheus finds its rules sound, and they fire on the series of their table, and only there."""
    for what in (["check", "rules", RULES.name], ["test", "rules", "runbook.rules.test.yml"]):
        done = subprocess.run(
            [*command_of(PROMTOOL), *what],
            cwd=RULES.parent,
            capture_output=True,
            text=True,
            check=False,
        )
        assert done.returncode == 0, done.stdout + done.stderr


def test_the_example_of_alertmanagers_configuration_is_sound(tmp_path: Path) -> None:
    """What the page on alerts tells to write into Alertmanager's file, it takes."""
    page = (RULES.parents[2] / "docs/how-to/alerts.md").read_text()
    receivers = page.partition("```yaml\nreceivers:")[2].partition("```")[0]
    file = tmp_path / "alertmanager.yml"
    file.write_text(f"route: {{receiver: runbook}}\nreceivers:{receivers}")

    done = subprocess.run(
        [*command_of(AMTOOL), "check-config", file], capture_output=True, text=True, check=False
    )

    assert done.returncode == 0, done.stdout + done.stderr
