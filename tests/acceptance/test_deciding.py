"""A person decides about a fix at a real terminal, on a host that is really broken."""

import re
from pathlib import Path

from runbook.model.event import FixApproved, LookAgain, Noted, OwnLook, RunInterrupted
from tests.acceptance.program import PATIENCE_S, Program, resize

RUN = ("run", "counted-fix", "-i", "inventory.yml", "--host", "alive")
ASKED = r"Do this on alive\? \(Enter is no\): "


def test_everything_that_can_be_typed_before_a_decision(program: Program, tmp_path: Path) -> None:
    """Each key does what it says; the run ends at the question, and resumed it goes on there."""
    with program.at_terminal(*RUN, term="xterm", rows=24, columns=80) as (process, terminal):
        terminal.expect(ASKED)
        screen = str(terminal.before)[str(terminal.before).rindex("May this be done?") :]
        assert "The file is missing" in screen
        assert "not done here before" in screen
        for typed, told in (
            ("t", r"Make the file \(would change\)\r\n +ansible.builtin.copy:\r\n +\w+: "),
            ("o", "the whole +runbook show counted-fix"),
            ("e", "exists: false"),
            ("d", r"\+here"),
            ("?", "abort: the run ends here"),
            ("c file: {{ counter }}", r"alive:\r\n[^$]*exists: false"),
            ("c command: reboot", "a command may do more than look"),
            ("w called the owner", "Written into the journal"),
            ("yes, but later", "is none of the answers"),
        ):
            terminal.send(f"{typed}\n")
            terminal.expect(told)
            terminal.expect(ASKED)
        resize(terminal.child_fd, 30, 120)
        terminal.send("r\n")
        terminal.expect("Looking again")
        terminal.expect(ASKED)
        wide = str(terminal.before)
        assert max(map(len, re.sub(r"\x1b\[[\d;?]*\w", "", wide).splitlines())) > 100
        terminal.send("a it is late\n")
        terminal.expect("runbook resume")
        assert process.wait(PATIENCE_S) == 130
    assert not (tmp_path / "alive.counter").exists()

    with program.at_terminal("resume", "last", "--plain", term="xterm") as (process, terminal):
        terminal.expect(ASKED)
        assert "\x1b" not in str(terminal.before)
        terminal.send("y: agreed with the owner\n")
        terminal.expect("resolved")
        assert process.wait(PATIENCE_S) == 0
    assert (tmp_path / "alive.counter").read_text() == "x"

    events = program.events()
    kinds = (OwnLook, Noted, LookAgain, RunInterrupted, FixApproved)
    done = [event for event in events if isinstance(event, kinds)]
    assert [type(event) for event in done] == list(kinds)
    approval = done[-1]
    assert isinstance(approval, FixApproved)
    assert approval.reason == "agreed with the owner"


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
