"""Read the rules that `nft --json list ruleset` prints."""

from __future__ import annotations

import ipaddress
import json

from .packets import Chain, Packet, Rule, all_of, in_network, is_interface
from .records import Record

# Tables of these names in these families are what iptables keeps its rules in.
_IPTABLES = frozenset(["filter", "nat", "mangle", "raw", "security"])
_HOOKS = frozenset(["input", "output", "prerouting"])
_VERDICTS = frozenset(["accept", "drop", "reject", "return", "jump", "goto"])
# Statements after which a packet goes on.
_PASSING = frozenset(["counter", "log", "mangle", "notrack", "comment"])
_MAX_DEPTH = 10


class Table(Record):
    """A table: its family (`ip`, `ip6`, `inet`), name, chains by name, and named sets."""

    family: str
    name: str
    chains: dict[str, Chain]
    sets: dict[str, object]


def parse_ruleset(text: str) -> list[Table]:
    """Return the tables of a ruleset; entries of an unknown shape are left out."""
    try:
        entries = json.loads(text)["nftables"]
    except (ValueError, KeyError, TypeError, RecursionError):
        return []
    tables: dict[tuple[str, str], Table] = {}
    for entry in entries if isinstance(entries, list) else []:
        for kind, body in entry.items() if isinstance(entry, dict) else ():
            if isinstance(body, dict):
                _add(tables, kind, body)
    return list(tables.values())


def _add(tables: dict[tuple[str, str], Table], kind: str, body: dict[str, object]) -> None:
    family = str(body.get("family"))
    name = str(body.get("name" if kind == "table" else "table"))
    table = tables.setdefault((family, name), Table(family, name, {}, {}))
    if kind == "chain":
        hook = str(body.get("hook"))
        is_base = hook in _HOOKS and body.get("type") == "filter"
        tool = "firewalld" if name == "firewalld" else "nftables"
        own = str(body.get("name"))
        policy = str(body.get("policy", "accept"))
        table.chains[own] = Chain(tool, own, hook if is_base else None, policy, [])
    elif kind == "set":
        table.sets[str(body.get("name"))] = body.get("elem", [])
    elif kind == "rule":
        chain = table.chains.get(str(body.get("chain")))
        statements = body.get("expr")
        if chain is not None and isinstance(statements, list):
            chain.rules.extend(_rules(statements, table))


def is_of_iptables(table: Table) -> bool:
    """Tell whether iptables keeps its rules in a table."""
    return table.family in ("ip", "ip6") and table.name in _IPTABLES


def concerns(table: Table, version: int) -> bool:
    """Tell whether packets of IP version 4 or 6 pass a table."""
    return table.family in ("inet", "ip" if version == 4 else "ip6")


def _rules(statements: list[object], table: Table) -> list[Rule]:
    """Return a rule for each verdict among the statements of one: a map holds many."""
    conditions: list[object] = []
    rules: list[Rule] = []
    text = shown(statements)
    for statement in statements:
        if not isinstance(statement, dict) or len(statement) != 1:
            conditions.append(None)
            continue
        (kind, body), *_ = statement.items()
        if kind == "match":
            conditions.append(body)
        elif kind == "vmap":
            for key, verdict in _pairs(body):
                match = {"op": "==", "left": body.get("key"), "right": key}
                rules.append(_rule(text, [*conditions, match], verdict, table))
        elif kind in _VERDICTS or kind == "xt":
            rules.append(_rule(text, conditions, statement, table))
        elif kind not in _PASSING:
            # A limit, a quota: it holds for some packets and not for others.
            conditions.append(None)
    return rules


def _pairs(body: object) -> list[tuple[object, object]]:
    data = body.get("data") if isinstance(body, dict) else None
    elements = data.get("set") if isinstance(data, dict) else None
    if not isinstance(elements, list):
        return []
    return [(pair[0], pair[1]) for pair in elements if isinstance(pair, list) and len(pair) == 2]


def _rule(text: str, conditions: list[object], statement: object, table: Table) -> Rule:
    kept = list(conditions)
    (kind, body), *_ = (
        statement.items() if isinstance(statement, dict) and statement else (("", 0),)
    )
    target = str(body.get("target")) if isinstance(body, dict) else ""
    return Rule(
        text,
        lambda packet, hook: all_of([_holds(each, packet, hook, table) for each in kept]),
        str(kind) if kind in _VERDICTS else "unknown",
        target,
    )


def _holds(match: object, packet: Packet, hook: str, table: Table) -> bool | None:
    if not isinstance(match, dict):
        return None
    answer = _compared(match.get("left"), match.get("right"), packet, hook, table)
    operator = match.get("op")
    if answer is None or operator in ("==", "in"):
        return answer
    return not answer if operator == "!=" else None


def _compared(left: object, right: object, packet: Packet, hook: str, table: Table) -> bool | None:
    if not isinstance(left, dict) or len(left) != 1:
        return None
    (kind, body), *_ = left.items()
    if not isinstance(body, dict):
        return None
    if kind == "payload":
        return _payload(str(body.get("protocol")), body.get("field"), right, packet, table)
    key = body.get("key")
    if kind == "ct" and key == "state":
        return contains(right, "new", table.sets)
    if kind == "meta" and key in ("iifname", "oifname", "iif", "oif"):
        if (hook == "output") != str(key).startswith("o"):
            return False
        return is_interface(packet.interface, right, "*") if isinstance(right, str) else None
    if kind == "meta" and key == "l4proto":
        return contains(right, packet.protocol, table.sets)
    if kind == "meta" and key == "nfproto":
        return contains(right, f"ipv{packet.version}", table.sets)
    return None


def _payload(
    protocol: str, field: object, right: object, packet: Packet, table: Table
) -> bool | None:
    if protocol in ("tcp", "udp", "th"):
        if protocol not in ("th", packet.protocol):
            return False
        return contains(right, packet.port, table.sets) if field == "dport" else None
    if protocol in ("ip", "ip6"):
        if packet.version != (4 if protocol == "ip" else 6):
            return False
        if field in ("protocol", "nexthdr"):
            return contains(right, packet.protocol, table.sets)
        if field in ("saddr", "daddr"):
            address = packet.source if field == "saddr" else packet.destination
            return None if address is None else contains(right, address, table.sets)
    return None


def contains(
    wanted: object, value: str | int, sets: dict[str, object], depth: int = 0
) -> bool | None:
    """Tell whether a value is, or is in, the right side of a comparison."""
    if depth > _MAX_DEPTH:
        return None
    if isinstance(wanted, str) and wanted.startswith("@"):
        return contains(sets.get(wanted[1:]), value, sets, depth + 1)
    if isinstance(wanted, list):
        answers = [contains(item, value, sets, depth + 1) for item in wanted]
        return True if True in answers else None if None in answers else False
    if isinstance(wanted, dict):
        return _contains_structured(wanted, value, sets, depth)
    if isinstance(wanted, bool) or not isinstance(wanted, (str, int)):
        return None
    if isinstance(value, str) and isinstance(wanted, str) and _is_address(value):
        return in_network(value, wanted)
    return wanted == value


def _contains_structured(
    wanted: dict[str, object], value: str | int, sets: dict[str, object], depth: int
) -> bool | None:
    for wrapper in ("set", "elem", "val"):
        if wrapper in wanted:
            return contains(wanted[wrapper], value, sets, depth + 1)
    prefix = wanted.get("prefix")
    if isinstance(prefix, dict) and isinstance(value, str):
        return in_network(value, f"{prefix.get('addr')}/{prefix.get('len')}")
    limits = wanted.get("range")
    if isinstance(limits, list) and len(limits) == 2:
        try:
            low, number, high = (_number(each) for each in (limits[0], value, limits[1]))
        except ValueError:
            return None
        return low <= number <= high
    return None


def _is_address(value: str) -> bool:
    return "." in value or ":" in value


def _number(value: object) -> int:
    return value if isinstance(value, int) else int(ipaddress.ip_address(str(value)))


def shown(statements: list[object]) -> str:
    """Return the statements of a rule about as a person would write them."""
    return " ".join(_shown(statement) for statement in statements)


def _shown(value: object, depth: int = 0) -> str:
    if depth > _MAX_DEPTH:
        return "…"
    if isinstance(value, list):
        return "{ " + ", ".join(_shown(item, depth + 1) for item in value) + " }"
    if not isinstance(value, dict):
        return str(value)
    words = []
    for key, item in value.items():
        if key == "match" and isinstance(item, dict):
            operator = "" if item.get("op") in ("==", "in") else f"{item.get('op')} "
            left, right = (_shown(item.get(side), depth + 1) for side in ("left", "right"))
            words.append(f"{left} {operator}{right}")
        elif key in ("payload", "meta", "ct") and isinstance(item, dict):
            protocol = item.get("protocol", key)
            words.append(f"{protocol} {item.get('field', item.get('key'))}")
        elif key == "counter":
            words.append("counter")
        elif key in ("set", "elem", "val", "prefix", "range"):
            words.append(_shown(item, depth + 1))
        else:
            words.append(str(key) if item is None else f"{key} {_shown(item, depth + 1)}")
    return " ".join(words)
