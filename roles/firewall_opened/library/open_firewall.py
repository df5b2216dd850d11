"""Open exactly one port of this host's firewall to named sources. Linux; Python 3.8 or newer."""
# ruff: noqa: INP001 - a lone file for Python 3.8, without pathlib

from __future__ import annotations

import ipaddress
import shutil
from typing import Any

from ansible.module_utils.basic import AnsibleModule
from ansible.module_utils.runbook_firewall import iptables, nftables, ufw
from ansible.module_utils.runbook_firewall.opening import Opening, Tool
from ansible.module_utils.runbook_support.errors import RefusedError
from ansible.module_utils.runbook_support.kept import Kept

DOCUMENTATION = r"""
module: open_firewall
short_description: Open exactly one port of this host's firewall to named sources
description:
  - Adds rules that accept new connections to one port, ahead of what keeps them out, and to what the
    host loads when it starts. Adds nothing to a chain that keeps nothing out.
  - Never opens a port to everybody.
options:
  port:
    description: The port.
    type: int
    required: true
  protocol:
    description: Its protocol.
    type: str
    choices: [tcp, udp]
    default: tcp
  local:
    description: Whether this host itself may connect, by its loopback and all its own addresses.
    type: bool
    default: true
  sources:
    description: Addresses and networks of others that may connect.
    type: list
    elements: str
    default: []
  tool:
    description: What holds the rule that keeps them out; needed unless C(undo).
    type: str
    choices: [iptables, nftables, ufw]
  state_directory:
    description: Where the added rules are kept.
    type: path
    required: true
  undo:
    description: Remove exactly the rules that were added.
    type: bool
    default: false
author: [The runbook authors]
"""
EXAMPLES = r"""
- name: Let nginx on this host reach the backend
  open_firewall:
    port: 8000
    tool: iptables
    state_directory: /var/lib/runbook/firewall_opened
"""
RETURN = r"""
rules:
  description: The rules that were added or removed, or would be.
  type: list
  returned: always
persistent:
  description: Whether they are also in what the host loads when it starts.
  type: bool
  returned: when rules are added
"""

# Networks wider than these are as good as everybody.
_WIDEST = {4: 8, 6: 32}


def network(text: str) -> str:
    """Return a source as the tools write it; raise RefusedError if it is none, or everybody."""
    try:
        found = ipaddress.ip_network(text, strict=False)
    except ValueError:
        raise RefusedError(f"{text} is no address and no network") from None
    if found.prefixlen < _WIDEST[found.version]:
        raise RefusedError(f"{text} is as good as everybody: a port is not opened to the world")
    return str(found.network_address) if found.num_addresses == 1 else str(found)


def tool_of(wanted: dict[str, Any]) -> Tool:
    """Return the tool that has to hold the rules; raise RefusedError if it is not there."""
    name = wanted["tool"]
    # The policies that ufw sets look like those of iptables, and ufw would forget foreign rules.
    if name == "iptables" and ufw.is_active() and not iptables.blocks_by_itself():
        name = "ufw"
    program = {"iptables": "iptables", "nftables": "nft", "ufw": "ufw"}[name]
    if not shutil.which(program):
        raise RefusedError(f"{program} is not installed here")
    if name == "ufw" and not ufw.is_active():
        raise RefusedError("ufw is not active: it keeps nobody out")
    tools: dict[str, Tool] = {"iptables": iptables, "nftables": nftables, "ufw": ufw}
    return tools[name]


def apply(module: AnsibleModule, kept: Kept) -> dict[str, Any]:
    """Add the rules that are missing; raise RefusedError with all as it was."""
    wanted = module.params
    sources = [network(source) for source in wanted["sources"]]
    if not sources and not wanted["local"]:
        raise RefusedError("nobody is named who may connect")
    opening = Opening(wanted["port"], wanted["protocol"], wanted["local"], tuple(sources))
    tool = tool_of(wanted)
    missing = tool.missing(opening)
    persistent = None
    if missing and not module.check_mode:
        kept.add({"tool": tool.NAME, "rules": missing})
        try:
            for rule in missing:
                tool.add(rule)
            persistent = tool.persist(module, missing)
        except RefusedError:
            for rule in missing:
                tool.remove(rule)
            kept.drop()
            raise
    result = told(tool.NAME, missing, "after")
    if persistent is not None:
        result["persistent"] = persistent
        if not persistent:
            result["warnings"] = [
                "this host loads no rules of its own when it starts: the port is open until then"
            ]
    return result


def take_back(module: AnsibleModule, kept: Kept) -> dict[str, Any]:
    """Remove exactly the rules that were added; those that are gone already are left at that."""
    record = kept.last()
    if record is None:
        if not module.check_mode:
            kept.drop()
        return {"changed": False, "rules": [], "msg": "nothing was kept: nothing to undo"}
    tools: dict[str, Tool] = {tool.NAME: tool for tool in (iptables, nftables, ufw)}
    tool = tools[record["tool"]]
    if not module.check_mode:
        tool.forget(module, record["rules"])
        for rule in record["rules"]:
            tool.remove(rule)
        kept.drop()
    return told(tool.NAME, record["rules"], "before")


def told(tool: str, rules: list[list[str]], side: str) -> dict[str, Any]:
    """Return what the module says of rules that come or go."""
    lines = [" ".join(rule) for rule in rules]
    diff = {"before": "", "after": ""}
    diff[side] = "".join(f"{line}\n" for line in lines)
    return {
        "changed": bool(rules),
        "rules": lines,
        "diff": {**diff, "before_header": f"rules of {tool}", "after_header": f"rules of {tool}"},
    }


def main() -> None:
    """Run the module."""
    module = AnsibleModule(
        argument_spec={
            "port": {"type": "int", "required": True},
            "protocol": {"type": "str", "choices": ["tcp", "udp"], "default": "tcp"},
            "local": {"type": "bool", "default": True},
            "sources": {"type": "list", "elements": "str", "default": []},
            "tool": {"type": "str", "choices": ["iptables", "nftables", "ufw"]},
            "state_directory": {"type": "path", "required": True},
            "undo": {"type": "bool", "default": False},
        },
        required_if=[("undo", False, ["tool"])],
        supports_check_mode=True,
    )
    wanted = module.params
    kept = Kept(wanted["state_directory"], f"{wanted['port']}-{wanted['protocol']}")
    try:
        if not 0 < wanted["port"] < 65536:
            module.fail_json(msg=f"{wanted['port']} is no port")
        outcome = (take_back if wanted["undo"] else apply)(module, kept)
    except RefusedError as error:
        if not wanted["undo"] and not module.check_mode:
            kept.failed()
        module.fail_json(msg=str(error))
    module.exit_json(**outcome)


if __name__ == "__main__":
    main()
