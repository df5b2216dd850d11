"""What the doctor finds about inventory, runbooks and vault, with the real tools of Ansible."""

import subprocess
import sys
from pathlib import Path

import pytest

from runbook.doctor import State
from runbook.doctor.content import inventory, runbooks, vault
from runbook.executor.target import Target

SOUND = (
    "runbook: sound\ntitle: T\nsteps:\n"
    "  - check: site\n    title: S\n    probe: {tcp: {port: 80}}\n"
    "    next: {passed: end(healthy), failed: end(unresolved)}\n"
)
PASSWORD = "correct horse battery staple"


@pytest.fixture(autouse=True)
def alone(monkeypatch: pytest.MonkeyPatch) -> None:
    """Take nothing of Ansible's settings from whoever runs the tests."""
    for name in ("ANSIBLE_VAULT_PASSWORD_FILE", "ANSIBLE_VAULT_IDENTITY_LIST", "ANSIBLE_CONFIG"):
        monkeypatch.delenv(name, raising=False)


def test_an_inventory_is_read_as_by_a_run(tmp_path: Path) -> None:
    """Hosts are counted; a mistake is told with its file and line, and the command to see it."""
    good, broken, empty = (tmp_path / name for name in ("good.yml", "broken.yml", "empty.yml"))
    good.write_text("all: {hosts: {web1: , web2: }}\n")
    broken.write_text("all:\n  hosts:\n    web1: {a: b\n  children: x\n")
    empty.write_text("all: {children: {prod: }}\n")

    [sound] = inventory(Target(inventories=(str(good),)))
    [bad] = inventory(Target(inventories=(str(broken),)))
    [nobody] = inventory(Target(inventories=(str(empty),)))
    [none] = inventory(Target())

    assert (sound.state, sound.seen) == (State.GOOD, f"2 hosts in {good}")
    assert bad.state is State.BAD
    assert bad.seen.startswith(f"{broken}:4:")
    assert bad.remedy == f"ansible-inventory -i {broken} --list"
    assert (nobody.state, nobody.seen) == (State.BAD, f"no host in {empty}")
    assert (none.state, none.seen) == (State.NOTE, "none")


def test_runbooks_are_linted(tmp_path: Path) -> None:
    """All sound, one that is not with its place, or none at all."""
    assert [found.state for found in runbooks([tmp_path])] == [State.NOTE]
    (tmp_path / "sound.yml").write_text(SOUND)
    [sound] = runbooks([tmp_path])
    (tmp_path / "odd.yml").write_text(SOUND.replace("sound", "odd").replace("title: S", "titel: S"))
    [odd] = runbooks([tmp_path])

    assert (sound.state, sound.seen) == (State.GOOD, "1, all sound")
    assert odd.state is State.BAD
    assert "odd.yml:" in odd.seen
    assert odd.remedy == "runbook lint"


def test_the_password_of_the_vault_is_tried_and_shown_to_nobody(tmp_path: Path) -> None:
    """It opens what is sealed or not; no plain text and no password is in what is told."""
    sources = tmp_path / "inventory"
    (sources / "group_vars").mkdir(parents=True)
    (sources / "hosts").write_text("web1\n")
    plain = Target(inventories=(str(sources),))
    [nothing] = vault(plain, [])
    right, wrong = tmp_path / "right", tmp_path / "wrong"
    right.write_text(PASSWORD)
    wrong.write_text("wrong")
    tool = Path(sys.executable).parent / "ansible-vault"
    sealed = subprocess.run(
        [tool, "encrypt_string", "--vault-password-file", right, "the plain text", "--name", "key"],
        capture_output=True,
        text=True,
        check=True,
    ).stdout
    (sources / "group_vars" / "all.yml").write_text(sealed)

    [none] = vault(plain, [])
    [opened] = vault(Target(inventories=(str(sources),), vault_password_files=(str(right),)), [])
    [shut] = vault(Target(inventories=(str(sources),), vault_password_files=(str(wrong),)), [])

    assert nothing.state is State.GOOD
    assert none.state is State.BAD
    assert "no password is given" in none.seen
    assert opened.state is State.GOOD
    assert shut.state is State.BAD
    assert shut.remedy is not None
    told = str([none, opened, shut])
    assert PASSWORD not in told
    assert "the plain text" not in told
