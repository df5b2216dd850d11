"""Read the rules that `iptables-save` prints."""

from __future__ import annotations

import shlex

from .packets import Chain, Packet, Rule, all_of, in_network, is_interface

_HOOKS = {"INPUT": "input", "OUTPUT": "output", "PREROUTING": "prerouting"}
_VERDICTS = {"ACCEPT": "accept", "DROP": "drop", "REJECT": "reject", "RETURN": "return"}
# Targets after which a packet goes on.
_PASSING = frozenset(
    ["LOG", "NFLOG", "MARK", "CONNMARK", "CT", "TCPMSS", "TRACE", "CLASSIFY", "NOTRACK", "AUDIT"]
)
# Options that ask for nothing by themselves, and how many words they take.
_SILENT = {"-m": 1, "--match": 1, "--comment": 1}
_SYN = ("FIN,SYN,RST,ACK", "SYN")


class _Condition:
    """One option of a rule with its words, as a question about a packet."""

    def __init__(self, option: str, words: list[str], negated: bool) -> None:
        self.option = option
        self.words = words
        self.negated = negated

    def holds(self, packet: Packet, hook: str) -> bool | None:
        answer = self._answer(packet, hook)
        return answer if answer is None else answer != self.negated

    def _answer(self, packet: Packet, hook: str) -> bool | None:
        word = self.words[0] if self.words else ""
        if self.option in ("-p", "--protocol"):
            return word in (packet.protocol, "all", {"tcp": "6", "udp": "17"}[packet.protocol])
        if self.option in ("--dport", "--dports", "--destination-port"):
            return _in_ports(packet.port, word)
        if self.option in ("-s", "-d"):
            return in_network(packet.source if self.option == "-s" else packet.destination, word)
        if self.option in ("-i", "-o"):
            is_its_way = (hook == "output") == (self.option == "-o")
            return is_interface(packet.interface, word, "+") if is_its_way else False
        if self.option in ("--ctstate", "--state"):
            return "NEW" in word.split(",")
        if self.option == "--tcp-flags" and tuple(self.words) == _SYN:
            return packet.protocol == "tcp"
        if self.option == "--dst-type" and word == "LOCAL":
            return True
        return None


def _in_ports(port: int, text: str) -> bool | None:
    for part in text.split(","):
        first, colon, last = part.partition(":")
        try:
            low = int(first or 0)
            high = int(last or 65535) if colon else low
        except ValueError:
            return None
        if low <= port <= high:
            return True
    return False


def is_by_nftables(text: str) -> bool:
    """Tell whether these rules are kept by nftables, whose own tool shows them once more."""
    head = text.partition("\n")[0]
    return "nft" in head or "nf_tables" in head or "xtables" in head


def parse_rules(text: str) -> dict[str, dict[str, Chain]]:
    """Return the chains of each table by their names; the table `nat` is left out."""
    tables: dict[str, dict[str, Chain]] = {}
    chains: dict[str, Chain] = {}
    for line in text.splitlines():
        if line.startswith("*"):
            chains = tables.setdefault(line[1:].strip(), {})
        elif line.startswith(":"):
            name, *more = line[1:].split() or [""]
            policy = _VERDICTS.get(more[0] if more else "", "accept")
            # That front end is known by the names it gives its chains.
            tool = "ufw" if name.startswith("ufw") else "iptables"
            chains[name] = Chain(tool, name, _HOOKS.get(name), policy, [])
        elif line.startswith("-A "):
            _add_rule(chains, line)
    tables.pop("nat", None)
    return tables


def _add_rule(chains: dict[str, Chain], line: str) -> None:
    try:
        words = shlex.split(line)
    except ValueError:
        words = line.split()
    chain = chains.get(words[1]) if len(words) > 1 else None
    if chain is not None:
        chain.rules.append(_rule(words[2:], line, chains))


def _rule(words: list[str], text: str, chains: dict[str, Chain]) -> Rule:
    conditions: list[_Condition] = []
    verdict: str | None = None
    target = ""
    negated = False
    position = 0
    while position < len(words):
        option = words[position]
        position += 1
        if option == "!":
            negated = True
            continue
        if option in ("-j", "-g", "--jump", "--goto"):
            # What follows is about the target, not the packet.
            target = words[position] if position < len(words) else ""
            verdict = _verdict(target, chains, option)
            break
        start = position
        while position < len(words) and not _begins_option(words[position]):
            position += 1
        if option not in _SILENT:
            conditions.append(_Condition(option, words[start:position], negated))
        negated = False
    return Rule(
        text,
        lambda packet, hook: all_of([each.holds(packet, hook) for each in conditions]),
        verdict,
        target,
    )


def _begins_option(word: str) -> bool:
    return word == "!" or (word.startswith("-") and len(word) > 1 and not word[1].isdigit())


def _verdict(target: str, chains: dict[str, Chain], option: str) -> str | None:
    if target in _VERDICTS:
        return _VERDICTS[target]
    if target in chains:
        return "goto" if option in ("-g", "--goto") else "jump"
    return None if target in _PASSING else "unknown"
