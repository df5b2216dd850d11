"""Apply a role to this machine with the real ansible-playbook."""

import os
import pwd
import re
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import yaml

from tests.playbooks import Ansible

PREVIEW = ("--check", "--diff")
# Whom a service runs as: somebody who may do less than us, where we are root.
SERVICE_USER = "nobody" if os.geteuid() == 0 else pwd.getpwuid(os.geteuid()).pw_name


@dataclass(frozen=True, kw_only=True, slots=True)
class Played:
    """What a play did: whether it failed, how many tasks changed something, its words."""

    failed: bool
    changed: int
    output: str

    @property
    def words(self) -> str:
        """Its words on one line, however Ansible wrapped them."""
        return " ".join(self.output.split())


@dataclass(frozen=True, kw_only=True, slots=True)
class Player:
    """Applies roles from a folder of its own."""

    folder: Path
    ansible: Ansible

    def __call__(
        self, role: str, variables: dict[str, Any], *options: str, entry: str = "main"
    ) -> Played:
        """Apply an entry point of a role; `options` are ansible-playbook's."""
        task = {
            "name": "Apply the role",
            "ansible.builtin.import_role": {"name": role, "tasks_from": entry},
            "vars": variables,
        }
        playbook = self.folder / "play.yml"
        playbook.write_text(
            yaml.safe_dump([{"hosts": "all", "gather_facts": False, "tasks": [task]}])
        )
        output = self.ansible.play("-i", "here,", "-c", "local", playbook, *options)
        recap = re.search(r"^here +: ok=.* changed=(\d+) .* failed=(\d+)", output, re.MULTILINE)
        assert recap, output
        return Played(failed=recap[2] != "0", changed=int(recap[1]), output=output)

    def undo(self, role: str, variables: dict[str, Any], *options: str) -> Played:
        """Apply a role's undo."""
        return self(role, variables, *options, entry="undo")
