"""A person at a real terminal of 80 columns and 24 rows mends a site that is really broken."""

import re
from pathlib import Path

from runbook.demo.faults import FAULTS
from runbook.demo.site import Site
from runbook.model.event import FixApproved, FixConcluded, LookAgain, Noted, OwnLook, RunInterrupted
from tests.acceptance.program import PATIENCE_S, Program, resize

ASKED = r"Do this on web1\? \(Enter is no\): "
CONTROL = r"\x1b\[[\d;?]*\w"


def test_each_key_at_the_question_and_an_interrupt_within_the_fix(
    site: Site, tmp_path: Path
) -> None:
    """The question fits the window and each key does what it says; resumed, the run is over."""
    FAULTS["upstream-port"].inject(site)
    program = Program(home=tmp_path, folder=Path.cwd())
    run = ("run", "fix-502", "-i", str(site.folder / "inventory.yml"), "--host", "web1")

    with program.at_terminal(*run, term="xterm", rows=24, columns=80) as (process, terminal):
        terminal.expect(ASKED)
        said = re.sub(CONTROL, "", str(terminal.before))
        screen = said[said.rindex("May this be done?") :].splitlines()
        assert len(screen) <= 24
        assert max(map(len, screen)) <= 80
        assert "nginx forwards to the wrong address or port" in "\n".join(screen)
        for typed, told in (
            ("t", r"nginx_upstream : Write the address \(would change\)"),
            ("o", "the whole +runbook show fix-502"),
            ("e", "what speaks for the cause|upstream_matches|result: failed"),
            ("d", r"\+ +server 127\.0\.0\.1:\d+"),
            ("?", "abort: the run ends here"),
            ("c port: {{ backend_port }}", r"web1:\r\n +listening: true"),
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
        wide = re.sub(CONTROL, "", str(terminal.before)).splitlines()
        assert max(map(len, wide)) > 100
        terminal.send("y: agreed with the owner\n")
        terminal.expect("doing")
        terminal.send("\x03")
        terminal.expect("Stopping once the fix under way has ended; Ctrl-C again gives it up")
        terminal.expect("Go on with: runbook resume ")
        assert process.wait(PATIENCE_S) == 130

    with program.at_terminal("resume", "last", "--plain", term="xterm") as (process, terminal):
        terminal.expect("Run .* ended")
        assert "\x1b" not in str(terminal.before)
        assert process.wait(PATIENCE_S) == 0
    assert site.ask(site.web_port).healthy

    kinds = (OwnLook, Noted, LookAgain, FixApproved, RunInterrupted, FixConcluded)
    done = [event for event in program.events() if isinstance(event, kinds)]
    assert [type(event).__name__ for event in done if not isinstance(event, FixConcluded)] == [
        "OwnLook",
        "Noted",
        "LookAgain",
        "FixApproved",
        "RunInterrupted",
    ]
    (approval,) = [event for event in done if isinstance(event, FixApproved)]
    assert approval.reason == "agreed with the owner"
    (concluded,) = [event for event in done if isinstance(event, FixConcluded)]
    assert concluded.result == "resolved"
