"""Every kind of bad input, through the real program: said well, exit code 2, nothing touched."""

import json
import resource
import sqlite3
import subprocess
import sys
from contextlib import closing
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from tests.acceptance.program import (
    ON_A_SMALL_DISK,
    PATIENCE_S,
    Finished,
    Program,
    first_of,
    kill,
    wait_until,
)

RUN = ("run", "counted-fix", "-i", "inventory.yml", "--host", "alive", "--yes", "--json")


def refused(done: Finished, reference: str, *phrases: str) -> dict[str, Any]:
    """Hold a refusal to its form; return its first error."""
    assert done.code == 2, done.stderr
    assert "Traceback" not in done.stderr
    document = done.document
    assert document["exit_code"] == 2
    references = [error["reference"] for error in document["errors"]]
    assert references[0] == reference, done.stderr
    for phrase in phrases:
        assert phrase in done.stderr
    first = document["errors"][0]
    assert isinstance(first, dict)
    return first


def untouched(tmp_path: Path) -> bool:
    """Say whether the fix never began."""
    return not (tmp_path / "alive.counter").exists()


def edited(tmp_path: Path, before: str, after: str) -> None:
    """Change the runbook."""
    path = tmp_path / "runbooks/counted-fix.yml"
    text = path.read_text()
    assert before in text
    path.write_text(text.replace(before, after))


UNSOUND = {
    "malformed YAML": ("steps:", "steps: [", "yaml-syntax", ()),
    "a wrong type": ("likelihood: 1.0", "likelihood: often", "wrong-value", ("not a number",)),
    "an unknown key": ("    impact: None", "    impcat: None", "unknown-key", ("impact",)),
    "a step that does not exist": ("failed: make}", "failed: mkae}", "unknown-step", ("make",)),
    "a cycle without bound": (
        "passed: end(healthy), failed: make}",
        "passed: present, failed: make}",
        "unbounded-loop",
        ("max_visits",),
    ),
    "an undefined variable": (
        'path: "{{ flag }}"',
        'path: "{{ falg }}"',
        "undeclared-variable",
        ('Did you mean "flag"?',),
    ),
}


@pytest.mark.parametrize("kind", UNSOUND)
def test_an_unsound_runbook_is_refused(program: Program, tmp_path: Path, kind: str) -> None:
    """The place in the file, the line with a caret, and what was meant; no run is recorded."""
    before, after, reference, phrases = UNSOUND[kind]
    edited(tmp_path, before, after)

    first = refused(program(*RUN), reference, "counted-fix.yml:", "^", *phrases)

    assert first["line"] >= 1
    assert untouched(tmp_path)


def test_an_unknown_runbook_is_guessed_at(program: Program) -> None:
    """A name that is nearly right is named; where was looked is said."""
    done = program("run", "counted-fx", "-i", "inventory.yml", "--host", "alive", "--json")

    refused(done, "unknown-runbook", 'Did you mean "counted-fix"?', "Looked in:")


def test_a_host_pattern_has_to_be_given(program: Program, tmp_path: Path) -> None:
    """No --host is no host, never all of them."""
    refused(program("run", "counted-fix", "-i", "inventory.yml", "--json"), "no-host", "--host all")
    assert untouched(tmp_path)


def test_a_pattern_that_matches_nobody_is_refused(program: Program, tmp_path: Path) -> None:
    """An empty target set is an error, and says how to see the hosts."""
    done = program("run", "counted-fix", "-i", "inventory.yml", "--host", "nobody", "--json")

    refused(done, "no-hosts", "'nobody'", "ansible-inventory --graph")
    assert untouched(tmp_path)


def test_an_inventory_that_is_not_there_is_refused(program: Program) -> None:
    """The file is named."""
    done = program("run", "counted-fix", "-i", "missing.yml", "--host", "alive", "--json")

    refused(done, "bad-setting", "missing.yml")


def test_an_inventory_that_does_not_parse_is_refused(program: Program, tmp_path: Path) -> None:
    """What Ansible says of it is passed on, in words."""
    (tmp_path / "bad.yml").write_text("all: {hosts: [\n")
    done = program("run", "counted-fix", "-i", "bad.yml", "--host", "alive", "--json")

    refused(done, "ansible-unusable", "bad.yml", "ansible-inventory --list")


SETTINGS = {
    "a name that no param has": ("flg=x", "unknown-param", 'Did you mean "flag"?'),
    "a value of another type": ("takes=long", "bad-value", "not a whole number"),
    "no value at all": ("takes", "bad-set", "KEY=VALUE"),
}


@pytest.mark.parametrize(("given", "reference", "phrase"), SETTINGS.values(), ids=SETTINGS)
def test_a_wrong_set_is_refused(
    program: Program, tmp_path: Path, given: str, reference: str, phrase: str
) -> None:
    """--set is checked before anything is looked at."""
    refused(program(*RUN, "--set", given), reference, phrase)
    assert untouched(tmp_path)


@pytest.mark.parametrize(("value", "phrase"), [("soon", "integer"), ("{{ nowhere }}", "nowhere")])
def test_a_param_that_is_wrong_on_one_host_stops_both(
    program: Program, tmp_path: Path, value: str, phrase: str
) -> None:
    """The host is named, and nothing is done on the other one either."""
    folder = tmp_path / "host_vars"
    folder.mkdir()
    (folder / "second.yml").write_text(json.dumps({"takes": value}))
    inventory = (tmp_path / "inventory.yml").read_text()
    (tmp_path / "inventory.yml").write_text(
        inventory.replace(
            "        hole:", "        second: {ansible_connection: local}\n        hole:"
        )
    )
    done = program(*RUN[:4], "--host", "alive,second", "--yes", "--json")

    refused(done, "bad-param", "'takes'", "on second", phrase)
    assert untouched(tmp_path)


def _with_a_vault(tmp_path: Path) -> None:
    """Let the inventory's `flag` be in a vault whose password is in the file `password`."""
    (tmp_path / "password").write_text("right")
    (tmp_path / "wrong").write_text("wrong")
    folder = tmp_path / "group_vars"
    folder.mkdir()
    (folder / "pair.yml").write_text(json.dumps({"flag": str(tmp_path / "alive.flag")}))
    subprocess.run(
        [
            str(Path(sys.executable).with_name("ansible-vault")),
            "encrypt",
            "--vault-password-file",
            str(tmp_path / "password"),
            str(folder / "pair.yml"),
        ],
        check=True,
        capture_output=True,
    )


@pytest.mark.parametrize("given", [(), ("--vault-password-file", "wrong")], ids=["none", "wrong"])
def test_a_vault_needs_its_password(
    program: Program, tmp_path: Path, given: tuple[str, ...]
) -> None:
    """Without it, or with another one, the run is refused; with it, it is done."""
    _with_a_vault(tmp_path)

    refused(program(*RUN, *given), "ansible-unusable", "vault")
    assert untouched(tmp_path)
    assert program(*RUN, "--vault-password-file", "password").code == 0


def test_a_role_that_is_not_there_is_refused(program: Program, tmp_path: Path) -> None:
    """It is said before a host is looked at, or the fix is known not to have begun."""
    path = tmp_path / "runbooks/counted-fix.yml"
    text = path.read_text()
    tasks = text[text.index("    tasks:") : text.index("    verify:")]
    path.write_text(text.replace(tasks, "    role: {name: no_such_role}\n"))

    done = program(*RUN)

    assert done.code in (1, 2, 4), done.stderr
    assert "no_such_role" in done.stderr
    assert "Traceback" not in done.stderr
    assert done.document


NO_ANSIBLE = """
from importlib import metadata
found = metadata.Distribution.from_name.__func__
def from_name(cls, name):
    if name == "ansible-core":
        raise metadata.PackageNotFoundError(name)
    return found(cls, name)
metadata.Distribution.from_name = classmethod(from_name)
"""


def test_without_ansible_it_says_what_to_install(program: Program, tmp_path: Path) -> None:
    """ansible-core is not installed beside runbook: said, with the command that mends it."""
    shim = tmp_path / "shim"
    shim.mkdir()
    (shim / "sitecustomize.py").write_text(NO_ANSIBLE)
    bare = replace(program, environment={"PYTHONPATH": str(shim)})

    refused(bare(*RUN), "ansible-missing", "pip install ansible-core")
    assert untouched(tmp_path)


def test_with_an_old_ansible_it_says_which_is_needed(program: Program, tmp_path: Path) -> None:
    """2.17 renders templates in what hosts print: refused before anything is looked at."""
    installed = tmp_path / "shim/ansible_core-2.17.9.dist-info"
    installed.mkdir(parents=True)
    (installed / "METADATA").write_text(
        "Metadata-Version: 2.1\nName: ansible-core\nVersion: 2.17.9\n"
    )
    old = replace(program, environment={"PYTHONPATH": str(installed.parent)})

    refused(old(*RUN), "ansible-too-old", "2.17.9", "2.19")
    assert untouched(tmp_path)


def test_a_file_in_the_way_of_the_state_is_named(program: Program, tmp_path: Path) -> None:
    """The journal cannot be made: nothing is done."""
    program.home.write_text("I was here first")

    done = program(*RUN)

    assert done.code == 2, done.stderr
    assert str(program.home) in done.stderr
    assert "Traceback" not in done.stderr
    assert done.document["exit_code"] == 2
    assert untouched(tmp_path)


def test_a_file_that_is_no_journal_is_named(program: Program, tmp_path: Path) -> None:
    """What lies where the journal should be is neither used nor overwritten."""
    program("run", "counted-fix", "-i", "inventory.yml", "--host", "nobody")
    journal = program.home / "journal.sqlite"
    for path in program.home.glob(f"{journal.name}*"):
        path.unlink()
    journal.write_text("this is a diary" * 1000)

    refused(program(*RUN), "journal-unusable", journal.name)
    assert untouched(tmp_path)
    assert journal.read_text().startswith("this is a diary")


def test_a_full_disk_under_the_journal_stops_everything(program: Program, tmp_path: Path) -> None:
    """On a disk of 24 KiB no run can be written down, so none begins."""
    program.home.mkdir()
    small = replace(program, before=(*ON_A_SMALL_DISK, "24k", str(program.home)))

    refused(small(*RUN), "journal-unusable")
    assert untouched(tmp_path)


@pytest.mark.parametrize("size", ["4k", "16k", "20k"])
def test_a_full_disk_under_the_working_folder_stops_everything(
    program: Program, tmp_path: Path, size: str
) -> None:
    """Where our files do not fit, or Ansible's do not, nothing is done, and the reason is said."""
    runtime = tmp_path / "runtime"
    runtime.mkdir(mode=0o700)
    small = replace(
        program,
        before=(*ON_A_SMALL_DISK, size, str(runtime)),
        environment={"XDG_RUNTIME_DIR": str(runtime)},
    )

    done = small(*RUN)

    # Whose files are the first that do not fit depends on how far Ansible, started ahead, has come.
    [reference] = {error["reference"] for error in done.document["errors"]} & {
        "workspace-unusable",
        "ansible-unusable",
    }
    refused(done, reference, "No space left on device", "free some space", "XDG_RUNTIME_DIR")
    assert "ansible-inventory" not in done.stderr
    assert untouched(tmp_path)


def test_a_tampered_run_is_not_reported(program: Program) -> None:
    """Somebody edited the journal: `report` says so instead of telling the story."""
    assert program(*RUN).code == 0
    with closing(sqlite3.connect(program.home / "journal.sqlite")) as database:
        database.execute("DROP TRIGGER entries_stay_as_written")
        database.execute("UPDATE entries SET who = 'somebody else' WHERE seq = 2")
        database.commit()

    refused(program("report", "last", "--json"), "journal-broken")


def test_a_run_that_cannot_be_gone_on_with_is_abandoned(program: Program, tmp_path: Path) -> None:
    """Its runbook has changed: resume refuses and says how to close it; then the host is free."""
    with program.started(*RUN, "--set", "takes=1") as running:
        wait_until((tmp_path / "alive.counter").exists)
        kill(running)
    edited(tmp_path, "title: A file is missing", "title: A file is gone")
    refused(program("resume", "last", "--yes", "--json"), "changed-meanwhile", "--abandon")
    runbook = tmp_path / "runbooks/counted-fix.yml"
    runbook.rename(tmp_path / "elsewhere.yml")
    refused(program("resume", "last", "--yes", "--json"), "unreadable-file", "--abandon")
    (tmp_path / "elsewhere.yml").rename(runbook)

    def closed() -> Finished | None:
        done = program("resume", "last", "--json", "--abandon", "the runbook was mended")
        return done if "fix-at-work" not in done.stderr else None

    done = first_of(closed)

    assert done.code == 0, done.stderr
    assert done.document["hosts"]["alive"]["verdict"] == "aborted"
    assert "the runbook was mended" in done.document["hosts"]["alive"]["reason"]
    assert program("resume", "last", "--json").document["errors"][0]["reference"] == (
        "nothing-to-resume"
    )
    (tmp_path / "alive.lease").unlink(missing_ok=True)
    assert program(*RUN).code == 0


def test_a_journal_that_fails_in_mid_fix_ends_the_run_and_loses_nothing(
    program: Program, tmp_path: Path
) -> None:
    """No byte more can be written: the fix ends, nothing else is begun; resumed, it is resolved."""
    with program.started(*RUN, "--set", "takes=3") as running:
        wait_until((tmp_path / "alive.counter").exists)
        resource.prlimit(running.pid, resource.RLIMIT_FSIZE, (1, 1))
        said, told = running.communicate(timeout=PATIENCE_S)

    done = Finished(code=running.returncode, stdout=said, stderr=told)
    refused(done, "journal-unusable", "runbook resume")
    assert (tmp_path / "alive.flag").exists()
    resumed = program("resume", "last", "--yes", "--json")
    assert resumed.code == 0, resumed.stderr
    assert resumed.document["hosts"]["alive"]["verdict"] == "resolved"
    assert (tmp_path / "alive.counter").read_text() == "x"


def test_a_policy_wins_over_yes(program: Program, tmp_path: Path) -> None:
    """What the policy denies is declined, exit code 3, by rule; an unsound policy stops everything."""
    path = tmp_path / "policy.yml"
    path.write_text("policy: here\nrules: [{rule: not today, answer: deny, when: {host: ali*}}]")
    policed = replace(program, environment={"RUNBOOK_POLICY": str(path)})

    done = policed(*RUN)

    assert done.code == 3, done.stderr
    assert done.document["hosts"]["alive"]["verdict"] == "declined"
    assert "policy here: rule “not today”" in done.stderr
    assert untouched(tmp_path)

    path.write_text("policy: here\nrules: [{rule: not today, answer: perhaps}]")
    refused(policed(*RUN), "wrong-value", "policy.yml:2:35", "one of auto, ask, deny")
