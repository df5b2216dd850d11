"""Taking back what a run did."""

import signal
from pathlib import Path

from runbook.model.event import UndoIntended
from tests.acceptance.program import PATIENCE_S, Finished, Program

RUN = ("run", "counted-fix", "-i", "inventory.yml", "--host", "alive", "--yes")


def test_a_fix_is_taken_back_once_by_a_person_at_a_terminal(
    program: Program, tmp_path: Path
) -> None:
    """Shown first, asked, done, looked at and journaled; a second one finds nothing left to undo."""
    assert program(*RUN).code == 0
    assert (tmp_path / "alive.flag").exists()

    with program.at_terminal("undo", "last", term="xterm", rows=24, columns=80) as (
        process,
        terminal,
    ):
        asked = r"Undo: Make the file. Do this on alive\? \(Enter is no\): "
        terminal.expect(asked)
        assert "The host is as it was before the fix, fault included" in str(terminal.before)
        assert "would change: Take the file away" in str(terminal.before)
        terminal.send("t\n")
        terminal.expect(r"Take the file away \(would change\)")
        terminal.expect(asked)
        terminal.send("y: it was the wrong host\n")
        terminal.expect("alive: undoing make")
        terminal.expect("alive: make: undone\r\n +alive: present: failed")
        assert process.wait(PATIENCE_S) == 0
    assert not (tmp_path / "alive.flag").exists()
    (undone,) = [event for event in program.events() if isinstance(event, UndoIntended)]
    assert undone.reason == "it was the wrong host"
    again = program("undo", "last", "--yes")
    assert again.code == 2
    assert "nothing-to-undo" in again.stderr
    report = program("report", "last")
    assert report.code == 0, report.stderr
    assert "make: undone" in report.stdout


def test_without_a_yes_nothing_is_undone(program: Program, tmp_path: Path) -> None:
    """Nobody to ask: the undo is declined, exit code 3, and the host stays as it is."""
    assert program(*RUN).code == 0

    undone = program("undo", "last")

    assert undone.code == 3
    assert "declined" in undone.stdout
    assert (tmp_path / "alive.flag").exists()


def test_an_interrupted_undo_ends_what_it_began(program: Program, tmp_path: Path) -> None:
    """Ctrl-C while a host is being changed: that comes to its end, is journaled, and 130 says so."""
    assert program(*RUN, "--set", "takes=1").code == 0

    with program.started("undo", "last", "--yes", "--json") as running:
        assert running.stderr is not None
        while "undoing make" not in running.stderr.readline():
            pass
        running.send_signal(signal.SIGINT)
        said, told = running.communicate(timeout=60)

    done = Finished(code=running.returncode, stdout=said, stderr=told)
    assert done.code == 130, told
    assert "Traceback" not in told
    assert done.document["interrupted"] == "interrupted by SIGINT"
    assert done.document["undone"] == {"make": {"alive": "changed"}}
    assert not (tmp_path / "alive.flag").exists()
    assert "make: undone" in program("report", "last").stdout
