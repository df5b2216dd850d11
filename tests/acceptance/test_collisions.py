"""What else goes on on a host, from its inventory and from the host itself, before the first fix."""

from pathlib import Path

import yaml

from tests.acceptance.program import Program

RUN = ("run", "counted-fix", "-i", "inventory.yml", "--host", "alive", "--yes", "--json")


def declare(folder: Path, **variables: object) -> None:
    """Set variables of the host in its inventory."""
    path = folder / "inventory.yml"
    inventory = yaml.safe_load(path.read_text())
    inventory["all"]["children"]["pair"]["hosts"]["alive"] |= variables
    path.write_text(yaml.safe_dump(inventory))


def test_a_deploy_and_maintenance_are_seen_before_anything_is_done(
    program: Program, tmp_path: Path
) -> None:
    """--yes stops at maintenance, and says so; once that is over, the same deploy only warns."""
    deployed = tmp_path / "app.env"
    deployed.write_text("A=1")
    declare(
        tmp_path,
        runbook_maintenance="{{ 'moving to ' ~ 'the new rack' }}",
        runbook_deploy_paths=[str(tmp_path / "*.env")],
    )

    blocked = program(*RUN)

    assert blocked.code == 3, blocked.stderr
    told = blocked.document["hosts"]["alive"]
    assert told["verdict"] == "declined"
    assert "in maintenance: moving to the new rack; only a person" in told["reason"]
    assert told["also_here"][0] == "in maintenance: moving to the new rack"
    assert not (tmp_path / "alive.flag").exists()
    assert not (tmp_path / "alive.counter").exists()

    declare(tmp_path, runbook_maintenance=False)
    done = program(*RUN)

    assert done.code == 0, done.stderr
    also_here = done.document["hosts"]["alive"]["also_here"]
    assert any("changed at" in line for line in also_here), also_here
    report = program("report", "last").stdout
    assert "also here: " in report
    assert "in maintenance" not in report
