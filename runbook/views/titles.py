"""Titles of steps as no one host has them: as they hold of several, and as they are written."""

import re
from collections.abc import Iterable

from runbook.views.safe_text import printable

# What lies between two statements depends on them, so they count as one template.
_TEMPLATE = re.compile(r"\{%.*%\}|\{\{.*?\}\}|\{#.*?#\}", re.DOTALL)

_LONGEST_TEMPLATE = 80


def written_title(title: str) -> str:
    """Return a title as written, printable, with an ellipsis in place of each long template."""
    return printable(
        _TEMPLATE.sub(lambda m: m[0] if len(m[0]) <= _LONGEST_TEMPLATE else "…", title)
    )


def common_title(written: str, rendered: Iterable[str]) -> str:
    """Return a title that holds of all hosts, printable.

    `rendered` are the hosts' titles, the most telling first. Where they differ it is the title as
    `written`, with an ellipsis in place of each template; the first where nothing else is left.
    """
    first, *others = dict.fromkeys(rendered)
    if not others:
        return printable(first)
    common = _TEMPLATE.sub("…", written)
    return printable(common if re.search(r"\w", common) else first)
