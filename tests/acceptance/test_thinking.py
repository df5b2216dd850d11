"""What happens while a person at a terminal thinks about a fix."""

from pathlib import Path

from tests.acceptance.program import PATIENCE_S, Program

ASK = ("run", "counted-fix", "-i", "inventory.yml", "--host", "alive")


def test_a_runbook_that_changes_while_the_operator_thinks_is_not_acted_upon(
    program: Program, tmp_path: Path
) -> None:
    """The yes was to another text: refused with exit code 2, nothing done, the host free."""
    path = tmp_path / "runbooks/counted-fix.yml"
    with program.at_terminal(*ASK) as (process, terminal):
        terminal.expect(r"Enter is no")
        path.write_text(path.read_text().replace('content: "here"', 'content: "there"'))
        terminal.send("y\n")
        terminal.expect("changed-meanwhile")
        assert process.wait(PATIENCE_S) == 2

    assert not (tmp_path / "alive.counter").exists()
    done = program(*ASK, "--yes", "--json")
    assert done.code == 0, done.stderr
    assert (tmp_path / "alive.flag").read_text() == "there"


def test_ctrl_c_at_the_question_leaves_the_host_alone(program: Program, tmp_path: Path) -> None:
    """Interrupted while it asks: exit code 130, nothing done; resumed, the question comes again."""
    with program.at_terminal(*ASK) as (process, terminal):
        terminal.expect(r"Enter is no")
        terminal.send("\x03")
        terminal.expect("resume")
        assert process.wait(PATIENCE_S) == 130

    assert not (tmp_path / "alive.counter").exists()
    with program.at_terminal("resume", "last") as (process, terminal):
        terminal.expect(r"Enter is no")
        terminal.send("y\n")
        terminal.expect("resolved")
        assert process.wait(PATIENCE_S) == 0
    assert (tmp_path / "alive.counter").read_text() == "x"
