"""The report of a run as one HTML page, for a ticket: nothing is loaded from anywhere.

It has no script, and its policy allows none: which hosts are shown is chosen by radio buttons and
style rules. Whatever hosts printed is text.
"""

from base64 import b64encode
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from datetime import tzinfo
from hashlib import sha256

from runbook.journal import Entry, RunSummary
from runbook.views.account import HostAccount, RunAccount
from runbook.views.outline_html import as_html, escaped
from runbook.views.report import header, host_parts, notice_parts, quiet_hosts, quiet_parts
from runbook.views.report_path import line
from runbook.views.report_story import account_of
from runbook.views.report_times import clock
from runbook.views.taken import Taken, taken_by, titles_for, walked_tree
from runbook.views.tree_svg import STYLE, Classes, tree_part
from runbook.views.words import count, say_duration, say_hosts

_MOST_GROUPS = 24
"""How many ways through the tree can be chosen from; the others are shown with all hosts."""

_STYLE = """\
:root { color-scheme: light dark; }
body { max-width: 70rem; margin: 1rem auto; padding: 0 1rem; font: 1rem/1.5 system-ui, sans-serif;
  background: #fff; color: #1f2328; overflow-wrap: anywhere; }
h1, h2, h3 { line-height: 1.25; }
h2 { margin-top: 2rem; border-bottom: 1px solid #8c959f; }
dl { display: grid; grid-template-columns: max-content auto; gap: 0 1rem; }
dt { color: #59636e; }
dd { margin: 0; }
code, pre { font-family: ui-monospace, 'DejaVu Sans Mono', Menlo, Consolas, monospace;
  font-size: .875em; background: #f6f8fa; }
pre { padding: .5rem; overflow-x: auto; border: 1px solid #d1d9e0; }
.added { color: #116329; }
.removed { color: #a40e26; }
.pick { position: absolute; opacity: 0; }
nav label { display: inline-block; margin: .125rem; padding: .125rem .5rem; cursor: pointer;
  border: 1px solid #8c959f; border-radius: 1rem; }
.drawn { overflow-x: auto; border: 1px solid #d1d9e0; }
table { border-collapse: collapse; font-size: .875em; }
th, td { padding: .125rem .5rem; text-align: left; vertical-align: top; }
td { border-top: 1px solid #d1d9e0; }
.time { white-space: nowrap; font-variant-numeric: tabular-nums; }
summary { cursor: pointer; }
@media (prefers-color-scheme: dark) { body { background: #0d1117; color: #f0f6fc; }
  code, pre { background: #161b22; } dt { color: #b1bac4; } pre, td, .drawn { border-color: #3d444d; }
  .added { color: #3fb950; } .removed { color: #ff7b72; } }
@media print { body { max-width: none; background: #fff; color: #000; }
  nav, details:not([open]) { display: none; }
  pre { white-space: pre-wrap; } pre, code { background: none; } .added, .removed { color: #000; }
  .drawn { overflow: visible; border: 0; } .tree { max-width: 100%; height: auto; } }
"""


@dataclass(frozen=True, kw_only=True, slots=True)
class _Group:
    """Hosts that took the same way, or, as the first of all groups, every host."""

    name: str
    hosts: tuple[str, ...]
    label: str


def report_html(
    summary: RunSummary, entries: Iterable[Entry], *, zone: tzinfo | None = None
) -> str:
    """Return a run's report as a page; times in `zone`, None for the local one."""
    account = account_of(summary, entries)
    groups = _groups(account)
    style = f"{_STYLE}{STYLE}{''.join(_rules(groups))}"
    # The hash is of what stands between the tags, to the letter.
    digest = b64encode(sha256(style.encode()).digest()).decode()
    policy = f"default-src 'none'; style-src 'sha256-{digest}'; base-uri 'none'; form-action 'none'"
    title = escaped(f"Run {summary.id}: {account.title or summary.runbook}")
    return "\n".join([
        "<!DOCTYPE html>",
        '<html lang="en" xmlns="http://www.w3.org/1999/xhtml">',
        "<head>",
        '<meta charset="utf-8"/>',
        f'<meta http-equiv="Content-Security-Policy" content="{policy}"/>',
        '<meta name="referrer" content="no-referrer"/>',
        '<meta name="viewport" content="width=device-width, initial-scale=1"/>',
        f"<title>{title}</title>",
        f"<style>{style}</style>",
        "</head>",
        "<body>",
        *_body(account, groups, zone),
        "</body>",
        "</html>",
    ])  # fmt: skip


def _body(account: RunAccount, groups: Sequence[_Group], zone: tzinfo | None) -> Iterator[str]:
    for number, group in enumerate(groups):
        checked = ' checked="checked"' if number == 0 else ""
        yield (
            f'<input class="pick" type="radio" name="hosts" id="{group.name}"'
            f' aria-label="{escaped(group.label)}"{checked}/>'
        )
    yield "<main>"
    yield as_html(header(account, zone))
    if len(groups) > 1:
        labels = " ".join(
            f'<label for="{group.name}">{escaped(group.label)}</label>' for group in groups
        )
        yield f"<nav><p>Show: {labels}</p></nav>"
    marks = _marker(groups)
    yield from _trees(account, marks)
    quiet = quiet_hosts(account)
    for host, told in account.hosts.items():
        if host not in quiet:
            yield f'<section class="{marks((host,)).strip()}">'
            yield as_html(host_parts(told, account))
            yield "</section>"
    if quiet:
        yield as_html(quiet_parts(account, quiet))
    if account.notices:
        yield as_html(notice_parts(account, zone))
    yield from _timeline(account, marks, zone)
    yield "</main>"


def _trees(account: RunAccount, marks: Classes) -> Iterator[str]:
    steps = walked_tree(account)
    taken = taken_by(account.hosts.values())
    came_to = [step for step in steps if step.id in taken.steps]
    if not came_to:
        return
    titles = titles_for(account)

    yield "<h2>The way taken</h2>"
    yield f"<p>{_legend(taken)}</p>"
    yield '<div class="drawn">'
    yield tree_part("The way taken", came_to, titles, taken=taken, classes=marks, prefix="way")
    yield "</div>"
    if len(came_to) < len(steps):
        yield "<details>"
        yield f"<summary>The whole tree: {count(len(steps), 'step')}</summary>"
        yield '<div class="drawn">'
        yield tree_part("The whole tree", steps, titles, taken=taken, classes=marks)
        yield "</div></details>"


def _legend(taken: Taken) -> str:
    marked = "● marks the results that hosts came to"
    if len(taken.hosts) > 1:
        marked += ", with how many of them; bold are those of the hosts shown"
    return f"{marked}. A thick border marks a fix that is destructive."


def _timeline(account: RunAccount, marks: Classes, zone: tzinfo | None) -> Iterator[str]:
    yield "<h2>Timeline</h2>"
    yield "<table><thead><tr><th>time</th><th>after</th><th>host</th><th>what</th><th>by</th></tr>"
    yield "</thead><tbody>"
    for moment in account.moments:
        kind = marks((moment.host,)).strip()
        after = max(0.0, moment.at - account.summary.started_at)
        cells = (
            f'<td class="time">{escaped(clock(moment.at, zone))}</td>',
            f'<td class="time">{escaped(say_duration(after))}</td>',
            f"<td><code>{escaped(moment.host)}</code></td>" if moment.host else "<td></td>",
            f"<td>{escaped(line(moment.text))}</td>",
            f"<td>{escaped(moment.who)}</td>",
        )
        yield f'<tr class="{kind}">{"".join(cells)}</tr>'
    yield "</tbody></table>"


def _groups(account: RunAccount) -> list[_Group]:
    """Return all hosts, then those that took the same way; the most eventful way first."""
    alike: dict[object, list[HostAccount]] = {}
    for told in account.hosts.values():
        way = tuple((step.step, step.result, step.next) for step in told.path)
        alike.setdefault((way, told.verdict), []).append(told)
    ways = sorted(alike.values(), key=lambda hosts: -len(hosts[0].path))
    groups = [_Group(name="all", hosts=tuple(account.hosts), label="all hosts")]
    if len(ways) > 1:
        groups += [
            _Group(
                name=f"w{number}",
                hosts=tuple(told.host for told in hosts),
                label=f"{say_hosts([told.host for told in hosts])}: "
                f"{hosts[0].verdict or 'no verdict'}",
            )
            for number, hosts in enumerate(ways[:_MOST_GROUPS], 1)
        ]
    return groups


def _marker(groups: Sequence[_Group]) -> Classes:
    """Return what gives the classes of what is about some hosts: the groups they are of."""
    groups_of: dict[str, list[str]] = {}
    for group in groups:
        for host in group.hosts:
            groups_of.setdefault(host, []).append(group.name)

    def marks(hosts: tuple[str, ...]) -> str:
        found = {name for host in hosts for name in groups_of.get(host, ())}
        return "".join(f" of-{group.name}" for group in groups if group.name in found)

    return marks


def _rules(groups: Sequence[_Group]) -> Iterator[str]:
    """Yield the style rules that show what is about the group that is chosen."""
    for group in groups:
        shown = f"#{group.name}:checked ~ main"
        yield (
            f"#{group.name}:checked ~ main label[for={group.name}] {{ font-weight: bold;"
            " outline: 2px solid currentColor; }\n"
            f"#{group.name}:focus-visible ~ main label[for={group.name}] {{ outline-offset: 3px; }}\n"
            f"{shown} .tree .of-{group.name} > rect, {shown} .tree path.of-{group.name}"
            " { stroke: var(--mark); stroke-width: 4; }\n"
            f"{shown} .tree .way.of-{group.name} text {{ fill: var(--ink); font-weight: bold; }}\n"
        )
        if group.name != "all":
            yield (
                f"{shown} section:not(.of-{group.name}), {shown} tr.of-all:not(.of-{group.name})"
                " { display: none; }\n"
            )
