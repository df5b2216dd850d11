"""`runbook serve --demo`: what it keeps to is sound, and it heals what fix-502 can."""

from datetime import UTC, datetime
from pathlib import Path

import pytest
from click.testing import CliRunner

from runbook.engine.policy import judge
from runbook.model.policy import Permission, Situation, Source
from runbook.schedule.reading import load_timetable
from runbook.spec.policy_file import load_policy
from runbook.views.commands.serve import serve_command
from runbook.views.serving_demo import POLICY, SERVICE


def test_the_demo_heals_by_the_clock(tmp_path: Path) -> None:
    """Its schedule and its policy are sound; a run that nobody watches may mend the sandbox."""
    (tmp_path / "service.yml").write_text(SERVICE)
    (tmp_path / "policy.yml").write_text(POLICY)

    [schedule] = load_timetable(tmp_path / "service.yml").schedules
    policy = load_policy(tmp_path / "policy.yml")

    assert (schedule.runbook, schedule.diagnose) == ("fix-502", False)
    situation = Situation(
        runbook="fix-502",
        fix="restart_backend",
        host="web1",
        at=datetime(2026, 1, 1, tzinfo=UTC),
        source=Source.SCHEDULE,
    )
    assert judge(policy, situation).permission is Permission.AUTO


@pytest.mark.parametrize("arguments", [[], ["service.yml", "--demo"]])
def test_either_a_file_or_the_demo(arguments: list[str]) -> None:
    """Neither and both are usage errors, before anything is begun."""
    done = CliRunner().invoke(serve_command, arguments)

    assert done.exit_code == 2
    assert "Name a FILE, or --demo instead of one." in done.output
