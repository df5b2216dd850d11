"""The report of a run: what was found, what was done about it, and whether it helped.

Everything comes from the journal's entries (`account`), none of it from the runbook's file.
"""

from collections import Counter
from collections.abc import Container, Iterable, Iterator
from datetime import tzinfo

from runbook.journal import Entry, RunSummary
from runbook.model.event import FixDeclined
from runbook.model.observation import TaskChange
from runbook.views.account import Cause, HostAccount, Repair, RunAccount
from runbook.views.outline import Block, Facts, Heading, Item, Part, Quote, as_markdown, as_text
from runbook.views.report_path import LONGEST_LINE, all_facts, line, look, named, passed, value_of
from runbook.views.report_story import account_of
from runbook.views.report_times import clock, moment_of
from runbook.views.words import (
    FIX_RESULTS,
    RESULTS,
    VERDICTS,
    count,
    say_delivery,
    say_duration,
    say_hosts,
    say_observation,
)

_MOST_DIFF_LINES = 200
_MOST_HOSTS_NAMED = 8
_MOST_SHARED = 8
"""How many causes, and how many fixes, the head of a report names."""


def report_text(
    summary: RunSummary,
    entries: Iterable[Entry],
    *,
    zone: tzinfo | None = None,
    width: int | None = None,
) -> str:
    """Return a run's report as plain text, lines over `width` folded.

    Times are in `zone`, None for the local one.
    """
    return as_text(_report(account_of(summary, entries), zone), width=width)


def report_markdown(
    summary: RunSummary,
    entries: Iterable[Entry],
    *,
    zone: tzinfo | None = None,
) -> str:
    """Return a run's report as Markdown, for a ticket or a postmortem; see `report_text`."""
    return as_markdown(_report(account_of(summary, entries), zone))


def _report(account: RunAccount, zone: tzinfo | None) -> Iterator[Part]:
    yield from header(account, zone)
    quiet = quiet_hosts(account)
    for host, one in account.hosts.items():
        if host not in quiet:
            yield from host_parts(one, account)
    if quiet:
        yield from quiet_parts(account, quiet)
    yield from notice_parts(account, zone)
    yield Heading(level=2, words=["Timeline"])
    for moment in account.moments:
        if moment.host in quiet:
            continue
        by = f" (by {moment.who})" if moment.who not in {account.summary.operator, ""} else ""
        where = [Quote(moment.host), " "] if moment.host else []
        yield Item(words=[f"{clock(moment.at, zone)} ", *where, Quote(line(moment.text)), by])


def header(account: RunAccount, zone: tzinfo | None) -> Iterator[Part]:
    """Tell of the run as a whole, the end of its record included."""
    yield Heading(level=1, words=[f"Run {account.summary.id}: ", account.title or "no title"])
    yield Facts(pairs=list(_header(account, zone)))


def quiet_hosts(account: RunAccount) -> frozenset[str]:
    """Return the hosts of whose path there is nothing to tell."""
    return frozenset(host for host, told in account.hosts.items() if told.uneventful)


def quiet_parts(account: RunAccount, quiet: Container[str]) -> Iterator[Part]:
    """Tell in a line of each host that was healthy at first sight."""
    hosts = [host for host in account.hosts if host in quiet]
    yield Heading(level=2, words=[f"Healthy, nothing to do: {count(len(hosts), 'host')}"])
    for host in hosts:
        steps = count(len(account.hosts[host].path), "step")
        yield Item(words=[Quote(host), f": {steps} passed"])


def notice_parts(account: RunAccount, zone: tzinfo | None) -> Iterator[Part]:
    """Tell who was told of the run, and who could not be."""
    if account.notices:
        yield Heading(level=2, words=["Told"])
    for notice in account.notices:
        text = f"{say_delivery(notice.said)}: {notice.said.text}"
        yield Item(words=[f"{clock(notice.at, zone)} ", Quote(line(text))])


def _header(account: RunAccount, zone: tzinfo | None) -> Iterator[tuple[str, list[str]]]:
    summary = account.summary
    yield "runbook", [Quote(summary.runbook), f", {summary.mode.value}"]
    if account.finished:
        yield "verdict", [VERDICTS[account.verdict]]
    else:
        yield "verdict", ["none: ", Quote(line(account.unfinished))]
    yield "hosts", _hosts(account)
    hosts = account.hosts.values()
    causes = ((told.host, cause.title or cause.id) for told in hosts for cause in told.causes)
    yield from _shared("causes", causes, account)
    fixes = (
        (told.host, f"{repair.title or repair.step}: {FIX_RESULTS[repair.outcome.value]}")
        for told in hosts
        for repair in told.repairs
    )
    yield from _shared("fixes", fixes, account)
    yield "target", [Quote(summary.pattern)]
    yield "operator", [Quote(summary.operator)]
    yield "started", [moment_of(summary.started_at, zone)]
    yield "took", [say_duration(account.took_s)]
    yield "record", [f"{account.entries} entries, the last with hash ", Quote(account.head)]


def _shared(
    name: str, said: Iterable[tuple[str, str]], account: RunAccount
) -> Iterator[tuple[str, list[str]]]:
    """Yield what was said of hosts, each thing once with its hosts; nothing where nothing was."""
    by_text: dict[str, dict[str, None]] = {}
    for host, text in said:
        by_text.setdefault(text, {})[host] = None
    words: list[str] = []
    for text, hosts in list(by_text.items())[:_MOST_SHARED]:
        words += ["; "] if words else []
        words.append(line(text))
        if len(account.hosts) > 1:
            words += [" (", Quote(say_hosts(list(hosts))), ")"]
    if len(by_text) > _MOST_SHARED:
        words.append(f"; and {len(by_text) - _MOST_SHARED} more")
    if words:
        yield name, words


def _hosts(account: RunAccount) -> list[str]:
    if len(account.hosts) <= _MOST_HOSTS_NAMED:
        words: list[str] = []
        for host, told in account.hosts.items():
            words += [", "] if words else []
            words += [Quote(host), f" {_verdict_word(told)}"]
        return words or ["none"]
    counts = Counter(_verdict_word(told) for told in account.hosts.values())
    return [
        f"{len(account.hosts)}: "
        + ", ".join(f"{number} {word}" for word, number in counts.most_common())
    ]


def host_parts(told: HostAccount, account: RunAccount) -> Iterator[Part]:
    """Tell of one host: its path with what was seen, causes, and fixes with what they changed."""
    verdict = VERDICTS[told.verdict] if told.verdict else "no verdict"
    yield Heading(level=2, words=[Quote(told.host), f": {verdict}"])
    if told.reason or not told.verdict:
        yield Item(words=["why: ", Quote(line(told.reason or account.unfinished))])
    if told.params:
        values = ", ".join(f"{name}={value_of(value)}" for name, value in told.params.items())
        yield Item(words=["params: ", Quote(line(values))])
    yield from (Item(words=["also here: ", Quote(line(text))]) for text in told.also_here)
    yield Heading(level=3, words=["Path"])
    causes = [cause.evidence for cause in told.causes]
    for step in told.path:
        yield from passed(step)
        if step.evidence is not None and step.result == "failed" and step.evidence not in causes:
            yield from all_facts(step.evidence)
    if told.causes:
        yield Heading(level=3, words=["Causes"])
        for cause in told.causes:
            yield from _cause(cause, told)
    if told.repairs or told.refusals:
        yield Heading(level=3, words=["Fixes"])
        for repair in told.repairs:
            yield from _repair(repair, told)
        for refusal in told.refusals:
            yield from _refusal(refusal, told)


def _cause(cause: Cause, told: HostAccount) -> Iterator[Part]:
    yield Item(words=named(cause.title, cause.id))
    if cause.step:
        title = told.titles.get(cause.step, "")
        yield Item(words=["found by ", *named(title, cause.step)], depth=1)
    if cause.evidence is not None:
        yield from look(cause.evidence, cause.step)
        yield from all_facts(cause.evidence)


def _repair(repair: Repair, told: HostAccount) -> Iterator[Part]:
    outcome = FIX_RESULTS[repair.outcome.value]
    verified = "verified by looking again" if repair.verified else "not verified"
    yield Item(
        words=[
            *named(repair.title, repair.step),
            f", attempt {repair.attempt}: {outcome}, {verified}",
        ]
    )
    if repair.reason:
        yield Item(words=["why: ", Quote(line(repair.reason))], depth=1)
    if repair.approval is None:
        yield Item(words=["needed no approval"], depth=1)
    else:
        why = [": ", Quote(line(repair.approval.reason))] if repair.approval.reason else []
        yield Item(words=["approved by ", Quote(repair.approval.by), *why], depth=1)
    if repair.impact:
        yield Item(words=["impact: ", repair.impact], depth=1)
    yield from _action(repair)
    if repair.verification is not None:
        took = say_duration(repair.verification.took_s)
        result = FIX_RESULTS[repair.verification.result.value]
        yield Item(words=[f"looked again for {took}: {result}"], depth=1)
        for step, seen in repair.verification.observations.items():
            said = say_observation(seen, step, limit=LONGEST_LINE)
            more = [", ", Quote(said)] if said else []
            title = named(told.titles.get(step, ""), step)
            yield Item(words=[*title, f": {RESULTS[seen.result.value]}", *more], depth=2)


def _action(repair: Repair) -> Iterator[Part]:
    ended = repair.ended
    if ended is None:
        yield Item(words=["its end is not recorded: what it did is not known"], depth=1)
        return
    late = ", its end was not seen by the process that began it" if ended.interrupted else ""
    why = [": ", Quote(line(ended.reason))] if ended.reason else []
    yield Item(words=[f"the action: {ended.acted.value}{late}", *why], depth=1)
    for change in ended.changes:
        yield from _change(change)


def _change(change: TaskChange) -> Iterator[Part]:
    message = [": ", Quote(line(change.message))] if change.message else []
    yield Item(words=[f"{change.status}: ", Quote(line(change.name)), *message], depth=2)
    if change.diff.strip():
        lines = change.diff.rstrip("\n").split("\n")
        left = len(lines) - _MOST_DIFF_LINES
        if left > 0:
            lines = [*lines[:_MOST_DIFF_LINES], f"… {count(left, 'line')} more in the journal"]
        yield Block(text="\n".join(lines), language="diff", depth=2)


def _refusal(refusal: FixDeclined, told: HostAccount) -> Iterator[Part]:
    why = [": ", Quote(line(refusal.reason))] if refusal.reason else []
    title = named(told.titles.get(refusal.step, ""), refusal.step)
    yield Item(words=[*title, ": declined by ", Quote(refusal.by), *why])


def _verdict_word(told: HostAccount) -> str:
    return told.verdict.value if told.verdict else "without a verdict"
