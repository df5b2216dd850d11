"""Firewall rules: a connection is followed through them, and doubts stay doubts."""

import json
import textwrap
import time
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from runbook.executor.content.module_utils.runbook_probes import iptables, nftables
from runbook.executor.content.module_utils.runbook_probes.firewalls import judged
from runbook.executor.content.module_utils.runbook_probes.packets import Packet, follow
from runbook.model.probes import PROBE_TYPES
from tests.unit.probes.prober import IS_ROOT, facts, reason

LOCAL = Packet("tcp", 8000, "127.0.0.1", "127.0.0.1", "lo")
REMOTE = Packet("tcp", 8000, "192.0.2.9", None, None)
REMOTE_6 = Packet("tcp", 8000, "2001:db8::9", None, None)

DOUBT = "doubt"


def _verdict(seen: dict[str, Any]) -> object:
    """Return what a connection meets: None, `drop`, `reject` or a doubt."""
    return seen["action"] if "blocked" in seen else DOUBT


def _by_iptables(rules: str, packet: Packet, policy: str = "ACCEPT") -> object:
    text = f"*filter\n:INPUT {policy} [0:0]\n:OUTPUT ACCEPT [0:0]\n:app - [0:0]\n{rules}\nCOMMIT\n"
    tables = iptables.parse_rules(textwrap.dedent(text))
    return _verdict(judged([row for each in tables.values() for row in follow(packet, each)]))


def test_chains_that_multiply_are_not_followed_to_their_end() -> None:
    """Thirty chains, each of which jumps to the next twice, are a doubt, and soon."""
    jumps = [f"-A c{n} -j c{n + 1}" for n in range(30) for _ in range(2)]
    chains = "".join(f":c{n} - [0:0]\n" for n in range(31))
    tables = iptables.parse_rules(
        f"*filter\n:INPUT ACCEPT [0:0]\n{chains}-A INPUT -j c0\n" + "\n".join(jumps) + "\nCOMMIT\n"
    )

    begun = time.process_time()
    seen = judged(follow(REMOTE, tables["filter"]))

    assert _verdict(seen) == DOUBT
    assert time.process_time() - begun < 20


@pytest.mark.parametrize(
    ("rules", "local", "remote"),
    [
        ("", None, None),
        ("-A INPUT -p tcp -m tcp --dport 8000 -j DROP", "drop", "drop"),
        (
            "-A INPUT -p tcp -m tcp --dport 8000 -j REJECT --reject-with icmp-port-unreachable",
            "reject",
            "reject",
        ),
        ("-A INPUT -p tcp -m tcp --dport 8001 -j DROP", None, None),
        ("-A INPUT -p udp -m udp --dport 8000 -j DROP", None, None),
        ("-A INPUT -p tcp -m tcp ! --dport 22 -j DROP", "drop", "drop"),
        ("-A INPUT -p tcp -m tcp --dport 7990:8010 -j DROP", "drop", "drop"),
        ("-A INPUT -p tcp -m multiport --dports 80,443,8000 -j DROP", "drop", "drop"),
        ("-A INPUT -s 192.0.2.0/24 -p tcp -j DROP", None, "drop"),
        ("-A INPUT ! -s 192.0.2.0/24 -p tcp -j DROP", "drop", None),
        ("-A INPUT -d 127.0.0.1/32 -j DROP", "drop", DOUBT),
        ("-A INPUT -i lo -j DROP", "drop", None),
        ("-A INPUT ! -i lo -j DROP", None, "drop"),
        ("-A INPUT -i eth0 -j DROP", None, DOUBT),
        ("-A OUTPUT -o lo -p tcp -m tcp --dport 8000 -j REJECT", "reject", None),
        ("-A OUTPUT -p tcp -m owner --uid-owner 33 -j REJECT", DOUBT, None),
        ("-A INPUT -j app\n-A app -p tcp -m tcp --dport 8000 -j DROP", "drop", "drop"),
        ("-A INPUT -j app\n-A app -j RETURN\n-A app -j DROP", None, None),
        ("-A INPUT -g app\n-A INPUT -j DROP\n-A app -p udp -j DROP", None, None),
        ("-A INPUT -p tcp -j ACCEPT\n-A INPUT -j DROP", None, None),
        ("-A INPUT -m conntrack --ctstate RELATED,ESTABLISHED -j ACCEPT\n-A INPUT -j DROP",) + ("drop",) * 2,
        ("-A INPUT -m state --state NEW -j DROP", "drop", "drop"),
        ("-A INPUT -p tcp -m tcp --tcp-flags FIN,SYN,RST,ACK SYN -j DROP", "drop", "drop"),
        ("-A INPUT -p tcp -m limit --limit 5/min -j ACCEPT\n-A INPUT -j DROP", DOUBT, DOUBT),
        ("-A INPUT -p tcp -m recent --update --seconds 60 -j DROP", DOUBT, DOUBT),
        ("-A INPUT -m limit --limit 5/min -j app\n-A app -j DROP", DOUBT, DOUBT),
        ('-A INPUT -j LOG --log-prefix "a -j DROP"', None, None),
        ("-A INPUT -j NFQUEUE --queue-num 0", DOUBT, DOUBT),
        ("-A INPUT -m comment --comment \"it's -j DROP here\" -j ACCEPT", None, None),
        ('-A INPUT -m comment --comment unclosed" -p tcp -j DROP', "drop", "drop"),
        ("-A app -j DROP", None, None),
        ("-A INPUT -j app\n-A app -j app", None, None),
    ],
)  # fmt: skip
def test_rules_of_iptables(rules: str, local: object, remote: object) -> None:
    """What rules do with a connection from here and from elsewhere; what depends is a doubt."""
    assert _by_iptables(rules, LOCAL) == local
    assert _by_iptables(rules, REMOTE) == remote


def test_policies_of_iptables() -> None:
    """What no rule decides the policy of the chain decides."""
    allowed = "-A INPUT -p tcp -m tcp --dport 8000 -j ACCEPT"

    assert _by_iptables("", LOCAL, policy="DROP") == "drop"
    assert _by_iptables(allowed, LOCAL, policy="DROP") is None
    assert _by_iptables("-A INPUT -p tcp -j ACCEPT -m limit", LOCAL, policy="DROP") is None
    assert _by_iptables("-A INPUT -m limit --limit 1/s -j ACCEPT", LOCAL, policy="DROP") == DOUBT


def test_who_wrote_the_rules() -> None:
    """Rules of ufw are known by their chains; the rule itself is told."""
    text = textwrap.dedent("""\
        *filter
        :INPUT DROP [0:0]
        :ufw-user-input - [0:0]
        -A INPUT -j ufw-user-input
        -A ufw-user-input -p tcp -m tcp --dport 8000 -j DROP
        COMMIT
        """)
    (found,) = follow(LOCAL, iptables.parse_rules(text)["filter"])

    assert found.tool == "ufw"
    assert found.rule == "-A ufw-user-input -p tcp -m tcp --dport 8000 -j DROP"


def test_address_translation_is_left_out() -> None:
    """The table that rewrites addresses keeps nothing out."""
    assert iptables.parse_rules("*nat\n:OUTPUT DROP [0:0]\nCOMMIT\n") == {}


def _match(left: dict[str, object], right: object, op: str = "==") -> dict[str, object]:
    return {"match": {"op": op, "left": left, "right": right}}


def _field(protocol: str, field: str) -> dict[str, object]:
    return {"payload": {"protocol": protocol, "field": field}}


def _meta(key: str) -> dict[str, object]:
    return {"meta": {"key": key}}


DPORT = _field("tcp", "dport")
STATE: dict[str, object] = {"ct": {"key": "state"}}
DROP: dict[str, object] = {"drop": None}
ACCEPT: dict[str, object] = {"accept": None}


def _ruleset(rules: list[list[dict[str, object]]], family: str, policy: str) -> str:
    base = {"family": family, "table": "t"}
    chain = {**base, "name": "in", "type": "filter", "hook": "input", "policy": policy}
    entries: list[dict[str, object]] = [
        {"metainfo": {"version": "1.0.6"}},
        {"table": {"family": family, "name": "t"}},
        {"set": {**base, "name": "bad", "elem": [{"prefix": {"addr": "192.0.2.0", "len": 24}}]}},
        {"chain": chain},
        {"chain": {**base, "name": "app"}},
        {"rule": {**base, "chain": "app", "expr": [_match(DPORT, 8000), {"reject": None}]}},
    ]
    entries += [{"rule": {**base, "chain": "in", "expr": rule}} for rule in rules]
    return json.dumps({"nftables": entries})


def _by_nftables(
    rules: list[list[dict[str, object]]],
    packet: Packet,
    family: str = "inet",
    policy: str = "accept",
) -> object:
    found = []
    for table in nftables.parse_ruleset(_ruleset(rules, family, policy)):
        if nftables.concerns(table, packet.version):
            found += follow(packet, table.chains)
    return _verdict(judged(found))


@pytest.mark.parametrize(
    ("rules", "local", "remote"),
    [
        ([], None, None),
        ([[_match(DPORT, 8000), {"counter": {"packets": 0}}, DROP]], "drop", "drop"),
        ([[_match(DPORT, 8000), {"reject": {"type": "tcp reset"}}]], "reject", "reject"),
        ([[_match(DPORT, 8000, "!="), DROP]], None, None),
        ([[_match(_field("udp", "dport"), 8000), DROP]], None, None),
        ([[_match(_field("th", "dport"), 8000), DROP]], "drop", "drop"),
        ([[_match(DPORT, {"set": [80, 8000]}), DROP]], "drop", "drop"),
        ([[_match(DPORT, {"set": [80, {"range": [7990, 8010]}]}), DROP]], "drop", "drop"),
        ([[_match(DPORT, {"range": [1, 1023]}), DROP]], None, None),
        ([[_match(_field("ip", "saddr"), "@bad"), DROP]], None, "drop"),
        ([[_match(_field("ip", "saddr"), "@unknown"), DROP]], DOUBT, DOUBT),
        ([[_match(_field("ip", "saddr"), "192.0.2.9"), DROP]], None, "drop"),
        ([[_match(_field("ip", "daddr"), "127.0.0.1"), DROP]], "drop", DOUBT),
        ([[_match(_field("ip", "saddr"), {"range": ["192.0.2.1", "192.0.2.20"]}), DROP]], None, "drop"),
        ([[_match(_field("ip6", "saddr"), "2001:db8::/32"), DROP]], None, None),
        ([[_match(_meta("iifname"), "lo"), ACCEPT], [DROP]], None, "drop"),
        ([[_match(_meta("iifname"), "eth*"), DROP]], None, DOUBT),
        ([[_match(_meta("oifname"), "lo"), DROP]], None, None),
        ([[_match(_meta("l4proto"), {"set": ["tcp", "udp"]}), DROP]], "drop", "drop"),
        ([[_match(_meta("nfproto"), "ipv6"), DROP]], None, None),
        ([[_match(STATE, ["established", "related"], "in"), ACCEPT], [DROP]], "drop", "drop"),
        ([[_match(STATE, "new", "in"), DROP]], "drop", "drop"),
        ([[{"vmap": {"key": STATE, "data": {"set": [["new", DROP], ["invalid", ACCEPT]]}}}]],) + ("drop",) * 2,
        ([[{"vmap": {"key": DPORT, "data": {"set": [[8000, {"jump": {"target": "app"}}]]}}}]],) + ("reject",) * 2,
        ([[{"jump": {"target": "app"}}], [DROP]], "reject", "reject"),
        ([[{"goto": {"target": "app"}}]], "reject", "reject"),
        ([[{"return": None}], [DROP]], None, None),
        ([[{"limit": {"rate": 5, "per": "minute"}}, ACCEPT], [DROP]], DOUBT, DOUBT),
        ([[_match({"&": [_field("tcp", "flags"), "syn"]}, 0), DROP]], DOUBT, DOUBT),
        ([[{"xt": {"type": "target", "name": "REJECT"}}]], DOUBT, DOUBT),
        ([[{"log": {"prefix": "x"}}]], None, None),
    ],
)  # fmt: skip
def test_rules_of_nftables(
    rules: list[list[dict[str, object]]], local: object, remote: object
) -> None:
    """What rules do with a connection from here and from elsewhere; what depends is a doubt."""
    assert _by_nftables(rules, LOCAL) == local
    assert _by_nftables(rules, REMOTE) == remote


def test_families_and_policies_of_nftables() -> None:
    """A table decides only about its own IP version; what no rule decides its policy does."""
    drop = [[_match(DPORT, 8000), DROP]]

    assert _by_nftables(drop, REMOTE, family="ip6") is None
    assert _by_nftables(drop, REMOTE_6, family="ip6") == "drop"
    assert _by_nftables(drop, REMOTE_6, family="ip") is None
    assert _by_nftables([], LOCAL, policy="drop") == "drop"


def test_rules_are_shown_as_people_write_them() -> None:
    """A rule that keeps something out is told in about nft's own words."""
    rule: list[object] = [
        _match(_field("ip", "saddr"), "@bad"),
        _match(DPORT, {"set": [80, 8000]}),
        {"counter": {"packets": 0}},
        {"reject": {"type": "tcp reset"}},
    ]

    assert nftables.shown(rule) == (
        "ip saddr @bad tcp dport { 80, 8000 } counter reject type tcp reset"
    )


def _tool(folder: Path, name: str, text: str, rc: int = 0) -> None:
    (folder / f"{name}.txt").write_text(text, encoding="utf-8")
    stream = ">&2" if rc else ""
    script = f"#!/bin/sh\ncat {folder}/{name}.txt {stream}\nexit {rc}\n"
    (folder / name).write_text(script, encoding="utf-8")
    (folder / name).chmod(0o755)


NFT_SAVE = "# Generated by iptables-nft-save v1.8.9 (nf_tables)\n*filter\n:INPUT {} [0:0]\nCOMMIT\n"


def test_both_tools_are_asked(shared_folder: Path) -> None:
    """Rules of iptables that nftables keeps are not read twice; those of its own are."""
    env = {"PATH": f"{shared_folder}:/usr/bin:/bin"}
    blocking = _ruleset([[_match(DPORT, 8000), DROP]], "inet", "accept")
    _tool(shared_folder, "iptables-save", NFT_SAVE.format("ACCEPT"))
    _tool(shared_folder, "iptables-legacy-save", "")
    _tool(shared_folder, "nft", blocking)
    if not IS_ROOT:
        assert "only root" in reason("firewall", environ=env, port=8000)
        return
    seen = facts("firewall", environ=env, port=8000)

    assert (seen["blocked"], seen["action"]) == (True, "drop")
    assert seen["tools"] == ["iptables", "nftables"]
    assert seen["by"][0]["rule"] == "tcp dport 8000 drop"
    assert set(seen) == set(PROBE_TYPES["firewall"].facts)
    assert not facts("firewall", environ=env, port=8001)["blocked"]
    _tool(shared_folder, "nft", blocking.replace('"inet"', '"ip"').replace('"t"', '"filter"'))
    assert not facts("firewall", environ=env, port=8000)["blocked"]
    _tool(shared_folder, "iptables-legacy-save", NFT_SAVE.format("DROP"))
    assert facts("firewall", environ=env, port=8000)["blocked"]


def test_rules_we_cannot_read(shared_folder: Path) -> None:
    """A tool that refuses, and a user who may not ask, leave the question open."""
    env = {"PATH": f"{shared_folder}:/usr/bin:/bin"}
    _tool(shared_folder, "iptables-save", "iptables-save: Permission denied\n", rc=4)
    if IS_ROOT:
        assert reason("firewall", environ=env, port=8000) == (
            "iptables-save: iptables-save: Permission denied"
        )
    told = reason("firewall", port=8000, nobody_in=shared_folder)
    assert told == "not permitted: only root may read the firewall's rules"
    assert reason("firewall", port=8000, source="here") == "source must be an IP address"


WORDS = st.sampled_from(
    [
        "-A",
        "INPUT",
        "-p",
        "tcp",
        "!",
        "-j",
        "DROP",
        "app",
        "--dport",
        "8000",
        "-s",
        "::",
        "-i",
        "lo+",
        "-m",
        "limit",
        "*filter",
        ":INPUT",
        "\n",
        '"',
        ":",
        ",",
        "--ctstate",
        "NEW",
        "-g",
    ]
)


@given(st.lists(WORDS | st.text(max_size=4), max_size=80))
def test_no_rules_break_the_reader_of_iptables(words: list[str]) -> None:
    """Whatever iptables-save prints, following a connection through it ends without an error."""
    text = "*filter\n:INPUT ACCEPT\n:app -\n-A INPUT " + " ".join(words)
    for chains in iptables.parse_rules(text).values():
        for packet in (LOCAL, REMOTE, REMOTE_6):
            judged(follow(packet, chains))


DATA = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text() | st.sampled_from(["@bad", "lo", "tcp"]),
    lambda inner: (
        st.lists(inner, max_size=4)
        | st.dictionaries(
            st.sampled_from(
                [
                    "match",
                    "left",
                    "right",
                    "op",
                    "payload",
                    "field",
                    "set",
                    "range",
                    "prefix",
                    "vmap",
                    "key",
                    "data",
                    "meta",
                    "ct",
                    "accept",
                    "drop",
                    "jump",
                    "target",
                    "elem",
                    "val",
                    "xt",
                ]
            ),
            inner,
            max_size=4,
        )
    ),
    max_leaves=30,
)


@given(DATA, st.text())
def test_no_rules_break_the_reader_of_nftables(data: Any, text: str) -> None:
    """Whatever nft prints, following a connection through it ends without an error."""
    rules = data if isinstance(data, list) else [data]
    for table in nftables.parse_ruleset(_ruleset([rules, [data, DROP]], "inet", "accept")):
        for packet in (LOCAL, REMOTE, REMOTE_6):
            judged(follow(packet, table.chains))
    nftables.parse_ruleset(text)
    nftables.parse_ruleset(json.dumps({"nftables": data}))
    nftables.parse_ruleset(json.dumps({"nftables": [{"rule": data}, {"chain": data}]}))
