"""A small library of runbooks, and hosts on loopback: one that answers, one that is a black hole."""

import socket
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
import yaml

from tests.acceptance.program import Program

COUNTED_FIX = """\
runbook: counted-fix
title: A file is missing, and making it takes a while
params:
  flag: {type: string}
  counter: {type: string}
  takes: {type: integer, default: 0}
causes:
  missing: {title: The file is missing, likelihood: 1.0}
steps:
  - check: present
    title: The file is there
    probe: {file: {path: "{{ flag }}"}}
    passes: present.exists
    next: {passed: end(healthy), failed: make}
  - fix: make
    title: Make the file
    cause: missing
    impact: None
    tasks:
      - name: Count how often this begins
        ansible.builtin.shell: printf x >> '{{ counter }}' && sleep {{ takes }}
      - name: Make the file
        ansible.builtin.copy: {content: "here", dest: "{{ flag }}", mode: "0644"}
    undo:
      tasks:
        - name: Take a while
          ansible.builtin.shell: sleep {{ takes }}
        - name: Take the file away
          ansible.builtin.file: {path: "{{ flag }}", state: absent}
    verify: {cause: present, symptom: present, within: 3s}
"""


@pytest.fixture
def black_hole() -> Iterator[int]:
    """Give a port on loopback whose connections hang: its queue is full and nobody accepts."""
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        listener.listen(0)
        waiting = [socket.socket() for _ in range(4)]
        for one in waiting:
            one.settimeout(0)
            one.connect_ex(listener.getsockname())
        yield int(listener.getsockname()[1])
        for one in waiting:
            one.close()


@pytest.fixture
def program(tmp_path: Path, black_hole: int) -> Program:
    """Give the program in a folder with a runbook and an inventory of two hosts."""
    library = tmp_path / "runbooks"
    library.mkdir()
    (library / "counted-fix.yml").write_text(COUNTED_FIX)
    hosts: dict[str, dict[str, object]] = {
        "alive": {"ansible_connection": "local"},
        "hole": {
            "ansible_host": "127.0.0.1",
            "ansible_port": black_hole,
            "ansible_ssh_common_args": "-o ConnectTimeout=3 -o StrictHostKeyChecking=no",
        },
    }
    for name, host in hosts.items():
        # A machine has one lease by default, which would be shared by all that is tested here.
        host["runbook_lease_path"] = str(tmp_path / f"{name}.lease")
    variables = {
        "ansible_python_interpreter": sys.executable,
        "flag": str(tmp_path / "{{ inventory_hostname }}.flag"),
        "counter": str(tmp_path / "{{ inventory_hostname }}.counter"),
    }
    inventory = {"all": {"vars": variables, "children": {"pair": {"hosts": hosts}}}}
    (tmp_path / "inventory.yml").write_text(yaml.safe_dump(inventory))
    return Program(home=tmp_path / "home", folder=tmp_path)
