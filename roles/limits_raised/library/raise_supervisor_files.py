"""Raise how many files supervisor's programs may open. Linux; Python 3.8 or newer."""
# ruff: noqa: INP001 - a lone file for Python 3.8, without pathlib

from __future__ import annotations

import os
import re
import resource
from typing import Any

from ansible.module_utils.basic import AnsibleModule
from ansible.module_utils.runbook_support.accounts import run
from ansible.module_utils.runbook_support.errors import RefusedError
from ansible.module_utils.runbook_support.files import digest, read_text, write_text
from ansible.module_utils.runbook_support.kept import Kept

DOCUMENTATION = r"""
module: raise_supervisor_files
short_description: Raise how many files supervisor's programs may open
description:
  - Sets C(minfds) in supervisord's configuration, for its next start, and raises the limit of the
    supervisord that runs. A program has to be restarted to run under it; supervisord has not.
options:
  config:
    description: supervisord's configuration file.
    type: path
    required: true
  open_files:
    description: How many files a program may open.
    type: int
    default: 0
  command:
    description: Arguments that run supervisorctl.
    type: list
    elements: str
    default: [supervisorctl]
  state_directory:
    description: Where the configuration and the limit from before are kept.
    type: path
    required: true
  undo:
    description: Bring the configuration and the limit from before back.
    type: bool
    default: false
author: [The runbook authors]
"""
EXAMPLES = r"""
- name: Let supervisor's programs open more files
  raise_supervisor_files:
    config: /etc/supervisor/supervisord.conf
    open_files: 65536
    state_directory: /var/lib/runbook/limits_raised
"""
RETURN = r""" # """

_SECTION = re.compile(r"^\[supervisord\][^\n]*\n", re.MULTILINE)
_MINFDS = re.compile(r"^minfds\s*[=:]\s*(\d+)[^\n]*\n", re.MULTILINE)
# supervisord's own, where its configuration says nothing.
_DEFAULT = 1024


def set_minfds(text: str, wanted: int) -> str:
    """Return the configuration with at least that many files; raise RefusedError."""
    section = _SECTION.search(text)
    if not section:
        raise RefusedError("the configuration has no section [supervisord]")
    following = re.compile(r"^\[", re.MULTILINE).search(text, section.end())
    end = following.start() if following else len(text)
    line = _MINFDS.search(text, section.end(), end)
    if (int(line[1]) if line else _DEFAULT) >= wanted:
        return text
    start, stop = (line.start(), line.end()) if line else (section.end(), section.end())
    return f"{text[:start]}minfds={wanted}\n{text[stop:]}"


class Supervisor:
    """supervisord: its configuration and its process."""

    def __init__(self, module: AnsibleModule) -> None:
        self.module = module
        self.path = os.path.realpath(module.params["config"])
        done = run([*module.params["command"], "-c", self.path, "pid"])
        if done.rc != 0 or not done.out.strip().isdigit():
            raise RefusedError(f"supervisord does not answer: {done.why}")
        self.pid = int(done.out)

    def limits(self) -> tuple[int, int]:
        """Return the soft and the hard limit of the process."""
        return resource.prlimit(self.pid, resource.RLIMIT_NOFILE)

    def put(self, text: str, limits: tuple[int, int]) -> None:
        """Write the configuration and set the process's limits; raise RefusedError."""
        try:
            resource.prlimit(self.pid, resource.RLIMIT_NOFILE, limits)
        except (OSError, ValueError) as error:
            raise RefusedError(f"the limit of process {self.pid} cannot be set: {error}") from None
        if text != read_text(self.path):
            write_text(self.module, self.path, text)

    def change(
        self, before: str, had: tuple[int, int], after: str, has: tuple[int, int]
    ) -> dict[str, Any]:
        """Return what the module says of a change."""
        line = f"# open files of supervisord (process {self.pid}), soft and hard: "
        return {
            "changed": (before, had) != (after, has),
            "diff": {
                "before": f"{line}{had[0]} {had[1]}\n{before}",
                "after": f"{line}{has[0]} {has[1]}\n{after}",
                "before_header": self.path,
                "after_header": self.path,
            },
        }


def apply(supervisor: Supervisor, kept: Kept) -> dict[str, Any]:
    """Raise what is lower than asked for; raise RefusedError with all as it was."""
    wanted = supervisor.module.params["open_files"]
    if wanted <= 0:
        raise RefusedError("of supervisor's programs only open_files can be raised: give it")
    before, had = read_text(supervisor.path), supervisor.limits()
    after = set_minfds(before, wanted)
    has = (max(wanted, had[0]), max(wanted, had[1]))
    if (before, had) != (after, has) and not supervisor.module.check_mode:
        kept.add({"before": before, "limits": had, "after": digest(after)})
        try:
            supervisor.put(after, has)
        except RefusedError:
            kept.drop()
            raise
    return supervisor.change(before, had, after, has)


def take_back(supervisor: Supervisor, kept: Kept) -> dict[str, Any]:
    """Bring configuration and limit back; raise RefusedError if somebody changed it since."""
    record = kept.last()
    if record is None:
        if not supervisor.module.check_mode:
            kept.drop()
        return {"changed": False, "msg": "nothing was kept: nothing to undo"}
    now, has = read_text(supervisor.path), supervisor.limits()
    if digest(now) != record["after"]:
        raise RefusedError(f"{supervisor.path} was changed since: not taken back")
    soft, hard = record["limits"]
    if not supervisor.module.check_mode:
        supervisor.put(record["before"], (soft, hard))
        kept.drop()
    return supervisor.change(now, has, record["before"], (soft, hard))


def main() -> None:
    """Run the module."""
    module = AnsibleModule(
        argument_spec={
            "config": {"type": "path", "required": True},
            "open_files": {"type": "int", "default": 0},
            "command": {"type": "list", "elements": "str", "default": ["supervisorctl"]},
            "state_directory": {"type": "path", "required": True},
            "undo": {"type": "bool", "default": False},
        },
        supports_check_mode=True,
    )
    kept = Kept(module.params["state_directory"], os.path.realpath(module.params["config"]))
    try:
        supervisor = Supervisor(module)
        outcome = (take_back if module.params["undo"] else apply)(supervisor, kept)
    except RefusedError as error:
        if not module.params["undo"] and not module.check_mode:
            kept.failed()
        module.fail_json(msg=str(error))
    module.exit_json(**outcome)


if __name__ == "__main__":
    main()
