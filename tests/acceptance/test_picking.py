"""`runbook` alone: at a terminal it asks, and does what was picked."""

import signal
from dataclasses import replace
from pathlib import Path

from tests.acceptance.program import PATIENCE_S, Program


def test_a_runbook_is_picked_and_run(program: Program, tmp_path: Path) -> None:
    """Searched by a word, the host completed by Tab, the command shown, and carried out."""
    program = replace(program, environment={"RUNBOOK_INVENTORY": "inventory.yml", "CI": ""})

    with program.at_terminal() as (process, terminal):
        terminal.timeout = 40
        terminal.expect("Runbook .*leave")
        terminal.send("no such thing\n")
        terminal.expect("No runbook has")
        terminal.send("counted\n")
        terminal.expect("Hosts and groups: alive, all, hole, pair")
        terminal.send("ali\t\n")
        terminal.expect("runbook run counted-fix --host alive")
        terminal.expect("Enter runs it")
        terminal.send("\n")
        terminal.expect(r"Enter is no")
        terminal.send("n later\n")
        terminal.expect("declined")
        assert process.wait(PATIENCE_S) == 3
    assert not (tmp_path / "alive.counter").exists()


def test_leaving_is_no_error(program: Program) -> None:
    """Q leaves with exit code 0; interrupted it says so, with the code of that."""
    program = replace(program, environment={"RUNBOOK_INVENTORY": "inventory.yml", "CI": ""})

    with program.at_terminal() as (process, terminal):
        terminal.timeout = 40
        terminal.expect("leave")
        terminal.send("q\n")
        assert process.wait(60) == 0
    with program.at_terminal() as (process, terminal):
        terminal.timeout = 40
        terminal.expect("leave")
        process.send_signal(signal.SIGINT)
        terminal.expect("\r\ninterrupted\r\n")
        assert process.wait(60) == 130
