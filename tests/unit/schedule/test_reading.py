"""The file of schedules: what it says, and what is wrong with it, as a person reads it."""

import re
from pathlib import Path
from zoneinfo import ZoneInfo

import pytest

from runbook.errors import RunbookError
from runbook.schedule.hooks import Route, Scheme
from runbook.schedule.reading import Timetable, load_timetable
from runbook.schedule.timetable import Cron, Every, Missed, Overlap, Schedule

DOCS = Path(__file__).parents[3] / "docs"
GOLDEN = Path(__file__).parents[2] / "golden" / "schedules"


@pytest.mark.parametrize("name", sorted(path.name for path in GOLDEN.glob("*.yml")))
def test_problems_read_as_written_down(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """All problems at once, each at its place: tests/golden/schedules/NAME.txt."""
    monkeypatch.chdir(GOLDEN)

    with pytest.raises(RunbookError) as caught:
        load_timetable(Path(name))

    assert caught.value.render() + "\n" == Path(name).with_suffix(".txt").read_text("utf-8")


def test_a_file_that_is_not_there_is_named(tmp_path: Path) -> None:
    """The error says which file, and why."""
    with pytest.raises(RunbookError) as caught:
        load_timetable(tmp_path / "schedules.yml")

    [problem] = caught.value.problems
    assert problem.reference == "schedules-unreadable"
    assert "No such file" in problem.message


def test_the_schedules_of_the_documentation_are_sound(tmp_path: Path) -> None:
    """What how-to/schedules.md shows is read without a problem."""
    page = (DOCS / "how-to" / "schedules.md").read_text(encoding="utf-8")
    [shown] = re.findall(r"```yaml\n(.*?)```", page, re.DOTALL)
    (tmp_path / "schedules.yml").write_text(shown)

    timetable = load_timetable(tmp_path / "schedules.yml")

    assert [one.name for one in timetable.schedules] == ["nightly checklist", "disks"]


def test_the_hooks_of_the_documentation_are_sound(tmp_path: Path) -> None:
    """What how-to/alerts.md shows is read without a problem, with the secrets beside it."""
    page = (DOCS / "how-to" / "alerts.md").read_text(encoding="utf-8")
    shown = re.findall(r"```yaml\n(.*?)```", page, re.DOTALL)[0]
    (tmp_path / "service.yml").write_text(shown)
    for name in ("alertmanager.token", "deploys.secret"):
        (tmp_path / name).write_text(f"{name} is the secret\n")

    timetable = load_timetable(tmp_path / "service.yml")

    assert (timetable.listen, timetable.schedules) == (("127.0.0.1", 9180), ())
    first, second = timetable.hooks
    assert (first.scheme, first.secret) == (Scheme.BEARER, b"alertmanager.token is the secret")
    assert first.routes[0] == Route(
        name="web sites",
        runbook="fix-502",
        host="{labels.instance}",
        when={"labels.alertname": ("SiteDown", "SiteSlow"), "labels.severity": ("critical",)},
        within="web",
        given={"backend_port": "{annotations.backend_port}"},
        severity="{labels.severity}",
    )
    assert (second.scheme, second.identity) == (Scheme.HMAC, "{event.id}")
    assert second.routes[0].diagnose


def test_what_is_written_is_meant(tmp_path: Path) -> None:
    """Every key arrives, and what is left out has the value that the schema promises."""
    path = tmp_path / "schedules.yml"
    path.write_text(
        """\
service: home
runs_at_once: 2
slice_hosts: 30
schedules:
  - schedule: nightly
    runbook: checklist-502
    host: web
    mode: diagnose
    set: {backend_port: 8000, strict: true, name: "a b"}
    cron: "30 2 * * *"
    zone: Europe/Berlin
    jitter: 5m
    missed: all
    grace: 1h
    overlap: queue
    paused: true
  - {schedule: often, runbook: disk-full, host: all, every: 15m}
"""
    )

    assert load_timetable(path) == Timetable(
        service="home",
        runs_at_once=2,
        slice_hosts=30,
        schedules=(
            Schedule(
                name="nightly",
                runbook="checklist-502",
                pattern="web",
                rhythm=Cron(expression="30 2 * * *", zone=ZoneInfo("Europe/Berlin")),
                diagnose=True,
                given=("backend_port=8000", "strict=true", "name=a b"),
                jitter_s=300,
                missed=Missed.ALL,
                grace_s=3600,
                overlap=Overlap.QUEUE,
                paused=True,
            ),
            Schedule(name="often", runbook="disk-full", pattern="all", rhythm=Every(seconds=900)),
        ),
    )
