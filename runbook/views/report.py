"""The report of a run: what was found, what was done about it, and whether it helped.

Everything comes from the journal's entries (`account`), none of it from the runbook's file.
"""

import json
import math
import re
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping
from datetime import UTC, datetime, tzinfo

from runbook.journal import Entry, RunSummary
from runbook.model.codec import plain
from runbook.model.definition import CheckResult, Json
from runbook.model.event import FixDeclined
from runbook.model.observation import Observation, TaskChange
from runbook.model.verdict import Verdict
from runbook.views.account import Cause, HostAccount, Passed, Repair, RunAccount
from runbook.views.evidence import is_choice
from runbook.views.outline import Block, Facts, Heading, Item, Part, Quote, as_markdown, as_text
from runbook.views.report_story import account_of
from runbook.views.safe_text import printable
from runbook.views.words import (
    FIX_RESULTS,
    RESULTS,
    VERDICTS,
    count,
    say_duration,
    say_expected,
    say_observation,
    shorten,
)

_LONGEST_LINE = 300
_MOST_FACTS = 12
_MOST_DIFF_LINES = 200
_MOST_HOSTS_NAMED = 8
_TELLING = frozenset({"error", "message", "msg", "state", "status", "stderr", "stdout"})


def run_document(summary: RunSummary, entries: Iterable[Entry]) -> dict[str, Json]:
    """Return a run as the JSON document that `run --json` and `report` write.

    Times are ISO 8601 in UTC. A host without a verdict has `unknown`, with the reason. It is strict
    JSON: figures that JSON has no word for are strings.
    """
    account = account_of(summary, entries)
    return {
        "run_id": summary.id,
        "runbook": summary.runbook,
        "verdict": account.verdict.value,
        "started_at": _iso(summary.started_at),
        "duration_s": round(account.took_s, 3),
        "hosts": {
            host: {
                "verdict": (told.verdict or Verdict.UNKNOWN).value,
                "reason": told.reason if told.verdict else _unfinished(account),
                "causes": [
                    {
                        "id": cause.id,
                        "title": cause.title or cause.id,
                        "evidence": _evidence(cause),
                    }
                    for cause in told.causes
                ],
                "path": [step.step for step in told.path],
                "fixes": [
                    {
                        "step": repair.step,
                        "outcome": repair.outcome.value,
                        "verified": repair.verified,
                    }
                    for repair in told.repairs
                ],
            }
            for host, told in account.hosts.items()
        },
    }


def report_text(
    summary: RunSummary, entries: Iterable[Entry], *, zone: tzinfo | None = None
) -> str:
    """Return a run's report as plain text; times in `zone`, None for the local one."""
    return as_text(_report(account_of(summary, entries), zone))


def report_markdown(
    summary: RunSummary, entries: Iterable[Entry], *, zone: tzinfo | None = None
) -> str:
    """Return a run's report as Markdown, for a ticket or a postmortem."""
    return as_markdown(_report(account_of(summary, entries), zone))


def _report(account: RunAccount, zone: tzinfo | None) -> Iterator[Part]:
    yield Heading(level=1, words=[f"Run {account.summary.id}: ", account.title or "no title"])
    yield Facts(pairs=list(_header(account, zone)))
    quiet = [host for host, told in account.hosts.items() if told.uneventful]
    for host, told in account.hosts.items():
        if host not in quiet:
            yield from _host(told, account)
    if quiet:
        yield Heading(level=2, words=[f"Healthy, nothing to do: {count(len(quiet), 'host')}"])
        for host in quiet:
            steps = count(len(account.hosts[host].path), "step")
            yield Item(words=[Quote(host), f": {steps} passed"])
    yield Heading(level=2, words=["Timeline"])
    told_of = frozenset(quiet)
    for moment in account.moments:
        if moment.host in told_of:
            continue
        by = f" (by {moment.who})" if moment.who not in {account.summary.operator, ""} else ""
        where = [Quote(moment.host), " "] if moment.host else []
        yield Item(words=[f"{_clock(moment.at, zone)} ", *where, Quote(_line(moment.text)), by])


def _header(account: RunAccount, zone: tzinfo | None) -> Iterator[tuple[str, list[str]]]:
    summary = account.summary
    yield "runbook", [Quote(summary.runbook), f", {summary.mode.value}"]
    if account.finished:
        yield "verdict", [VERDICTS[account.verdict]]
    else:
        yield "verdict", ["none: ", Quote(_line(_unfinished(account)))]
    yield "hosts", _hosts(account)
    yield "target", [Quote(summary.pattern)]
    yield "operator", [Quote(summary.operator)]
    yield "started", [_moment(summary.started_at, zone)]
    yield "took", [say_duration(account.took_s)]
    yield "record", [f"{account.entries} entries, the last with hash ", Quote(account.head)]


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


def _host(told: HostAccount, account: RunAccount) -> Iterator[Part]:
    verdict = VERDICTS[told.verdict] if told.verdict else "no verdict"
    yield Heading(level=2, words=[Quote(told.host), f": {verdict}"])
    if told.reason or not told.verdict:
        yield Item(words=["why: ", Quote(_line(told.reason or _unfinished(account)))])
    if told.params:
        values = ", ".join(f"{name}={_value(value)}" for name, value in told.params.items())
        yield Item(words=["params: ", Quote(_line(values))])
    yield Heading(level=3, words=["Path"])
    causes = [cause.evidence for cause in told.causes]
    for step in told.path:
        yield from _passed(step)
        if step.evidence is not None and step.result == "failed" and step.evidence not in causes:
            yield from _all_facts(step.evidence)
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


def _passed(step: Passed) -> Iterator[Part]:
    result = RESULTS.get(step.result) or FIX_RESULTS.get(step.result) or step.result
    yield Item(words=[*_named(step.title, step.step), f": {result}"])
    if step.answer is not None:
        note = [": ", Quote(_line(step.answer.note))] if step.answer.note else []
        yield Item(words=["answered by ", Quote(step.answer.by), *note], depth=1)
    if step.evidence is None:
        if step.reason:
            yield Item(words=["why: ", Quote(_line(step.reason))], depth=1)
        return
    yield from _seen(step.evidence, step.step)


def _seen(evidence: Observation, step: str) -> Iterator[Part]:
    """Say what was seen, and beside a fault what was expected."""
    seen = "" if is_choice(evidence) else say_observation(evidence, step, limit=_LONGEST_LINE)
    unknown = evidence.result is CheckResult.UNKNOWN
    if seen:
        yield Item(words=["why: " if unknown else "seen: ", Quote(seen)], depth=1)
    expected = say_expected(evidence, limit=_LONGEST_LINE)
    if expected and evidence.result is not CheckResult.PASSED:
        yield Item(words=["expected: ", Quote(expected)], depth=1)


def _cause(cause: Cause, told: HostAccount) -> Iterator[Part]:
    yield Item(words=_named(cause.title, cause.id))
    if cause.step:
        title = told.titles.get(cause.step, "")
        yield Item(words=["found by ", *_named(title, cause.step)], depth=1)
    if cause.evidence is not None:
        yield from _seen(cause.evidence, cause.step)
        yield from _all_facts(cause.evidence)


def _all_facts(evidence: Observation) -> Iterator[Part]:
    """Show facts one a line, those first that the condition names or that tell of an error."""

    def rank(name: str) -> int:
        named = re.search(rf"\b{re.escape(name)}\b", evidence.expected or "")
        return 0 if named else 1 if name in _TELLING else 2

    names = sorted(evidence.facts, key=rank)
    # Each on its own line whatever it holds, or a host could make up other facts.
    lines = [_line(printable(f"{name}: {_value(evidence.facts[name])}")) for name in names]
    if left := len(lines[_MOST_FACTS:]):
        lines = [*lines[:_MOST_FACTS], f"and {count(left, 'more fact')}"]
    if lines:
        yield Block(text="\n".join(lines), depth=1)


def _repair(repair: Repair, told: HostAccount) -> Iterator[Part]:
    outcome = FIX_RESULTS[repair.outcome.value]
    verified = "verified by looking again" if repair.verified else "not verified"
    yield Item(
        words=[
            *_named(repair.title, repair.step),
            f", attempt {repair.attempt}: {outcome}, {verified}",
        ]
    )
    if repair.reason:
        yield Item(words=["why: ", Quote(_line(repair.reason))], depth=1)
    if repair.approval is None:
        yield Item(words=["needed no approval"], depth=1)
    else:
        why = [": ", Quote(_line(repair.approval.reason))] if repair.approval.reason else []
        yield Item(words=["approved by ", Quote(repair.approval.by), *why], depth=1)
    if repair.impact:
        yield Item(words=["impact: ", repair.impact], depth=1)
    yield from _action(repair)
    if repair.verification is not None:
        took = say_duration(repair.verification.took_s)
        result = FIX_RESULTS[repair.verification.result.value]
        yield Item(words=[f"looked again for {took}: {result}"], depth=1)
        for step, seen in repair.verification.observations.items():
            said = say_observation(seen, step, limit=_LONGEST_LINE)
            more = [", ", Quote(said)] if said else []
            title = _named(told.titles.get(step, ""), step)
            yield Item(words=[*title, f": {RESULTS[seen.result.value]}", *more], depth=2)


def _action(repair: Repair) -> Iterator[Part]:
    ended = repair.ended
    if ended is None:
        yield Item(words=["its end is not recorded: what it did is not known"], depth=1)
        return
    late = ", its end was not seen by the process that began it" if ended.interrupted else ""
    why = [": ", Quote(_line(ended.reason))] if ended.reason else []
    yield Item(words=[f"the action: {ended.acted.value}{late}", *why], depth=1)
    for change in ended.changes:
        yield from _change(change)


def _change(change: TaskChange) -> Iterator[Part]:
    message = [": ", Quote(_line(change.message))] if change.message else []
    yield Item(words=[f"{change.status}: ", Quote(_line(change.name)), *message], depth=2)
    if change.diff.strip():
        lines = change.diff.rstrip("\n").split("\n")
        left = len(lines) - _MOST_DIFF_LINES
        if left > 0:
            lines = [*lines[:_MOST_DIFF_LINES], f"… {count(left, 'line')} more in the journal"]
        yield Block(text="\n".join(lines), language="diff", depth=2)


def _refusal(refusal: FixDeclined, told: HostAccount) -> Iterator[Part]:
    why = [": ", Quote(_line(refusal.reason))] if refusal.reason else []
    title = _named(told.titles.get(refusal.step, ""), refusal.step)
    yield Item(words=[*title, ": declined by ", Quote(refusal.by), *why])


def _named(title: str, name: str) -> list[str]:
    return [title, " (", Quote(name), ")"] if title else [Quote(name)]


def _verdict_word(told: HostAccount) -> str:
    return told.verdict.value if told.verdict else "without a verdict"


def _unfinished(account: RunAccount) -> str:
    if account.interrupted:
        return f"the run stopped: {account.interrupted}"
    return "the run ended before" if account.finished else "the run has not ended"


def _evidence(cause: Cause) -> Json:
    if cause.evidence is None:
        return None
    seen = plain(cause.evidence)
    return {
        "step": cause.step,
        "result": seen["result"],
        "expected": seen["expected"],
        "reason": seen["reason"],
        "facts": _strict(seen["facts"]),
        "seen_at": _iso(cause.evidence.seen_at),
    }


def _strict(value: Json) -> Json:
    """Return data with NaN and infinities as text."""
    match value:
        case float() if not math.isfinite(value):
            return str(value)
        case Mapping():
            return {key: _strict(item) for key, item in value.items()}
        case list():
            return [_strict(item) for item in value]
        case _:
            return value


def _value(value: Json) -> str:
    return value if isinstance(value, str) else json.dumps(value, ensure_ascii=False)


def _line(text: str) -> str:
    return shorten(text, _LONGEST_LINE)


def _iso(at: float) -> str | None:
    moment = _time(at, UTC)
    return None if moment is None else moment.isoformat(timespec="milliseconds")


def _moment(at: float, zone: tzinfo | None) -> str:
    moment = _time(at, zone)
    return str(at) if moment is None else moment.strftime("%Y-%m-%d %H:%M:%S %Z")


def _clock(at: float, zone: tzinfo | None) -> str:
    moment = _time(at, zone)
    if moment is None:
        return str(at)
    return f"{moment:%Y-%m-%d %H:%M:%S}.{moment.microsecond // 1000:03}"


def _time(at: float, zone: tzinfo | None) -> datetime | None:
    """Return a POSIX time, None for one that no calendar has (a host's clock can say anything)."""
    try:
        return datetime.fromtimestamp(at, UTC).astimezone(zone)
    except (OverflowError, ValueError, OSError):
        return None
