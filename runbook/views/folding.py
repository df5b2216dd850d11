"""Telling hosts together: those of which the same holds, in rows that stay short."""

from collections.abc import Collection, Iterable, Sequence
from typing import TypeVar

from rich.text import Text

from runbook.views.words import count, say_hosts

Key = TypeVar("Key")


def fold(pairs: Iterable[tuple[str, Key]]) -> list[tuple[list[str], Key]]:
    """Put hosts with the same value together, in the order of their first."""
    found: list[tuple[list[str], Key]] = []
    for host, value in pairs:
        hosts = next((hosts for hosts, other in found if other == value), None)
        if hosts is None:
            found.append(([host], value))
        else:
            hosts.append(host)
    return found


def lead(hosts: Sequence[str], of: Collection[str]) -> str:
    """Return the hosts something holds for, "" where it holds for all there are."""
    return "" if len(hosts) == len(of) else f"{say_hosts(hosts)}: "


def others(groups: Sequence[tuple[list[str], object]], most: int, how: str) -> list[Text]:
    """Say how many hosts are not shown where `most` groups are, and how to see them."""
    left_out = sum(len(hosts) for hosts, _ in groups[most:])
    if not left_out:
        return []
    return [one_row(f"… others on {count(left_out, 'more host')} ({how})", style="dim")]


def one_row(*parts: str | tuple[str, str], style: str = "") -> Text:
    """Return text that stays on one row: what is too long for the window is cut off."""
    return Text.assemble(*parts, style=style, no_wrap=True, overflow="ellipsis")
