"""A person at a real terminal of 80 columns and 24 rows mends a site that is really broken."""

import re
from pathlib import Path
from termios import ECHO, tcgetattr

import yaml

from runbook.demo.faults import FAULTS
from runbook.demo.site import Site
from runbook.model.event import (
    FixApproved,
    FixConcluded,
    FixDeclined,
    FixEnded,
    FixIntended,
    LookAgain,
    Noted,
    OwnLook,
    RunInterrupted,
)
from tests.acceptance.program import PATIENCE_S, Program, resize, wait_until

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


QUESTIONS = """\
runbook: start-again
title: The backend is down, and there are many ways to start it
params:
  site_url: {type: string}
  server_name: {type: string}
  supervisorctl_command: {type: array}
  supervisor_config: {type: string}
  backend_service: {type: string}
causes:
  stopped: {title: The backend does not run}
steps:
  - check: site
    title: The site answers
    probe: &site {http: {url: "{{ site_url }}/health", headers: {Host: "{{ server_name }}"}}}
    passes: site.answered and site.status == 200
    next: {passed: end(healthy), failed: patience}
  - check: patience
    title: It is given a moment
    probe: {command: {argv: [sleep, "2"]}}
    read_only: true
    passes: patience.rc == 0
    next: {passed: first, failed: first}
  - fix: first
    title: Start it the first way
    cause: stopped
    impact: None
    tasks: &start
      - name: Start it
        ansible.builtin.command:
          argv: "{{ supervisorctl_command + ['-c', supervisor_config, 'start', backend_service] }}"
        changed_when: true
    verify: &verify {cause: site, symptom: site, within: 20s, hold: 6s}
    next: {declined: second, resolved: steady}
  - fix: second
    title: Start it the second way
    cause: stopped
    impact: None
    tasks: *start
    verify: *verify
    next: {declined: third, resolved: steady}
  - fix: third
    title: Start it the third way
    cause: stopped
    impact: None
    tasks: *start
    verify: *verify
    next: {declined: fourth, resolved: steady}
  - fix: fourth
    title: Start it the fourth way
    cause: stopped
    impact: None
    tasks: *start
    verify: *verify
    next: {declined: fifth, resolved: steady}
  - fix: fifth
    title: Start it the fifth way
    cause: stopped
    impact: None
    tasks: *start
    verify: *verify
    next: {declined: sixth, resolved: steady}
  - fix: sixth
    title: Start it the sixth way
    cause: stopped
    impact: None
    tasks: *start
    verify: *verify
    next: {declined: end(declined), resolved: steady}
  - watch: steady
    title: It goes on answering
    repeats: site
    for: 8s
    every: 1s
    next: {passed: end(resolved), failed: end(unresolved)}
"""

BOTH = r"Do this on 2 hosts\? \(Enter is no\): "
STOPPED = "Go on with: runbook resume "


def test_every_no_a_split_and_an_interrupt_at_each_stage(site: Site, tmp_path: Path) -> None:
    """Interrupted within the look, at a question, while it holds and in a watch, it goes on there.

    Enter, n and k decline this fix; q this one and the last; s does it on one host of the two.
    """
    FAULTS["backend-stopped"].inject(site)
    library = tmp_path / "runbooks"
    library.mkdir()
    (library / "start-again.yml").write_text(QUESTIONS)
    inventory = yaml.safe_load((site.folder / "inventory.yml").read_text())
    (one,) = inventory["prod"]["hosts"].values()
    inventory["prod"]["hosts"] = {
        name: {**one, "runbook_lease_path": str(tmp_path / f"{name}.lease")}
        for name in ("web1", "web2")
    }
    (tmp_path / "inventory.yml").write_text(yaml.safe_dump(inventory))
    program = Program(home=tmp_path / "home", folder=tmp_path)
    run = ("run", "start-again", "-i", "inventory.yml", "--host", "prod")

    with program.at_terminal(*run, term="xterm", rows=24, columns=80) as (process, terminal):
        terminal.expect(r"looking, [1-9]\d* s")
        terminal.send("impatient\n\x03")
        terminal.expect(STOPPED)
        assert "impatient" not in str(terminal.before)  # It would have moved the tree.
        assert process.wait(PATIENCE_S) == 130
        assert tcgetattr(terminal.child_fd)[3] & ECHO

    with program.at_terminal("resume", "last", term="xterm") as (process, terminal):
        terminal.expect(BOTH)
        terminal.send("a lunch\n")
        terminal.expect("The run ends here")
        terminal.expect(STOPPED)
        assert process.wait(PATIENCE_S) == 130

    with program.at_terminal("resume", "last", term="xterm") as (process, terminal):
        for number, typed in (("first", ""), ("second", "n deployed"), ("third", "k known")):
            terminal.expect(f"Start it the {number} way. {BOTH}")
            terminal.send(f"{typed}\n")
        terminal.expect(f"Start it the fourth way. {BOTH}")
        terminal.send("s\n")
        terminal.expect("On which hosts")
        terminal.send("web1\n")
        terminal.expect("Approved on web1; declined on web2")
        # While web1 is mended, the other one is asked about.
        terminal.expect(r"Start it the fifth way. Do this on web2\? \(Enter is no\): ")
        wait_until(lambda: any(isinstance(event, FixEnded) for event in program.events()))
        terminal.send("\x03")
        terminal.expect("Stopping once the fix under way has ended")
        terminal.expect(STOPPED)
        assert process.wait(PATIENCE_S) == 130

    with program.at_terminal("resume", "last", term="xterm") as (process, terminal):
        terminal.expect("watching")
        terminal.send("\x03")
        terminal.expect(STOPPED)
        assert process.wait(PATIENCE_S) == 130

    with program.at_terminal("resume", "last", term="xterm") as (process, terminal):
        terminal.expect(r"Start it the fifth way. Do this on web2\? \(Enter is no\): ")
        terminal.send("q: enough\n")
        terminal.expect("Declined, and so is every later fix of this run")
        terminal.expect("Run .* ended")
        assert process.wait(PATIENCE_S) == 3
    hosts = program("report", "last", "--format", "json").document["hosts"]
    assert {name: host["verdict"] for name, host in hosts.items()} == {
        "web1": "resolved",
        "web2": "declined",
    }
    events = program.events()
    said = [
        (event.step, event.host, event.reason)
        for event in events
        if isinstance(event, FixDeclined | FixApproved)
    ]
    assert sorted(said) == sorted(
        [
            *(("first", host, "") for host in hosts),
            *(("second", host, "deployed") for host in hosts),
            *(("third", host, "skipped in this run: known") for host in hosts),
            *(("fourth", host, "") for host in hosts),
            ("fifth", "web2", "everything more was declined: enough"),
            ("sixth", "web2", "everything more was declined: enough"),
        ]
    )
    assert [event.host for event in events if isinstance(event, FixIntended)] == ["web1"]
    assert sum(isinstance(event, RunInterrupted) for event in events) == 4
