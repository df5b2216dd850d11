"""`runbook demo`, from the first start to the last trace removed."""

import urllib.request
from pathlib import Path

import pytest
import yaml
from click.testing import CliRunner, Result

from runbook.demo.faults import FAULTS
from runbook.demo.site import Site
from runbook.errors import RunbookError
from runbook.views.demo import default_folder, demo
from tests.acceptance.program import Program, wait_until
from tests.acceptance.serving import over, serving, told


def run(*arguments: str) -> Result:
    """Run the command as the main program does: errors of ours are left for it to render."""
    result = CliRunner().invoke(demo, arguments)
    if isinstance(result.exception, RunbookError):
        raise result.exception
    return result


def test_from_up_to_down(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Two hosts come up, one is broken and mended, and nothing is left at the end."""
    home = tmp_path / "h"
    monkeypatch.setenv("RUNBOOK_HOME", str(home))
    try:
        started = run("up", "--hosts", "2")
        healthy = run("status")
        inventory = run("inventory")
        address = run("url").output.strip()
        answered = urllib.request.urlopen(address, timeout=3).status
        broken = run("break", "backend-stopped", "--host", "web2")
        unhealthy = run("status")
        mended = run("mend", "--host", "web2")
        mode = home.stat().st_mode & 0o777
        hosts = yaml.safe_load(Path(inventory.output.strip()).read_text())["prod"]["hosts"]
    finally:
        removed = run("down")

    assert started.exit_code == 0
    assert mode == 0o700
    assert f"Inventory: {home}/demo/inventory.yml" in started.output
    assert healthy.exit_code == 0
    assert healthy.output.count(" healthy: through nginx HTTP 200, backend HTTP 200") == 2
    assert list(hosts) == ["web1", "web2"]
    assert address == f"{hosts['web1']['site_url']}/health"
    assert answered == 200
    assert "web2  The backend is not running: HTTP 502" in broken.output
    assert f"runbook run fix-502 --host web2 -i {home}/demo/inventory.yml" in broken.output
    assert unhealthy.exit_code == 1
    assert "web1  healthy" in unhealthy.output
    assert "web2  not healthy: through nginx HTTP 502, backend no answer (refused)" in (
        unhealthy.output
    )
    assert mended.output == "web2  HTTP 200\n"
    assert removed.output == "web1  removed\nweb2  removed\n"
    assert list(home.iterdir()) == []


def test_a_service_heals_it_while_it_is_broken(
    folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """`serve --demo` brings it up; what somebody breaks is resolved; `down` leaves nothing behind."""
    monkeypatch.setenv("RUNBOOK_HOME", str(folder))
    program = Program(home=folder, folder=folder)
    try:
        with serving(program, "--demo") as log:
            wait_until(lambda: list(told(log, "serving")))
            broken = run("break", "backend-stopped")
            wait_until(lambda: [one for one in over(log) if one["outcome"] == "resolved"])
            healed = run("status")
    finally:
        run("down")

    assert "web1  The backend is not running: HTTP 502" in broken.output
    assert (healed.exit_code, "web1  healthy" in healed.output) == (0, True)
    assert not (folder / "demo").exists()


def test_lists_every_fault_and_which_has_no_fix() -> None:
    """Each fault is on a line of its own, and those without an automatic fix say so."""
    lines = run("faults").output.splitlines()

    assert [line.split()[0] for line in lines] == list(FAULTS)
    assert [line.split()[0] for line in lines if line.endswith("(no automatic fix)")] == [
        name for name, fault in FAULTS.items() if not fault.repairable
    ]


@pytest.mark.parametrize(
    "command", [["status"], ["mend"], ["down"], ["inventory"], ["break", "nginx-stopped"]]
)
def test_says_that_there_is_no_sandbox(tmp_path: Path, command: list[str]) -> None:
    """Without a sandbox, every command that needs one names the command that makes it."""
    with pytest.raises(RunbookError) as caught:
        run(*command, "--folder", str(tmp_path))

    assert caught.value.problems[0].reference == "site-not-found"
    assert caught.value.problems[0].hint == "runbook demo up"


def test_refuses_an_unknown_host(tmp_path: Path) -> None:
    """A host that does not exist is refused, and those that do are named."""
    Site.create(tmp_path / "web1")

    with pytest.raises(RunbookError) as caught:
        run("status", "--folder", str(tmp_path), "--host", "web9")

    assert caught.value.problems[0].reference == "unknown-host"
    assert caught.value.problems[0].hint == "It has web1."


def test_refuses_an_unknown_fault() -> None:
    """A fault that is not in the catalogue is a usage error."""
    result = run("break", "everything")

    assert result.exit_code == 2
    assert "'everything' is not one of" in result.output


def test_default_folder_is_in_the_state_directory(monkeypatch: pytest.MonkeyPatch) -> None:
    """RUNBOOK_HOME wins over XDG_STATE_HOME, which wins over the home directory."""
    monkeypatch.setenv("HOME", "/home/alice")
    monkeypatch.delenv("RUNBOOK_HOME", raising=False)
    monkeypatch.delenv("XDG_STATE_HOME", raising=False)
    at_home = default_folder()
    monkeypatch.setenv("XDG_STATE_HOME", "/state")
    in_state = default_folder()
    monkeypatch.setenv("RUNBOOK_HOME", "/runbook")
    in_runbook_home = default_folder()

    assert at_home == Path("/home/alice/.local/state/runbook/demo")
    assert in_state == Path("/state/runbook/demo")
    assert in_runbook_home == Path("/runbook/demo")
