"""Raise the limits of a unit by a drop-in. Linux; Python 3.8 or newer."""
# ruff: noqa: INP001, PTH103, PTH106, PTH107, PTH110, PTH118 - for Python 3.8, no pathlib

from __future__ import annotations

import os
import re
from typing import Any

from ansible.module_utils.basic import AnsibleModule
from ansible.module_utils.runbook_support.accounts import run
from ansible.module_utils.runbook_support.errors import RefusedError
from ansible.module_utils.runbook_support.files import digest, read_text, write_text
from ansible.module_utils.runbook_support.kept import Kept

DOCUMENTATION = r"""
module: raise_systemd_limits
short_description: Raise the limits of a unit by a drop-in
description:
  - Writes a drop-in with the limits given, and makes systemd read it. Limits that the unit already
    has are never lowered. The unit has to be restarted to run under them.
options:
  unit:
    description: The service's unit.
    type: str
    required: true
  open_files:
    description: The soft LimitNOFILE, and the hard one if it is lower; 0 leaves them alone.
    type: int
    default: 0
  memory:
    description: MemoryMax, in bytes or as systemd writes it (C(512M)); empty leaves it alone.
    type: str
    default: ""
  starts:
    description: StartLimitBurst; 0 leaves it alone.
    type: int
    default: 0
  directory:
    description: Where systemd's units are configured.
    type: path
    default: /etc/systemd/system
  command:
    description: Arguments that run systemctl.
    type: list
    elements: str
    default: [systemctl]
  state_directory:
    description: Where the drop-in from before is kept.
    type: path
    required: true
  undo:
    description: Remove the drop-in, or bring the one from before back.
    type: bool
    default: false
author: [The runbook authors]
"""
EXAMPLES = r"""
- name: Let the backend open more files
  raise_systemd_limits:
    unit: bandarupay-backend
    open_files: 65536
    state_directory: /var/lib/runbook/limits_raised
"""
RETURN = r""" # """

_NAME = "50-runbook-limits.conf"
_SIZES = {"": 1, "K": 2**10, "M": 2**20, "G": 2**30, "T": 2**40}
_UNIT = re.compile(r"[A-Za-z0-9:_.@\\-]+")


def size(text: str) -> float:
    """Return a limit as a number: bytes, or how many; raise RefusedError if it is none."""
    if text in ("infinity", "18446744073709551615"):
        return float("inf")
    found = re.fullmatch(r"(\d+)([KMGT]?)", text)
    if not found:
        raise RefusedError(f"{text!r} is no size such as 512M")
    return int(found[1]) * _SIZES[found[2]]


class Unit:
    """A unit of systemd and our drop-in for it."""

    def __init__(self, module: AnsibleModule) -> None:
        wanted = module.params
        self.module = module
        self.name: str = wanted["unit"]
        if not _UNIT.fullmatch(self.name):
            raise RefusedError(f"{self.name!r} is no unit")
        if not self.name.endswith(".service"):
            self.name += ".service"
        self.folder = os.path.join(wanted["directory"], f"{self.name}.d")
        self.path = os.path.join(self.folder, _NAME)

    def systemctl(self, *arguments: str) -> str:
        """Run systemctl and return what it prints; raise RefusedError if it fails."""
        done = run([*self.module.params["command"], *arguments])
        if done.rc != 0:
            raise RefusedError(f"systemctl {arguments[0]} fails: {done.why}")
        return str(done.out)

    def properties(self) -> dict[str, str]:
        """Return the unit's limits as systemd has them; raise RefusedError if there is none."""
        names = "LoadState,LimitNOFILE,LimitNOFILESoft,MemoryMax,StartLimitBurst"
        lines = self.systemctl("show", self.name, f"--property={names}").splitlines()
        found = dict(line.split("=", 1) for line in lines if "=" in line)
        if found.get("LoadState") != "loaded":
            raise RefusedError(f"{self.name} is {found.get('LoadState', 'unknown')} to systemd")
        return found

    def text(self) -> str | None:
        """Return our drop-in; None if there is none."""
        return read_text(self.path) if os.path.exists(self.path) else None

    def put(self, text: str | None) -> None:
        """Write or remove our drop-in and make systemd read it."""
        if text is not None:
            os.makedirs(self.folder, mode=0o755, exist_ok=True)
            write_text(self.module, self.path, text, 0o644)
        elif os.path.exists(self.path):
            os.remove(self.path)
            if not os.listdir(self.folder):  # noqa: PTH208
                os.rmdir(self.folder)
        self.systemctl("daemon-reload")

    def change(self, before: str | None, after: str | None) -> dict[str, Any]:
        """Return what the module says of a change."""
        diff = {"before": before or "", "after": after or "", "before_header": self.path}
        return {"changed": before != after, "diff": {**diff, "after_header": self.path}}


def asked_for(wanted: dict[str, Any]) -> dict[str, str]:
    """Return the limits asked for, by their names in systemd; raise RefusedError if none."""
    found = {
        "LimitNOFILE": str(wanted["open_files"] or ""),
        "MemoryMax": wanted["memory"],
        "StartLimitBurst": str(wanted["starts"] or ""),
    }
    found = {name: value for name, value in found.items() if value}
    if not found:
        raise RefusedError("no limit is given")
    return found


def rendered(limits: dict[str, str]) -> str:
    """Return the drop-in's text."""
    sections = {
        "Unit": [f"{name}={value}" for name, value in limits.items() if name.startswith("Start")],
        "Service": [
            f"{name}={value}" for name, value in limits.items() if not name.startswith("Start")
        ],
    }
    parts = ["\n".join([f"[{name}]", *lines]) for name, lines in sections.items() if lines]
    return "# Written by the role limits_raised.\n" + "\n\n".join(parts) + "\n"


def written(text: str | None) -> dict[str, str]:
    """Return the limits in a drop-in."""
    lines = (text or "").splitlines()
    return dict(line.split("=", 1) for line in lines if "=" in line and line[0] != "#")


def apply(unit: Unit, kept: Kept) -> dict[str, Any]:
    """Raise what is lower than asked for; raise RefusedError with all as it was."""
    has, before = unit.properties(), unit.text()
    limits = written(before)
    for name, value in asked_for(unit.module.params).items():
        # The soft limit is what a program runs under, unless it knows better.
        if name == "LimitNOFILE" and size(value) > size(has.get("LimitNOFILESoft", "0")):
            hard = has.get(name, "0")
            limits[name] = f"{value}:{hard if size(hard) > size(value) else value}"
        elif name != "LimitNOFILE" and size(value) > size(has.get(name, "0")):
            limits[name] = value
    after = rendered(limits) if limits else None
    if limits == written(before):
        after = before
    if before != after and not unit.module.check_mode:
        kept.add({"before": before, "after": digest(after or "")})
        try:
            unit.put(after)
        except RefusedError:
            unit.put(before)
            kept.drop()
            raise
    return {**unit.change(before, after), "had": has}


def take_back(unit: Unit, kept: Kept) -> dict[str, Any]:
    """Bring the drop-in from before back; raise RefusedError if somebody changed it since."""
    record = kept.last()
    if record is None:
        if not unit.module.check_mode:
            kept.drop()
        return {"changed": False, "msg": "nothing was kept: nothing to undo"}
    now = unit.text()
    if now is None or digest(now) != record["after"]:
        raise RefusedError(f"{unit.path} was changed since: not taken back")
    if not unit.module.check_mode:
        unit.put(record["before"])
        kept.drop()
    return unit.change(now, record["before"])


def main() -> None:
    """Run the module."""
    module = AnsibleModule(
        argument_spec={
            "unit": {"type": "str", "required": True},
            "open_files": {"type": "int", "default": 0},
            "memory": {"type": "str", "default": ""},
            "starts": {"type": "int", "default": 0},
            "directory": {"type": "path", "default": "/etc/systemd/system"},
            "command": {"type": "list", "elements": "str", "default": ["systemctl"]},
            "state_directory": {"type": "path", "required": True},
            "undo": {"type": "bool", "default": False},
        },
        supports_check_mode=True,
    )
    kept = None
    try:
        unit = Unit(module)
        kept = Kept(module.params["state_directory"], unit.path)
        outcome = (take_back if module.params["undo"] else apply)(unit, kept)
    except RefusedError as error:
        if kept and not module.params["undo"] and not module.check_mode:
            kept.failed()
        module.fail_json(msg=str(error))
    module.exit_json(**outcome)


if __name__ == "__main__":
    main()
