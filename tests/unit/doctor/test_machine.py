"""What the doctor finds about this machine: each line can be good, and can fail."""

from collections.abc import Iterable
from pathlib import Path

import pytest

from runbook.doctor import Finding, State, exit_code, looked
from runbook.doctor.machine import ansible, ansible_config, clock, clock_of, python, ssh
from runbook.errors import Location, RunbookError


def states(findings: Iterable[Finding]) -> list[State]:
    """Return how things stand; whatever is not good says what to do."""
    found = list(findings)
    assert all(finding.seen for finding in found)
    assert all(finding.remedy for finding in found if finding.state is not State.GOOD)
    return [finding.state for finding in found]


@pytest.mark.parametrize(
    ("version", "state"),
    [((3, 10, 4), State.BAD), ((3, 11, 0), State.GOOD), ((3, 15, 0), State.NOTE)],
)
def test_python(version: tuple[int, int, int], state: State) -> None:
    """Too old is bad, one that was never tried is worth knowing."""
    assert states(python(version)) == [state]


def test_ansible_that_is_missing_or_too_old() -> None:
    """Each package is judged by itself, and the remedy installs it."""
    found = list(ansible({"ansible-core": "2.18.6"}.get))

    assert states(found) == [State.BAD, State.BAD]
    assert [finding.seen for finding in found] == ["2.18.6", "not installed beside runbook"]
    assert found[0].remedy == "pip install --upgrade 'ansible-core>=2.19'"
    assert states(ansible()) == [State.GOOD, State.GOOD]


def test_ssh(tmp_path: Path) -> None:
    """Without a client only local hosts can be reached."""
    assert states(ssh(str(tmp_path))) == [State.NOTE]
    client = tmp_path / "ssh"
    client.write_text("#!/bin/sh\n")
    client.chmod(0o755)
    [found] = ssh(str(tmp_path))
    assert (found.state, found.seen) == (State.GOOD, str(client))


@pytest.mark.parametrize(
    ("text", "state", "words"),
    [
        ("[defaults]\nforks = 5\n", State.GOOD, "ansible.cfg"),
        ("[defaults]\nask_vault_pass = True\n", State.BAD, "ask for a vault password"),
        ("[privilege_escalation]\nbecome_ask_pass=yes\n", State.BAD, "a password of become"),
        ("[defaults]\nlog_path = /var/log/a.log\n", State.NOTE, "nothing is masked"),
        ("[defaults]\nhost_key_checking = no ; lab\n", State.NOTE, "host_key_checking is off"),
        ("no section\n", State.BAD, "cannot be read"),
    ],
)
def test_ansible_config(text: str, state: State, words: str, tmp_path: Path) -> None:
    """What nobody could answer is bad, what shows secrets or hides who answers is told."""
    path = tmp_path / "ansible.cfg"
    path.write_text(text)

    [found] = ansible_config(path)

    assert found.state is state
    assert words in found.seen
    assert (found.remedy is None) is (state is State.GOOD)


def test_no_ansible_config_is_in_the_way_of_nothing() -> None:
    """None is fine."""
    assert states(ansible_config(None)) == [State.GOOD]


def test_clock() -> None:
    """One that nobody keeps is worth knowing, as is one of which nobody can tell."""
    assert states([clock_of({"synchronised": True})]) == [State.GOOD]
    assert states([clock_of({"synchronised": False})]) == [State.NOTE]
    assert states([clock_of({})]) == [State.NOTE]
    assert len(states(clock())) == 1


def test_what_a_look_stumbles_over_is_what_it_found() -> None:
    """Errors of ours are told with place and hint, those of the system in its words."""
    where = Location(path="a.yml", line=3, column=7)

    def ours() -> Iterable[Finding]:
        raise RunbookError.of("no-good", "it is no good", where=where, hint="mend it")

    def system() -> Iterable[Finding]:
        raise PermissionError(13, "Permission denied", "/x")

    [told] = looked("it", "It", ours)
    assert (told.state, told.seen, told.remedy) == (
        State.BAD,
        "a.yml:3:7: it is no good",
        "mend it",
    )
    [denied] = looked("it", "It", system)
    assert (denied.check, denied.state) == ("it", State.BAD)
    assert "/x" in denied.seen


def test_exit_codes() -> None:
    """Unreachable is worse than something to mend, and what is worth knowing is no failure."""

    def code(*found: State) -> int:
        return exit_code(Finding(check="a", title="A", state=state, seen="x") for state in found)

    assert code() == 0
    assert code(State.GOOD, State.NOTE) == 0
    assert code(State.NOTE, State.BAD) == 1
    assert code(State.BAD, State.UNREACHABLE) == 4
