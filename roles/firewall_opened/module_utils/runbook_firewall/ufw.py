"""Open a port in ufw. A rule is what `ufw allow` takes; ufw keeps its rules itself.

What somebody wrote into ufw's own files comes before all that ufw is told. Where that keeps them out,
a rule is one of iptables, ahead of it in the same chain and in the same file.
"""
# ruff: noqa: PTH113 - for Python 3.8, without pathlib

from __future__ import annotations

import os
import re
import shutil
from typing import Any

from ansible.module_utils.runbook_firewall import iptables
from ansible.module_utils.runbook_firewall.opening import MARK, Opening, asked
from ansible.module_utils.runbook_support.accounts import run
from ansible.module_utils.runbook_support.files import read_text

NAME = "ufw"
_FILES = {"iptables": "/etc/ufw/before.rules", "ip6tables": "/etc/ufw/before6.rules"}
_CHAINS = {
    ("iptables", "INPUT"): "ufw-before-input",
    ("iptables", "OUTPUT"): "ufw-before-output",
    ("ip6tables", "INPUT"): "ufw6-before-input",
    ("ip6tables", "OUTPUT"): "ufw6-before-output",
}


def is_active() -> bool:
    """Tell whether ufw is installed and filters."""
    return bool(shutil.which("ufw")) and "Status: active" in run(["ufw", "status"]).out


def missing(opening: Opening) -> list[list[str]]:
    """Return the rules that are not there yet; raise RefusedError."""
    blocking = {program: _blocking(program, opening.port) for program in _FILES}
    found = []
    for program, chains in blocking.items():
        for base, words in iptables.wanted(opening, is_v6=program == "ip6tables"):
            chain = _CHAINS[program, base]
            if chain in chains and run([program, "-w", "5", "-C", chain, *words]).rc != 0:
                found.append([program, chain, *words])
    end = ["port", str(opening.port), "proto", opening.protocol]
    told = [
        ["from", source, "to", "any", *end]
        for source in opening.sources
        if not blocking["ip6tables" if ":" in source else "iptables"]
    ]
    if opening.local and not any(blocking.values()):
        told.insert(0, ["in", "on", "lo", "to", "any", *end])
    # Without its comment, for that is not what a rule is about.
    has = {line.split(" comment ")[0] for line in asked("ufw", "show", "added").splitlines()}
    return [*found, *(rule for rule in told if f"ufw allow {' '.join(rule)}" not in has)]


def _blocking(program: str, port: int) -> set[str]:
    """Return the chains of a file of ufw's that keep somebody from a port by a rule of their own."""
    path = _FILES[program]
    if not os.path.isfile(path):
        return set()
    rule = re.compile(rf"^-A (ufw\S+) .*--dport {port} .*-j (?:DROP|REJECT)\b", re.MULTILINE)
    return set(rule.findall(read_text(path)))


def add(rule: list[str]) -> None:
    """Add a rule ahead of all others; raise RefusedError."""
    if rule[0] in _FILES:
        iptables.add(rule)
    else:
        asked("ufw", "prepend", "allow", *rule, "comment", MARK)


def remove(rule: list[str]) -> None:
    """Remove a rule if it is there."""
    if rule[0] in _FILES:
        iptables.remove(rule)
    else:
        run(["ufw", "--force", "delete", "allow", *rule])


def persist(module: Any, rules: list[list[str]]) -> bool:
    """Add to ufw's own files what ufw was not told; all else it has kept already."""
    return iptables.save(module, _in_files(rules), _FILES)


def forget(module: Any, rules: list[list[str]]) -> None:
    """Remove from ufw's own files what was added there; ufw forgets what it removes."""
    iptables.drop(module, _in_files(rules), _FILES)


def _in_files(rules: list[list[str]]) -> list[list[str]]:
    return [rule for rule in rules if rule[0] in _FILES]
