"""Saying in few words what was seen, where, for how long and with what end. All text is printable."""

import re
from collections.abc import Iterable, Mapping, Sequence
from datetime import UTC, datetime

from runbook.model.definition import CheckResult, FixResult, Json
from runbook.model.event import Delivery, Notified
from runbook.model.observation import Observation
from runbook.model.verdict import Verdict
from runbook.views.safe_text import printable

LIMIT = 72
"""How many characters an observation in words may have."""

VERDICTS: Mapping[Verdict, str] = {
    Verdict.HEALTHY: "healthy",
    Verdict.RESOLVED: "resolved",
    Verdict.SELF_RECOVERED: "recovered by itself",
    Verdict.UNRESOLVED: "unresolved",
    Verdict.ESCALATED: "escalated: a person has to look",
    Verdict.DECLINED: "declined",
    Verdict.WAITING: "waiting for an answer",
    Verdict.UNKNOWN: "unknown: could not tell",
    Verdict.ABORTED: "aborted",
}

RESULTS: Mapping[str, str] = {
    CheckResult.PASSED.value: "passed",
    CheckResult.FAILED.value: "failed",
    CheckResult.UNKNOWN.value: "could not tell",
}

FIX_RESULTS: Mapping[str, str] = {
    FixResult.RESOLVED.value: "resolved",
    FixResult.CAUSE_REMOVED.value: "cause removed, the symptom stays",
    FixResult.RECURRED.value: "helped, then the fault came back",
    FixResult.NO_EFFECT.value: "no effect",
    FixResult.FAILED.value: "failed",
    FixResult.UNKNOWN.value: "unknown: could not tell",
    FixResult.DECLINED.value: "declined",
}

# What tells most where a condition names nothing, and what says more once a check has failed.
_TELLING = ("status", "error", "state", "running", "listening", "rc", "stdout", "count")
# What goes without saying where something else is said.
_GRANTED = frozenset({"answered", "connected", "exists", "found", "resolved"})
# What is too long to tell anything, cut off as it would be.
_LONG = frozenset({"body", "json", "headers", "content", "text", "last_lines"})
_SAYS_MORE = ("error", "state", "type", "message", "failures", "stderr")
_MOST_FACTS = 3
_LONGEST_VALUE = 40
_MOST_ITEMS = 3
# A number of seconds as large as this is a moment, not a length of time.
_MOMENT = 1e8


def shorten(text: str, limit: int) -> str:
    """Return text of at most `limit` characters; what was cut ends in an ellipsis."""
    return text if len(text) <= limit else text[: max(limit - 1, 0)].rstrip() + "…"


def count(number: int, noun: str) -> str:
    """Return `1 task`, `2 tasks`."""
    return f"{number} {noun}" if number == 1 else f"{number} {noun}s"


def say_hosts(hosts: Sequence[str], *, most: int = 3) -> str:
    """Return `web1`, `2 hosts: web1, web2` or `12 hosts: web1, web2, web3 and 9 more`."""
    if len(hosts) == 1:
        return printable(hosts[0])
    named = ", ".join(printable(host) for host in hosts[:most])
    rest = f" and {len(hosts) - most} more" if len(hosts) > most else ""
    return f"{len(hosts)} hosts: {named}{rest}"


def say_delivery(said: Notified) -> str:
    """Return `chat was told`, `chat could not be told yet (1 try: HTTP 500)`."""
    tries = f"{said.attempts} {'try' if said.attempts == 1 else 'tries'}"
    match said.delivery:
        case Delivery.DELIVERED:
            return f"{said.target} was told" + (f" after {tries}" if said.attempts > 1 else "")
        case Delivery.FAILED:
            return f"{said.target} could not be told yet ({tries}: {said.reason})"
        case Delivery.GIVEN_UP:
            return f"{said.target} could not be told ({tries}: {said.reason})"


def say_duration(seconds: float) -> str:
    """Return a length of time in its two largest units: `0.4 s`, `12 s`, `3 min 5 s`, `2 h 1 min`."""
    if seconds < 1:
        return f"{max(seconds, 0):.1f} s"
    whole = round(seconds)
    if whole < 60:
        return f"{whole} s"
    minutes, rest = divmod(whole, 60)
    if minutes < 60:
        return f"{minutes} min {rest} s" if rest else f"{minutes} min"
    hours, minutes = divmod(minutes, 60)
    if hours < 48:
        return f"{hours} h {minutes} min" if minutes else f"{hours} h"
    return f"{hours // 24} days"


def say_share(share: float) -> str:
    """Say a share of 0 to 1 in percent: whole, but below one percent with its first two digits."""
    return f"{100 * share:.2g}%" if 0 < share < 0.01 else f"{share:.0%}"


def say_observation(seen: Observation, step: str | None = None, *, limit: int = LIMIT) -> str:
    """Return what was seen in at most `limit` characters, "" where there is nothing to say.

    The facts that the condition names come first; those of `step` where it names other steps', too.
    """
    reason = printable(seen.reason or "")
    if seen.result is CheckResult.UNKNOWN:
        return shorten(reason, limit)
    if "samples" in seen.facts and "last" in seen.facts:
        drawn = printable(str(seen.facts.get("over_time", "")))
        looks = count(seen.facts["samples"], "look")
        held = f"held in {seen.facts['passed']} of {looks} {drawn}".rstrip()
        return shorten(_join([held, *_say_facts(seen, seen.facts["last"], step)]), limit)
    said = _say_facts(seen, seen.facts, step)
    if reason and (not said or seen.expected == "nothing to change"):
        return shorten(reason, limit)
    return shorten(_join(said), limit)


def say_expected(seen: Observation, *, limit: int = LIMIT) -> str:
    """Return the condition that was to hold, on one line; "" where there was none."""
    return shorten(printable(" ".join((seen.expected or "").split())), limit)


def say_fact(name: str, value: Json) -> str:
    """Return one fact: `status 502`, `not listening`, `used 97.2 %`, `no pid`."""
    words = printable(name).removeprefix("is_").replace("_", " ")
    match value:
        case True:
            return words
        case False:
            return "does not exist" if name == "exists" else f"not {words}"
        case _ if value in (None, "", [], {}):
            return f"no {words}"
        case int() | float():
            return _say_number(name, words, value)
        case str():
            text = shorten(printable(value.strip()), _LONGEST_VALUE)
            return f"{words} “{text}”" if re.search(r"\s", value.strip()) else f"{words} {text}"
        case Mapping():
            inner = [say_fact(str(key), item) for key, item in value.items()]
            return f"{words}: {shorten(_join(inner[:_MOST_ITEMS]), _LONGEST_VALUE)}"
        case _:
            return _say_list(words, list(value))


def _say_number(name: str, words: str, value: float) -> str:
    figure = f"{value:.4g}" if isinstance(value, float) else str(value)
    if name.endswith("_percent"):
        return f"{words.removesuffix(' percent')} {figure} %"
    if name.endswith("_bytes"):
        return f"{words.removesuffix(' bytes')} {_say_bytes(value)}"
    if name.endswith("_s"):
        short = words.removesuffix(" s")
        if value < _MOMENT:
            return f"{short} {say_duration(value)}" if value >= 0 else f"{short} {figure} s"
        return f"{short} {say_moment(value)}"
    return f"{words} {figure}"


def say_moment(seconds: float) -> str:
    """Return a POSIX time as UTC, to the second."""
    try:
        return datetime.fromtimestamp(seconds, tz=UTC).strftime("%Y-%m-%d %H:%M:%SZ")
    except (OverflowError, ValueError, OSError):
        return f"{seconds:.4g}"


def _say_bytes(value: float) -> str:
    for unit in ("bytes", "kB", "MB", "GB", "TB"):
        if abs(value) < 1000:
            return f"{value:.3g} {unit}"
        value /= 1000
    return f"{value:.3g} PB"


def _say_list(words: str, items: list[Json]) -> str:
    if any(isinstance(item, Mapping | list | tuple) for item in items):
        first = items[0]
        told = (
            # By name, the one order that a journal keeps: a resumed run reads as it did before.
            _join(say_fact(str(k), v) for k, v in sorted(first.items()))
            if isinstance(first, Mapping)
            else ""
        )
        lead = f"{words}: {len(items)}"
        return f"{lead}, {shorten(told, _LONGEST_VALUE)}" if told else lead
    named = ", ".join(printable(str(item)) for item in items[:_MOST_ITEMS])
    rest = f" and {len(items) - _MOST_ITEMS} more" if len(items) > _MOST_ITEMS else ""
    return f"{words} {shorten(named, _LONGEST_VALUE)}{rest}"


def _say_facts(seen: Observation, facts: Mapping[str, Json], step: str | None) -> list[str]:
    chosen = _mentioned(seen.expected or "", facts, step)
    if not chosen:
        chosen = [(name, facts[name]) for name in _TELLING if facts.get(name) not in (None, "")]
        scalars = [
            (name, item) for name, item in facts.items() if not isinstance(item, list | dict)
        ]
        chosen = chosen or scalars or list(facts.items())
    if seen.result is CheckResult.FAILED:
        names = {name for name, _ in chosen}
        chosen += [
            (name, facts[name])
            for name in _SAYS_MORE
            if name not in names and facts.get(name) not in (None, "", [], {})
        ]
    # What is missing, and what is to be expected, tells something only where nothing else does.
    present = [(name, item) for name, item in chosen if item not in (None, "", [], {})] or chosen
    short = [(name, item) for name, item in present if name not in _LONG] or present
    told = [(name, item) for name, item in short if name not in _GRANTED or item is not True]
    present = told or short
    return [say_fact(name, item) for name, item in present[:_MOST_FACTS]]


def _mentioned(
    expected: str, facts: Mapping[str, Json], step: str | None
) -> list[tuple[str, Json]]:
    """Return the facts that a condition names, in its order, each once."""
    own = step.rpartition("/")[2] if step else None
    found: dict[str, list[tuple[str, Json]]] = {}
    for match in re.finditer(
        r"(?<![\w.'\"])([A-Za-z_]\w*)((?:\.\w+|\[['\"]\w+['\"]\])+)", expected
    ):
        name, value = _follow(facts, re.findall(r"\w+", match[2]))
        if name is not None and (name, value) not in found.setdefault(match[1], []):
            found[match[1]].append((name, value))
    if own in found:
        return found[own]
    return next((named for named in found.values() if named), [])


def _follow(facts: Mapping[str, Json], path: Sequence[str]) -> tuple[str | None, Json]:
    """Return the last name on a path that leads somewhere, and what is there."""
    name: str | None = None
    value: Json = facts
    for part in path:
        if not isinstance(value, Mapping) or part not in value:
            break
        name, value = part, value[part]
    return name, value


def _join(parts: Iterable[str]) -> str:
    return ", ".join(parts)
