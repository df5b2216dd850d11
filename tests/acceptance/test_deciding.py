"""A person decides about a fix at a real terminal; `tests/sandbox/test_on_call.py` has the keys."""

from pathlib import Path

from tests.acceptance.program import PATIENCE_S, Program, wait_until

RUN = ("run", "counted-fix", "-i", "inventory.yml", "--host", "alive")
ASKED = r"Do this on alive\? \(Enter is no\): "


def test_interrupted_twice_at_a_terminal_the_fix_is_given_up(
    program: Program, tmp_path: Path
) -> None:
    """The second does not wait for its end; resumed, the host is looked at again, nothing repeated."""
    with program.at_terminal(*RUN, "--set", "takes=60", term="xterm") as (process, terminal):
        terminal.expect(ASKED)
        terminal.send("y\n")
        wait_until((tmp_path / "alive.counter").exists)
        terminal.send("\x03")
        terminal.expect("Stopping once the fix under way has ended; Ctrl-C again gives it up")
        terminal.send("\x03")
        terminal.expect("Go on with: runbook resume ")
        assert process.wait(PATIENCE_S) == 130
    assert not (tmp_path / "alive.flag").exists()

    with program.at_terminal("resume", "last", "--plain", term="xterm") as (process, terminal):
        terminal.expect(ASKED)
        assert "\x1b" not in str(terminal.before)
        terminal.send("k not tonight\n")
        # What it would take to try again is what it took the first time.
        terminal.expect(
            "try again with: runbook run counted-fix --host alive -i [^ ]*inventory.yml"
        )
        assert process.wait(PATIENCE_S) == 3
    assert (tmp_path / "alive.counter").read_text() == "x"


def test_a_marked_host_wants_its_name_typed(program: Program, tmp_path: Path) -> None:
    """A yes alone does nothing there, --yes even less; what worked once is told at the next time."""
    marked = ("-e", "runbook_confirm=typed")
    hasty = program(*RUN, *marked, "--yes", "--json")
    assert hasty.code == 3, hasty.stderr
    assert not (tmp_path / "alive.counter").exists()

    assert program(*RUN, "--yes").code == 0
    (tmp_path / "alive.flag").unlink()
    with program.at_terminal(*RUN, *marked) as (process, terminal):
        terminal.expect("worked the only time, median")
        for name in ("hole", "pair"):
            terminal.expect(ASKED)
            terminal.send("y\n")
            terminal.expect("To do it on alive, type alive: ")
            terminal.send(f"{name}\n")
        terminal.expect("resolved")
        assert process.wait(PATIENCE_S) == 0
    assert (tmp_path / "alive.counter").read_text() == "xx"
