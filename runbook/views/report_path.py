"""What was seen, as parts of a report: the steps of a path, evidence and bundles of it."""

import json
import re
from collections.abc import Iterator, Mapping

from runbook.model.definition import CheckResult, FixResult, Json
from runbook.model.observation import Observation
from runbook.views.account import Passed
from runbook.views.evidence import is_choice
from runbook.views.outline import Block, Item, Part, Quote, Tick
from runbook.views.safe_text import printable, printable_lines
from runbook.views.words import (
    FIX_RESULTS,
    RESULTS,
    count,
    say_expected,
    say_observation,
    shorten,
)

LONGEST_LINE = 300
"""How many characters a line has at most."""
_MOST_FACTS = 12
_FIRST_LINES = 10
_LAST_LINES = 30
_TELLING = frozenset({"error", "message", "msg", "state", "status", "stderr", "stdout"})
_TICKS: Mapping[str, Tick] = {
    CheckResult.PASSED.value: Tick.DONE,
    CheckResult.FAILED.value: Tick.OPEN,
    CheckResult.UNKNOWN.value: Tick.UNKNOWN,
    FixResult.RESOLVED.value: Tick.DONE,
    FixResult.CAUSE_REMOVED.value: Tick.DONE,
    FixResult.RECURRED.value: Tick.OPEN,
    FixResult.NO_EFFECT.value: Tick.OPEN,
    FixResult.DECLINED.value: Tick.OPEN,
}
_ANSWER_TICKS: Mapping[str, Tick] = {
    "done": Tick.DONE,
    "not_done": Tick.OPEN,
    "expired": Tick.OPEN,
}
"""By answer; a person's choice is neither done nor open, and no more is a branch's case."""


def passed(step: Passed) -> Iterator[Part]:
    """Tell a step of the path: its result, what was seen, and what was expected."""
    seen = step.evidence
    result = [RESULTS.get(step.result) or FIX_RESULTS.get(step.result) or step.result]
    if step.answer is not None and step.answer.title:
        result = named(step.answer.title, step.answer.answer)
    ticks = _TICKS if step.answer is None else _ANSWER_TICKS
    words = [*named(step.title, step.step), ": ", *(["collected"] if step.bundle else result)]
    yield Item(words=words, tick=ticks.get(step.result))
    if step.answer is not None:
        note = [": ", Quote(line(step.answer.note))] if step.answer.note else []
        yield Item(words=["answered by ", Quote(step.answer.by), *note], depth=1)
    if step.told is not None:
        told = printable_lines(step.told.instruction)
        yield Item(words=["told to: ", Quote(line(" ".join(told)))], depth=1)
        for command in step.told.commands:
            yield Item(words=["with: ", Quote(line(command))], depth=1)
    if seen is None:
        if step.reason:
            yield Item(words=["why: ", Quote(line(step.reason))], depth=1)
    elif step.bundle:
        yield from _bundle(step.bundle)
    else:
        yield from look(seen, step.step)


def look(seen: Observation, step: str) -> Iterator[Part]:
    """Say what was seen, and what was expected."""
    words = "" if is_choice(seen) else say_observation(seen, step, limit=LONGEST_LINE)
    unknown = seen.result is CheckResult.UNKNOWN
    if words:
        yield Item(words=["why: " if unknown else "seen: ", Quote(words)], depth=1)
    if expected := say_expected(seen, limit=LONGEST_LINE):
        yield Item(words=["expected: ", Quote(expected)], depth=1)


def all_facts(seen: Observation) -> Iterator[Part]:
    """Show facts one a line, those first that the condition names or that tell of an error."""

    def rank(name: str) -> int:
        in_condition = re.search(rf"\b{re.escape(name)}\b", seen.expected or "")
        return 0 if in_condition else 1 if name in _TELLING else 2

    names = sorted(seen.facts, key=rank)
    # Each on its own line whatever it holds, or a host could make up other facts.
    lines = [_fact(name, seen.facts[name]) for name in names]
    if left := len(lines[_MOST_FACTS:]):
        lines = [*lines[:_MOST_FACTS], f"and {count(left, 'more fact')}"]
    if lines:
        yield Block(text="\n".join(lines), depth=1)


def named(title: str, name: str) -> list[str]:
    """Return a title with the name behind it, or the name alone where there is no title."""
    return [title, " (", Quote(name), ")"] if title else [Quote(name)]


def line(text: str) -> str:
    """Return text no longer than a line of a report may be."""
    return shorten(text, LONGEST_LINE)


def value_of(value: Json) -> str:
    """Return data as it is read best: text bare, everything else as JSON."""
    return value if isinstance(value, str) else json.dumps(value, ensure_ascii=False)


def _bundle(answers: Mapping[str, Json]) -> Iterator[Part]:
    for name, answer in answers.items():
        if reason := answer.get("could_not_look"):
            why = Quote(line(value_of(reason)))
            yield Item(words=[Quote(name), ": could not look: ", why], depth=1)
            continue
        yield Item(words=[Quote(name), "" if answer else ": nothing"], depth=1)
        lines = [told for fact, value in answer.items() for told in _fact_lines(fact, value)]
        if lines:
            yield Block(text="\n".join(lines), depth=1)


def _fact_lines(name: str, value: Json) -> Iterator[str]:
    """Show a fact on one line, or text, lists and mappings below its name, indented.

    The indentation keeps what a host printed from looking like another fact. Of many lines the
    first and the last are shown.
    """
    match value:
        case str() if "\n" in value.rstrip("\n"):
            below = value.rstrip("\n").split("\n")
        case list() if value:
            below = [value_of(item) for item in value]
        case Mapping() if value:
            below = [f"{key}: {value_of(item)}" for key, item in value.items()]
        case _:
            yield _fact(name, value)
            return
    yield line(printable(f"{name}:"))
    left = len(below) - _FIRST_LINES - _LAST_LINES
    if left > 0:
        note = f"… {count(left, 'line')} left out, see report --json …"
        below = [*below[:_FIRST_LINES], note, *below[-_LAST_LINES:]]
    yield from (line(f"  {printable(text.expandtabs(4))}") for text in below)


def _fact(name: str, value: Json) -> str:
    return line(printable(f"{name}: {value_of(value)}"))
