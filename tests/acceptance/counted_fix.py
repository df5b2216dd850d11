"""A runbook whose fix takes as long as it is told, and a host that counts how often it begins."""

import sys
from pathlib import Path

import yaml

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
        - name: Count how often this begins
          ansible.builtin.shell: printf x >> '{{ counter }}-undo' && sleep {{ takes }}
        - name: Take the file away
          ansible.builtin.file: {path: "{{ flag }}", state: absent}
    verify: {cause: present, symptom: present, within: 3s}
"""


def lay_out(folder: Path, **hosts: dict[str, object]) -> None:
    """Put the runbook into a folder's library, and hosts into its inventory, as the group `pair`.

    Each host has a file `HOST.flag`, which the fix makes, and `HOST.counter`, with a character for
    each time it began; `HOST.counter-undo` is the same of its undo.
    """
    library = folder / "runbooks"
    library.mkdir()
    (library / "counted-fix.yml").write_text(COUNTED_FIX)
    for name, host in hosts.items():
        # A machine has one lease by default, which would be shared by all that is tested here.
        host["runbook_lease_path"] = str(folder / f"{name}.lease")
    variables = {
        "ansible_python_interpreter": sys.executable,
        "flag": str(folder / "{{ inventory_hostname }}.flag"),
        "counter": str(folder / "{{ inventory_hostname }}.counter"),
    }
    inventory = {"all": {"vars": variables, "children": {"pair": {"hosts": hosts}}}}
    (folder / "inventory.yml").write_text(yaml.safe_dump(inventory))
