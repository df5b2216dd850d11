"""Taking back what a run did."""

from pathlib import Path

from tests.acceptance.program import Program

RUN = ("run", "counted-fix", "-i", "inventory.yml", "--host", "alive", "--yes")


def test_a_fix_is_taken_back_once(program: Program, tmp_path: Path) -> None:
    """The undo runs, is looked at and journaled; a second one finds nothing left to undo."""
    assert program(*RUN).code == 0
    assert (tmp_path / "alive.flag").exists()

    undone = program("undo", "last", "--yes", "--json")

    assert undone.code == 0, undone.stderr
    assert undone.document["undone"] == {"make": {"alive": "changed"}}
    assert undone.document["seen"] == {"alive": {"present": "failed"}}
    assert not (tmp_path / "alive.flag").exists()
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
