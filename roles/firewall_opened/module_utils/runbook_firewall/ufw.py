"""Open a port in ufw. A rule is what `ufw allow` takes; ufw keeps its rules itself."""

from __future__ import annotations

import shutil
from typing import Any

from ansible.module_utils.runbook_firewall.opening import MARK, Opening, asked
from ansible.module_utils.runbook_support.accounts import run

NAME = "ufw"


def is_active() -> bool:
    """Tell whether ufw is installed and filters."""
    return bool(shutil.which("ufw")) and "Status: active" in run(["ufw", "status"]).out


def missing(opening: Opening) -> list[list[str]]:
    """Return the rules that ufw does not have yet; raise RefusedError."""
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
