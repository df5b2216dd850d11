"""Follow a new connection through the rules of a firewall, without sending anything.

Whether a condition holds may be yes, no, or not to be told from outside (a limit, an interface we
do not know): then what the rule does is a doubt, and never a finding.
"""

from __future__ import annotations

import ipaddress
from collections.abc import Callable

from .records import Record

MAX_DEPTH = 30
MAX_RULES = 200_000
"""Chains that each jump to the next one twice are passed through more often than anybody can wait."""

TOO_MANY = "more rules than can be followed"
BLOCKING = frozenset(["drop", "reject"])


class Packet(Record):
    """The first packet of a connection to a port of this host.

    None stands for what is not known. `destination` and `interface` are known on the loopback
    interface only.
    """

    protocol: str
    port: int
    source: str
    destination: str | None
    interface: str | None

    @property
    def version(self) -> int:
        """4 or 6."""
        return ipaddress.ip_address(self.source).version


class Rule(Record):
    """A rule.

    `holds` tells whether its conditions hold for a packet, given the hook it passes. `verdict` is
    `accept`, `drop`, `reject`, `return`, `jump`, `goto`, `unknown`, or None if the packet goes on;
    `target` the chain of a jump.
    """

    text: str
    holds: Callable[[Packet, str], bool | None]
    verdict: str | None
    target: str = ""


class Chain(Record):
    """A chain of rules. `hook` is `input`, `output` or `prerouting` for those packets begin in."""

    tool: str
    name: str
    hook: str | None
    policy: str
    rules: list[Rule]


class Finding(Record):
    """A rule, or the policy of a chain, that keeps a packet out, or (not certain) could."""

    tool: str
    chain: str
    action: str
    rule: str
    certain: bool = True


def follow(packet: Packet, chains: dict[str, Chain]) -> list[Finding]:
    """Return what keeps a packet out of all the chains of one table that it passes."""
    hooks = ["prerouting", "input"]
    if packet.interface == "lo":
        hooks.insert(0, "output")
    found: list[Finding] = []
    for hook in hooks:
        for chain in chains.values():
            if chain.hook == hook:
                found += _Walk(packet, chains, hook).through(chain)
    return found


class _Walk:
    def __init__(self, packet: Packet, chains: dict[str, Chain], hook: str) -> None:
        self.packet = packet
        self.chains = chains
        self.hook = hook
        self.doubts: list[Finding] = []
        self.may_be_accepted = False
        self.rules_left = MAX_RULES

    def through(self, base: Chain) -> list[Finding]:
        end = self._chain(base, sure=True, depth=0)
        if end is None:
            end = Finding(base.tool, base.name, base.policy, "policy " + base.policy)
        if end.action in BLOCKING:
            return [*self.doubts, end._replace(certain=not self.may_be_accepted)]
        return self.doubts if end.action == "accept" else [*self.doubts, end]

    def _chain(self, chain: Chain, *, sure: bool, depth: int) -> Finding | None:
        """Return where the packet certainly ends in a chain, None if it goes on after it."""
        for rule in chain.rules:
            self.rules_left -= 1
            if self.rules_left < 0:
                return Finding(chain.tool, chain.name, "unknown", TOO_MANY, certain=False)
            holds = rule.holds(self.packet, self.hook)
            if holds is False or rule.verdict is None:
                continue
            certain = sure and holds is True
            if rule.verdict == "return":
                if certain:
                    return None
                sure = False
            elif rule.verdict in ("jump", "goto"):
                end = self._target(rule, sure=certain, depth=depth)
                if end is not None:
                    return end
                if rule.verdict == "goto" and certain:
                    return None
            else:
                end = Finding(chain.tool, chain.name, rule.verdict, rule.text, certain)
                if certain and rule.verdict != "unknown":
                    return end
                self._doubt(end)
        return None

    def _target(self, rule: Rule, *, sure: bool, depth: int) -> Finding | None:
        chain = self.chains.get(rule.target)
        if chain is None or depth >= MAX_DEPTH:
            return None
        return self._chain(chain, sure=sure, depth=depth + 1)

    def _doubt(self, finding: Finding) -> None:
        if finding.action == "accept":
            self.may_be_accepted = True
        else:
            self.doubts.append(finding._replace(certain=False))


def all_of(answers: list[bool | None]) -> bool | None:
    """Tell whether all conditions hold."""
    if False in answers:
        return False
    return None if None in answers else True


def in_network(address: str | None, network: str) -> bool | None:
    """Tell whether an address is in a network, or is that address."""
    try:
        net = ipaddress.ip_network(network, strict=False)
    except ValueError:
        return None
    return None if address is None else ipaddress.ip_address(address) in net


def is_interface(known: str | None, pattern: str, wildcard: str) -> bool | None:
    """Tell whether an interface is the one meant; a pattern may end in a wildcard.

    Of an interface that is not known only this is: it is not the loopback one.
    """
    if known is None:
        return False if pattern == "lo" else None
    if pattern.endswith(wildcard):
        return known.startswith(pattern[: -len(wildcard)])
    return known == pattern
