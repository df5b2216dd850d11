"""`run --step`: a person decides before each step, at a real terminal, on a real host."""

from pathlib import Path

from tests.acceptance.program import PATIENCE_S, Program

RUN = ("run", "counted-fix", "-i", "inventory.yml", "--host", "alive")


def test_stepping_stops_and_resumes_and_a_fix_that_was_jumped_to_is_asked_about(
    program: Program, tmp_path: Path
) -> None:
    """Stopped at the first step and resumed there; the jump leads to a question, and to a look.

    What else goes on there is known at the question, though nothing was looked at before.
    """
    with program.at_terminal(*RUN, "--step") as (process, terminal):
        terminal.expect(r"looks at this alone")
        terminal.expect(r"Enter: go on\)")
        terminal.send("q lunch\n")
        terminal.expect("ended by .*: lunch")
        assert process.wait(PATIENCE_S) == 130
    assert not (tmp_path / "alive.counter").exists()

    with program.at_terminal("resume", "last") as (process, terminal):
        terminal.expect(r"Enter: go on\)")
        terminal.send("j known\n")
        terminal.expect(r"which step .* Enter: none\)")
        terminal.send("mak\n")
        terminal.expect("Did you mean make")
        terminal.expect(r"which step .* Enter: none\)")
        terminal.send("make\n")
        terminal.expect(r"Enter: asks again\)")
        terminal.send("\n")
        terminal.expect("type c to go on")
        terminal.expect(r"Enter: asks again\)")
        terminal.send("c\n")
        terminal.expect(r"Enter is no")
        assert "could not be seen" not in terminal.before
        terminal.send("y\n")
        terminal.expect("resolved")
        assert process.wait(PATIENCE_S) == 0

    told = program("report", "last", "--format", "json").document["hosts"]["alive"]
    assert told["path"] == ["present", "make"]
    assert (tmp_path / "alive.counter").read_text() == "x"


def test_stepping_needs_somebody_to_ask(program: Program) -> None:
    """Without a terminal, and with --yes, it is refused before anything is touched."""
    alone = program(*RUN, "--step")
    approved = program(*RUN, "--step", "--yes")

    assert (alone.code, approved.code) == (2, 2)
    assert "step-without-terminal" in alone.stderr
    assert "step-without-questions" in approved.stderr
