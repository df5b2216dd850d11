"""The same probes as an Ansible module, by a real ansible-playbook."""

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from tests.unit.probes.prober import CONTENT, PYTHON
from tests.unit.probes.servers import Server

PLAYBOOK = """
- hosts: localhost
  gather_facts: false
  tasks:
    - runbook_probe: {probes: "{{ probes }}", sample: "{{ sample }}", deadline: 20}
      register: told
    - copy: {content: "{{ told | to_json }}", dest: "{{ result }}"}
      check_mode: false
"""


def _play(folder: Path, *options: str, pipelining: bool = True, **variables: Any) -> dict[str, Any]:
    (folder / "play.yml").write_text(PLAYBOOK, encoding="utf-8")
    result = folder / "result.json"
    values = {"sample": None, "ansible_python_interpreter": PYTHON, "result": str(result)}
    (folder / "vars.json").write_text(json.dumps({**values, **variables}), encoding="utf-8")
    done = subprocess.run(
        [
            str(Path(sys.executable).with_name("ansible-playbook")),
            *("-i", "localhost,", "-c", "local", "-e", f"@{folder}/vars.json"),
            *options,
            str(folder / "play.yml"),
        ],
        env={
            **os.environ,
            "ANSIBLE_LIBRARY": str(CONTENT / "modules"),
            "ANSIBLE_MODULE_UTILS": str(CONTENT / "module_utils"),
            "ANSIBLE_PIPELINING": str(pipelining),
            "ANSIBLE_HOME": str(folder / "home"),
            "ANSIBLE_REMOTE_TMP": str(folder / "remote"),
            "ANSIBLE_LOCALHOST_WARNING": "False",
        },
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stdout + done.stderr
    told: dict[str, Any] = json.loads(result.read_text(encoding="utf-8"))
    return told


@pytest.mark.parametrize("pipelining", [True, False])
def test_as_a_module(tmp_path: Path, server: Server, pipelining: bool) -> None:
    """Every area of probes reaches the host and answers there; nothing is changed."""
    probes: list[dict[str, Any]] = [
        {"id": "site", "type": "http", "args": {"url": server.url()}, "timeout": 5},
        {"id": "port", "type": "port", "args": {"port": str(server.port)}},
        {"id": "hang", "type": "command", "args": {"argv": ["sleep", "60"]}, "timeout": 0.3},
        {"id": "import", "type": "python_imports", "args": {"modules": ["json"]}},
        {"id": "tree", "type": "git", "args": {"path": str(tmp_path)}},
        {"id": "cert", "type": "certificate", "args": {"path": "/etc/passwd"}},
        {"id": "fire", "type": "firewall", "args": {"port": 1}},
        {"id": "nginx", "type": "nginx_config", "args": {"command": "no-nginx-here"}},
        {"id": "log", "type": "log", "args": {"path": "/etc/passwd", "pattern": "^root:"}},
        {"id": "file", "type": "file", "args": {"path": "/etc/passwd"}},
        {"id": "it", "type": "service", "args": {"manager": "process", "pattern": "no-such-x"}},
        {"id": "host", "type": "host"},
    ]
    told = _play(tmp_path, probes=probes, pipelining=pipelining)
    answers = told["answers"]

    assert told["changed"] is False
    assert set(answers) == {probe["id"] for probe in probes}
    assert answers["site"]["facts"]["json"] == {"status": "healthy"}
    assert answers["port"]["facts"]["pid"] == os.getpid()
    assert answers["hang"]["reason"] == "not finished within 0.3 s"
    assert answers["import"]["facts"]["imported"]
    assert answers["log"]["facts"]["count"] == 1
    assert answers["it"]["facts"]["state"] == "absent"
    crashed = [each for each in answers.values() if "crash" in each.get("reason", "")]
    assert crashed == []
    # The request, which may hold secrets, does not come back with the answer.
    assert "probes" not in told.get("invocation", {}).get("module_args", {})


def test_in_check_mode_and_repeated(tmp_path: Path) -> None:
    """Looking changes nothing, so it is done in check mode as well; samples come back in order."""
    probes = [{"id": "it", "type": "host"}]
    told = _play(tmp_path, "--check", probes=probes, sample={"for": 0.4, "every": 0.2})

    assert len(told["samples"]) == 3
    assert [each["at_s"] for each in told["samples"]] == sorted(
        each["at_s"] for each in told["samples"]
    )
    assert told["answers"]["it"]["looked"]
