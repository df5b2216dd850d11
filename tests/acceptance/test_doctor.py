"""The doctor: this machine and all hosts in one call, nothing changed, an exit code to rely on."""

from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from pathlib import Path

from tests.acceptance.program import Finished, Program


def test_hosts_are_looked_at_all_at_once(program: Program, tmp_path: Path) -> None:
    """One that answers and one that does not are told apart; exit code 4, one JSON document."""
    done = program("doctor", "-i", "inventory.yml", "--host", "pair", "--json")

    assert done.code == 4, done.stderr
    found = {(one["host"], one["check"]): one for one in done.document["findings"]}
    assert found[None, "inventory"]["seen"] == f"2 hosts in {tmp_path}/inventory.yml"
    assert found["alive", "reachable"]["state"] == "good"
    assert found["alive", "become"]["state"] in ("good", "bad")
    assert found["hole", "reachable"]["state"] == "unreachable"
    assert found["hole", "reachable"]["remedy"]
    assert not program.home.exists()
    assert not (tmp_path / "alive.lease").exists()


def test_a_machine_that_is_ready_and_one_that_is_not(program: Program, tmp_path: Path) -> None:
    """0 while nothing has to be mended; 1 with the line, the place and the remedy otherwise."""
    alone = tmp_path / "run"
    alone.mkdir(mode=0o700)
    # Where working folders usually are, runs of other tests may just have been killed.
    program = replace(program, environment={"XDG_RUNTIME_DIR": str(alone)})
    ready = program("doctor")
    (tmp_path / "runbooks" / "odd.yml").write_text("runbook: odd\ntitle: T\nstep: []\n")

    unsound = program("doctor")

    assert ready.code == 0, ready.stdout
    assert "Ready" in ready.stdout
    assert unsound.code == 1
    assert "✗ Runbooks" in unsound.stdout
    assert "odd.yml:" in unsound.stdout
    assert "→ runbook lint" in unsound.stdout


def test_a_pattern_that_names_nobody_is_a_mistake(program: Program) -> None:
    """Exit code 2, and the words of a run with the same mistake; also for who asks at the same time."""

    def ask(_: int) -> Finished:
        return program("doctor", "-i", "inventory.yml", "--host", "nobody")

    with ThreadPoolExecutor() as people:
        for done in people.map(ask, range(2)):
            assert done.code == 2
            assert "no-hosts" in done.stderr
