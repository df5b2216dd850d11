"""What the host's own firewall does with new connections to a port."""

from __future__ import annotations

import ipaddress
import os

from . import iptables, nftables
from .call import CannotLookError, Look
from .commands import Finished, is_installed, run_tool
from .packets import BLOCKING, Finding, Packet, follow

_MOST_RULES = 20


def firewall(
    look: Look, *, port: int, protocol: str = "tcp", source: str = "127.0.0.1"
) -> dict[str, object]:
    """Read the rules and follow a new connection through them; nothing is sent.

    Address translation is not followed.
    """
    packet = _packet(port, protocol, source)
    if os.geteuid() != 0:
        raise CannotLookError("not permitted: only root may read the firewall's rules")
    saves, ruleset = _rules(look, packet.version)
    found: list[Finding] = []
    tools: set[str] = set()
    for text in saves:
        for chains in iptables.parse_rules(text).values():
            tools.update(chain.tool for chain in chains.values())
            found += follow(packet, chains)
    tables = nftables.parse_ruleset(ruleset) if ruleset else []
    if any(iptables.is_by_nftables(text) for text in saves):
        tables = [table for table in tables if not nftables.is_of_iptables(table)]
    for table in tables:
        if nftables.concerns(table, packet.version):
            tools.update(chain.tool for chain in table.chains.values())
            found += follow(packet, table.chains)
    return {**judged(found), "tools": sorted(tools)}


def _packet(port: int, protocol: str, source: str) -> Packet:
    if protocol not in ("tcp", "udp"):
        raise CannotLookError("protocol must be tcp or udp")
    try:
        address = ipaddress.ip_address(source)
    except ValueError:
        raise CannotLookError("source must be an IP address") from None
    is_local = address.is_loopback
    return Packet(
        protocol, port, str(address), str(address) if is_local else None, "lo" if is_local else None
    )


def _rules(look: Look, version: int) -> tuple[list[str], str | None]:
    """Return what each tool on the host prints, for iptables and for nftables."""
    kind = "iptables" if version == 4 else "ip6tables"
    saves = []
    if is_installed(kind + "-save"):
        saves.append(_printed(run_tool(look, [kind + "-save"]), kind + "-save"))
        # The old kernel interface may hold rules next to the new one.
        legacy = kind + "-legacy-save"
        if iptables.is_by_nftables(saves[0]) and is_installed(legacy):
            saves.append(_printed(run_tool(look, [legacy]), legacy))
    ruleset = None
    if is_installed("nft"):
        ruleset = _printed(run_tool(look, ["nft", "--json", "list", "ruleset"]), "nft")
    if not saves and ruleset is None:
        raise CannotLookError(f"neither {kind}-save nor nft is installed")
    return saves, ruleset


def _printed(done: Finished, name: str) -> str:
    if done.rc != 0:
        why = done.stderr.strip().splitlines()[-1:] or [f"exit status {done.rc}"]
        raise CannotLookError(f"{name}: {why[0]}")
    if done.truncated:
        raise CannotLookError(f"{name} prints more than can be looked through")
    return done.stdout


def judged(found: list[Finding]) -> dict[str, object]:
    """Return the facts: `blocked` is left out where there are doubts only."""
    certain = [finding for finding in found if finding.certain and finding.action in BLOCKING]
    facts: dict[str, object] = {"blocked": bool(certain)} if certain or not found else {}
    facts["action"] = certain[0].action if certain else None
    facts["by"] = [finding._asdict() for finding in (certain or found)[:_MOST_RULES]]
    return facts
