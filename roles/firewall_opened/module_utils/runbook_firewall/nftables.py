"""Open a port in nftables. A rule is the family, the table, the chain, and the rule's own words."""
# ruff: noqa: PTH113 - for Python 3.8, without pathlib

from __future__ import annotations

import json
import os
import re
from typing import Any

from ansible.module_utils.runbook_firewall.opening import (
    MARK,
    Opening,
    asked,
    replaced,
    without_line,
)
from ansible.module_utils.runbook_support.files import read_text

NAME = "nftables"
_FILES = ("/etc/nftables.conf", "/etc/sysconfig/nftables.conf")
_FAMILIES = ("inet", "ip", "ip6")
# Tables with these chains are iptables' own, which does not like foreign rules.
_OF_IPTABLES = ("INPUT", "OUTPUT", "FORWARD")
_KEEPS_OUT = frozenset(["drop", "reject"])
_LEADS_ON = frozenset(["jump", "goto"])


class Chain:
    """A chain with its rules."""

    def __init__(self, body: dict[str, Any]) -> None:
        self.family: str = body["family"]
        self.table: str = body["table"]
        self.name: str = body["name"]
        self.hook = body.get("hook") if body.get("type") == "filter" else None
        self.policy = body.get("policy")
        self.rules: list[dict[str, Any]] = []


def _chains() -> dict[tuple[str, str, str], Chain]:
    found: dict[tuple[str, str, str], Chain] = {}
    for entry in json.loads(asked("nft", "--json", "--handle", "list", "ruleset"))["nftables"]:
        if "chain" in entry:
            chain = Chain(entry["chain"])
            found[chain.family, chain.table, chain.name] = chain
        elif "rule" in entry:
            rule = entry["rule"]
            found[rule["family"], rule["table"], rule["chain"]].rules.append(rule)
    return found


def _words(value: Any) -> set[str]:
    """Return all names that occur in a rule's expressions, and where it jumps to."""
    if isinstance(value, dict):
        found = {str(key) for key in value}
        for key, inner in value.items():
            found |= {f"->{inner['target']}"} if key in _LEADS_ON else _words(inner)
        return found
    if isinstance(value, list):
        return set().union(*(_words(inner) for inner in value)) if value else set()
    return set()


def _blocks(chains: dict[tuple[str, str, str], Chain], chain: Chain, seen: frozenset[str]) -> bool:
    """Tell whether anything may be kept out by a chain or those it jumps to."""
    if chain.policy == "drop":
        return True
    for rule in chain.rules:
        words = _words(rule.get("expr", []))
        if words & _KEEPS_OUT:
            return True
        for word in words:
            inner = chains.get((chain.family, chain.table, word[2:])) if word[:2] == "->" else None
            if inner and inner.name not in seen and _blocks(chains, inner, seen | {chain.name}):
                return True
    return False


def missing(opening: Opening) -> list[list[str]]:
    """Return the rules that are not ahead of all others already; raise RefusedError."""
    chains = _chains()
    found = []
    for chain in chains.values():
        is_meant = chain.family in _FAMILIES and chain.name not in _OF_IPTABLES
        if not is_meant or not _blocks(chains, chain, frozenset()):
            continue
        has = _ahead(chain)
        found += [
            [chain.family, chain.table, chain.name, *words]
            for words in _wanted(opening, chain)
            if _comment(words) not in has
        ]
    return found


def _ahead(chain: Chain) -> list[str]:
    """Return the comments of our rules that nothing else stands before."""
    found = []
    for rule in chain.rules:
        comment = rule.get("comment", "")
        if not comment.startswith(f"{MARK}: "):
            break
        found.append(comment)
    return found


def _comment(words: list[str]) -> str:
    return words[-1].strip('"')


def _wanted(opening: Opening, chain: Chain) -> list[list[str]]:
    port = [opening.protocol, "dport", str(opening.port), "accept"]
    found = []

    def rule(*condition: str) -> list[str]:
        # The comment is what tells one rule of ours from another.
        comment = " ".join([f"{MARK}:", *condition, *port[:3]]).replace('"', "")
        return [*condition, *port, "comment", f'"{comment}"']

    if opening.local and chain.hook in ("input", "output"):
        # All that this host says to itself passes its loopback interface, both ways out and in.
        found.append(rule("iifname" if chain.hook == "input" else "oifname", '"lo"'))
    for source in opening.sources if chain.hook == "input" else ():
        version = "ip6" if ":" in source else "ip"
        if chain.family in ("inet", version):
            found.append(rule(version, "saddr", source))
    return found


def add(rule: list[str]) -> None:
    """Add a rule ahead of all others; raise RefusedError."""
    asked("nft", " ".join(["insert", "rule", *rule]))


def remove(rule: list[str]) -> None:
    """Remove a rule if it is there."""
    family, table, name, *words = rule
    chain = _chains().get((family, table, name))
    for entry in chain.rules if chain else []:
        if entry.get("comment") == _comment(words):
            asked("nft", "delete", "rule", family, table, name, "handle", str(entry["handle"]))
            return


def _line(rule: list[str]) -> str:
    return " ".join(["insert", "rule", *rule])


def _file() -> str | None:
    return next((path for path in _FILES if os.path.isfile(path)), None)


def persist(module: Any, rules: list[list[str]]) -> bool:
    """Add rules to the file that is loaded at start, if it makes the tables they belong to."""
    path = _file()
    if path is None:
        return False
    before = read_text(path)
    lines = []
    for rule in rules:
        makes = rf"^\s*(add\s+|create\s+)?table\s+{re.escape(rule[0])}\s+{re.escape(rule[1])}\b"
        if re.search(makes, before, re.MULTILINE):
            lines.append(_line(rule))
    if lines:
        end = "" if before.endswith("\n") else "\n"
        after = before + end + "".join(f"{line}\n" for line in lines)
        replaced(module, path, before, after, ["nft", "--check", "--file"])
    return len(lines) == len(rules)


def forget(module: Any, rules: list[list[str]]) -> None:
    """Remove rules from the file that is loaded at start."""
    path = _file()
    for rule in rules if path else []:
        without_line(module, str(path), _line(rule))
