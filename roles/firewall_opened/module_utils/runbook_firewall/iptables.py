"""Open a port in iptables. A rule is the program, the chain, and the rule's own words."""
# ruff: noqa: PTH113 - for Python 3.8, without pathlib

from __future__ import annotations

import os
import re
import shlex
import shutil
from collections.abc import Mapping
from typing import Any

from ansible.module_utils.runbook_firewall.opening import (
    MARK,
    Opening,
    asked,
    replaced,
    without_line,
)
from ansible.module_utils.runbook_support.accounts import run
from ansible.module_utils.runbook_support.errors import RefusedError
from ansible.module_utils.runbook_support.files import read_text

NAME = "iptables"
# Of netfilter-persistent (Debian) and of iptables-services (Fedora and its kin).
_FILES = {
    "iptables": ("/etc/iptables/rules.v4", "/etc/sysconfig/iptables"),
    "ip6tables": ("/etc/iptables/rules.v6", "/etc/sysconfig/ip6tables"),
}
_ENDS = re.compile(r"(?:^| )-[jg] (DROP|REJECT)\b")
_JUMP = re.compile(r"(?:^| )-[jg] (\S+)")


def _chains(program: str) -> dict[str, list[str]]:
    """Return the rules of each chain of the filter table, its policy as the first of them."""
    found: dict[str, list[str]] = {}
    for line in asked(program, "-w", "5", "-S").splitlines():
        kind, _, rest = line.partition(" ")
        name, _, rule = rest.partition(" ")
        found.setdefault(name, []).append(f"-j {rule}" if kind == "-P" else rule)
    return found


def _blocks(chains: dict[str, list[str]], name: str, seen: frozenset[str] = frozenset()) -> bool:
    """Tell whether anything may be kept out by a chain or those it jumps to."""
    for rule in chains.get(name, []):
        if _ENDS.search(rule):
            return True
        jump = _JUMP.search(rule)
        if jump and jump[1] not in seen and _blocks(chains, jump[1], seen | {name}):
            return True
    return False


def blocks_by_itself() -> bool:
    """Tell whether INPUT or OUTPUT have a rule of their own that keeps somebody out."""
    if not shutil.which("iptables"):
        return False
    chains = _chains("iptables")
    return any(
        _ENDS.search(rule) for name in ("INPUT", "OUTPUT") for rule in chains.get(name, [])[1:]
    )


def missing(opening: Opening) -> list[list[str]]:
    """Return the rules that are not ahead of all others already; raise RefusedError."""
    found = []
    for program in ("iptables", "ip6tables"):
        if not shutil.which(program):
            continue
        chains = _chains(program)
        for chain, words in wanted(opening, is_v6=program == "ip6tables"):
            if not _blocks(chains, chain):
                continue
            ours = [shlex.split(rule) for rule in chains[chain][1:]]
            ahead = ours[: next((n for n, rule in enumerate(ours) if MARK not in rule), len(ours))]
            # iptables writes a rule in its own order, and an address with its length.
            told = {_essence(rule) for rule in ahead}
            if _essence(words) not in told:
                found.append([program, chain, *words])
    return found


def _essence(words: list[str]) -> frozenset[str]:
    return frozenset(re.sub(r"/(32|128)$", "", word) for word in words if word != "-m")


def wanted(opening: Opening, *, is_v6: bool) -> list[tuple[str, list[str]]]:
    """Return the rules that open it, each with the chain it is for."""
    port = ["-p", opening.protocol, "-m", opening.protocol, "--dport", str(opening.port)]
    end = ["-m", "comment", "--comment", MARK, "-j", "ACCEPT"]
    found = []
    if opening.local:
        # All that this host says to itself passes its loopback interface, both ways out and in.
        found += [("INPUT", ["-i", "lo", *port, *end]), ("OUTPUT", ["-o", "lo", *port, *end])]
    for source in opening.sources:
        if (":" in source) == is_v6:
            found.append(("INPUT", ["-s", source, *port, *end]))
    return found


def add(rule: list[str]) -> None:
    """Add a rule ahead of all others; raise RefusedError."""
    program, chain, *words = rule
    asked(program, "-w", "5", "-I", chain, "1", *words)


def remove(rule: list[str]) -> None:
    """Remove a rule if it is there."""
    program, chain, *words = rule
    if run([program, "-w", "5", "-C", chain, *words]).rc == 0:
        asked(program, "-w", "5", "-D", chain, *words)


def _line(rule: list[str]) -> str:
    return " ".join(["-A", *rule[1:]])


def _file(program: str) -> str | None:
    return next((path for path in _FILES[program] if os.path.isfile(path)), None)


def persist(module: Any, rules: list[list[str]]) -> bool:
    """Add rules to the files that are loaded at start; only these, whatever else is loaded now."""
    return save(module, rules, {program: _file(program) for program in _FILES})


def save(module: Any, rules: list[list[str]], files: Mapping[str, str | None]) -> bool:
    """Add rules to their programs' files, ahead of others; return whether there is one for each.

    If one would not load then, all are as before; raises RefusedError.
    """
    done: list[list[str]] = []
    for rule in rules:
        path = files[rule[0]]
        if path is None:
            continue
        before = read_text(path)
        table = re.search(r"^\*filter$.*?^COMMIT$", before, re.MULTILINE | re.DOTALL)
        if table is None:
            continue
        first = re.search(rf"^(\[\d+:\d+\] )?-A {rule[1]} |^COMMIT$", table[0], re.MULTILINE)
        position = table.start() + (first.start() if first else len(table[0]))
        after = f"{before[:position]}{_line(rule)}\n{before[position:]}"
        try:
            replaced(module, path, before, after, [f"{rule[0]}-restore", "--test"])
        except RefusedError:
            drop(module, done, files)
            raise
        done.append(rule)
    return len(done) == len(rules)


def forget(module: Any, rules: list[list[str]]) -> None:
    """Remove rules from the files that are loaded at start."""
    drop(module, rules, {program: _file(program) for program in _FILES})


def drop(module: Any, rules: list[list[str]], files: Mapping[str, str | None]) -> None:
    """Remove rules from their programs' files."""
    for rule in rules:
        path = files[rule[0]]
        if path:
            without_line(module, path, _line(rule))
