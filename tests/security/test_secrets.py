"""Secrets are planted in every input of real runs, then looked for wherever a run leaves anything."""

import json
import os
import resource
import signal
import subprocess
import sys
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import pytest
from ansible.parsing.vault import VaultLib, VaultSecret

from runbook.executor.leftovers import STARTER
from runbook.journal.sqlite import open_journal
from tests.acceptance.program import PATIENCE_S, Program, wait_until
from tests.security.sweeping import Sweep, watching

PASSWORD = "open sesame"

KNOWN = {
    "in an inline vault": 'inline "sealed" \\ ünd / so',
    "in a file vaulted as a whole": "whole-file-without-a-telling-name",
    "in a vaulted file of -e": "vaulted-extra-variable",
    "given by --set": "set-by-hand-4711",
    "given by -e": "extra-by-hand-0815",
    "a secret param of the inventory": "inventory-badge-1234",
    "in ansible_password": "connection-pass-phrase",
}
"""Secret since somebody said so: hidden by value, however they come up."""

SHAPED = {
    "a password in a URL": "url-pass-9f3a",
    "an AWS key id": "AKIAZ7QH2MPLANTED234",
    "an AWS secret key": "wJalrXUtnFEMIK7MDENGbPxRfiCYPLANTED",
    "a GitHub token": "ghp_plantedplantedplantedplanted1234",
    "a JSON web token": "eyJhbGciOiJIUzI1NiJ9.eyJzdWIiOiJwbGFudGVkIn0.c2lnbmF0dXJl",
    "a bearer token": "mF_9.B5f-4.1JqMplantedbearer",
    "a private key": "MIIEpAIBAAKCAQEAplantedplantedplantedplanted",
    "a password in a log": "log-pass-77c1",
    "a web hook": "T00000000/B00000000/plantedplanted",
}
"""Secret by how they look: nobody said so."""

LINES = f"""\
connecting to https://app:{SHAPED["a password in a URL"]}@db.example/
[default]
aws_access_key_id = {SHAPED["an AWS key id"]}
aws_secret_access_key = {SHAPED["an AWS secret key"]}
pushed with {SHAPED["a GitHub token"]}
cookie: session={SHAPED["a JSON web token"]}
Authorization: Bearer {SHAPED["a bearer token"]}
-----BEGIN RSA PRIVATE KEY-----
{SHAPED["a private key"]}
-----END RSA PRIVATE KEY-----
login failed, password={SHAPED["a password in a log"]}
posted to https://hooks.slack.com/services/{SHAPED["a web hook"]}
"""

UNTOLD = {"under no_log": "told-under-no-log-31337"}
"""Only the runbook's author knows."""

RUNBOOK = """
runbook: keeper
title: Keeps its secrets
params:
  place: {type: string}
  flag: {type: string}
  fails: {type: integer, default: 0}
  origin: {type: string}
  sealed: {type: string}
  licence: {type: object}
  vaulted_extra: {type: string}
  pin: {type: string, secret: true}
  code: {type: string, secret: true}
  badge: {type: string, secret: true}
causes:
  fault: {title: Something is wrong}
steps:
  - check: logged
    title: The log of {{ origin }} speaks of {{ pin }}, {{ badge }} and {{ sealed }}
    probe: {log: {path: "{{ place }}/app.log", lines: 100}}
    passes: logged.count == 0
    next: evidence
  - collect: evidence
    title: What lies about {{ licence.key }}
    probes:
      file: {file: {path: "{{ place }}/app.log", content: true}}
      names: {command: {argv: [ls, "{{ place }}"]}}
      told: {command: {argv: [cat, "{{ place }}/app.log", "{{ place }}/{{ code }}"]}}
    read_only: true
    next: made
  - check: made
    title: The file for {{ vaulted_extra }} is there
    probe: {file: {path: "{{ flag }}"}}
    passes: made.exists
    next: {passed: end(healthy), failed: write}
  - fix: write
    title: Write {{ code }} and {{ pin }} down
    impact: "{{ origin }} will know {{ badge }}"
    cause: fault
    tasks:
      - name: Write {{ sealed }}
        ansible.builtin.copy:
          dest: "{{ place }}/written"
          mode: "0600"
          content: >-
            {{ {"a": sealed, "b": licence, "c": vaulted_extra, "d": pin, "e": code, "f": badge,
                "g": ansible_password} | to_json }}
            {{ lookup("ansible.builtin.file", place ~ "/app.log") }}
      - name: Not to be told
        ansible.builtin.command: {argv: [cat, "{{ place }}/untold"]}
        no_log: true
        check_mode: false
      - name: Take a while
        ansible.builtin.command: {argv: [cat, "{{ place }}/wait"]}
      - name: Say all of it, about {{ licence.key }}
        ansible.builtin.shell: cat {{ place | quote }}/app.log {{ place | quote }}/written >&2; exit {{ fails | int }}
      - name: Make the file
        ansible.builtin.copy: {content: "here", dest: "{{ flag }}", mode: "0644"}
    verify: {cause: made, symptom: made, within: 0s}
"""

RUN = (
    "run", "keeper", "-i", "inventory", "--host", "all", "--vault-password-file", "password",
    "-e", "@extra.yml", "-e", f"code={KNOWN['given by -e']}",
    "--set", f"pin={KNOWN['given by --set']}",
)  # fmt: skip


def seal(text: str) -> str:
    """Return a text as ansible-vault seals it."""
    secret = VaultSecret(PASSWORD.encode())
    sealed: bytes = VaultLib([("default", secret)]).encrypt(text, secret)
    return sealed.decode()


@pytest.fixture
def program(tmp_path: Path) -> Program:
    """Give the program, with a home, a place for temporary files and a runtime folder of its own."""
    own = tmp_path / "own"
    folder = tmp_path / "inputs"
    place = tmp_path / "host"
    for each in (own / "home", own / "tmp", own / "run", place):
        each.mkdir(parents=True)
    (own / "run").chmod(0o700)
    (folder / "runbooks").mkdir(parents=True)
    (folder / "runbooks" / "keeper.yml").write_text(RUNBOOK)
    (folder / "password").write_text(PASSWORD)
    (folder / "extra.yml").write_text(
        seal(json.dumps({"vaulted_extra": KNOWN["in a vaulted file of -e"]}))
    )
    variables = folder / "inventory" / "group_vars" / "all"
    variables.mkdir(parents=True)
    (variables / "vault.yml").write_text(
        seal(json.dumps({"licence": {"key": KNOWN["in a file vaulted as a whole"]}}))
    )
    inline = "".join(f"  {line}\n" for line in seal(KNOWN["in an inline vault"]).splitlines())
    (variables / "sealed.yml").write_text(f"sealed: !vault |\n{inline}")
    (folder / "inventory" / "hosts.yml").write_text(
        json.dumps(
            {
                "all": {
                    "hosts": {"web1": {}},
                    "vars": {
                        "ansible_connection": "local",
                        "ansible_python_interpreter": sys.executable,
                        "ansible_password": KNOWN["in ansible_password"],
                        "runbook_lease_path": str(tmp_path / "lease"),
                        "place": str(place),
                        "flag": str(place / "flag"),
                        "badge": KNOWN["a secret param of the inventory"],
                        "origin": f"https://app:{SHAPED['a password in a URL']}@db.example/",
                    },
                }
            }
        )
    )
    told = [*KNOWN.values(), LINES]
    (place / "app.log").write_text("\n".join(told))
    (place / "untold").write_text("\n".join(UNTOLD.values()))
    (place / KNOWN["given by -e"]).write_text("named by a secret\n")
    (place / SHAPED["a GitHub token"]).write_text("named by a token\n")
    return Program(
        home=own / "state",
        folder=folder,
        environment={
            "HOME": str(own / "home"),
            "TMPDIR": str(own / "tmp"),
            "XDG_RUNTIME_DIR": str(own / "run"),
            "RUNBOOK_INVENTORY": "",
        },
    )


@pytest.fixture
def images() -> Iterator[bool]:
    """Have processes leave images of their memory; say whether they do so where they are."""
    before = resource.getrlimit(resource.RLIMIT_CORE)
    resource.setrlimit(resource.RLIMIT_CORE, (before[1], before[1]))
    pattern = Path("/proc/sys/kernel/core_pattern").read_text()
    yield before[1] != 0 and not pattern.startswith(("|", "/"))
    resource.setrlimit(resource.RLIMIT_CORE, before)


@pytest.mark.usefixtures("images")
def test_no_secret_leaves_a_run(program: Program, tmp_path: Path) -> None:
    """Killed, failed and done at a terminal: no secret in journal, reports, files, processes, words.

    While a run lives, Ansible reads values of --set and -e from the run's private folder, and
    writes what it sends there; after a kill that stays until the next run. That it is seen there
    shows that whoever looks does see.
    """
    own = tmp_path / "own"
    note = SHAPED["a GitHub token"]
    sweep = Sweep(secrets={**KNOWN, **SHAPED, **UNTOLD})
    said: dict[str, str] = {}

    place = tmp_path / "host"
    os.mkfifo(place / "wait")
    with program.started(*RUN, "--yes") as process:
        with watching(sweep, process.pid, [own]) as killed:
            wait_until(lambda: process.poll() or b"host/wait" in _commands(killed.seen))
        assert process.poll() is None
        process.send_signal(signal.SIGQUIT)  # As Ctrl-\ does: a kill that leaves an image.
        process.communicate(timeout=PATIENCE_S)
    said["resumed"] = program("resume", "last").stderr
    (place / "wait").write_text("")  # What was killed left Ansible behind, which comes to its end.
    wait_until(lambda: STARTER not in _commands(killed.seen))
    said["closed"] = program("resume", "last", "--abandon", f"by {note}").stderr
    for name in ("wait", "flag"):
        (place / name).unlink()
    (place / "wait").touch()
    with (
        program.started(*RUN, "--yes", "--json", "-vv", "--set", "fails=1") as process,
        watching(sweep, process.pid, [own]) as failed,
    ):
        said["failed, stdout"], said["failed, stderr"] = process.communicate(timeout=PATIENCE_S)
    assert process.returncode == 1, said
    with program.at_terminal(*RUN, term="xterm") as (terminal_process, terminal):
        screen = ""
        for typed in ("e", "d", "t", f"w called with {note}", f"y: agreed by {note}"):
            terminal.expect(r"Do this on web1\? \(Enter is no\): ")
            screen += str(terminal.before)
            terminal.send(f"{typed}\n")
        terminal.expect("resolved")
        screen += str(terminal.before)
        assert terminal_process.wait(PATIENCE_S) == 0
    said["terminal"] = screen.replace(f"called with {note}", "").replace(f"agreed by {note}", "")
    runs = [run["run_id"] for run in json.loads(program("history", "--json").stdout)["runs"]]
    for run, form in zip((*runs, "last"), ("text", "json", "html", "markdown"), strict=True):
        said[f"report of {run} as {form}"] = program("report", run, "--format", form).stdout
    with closing(open_journal(own / "state" / "journal.sqlite")) as journal:
        for run in runs:
            said[f"journal of {run}"] = repr(list(journal.entries(run)))

    written = (place / "written").read_text()
    assert len(runs) == 3
    assert sweep.found_in(written) == {*KNOWN, *SHAPED}, "the secrets did not get to the host"
    assert {name: found for name, text in said.items() if (found := sweep.found_in(text))} == {}
    for watch in (killed, failed):
        assert len(watch.seen) > 3
        assert watch.processes == {}
        assert {"arguments.json", "extra.json"} <= {Path(path).name for path in watch.files}
        assert all(Path(path).is_relative_to(own / "run" / "runbook") for path in watch.files)
        assert watch.modes == {0}
        assert watch.cores <= {"0", "1"}
    assert not list(tmp_path.rglob("core*"))
    assert sweep.found_below(own) == {}
    assert (own / "state" / "journal.sqlite").stat().st_mode & 0o077 == 0
    assert "secrets-needed" in said["resumed"]


def _commands(pids: set[int]) -> bytes:
    told = b""
    for pid in frozenset(pids):
        try:
            told += Path(f"/proc/{pid}/cmdline").read_bytes()
        except OSError:
            continue
    return told


def test_a_process_that_crashes_leaves_no_image(tmp_path: Path, images: bool) -> None:
    """Where another one does leave it, with all it knew, one that began as ours do does not."""
    secret = KNOWN["in ansible_password"]
    crash = f"; known = {secret!r}; os.kill(os.getpid(), signal.SIGQUIT)"
    ours = "from runbook.views.no_core import leave_no_core; leave_no_core()"
    found = {}
    for name, before in (("other", "pass"), ("ours", ours)):
        folder = tmp_path / name
        folder.mkdir()
        child = [sys.executable, "-c", f"import os, signal; {before}{crash}"]
        ended = subprocess.run(child, cwd=folder, check=False)
        assert ended.returncode == -signal.SIGQUIT
        found[name] = bool(Sweep(secrets={"it": secret}).found_below(folder))

    assert found == {"other": images, "ours": False}


def test_a_sweep_finds_what_is_there(tmp_path: Path) -> None:
    """In a file, in its name, in an argument and in the environment, in any form."""
    secret = KNOWN["in an inline vault"]
    sweep = Sweep(secrets={"it": secret})
    for number, text in enumerate(
        (secret, json.dumps(secret), json.dumps([secret], ensure_ascii=False))
    ):
        (tmp_path / f"{number}").write_text(f"x {text} y")
    (tmp_path / "named").mkdir()
    (tmp_path / "named" / secret.replace("/", "%2F")).touch()
    child = [sys.executable, "-c", "input()", secret]

    with (
        subprocess.Popen(
            child, stdin=subprocess.PIPE, env={**os.environ, "IT": f"{secret}"}
        ) as process,
        watching(sweep, os.getpid(), [tmp_path]) as watch,
    ):
        wait_until(lambda: len(watch.processes) == 2 and len(watch.files) >= 3)
        assert process.stdin is not None
        process.stdin.write(b"\n")
        process.stdin.close()

    assert {Path(path).name for path in watch.files} == {"0", "1", "2"}
