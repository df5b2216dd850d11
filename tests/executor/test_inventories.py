"""Variables arrive in conditions from wherever Ansible takes them, secrets without being shown."""

import json
import stat
import sys
from pathlib import Path

import pytest
from ansible.parsing.vault import VaultLib, VaultSecret

from runbook.executor import Ending, FixRequest, ObserveRequest
from runbook.model.definition import CheckResult
from runbook.model.event import Acted
from tests.executor_harness import Stage, Told, carry_out, local, observe, request_id

RUNBOOK = """
runbook: variables
title: Where variables come from
params:
  here: {type: string}
  from_yaml: {type: integer}
  from_ini: {type: integer}
  from_script: {type: integer}
  from_group: {type: string}
  from_host: {type: string}
  sealed: {type: string}
  db_password: {type: string}
  licences: {type: array}
  from_extra: {type: string}
  from_file: {type: integer}
  from_set: {type: integer, default: 1}
  by_default: {type: string, default: "{{ from_host }} by default"}
  beaten: {type: string, default: by the inventory}
causes:
  fault: {title: A fault}
steps:
  - branch: sources
    title: The word is {{ sealed }} for {{ inventory_hostname }} of {{ licences[0].holder }}, {{ licences[0].told }}
    cases:
      - {when: from_yaml == 1, next: who}
      - {when: from_ini == 2, next: who}
      - {when: from_script == 3, next: who}
      - {when: from_group == "of the web", next: who}
      - {when: from_host == "of " ~ inventory_hostname, next: who}
      - {when: sealed == "inline-sealed", next: who}
      - {when: db_password == "sealed-as-a-file", next: who}
      - {when: from_extra == "typed", next: who}
      - {when: from_file == 5, next: who}
      - {when: from_set == 4, next: who}
      - {when: by_default == from_host ~ " by default", next: who}
      - {when: beaten == "it won", next: who}
      - {when: groups.web | length == 3, next: who}
    next: {otherwise: who}
  - check: who
    title: Who looks
    probe: {command: {shell: "echo $BECAME"}}
    read_only: true
    passes: who.stdout == "deploy"
    next: {passed: kept, failed: write}
  - check: kept
    title: A file that keeps what was sealed
    task:
      ansible.builtin.copy:
        dest: "{{ here }}/kept"
        content: SEALED
    next: {passed: end(healthy), failed: inner}
  - call: inner
    title: Somebody else's secrets
    runbook: called
    params: {code: "{{ from_extra }} code"}
    next: {healthy: write, unresolved: write}
  - fix: write
    title: Write it down
    cause: fault
    tasks:
      - name: Write it
        ansible.builtin.command:
          argv: [tee, "{{ here }}/sealed"]
          stdin_add_newline: false
          stdin: SEALED
      - name: Tell it
        ansible.builtin.fail: {msg: "the word is {{ word }}"}
        vars:
          word: SEALED
        ignore_errors: true
      - name: Write what is no template
        ansible.builtin.command:
          argv: [tee, "{{ here }}/unsafe"]
          stdin_add_newline: false
          stdin: !unsafe "{{ not a template }}"
    verify: {symptom: who, within: 0s}
"""

CALLED = """
runbook: called
title: Takes a secret
params:
  code: {type: string, secret: true}
steps:
  - check: says
    title: It says {{ code }}
    probe: {command: {argv: [echo, "{{ code }}"]}}
    read_only: true
    passes: says.stdout == "typed code"
    next: {passed: end(healthy), failed: end(unresolved)}
"""

SUDO = """#!/bin/sh
# Stands where sudo should be: becomes nobody, but tells whom it should have become.
while [ $# -gt 0 ]; do
  case $1 in
    -u) BECAME=$2; export BECAME; shift 2 ;;
    -*) shift ;;
    *) break ;;
  esac
done
exec "$@"
"""

PASSWORD = "open sesame"


def seal(text: str) -> str:
    """Return a text as ansible-vault seals it."""
    secret = VaultSecret(PASSWORD.encode())
    sealed: bytes = VaultLib([("default", secret)]).encrypt(text, secret)
    return sealed.decode()


def inline(text: str, indent: int) -> str:
    """Return a sealed text as a YAML value."""
    return "!vault |\n" + "".join(f"{' ' * indent}{line}\n" for line in seal(text).splitlines())


def executable(path: Path, text: str) -> Path:
    """Write a program."""
    path.write_text(text)
    path.chmod(stat.S_IRWXU)
    return path


@pytest.fixture(scope="module")
def stage(tmp_path_factory: pytest.TempPathFactory) -> Stage:
    """Return a stage with inventories of every kind for the same three hosts."""
    folder = tmp_path_factory.mktemp("inventories")
    several = folder / "several"
    (several / "group_vars" / "web").mkdir(parents=True)
    (several / "host_vars").mkdir()
    sudo = executable(folder / "sudo", SUDO)
    (several / "1.yml").write_text(
        "web:\n  hosts: {web1: {from_yaml: 1}, web2: {}, web3: {from_yaml: 1}}\n"
        f"  vars: {json.dumps(local(ansible_become_exe=str(sudo), here=str(folder)))}\n"
        "other:\n  hosts: {db1: {ansible_connection: local}}\n"
    )
    (several / "2.ini").write_text("[web]\nweb1 from_ini=2\n[web:vars]\nbeaten='it won'\n")
    (several / "group_vars" / "web" / "plain.yml").write_text("from_group: of the web\n")
    (several / "group_vars" / "web" / "vault.yml").write_text(
        seal(
            "db_password: sealed-as-a-file\n"
            "licences: [{holder: sealed-without-a-telling-name, told: [473921, 8000, 300000]}]\n"
        )
    )
    (several / "host_vars" / "web1.yml").write_text(
        f"from_host: of web1\nsealed: {inline('inline-sealed', 2)}"
        "ansible_become: true\nansible_become_user: deploy\n"
    )
    refused = executable(folder / "refused", "#!/bin/sh\necho 'no password, no way' >&2\nexit 1\n")
    (several / "host_vars" / "web2.yml").write_text(
        f"ansible_become: true\nansible_become_user: deploy\nansible_become_exe: {refused}\n"
    )
    executable(
        folder / "script",
        f"#!{sys.executable}\nimport json\n"
        'print(json.dumps({"web": ["web1"], "_meta": {"hostvars": {"web1": {"from_script": 3}}}}))\n',
    )
    executable(folder / "password", f"#!/bin/sh\necho '{PASSWORD}'\n")
    (folder / "more.yml").write_text("from_file: 5\n")
    (folder / "called.yml").write_text(CALLED)
    return Stage(folder=folder)


def carried_out(
    stage: Stage,
    request: ObserveRequest | FixRequest,
    *,
    password: str | None = None,
    identity: str | None = None,
) -> Told:
    """Do a request with all that is given."""
    text = RUNBOOK.replace("SEALED", inline("sealed in the runbook", 12))
    executor = stage.executor(
        stage.runbook(text),
        str(stage.folder / "several"),
        str(stage.folder / "script"),
        extra_vars=("from_extra=typed", f"@{stage.folder / 'more.yml'}"),
        given={"from_set": 4},
        vault_password_files=(password,) if password else (),
        vault_ids=(f"default@{identity}",) if identity else (),
    )
    return carry_out(executor, request)


@pytest.fixture(scope="module")
def looked(stage: Stage) -> Told:
    """Look at one host, by a pattern of groups and exclusions."""
    request = observe("sources", "who", pattern="web:!web2:!web3")
    return carried_out(stage, request, password=str(stage.folder / "password"))


def test_patterns_are_those_of_ansible(looked: Told) -> None:
    """Groups and exclusions count; nobody else is looked at."""
    assert looked.resolved.hosts == ("web1",)
    assert looked.resolved.problems == ()


@pytest.mark.parametrize(
    ("case", "source"),
    list(
        enumerate(
            [
                "a YAML inventory",
                "an INI inventory",
                "an inventory script",
                "group_vars",
                "host_vars",
                "an inline vault",
                "a vaulted file",
                "-e name=value",
                "-e @file",
                "--set",
                "a default that is a template",
                "an inventory that beats a default",
                "the groups of all inventories",
            ]
        )
    ),
)
def test_a_variable_arrives_in_a_condition(looked: Told, case: int, source: str) -> None:
    """Every source Ansible knows is a source of ours, with its precedence."""
    seen = looked.seen("web1", "sources")

    assert seen.facts["cases"][case] == "true", (source, seen.reason)


def test_a_sealed_value_is_used_and_not_shown(looked: Told) -> None:
    """A title that quotes it, and the params as reported, hold a mask; ports and limits are shown."""
    assert (
        looked.observed("web1").texts["sources"].title
        == "The word is ******** for web1 of ********, [********, 8000, 300000]"
    )
    assert looked.resolved.params["web1"]["sealed"] == "********"
    assert looked.resolved.params["web1"]["db_password"] == "********"
    for secret in ("inline-sealed", "sealed-as-a-file", "sealed-without-a-telling-name"):
        assert secret not in repr(looked.reports)


def test_what_only_the_runbook_keeps_secret_is_not_shown(stage: Stage) -> None:
    """Neither what a task of its own seals nor what it gives another runbook as a secret."""
    request = ObserveRequest(
        id=request_id(), pattern="web3", wants={"web3": ("kept", "inner/says")}
    )

    told = carried_out(stage, request, identity=str(stage.folder / "password"))

    (diff,) = told.seen("web3", "kept").facts["diff"]
    assert diff["after"] == "********"
    assert told.result("web3", "inner/says") is CheckResult.PASSED
    assert told.seen("web3", "inner/says").facts["stdout"] == "********"
    assert told.observed("web3").texts["inner/says"].title == "It says ********"


def test_becoming_another_user_is_the_inventory_s_to_say(looked: Told) -> None:
    """The probes of a host run as the user that `ansible_become` names."""
    assert looked.result("web1", "who") is CheckResult.PASSED


def test_who_may_not_become_another_user_is_told_so(stage: Stage) -> None:
    """What sudo says is passed on, and not taken for an answer of the host's."""
    request = observe("who", pattern="web2")

    told = carried_out(stage, request, password=str(stage.folder / "password"))

    reason = told.seen("web2", "who").reason or ""
    assert told.result("web2", "who") is CheckResult.UNKNOWN
    assert reason.startswith("Ansible could not ask the host: ")
    assert "no password, no way" in reason


def test_a_vault_without_its_password_is_said(stage: Stage) -> None:
    """No host is resolved, and the reason speaks of the vault."""
    told = carried_out(stage, observe("sources"))

    assert told.ended.ending is Ending.BROKEN
    assert "vault" in (told.ended.reason or "").lower()
    assert len(told.reports) == 1


def test_a_value_sealed_in_the_runbook_is_opened_on_the_host(stage: Stage) -> None:
    """`!vault` and `!unsafe` in a task reach Ansible as they are."""
    request = FixRequest(id=request_id(), fix="write", hosts=("web1",))

    told = carried_out(stage, request, password=str(stage.folder / "password"))

    assert told.acted("web1").acted is Acted.CHANGED
    assert (stage.folder / "sealed").read_text() == "sealed in the runbook"
    assert (stage.folder / "unsafe").read_text() == "{{ not a template }}"
    assert "the word is ********" in told.acted("web1").changes[1].message
    assert "sealed in the runbook" not in repr(told.reports)


def test_an_inventory_that_cannot_be_read_is_said(stage: Stage) -> None:
    """One source that fails is an error, not a smaller target set; it says where the slip is."""
    runbook = stage.runbook(RUNBOOK.replace("SEALED", "x"))
    broken = stage.folder / "broken.yml"
    broken.write_text("web: [unclosed\n")
    executor = stage.executor(runbook, str(stage.folder / "several"), str(broken))

    told = carry_out(executor, observe("sources"))

    assert told.ended.ending is Ending.BROKEN
    assert "YAML parsing failed" in (told.ended.reason or "")
    assert "broken.yml:2:1" in (told.ended.reason or "")


DIAGNOSIS = """
runbook: diagnosis
title: Many checks
steps:
{checks}
"""

CHECK = """
  - check: check{number}
    title: Number {number}
    probe: {{file: {{path: "/{number}"}}}}
    next: {next}
"""

WRAPPER = """#!/bin/sh
echo once >> {log}
exec {python} "$@"
"""


def test_a_diagnosis_is_one_process_and_one_round_trip(tmp_path: Path) -> None:
    """Fourteen checks of a host start Ansible once, and Python on the host once."""
    stage = Stage(folder=tmp_path)
    started, asked = tmp_path / "started", tmp_path / "asked"
    checks = [
        CHECK.format(number=number, next=f"check{number + 1}" if number < 14 else "end(healthy)")
        for number in range(1, 15)
    ]
    wrapper = executable(tmp_path / "python", WRAPPER.format(log=asked, python=sys.executable))
    host = local(ansible_python_interpreter=str(wrapper))
    answer = json.dumps({"all": {"hosts": ["web1"]}, "_meta": {"hostvars": {"web1": host}}})
    script = executable(
        tmp_path / "script", f"#!/bin/sh\necho once >> {started}\necho '{answer}'\n"
    )
    executor = stage.executor(stage.runbook(DIAGNOSIS.format(checks="".join(checks))), str(script))

    told = carry_out(executor, observe(*(f"check{number}" for number in range(1, 15))))

    results = {item.result for item in told.observed("web1").observations.values()}
    assert results == {CheckResult.FAILED}
    assert started.read_text() == "once\n"
    assert asked.read_text() == "once\n"
