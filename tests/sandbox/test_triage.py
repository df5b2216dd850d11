"""`runbook triage` on a site that is really broken: the library's runbooks, ranked."""

import shlex
from pathlib import Path

from runbook.demo.faults import FAULTS
from runbook.demo.site import Site
from tests.acceptance.program import Program
from tests.cli.test_examples import shown_in_help


def test_the_example_of_the_help_finds_the_runbook_that_fits(site: Site, tmp_path: Path) -> None:
    """Of those for 502, fix-502 comes first: it names the cause, the fix, and what it saw."""
    FAULTS["backend-stopped"].inject(site)
    (call,) = [call for call in shown_in_help("triage") if call.endswith("--host prod 502")]
    inventory = str(site.folder / "inventory.yml")
    program = Program(
        home=tmp_path, folder=Path.cwd(), environment={"RUNBOOK_INVENTORY": inventory}
    )

    for _ in range(10):
        done = program(*shlex.split(call))
        # A busy machine may not be done with a look in its time; that is said then.
        if "not finished within" not in done.stdout:
            break

    assert done.code == 1, done.stderr
    first, _, others = done.stdout.partition("\n2  ")
    assert "1  fix-502: " in first
    assert "cause  The backend is not running" in first
    assert "expected  backend_state.running" in first
    assert "next   would do: Start webmagic-api" in first
    assert "run    runbook run fix-502 --host web1" in first
    assert "watch-502" in others
    assert max(map(len, done.stdout.splitlines())) <= 79
