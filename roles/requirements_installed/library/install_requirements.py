"""Install requirements into a virtual environment. Linux; Python 3.8 or newer."""
# ruff: noqa: INP001, PTH113 - a lone file for Python 3.8, without pathlib

from __future__ import annotations

import os
import re
import tempfile
from typing import Any

from ansible.module_utils.basic import AnsibleModule
from ansible.module_utils.runbook_support.accounts import Account, Done, account, run
from ansible.module_utils.runbook_support.errors import RefusedError
from ansible.module_utils.runbook_support.kept import Kept

DOCUMENTATION = r"""
module: install_requirements
short_description: Install requirements into a virtual environment, or go back
description:
  - Runs pip as the user of the service. What was installed before is kept.
  - In check mode says what pip would install, where pip can tell (22.2 or newer).
  - Never touches a Python that is not of a virtual environment.
options:
  python:
    description: The virtual environment's Python.
    type: path
    required: true
  requirements:
    description: The requirements file; needed unless C(undo).
    type: path
    default: ""
  user:
    description: The user pip runs as.
    type: str
    required: true
  pip_options:
    description: More options of C(pip install), such as those that name an index.
    type: list
    elements: str
    default: []
  environment:
    description: Variables for pip, such as those that name a proxy.
    type: dict
    default: {}
  timeout_s:
    description: Seconds pip may take.
    type: int
    default: 600
  state_directory:
    description: Where the list of what was installed before is kept.
    type: path
    required: true
  undo:
    description: Install what was there before, and nothing else.
    type: bool
    default: false
author: [The runbook authors]
"""
EXAMPLES = r"""
- name: Install the requirements
  install_requirements:
    python: /srv/app/.venv/bin/python
    requirements: /srv/app/requirements.txt
    user: www-data
    state_directory: /var/lib/runbook/requirements_installed
"""
RETURN = r"""
installed:
  description: What is there now and was not, as pip freeze names it.
  type: list
  returned: outside of check mode
removed:
  description: What was there and is not any more.
  type: list
  returned: outside of check mode
"""

_FACTS = (
    "import os, sys, sysconfig; p = sysconfig.get_paths()['purelib'];"
    "print(int(sys.prefix != sys.base_prefix)); print(p); print(int(os.access(p, os.W_OK)))"
)
_TOOLS = ("pip", "setuptools", "wheel")


def _name(line: str) -> str:
    """Return the project a line of pip freeze is about, as pip compares them."""
    found = re.search(r"#egg=([\w.-]+)", line) if line.startswith("-e") else None
    found = found or re.match(r"[\w.-]+", line)
    return re.sub(r"[-_.]+", "-", found.group(found.lastindex or 0)).lower() if found else line


class Pip:
    """pip of one virtual environment, run as one user."""

    def __init__(self, wanted: dict[str, Any]) -> None:
        self.python = wanted["python"]
        self.who: Account = account(wanted["user"])
        self.options: list[str] = wanted["pip_options"]
        self.timeout_s: int = wanted["timeout_s"]
        self.environment = {
            "PIP_NO_INPUT": "1",
            "PIP_DISABLE_PIP_VERSION_CHECK": "1",
            **{name: str(value) for name, value in wanted["environment"].items()},
        }

    def __call__(self, *arguments: str) -> Done:
        """Run pip, and return how it ended."""
        return run(
            [self.python, "-m", "pip", *arguments],
            who=self.who,
            folder="/",
            environment=self.environment,
            timeout_s=self.timeout_s,
        )

    def install(self, *arguments: str) -> None:
        """Run pip install; raise RefusedError if it fails."""
        done = self("install", *self.options, *arguments)
        if done.rc != 0:
            raise RefusedError(f"pip install fails: {done.why}")

    def freeze(self) -> list[str]:
        """Return what is installed; tools of the environment itself are left out."""
        done = self("freeze", "--local")
        if done.rc != 0:
            raise RefusedError(f"pip freeze fails: {done.why}")
        lines = [line.strip() for line in done.out.splitlines()]
        return [line for line in lines if line and line[0] != "#" and _name(line) not in _TOOLS]

    def check_environment(self) -> None:
        """See that this is a virtual environment the user may change; raise RefusedError."""
        done = run([self.python, "-c", _FACTS], who=self.who, folder="/")
        if done.rc != 0:
            raise RefusedError(f"{self.python} does not run: {done.why}")
        is_virtual, library, is_writable = done.out.split("\n")[:3]
        if is_virtual != "1":
            raise RefusedError(f"{self.python} is not of a virtual environment: left alone")
        if is_writable != "1":
            raise RefusedError(f"{self.who.name} may not write to {library}")


def _preview(pip: Pip, requirements: str) -> dict[str, Any]:
    done = pip("install", *pip.options, "--dry-run", "-r", requirements)
    if "no such option" in done.err:
        return {"changed": True, "msg": "this pip cannot tell what it would install"}
    if done.rc != 0:
        raise RefusedError(f"pip install would fail: {done.why}")
    would = re.search(r"^Would install (.*)$", done.out, re.MULTILINE)
    fresh = would[1].split() if would else []
    return {"changed": bool(fresh), "diff": _diff([], fresh, "would be installed"), "would": fresh}


def _diff(before: list[str], after: list[str], header: str) -> dict[str, str]:
    return {
        "before": "".join(f"{line}\n" for line in sorted(before)),
        "after": "".join(f"{line}\n" for line in sorted(after)),
        "before_header": header,
        "after_header": header,
    }


def _outcome(pip: Pip, before: list[str], after: list[str]) -> dict[str, Any]:
    return {
        "changed": before != after,
        "installed": sorted({*after} - {*before}),
        "removed": sorted({*before} - {*after}),
        "diff": _diff(before, after, f"pip freeze of {pip.python}"),
    }


def _install(pip: Pip, requirements: str, kept: Kept, *, preview: bool) -> dict[str, Any]:
    if not os.path.isfile(requirements):
        raise RefusedError(f"there is no {requirements}")
    if preview:
        return _preview(pip, requirements)
    before = pip.freeze()
    kept.add({"before": before})
    try:
        pip.install("-r", requirements)
    finally:
        after = pip.freeze()
        if after == before:
            kept.drop()
    # What was left half done can be undone as well.
    return _outcome(pip, before, after)


def _go_back(pip: Pip, kept: Kept, *, preview: bool) -> dict[str, Any]:
    record = kept.last()
    if record is None:
        if not preview:
            kept.drop()
        return {"changed": False, "msg": "nothing was kept: nothing to undo"}
    wanted, now = list(record["before"]), pip.freeze()
    if preview:
        return _outcome(pip, now, wanted)
    missing = [line for line in wanted if line not in now]
    if missing:
        with tempfile.NamedTemporaryFile("w", suffix=".txt") as frozen:
            os.chown(frozen.name, pip.who.uid, -1)
            frozen.write("".join(f"{line}\n" for line in missing))
            frozen.flush()
            pip.install("--no-deps", "-r", frozen.name)
    surplus = {_name(line) for line in now} - {_name(line) for line in wanted}
    if surplus:
        done = pip("uninstall", "--yes", *sorted(surplus))
        if done.rc != 0:
            raise RefusedError(f"pip uninstall fails: {done.why}")
    after = pip.freeze()
    if sorted(after) != sorted(wanted):
        raise RefusedError(f"pip installed {sorted({*after} ^ {*wanted})} otherwise than before")
    kept.drop()
    return _outcome(pip, now, after)


def main() -> None:
    """Run the module."""
    module = AnsibleModule(
        argument_spec={
            "python": {"type": "path", "required": True},
            "requirements": {"type": "path", "default": ""},
            "user": {"type": "str", "required": True},
            "pip_options": {"type": "list", "elements": "str", "default": []},
            "environment": {"type": "dict", "default": {}},
            "timeout_s": {"type": "int", "default": 600},
            "state_directory": {"type": "path", "required": True},
            "undo": {"type": "bool", "default": False},
        },
        supports_check_mode=True,
    )
    kept = Kept(module.params["state_directory"], module.params["python"])
    try:
        pip = Pip(module.params)
        pip.check_environment()
        if module.params["undo"]:
            outcome = _go_back(pip, kept, preview=module.check_mode)
        else:
            outcome = _install(pip, module.params["requirements"], kept, preview=module.check_mode)
    except RefusedError as error:
        if not module.params["undo"] and not module.check_mode:
            kept.failed()
        module.fail_json(msg=str(error))
    module.exit_json(**outcome)


if __name__ == "__main__":
    main()
