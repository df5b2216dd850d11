"""Open a port in ufw. A rule is what `ufw allow` takes; ufw keeps its rules itself."""
# ruff: noqa: PTH113 - for Python 3.8, without pathlib

from __future__ import annotations

import os
import re
import shutil
from typing import Any

from ansible.module_utils.runbook_firewall.opening import MARK, Opening, asked
from ansible.module_utils.runbook_support.accounts import run
from ansible.module_utils.runbook_support.errors import RefusedError
from ansible.module_utils.runbook_support.files import read_text

NAME = "ufw"
# What stands here comes before every rule that ufw is told; ufw itself never writes it.
_BEFORE = ("/etc/ufw/before.rules", "/etc/ufw/before6.rules")


def is_active() -> bool:
    """Tell whether ufw is installed and filters."""
    return bool(shutil.which("ufw")) and "Status: active" in run(["ufw", "status"]).out


def missing(opening: Opening) -> list[list[str]]:
    """Return the rules that ufw does not have yet; raise RefusedError, also if they were in vain."""
    for path in _BEFORE:
        blocks = re.compile(rf"^-A ufw.*--dport {opening.port} .*-j (DROP|REJECT)\b", re.MULTILINE)
        found = blocks.search(read_text(path)) if os.path.isfile(path) else None
        if found:
            raise RefusedError(
                f"{path} keeps them out before any rule that ufw can add: {found[0]}"
            )
    end = ["port", str(opening.port), "proto", opening.protocol]
    wanted = [["from", source, "to", "any", *end] for source in opening.sources]
    if opening.local:
        wanted.insert(0, ["in", "on", "lo", "to", "any", *end])
    # Without its comment, for that is not what a rule is about.
    has = {line.split(" comment ")[0] for line in asked("ufw", "show", "added").splitlines()}
    return [rule for rule in wanted if f"ufw allow {' '.join(rule)}" not in has]


def add(rule: list[str]) -> None:
    """Add a rule ahead of all others; raise RefusedError."""
    asked("ufw", "prepend", "allow", *rule, "comment", MARK)


def remove(rule: list[str]) -> None:
    """Remove a rule if it is there."""
    run(["ufw", "--force", "delete", "allow", *rule])


def persist(module: Any, rules: list[list[str]]) -> bool:  # noqa: ARG001
    """Do nothing, since ufw has kept them already."""
    return True


def forget(module: Any, rules: list[list[str]]) -> None:
    """Do nothing, since ufw forgets what it removes."""
