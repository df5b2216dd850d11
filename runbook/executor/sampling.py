"""Looking repeatedly: until all is well, then through a period in which it has to stay so."""

import re
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

from runbook.executor.plan import Sampling
from runbook.model.definition import CheckResult, Json
from runbook.model.sparkline import sparkline

Seen = dict[str, dict[str, Any]]
"""Observations as data, by step id."""

Round = dict[str, Json]
"""One sample: `at_s` since the start, `holding` (in the period after success), `results` by step,
and the symptom's `figure`, None where its condition names no number."""


PART_S = 10.0
"""How long the samples of one round trip go on: whoever looks on hears of them after each."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Held:
    """How far a period in which all has to stay well has come, in seconds; with all its rounds.

    `name` is that of their figures.
    """

    at_s: float
    of_s: float
    rounds: tuple[Round, ...]
    name: str = ""


def sample(
    sampling: Sampling,
    *,
    look_once: Callable[[], Seen],
    look_through: Callable[[float, float], list[tuple[float, Seen]]],
    tell: Callable[[Held], None] = lambda _: None,
    clock: Callable[[], float] = time.monotonic,
    pause: Callable[[float], None] = time.sleep,
) -> tuple[list[Round], Seen]:
    """Return all rounds, and the observations of the telling one.

    That is the first that did not pass while it had to hold, else the last. `tell` hears how far a
    longer period has come.
    """
    begun = clock()
    rounds: list[Round] = []
    judged = [step for step in (sampling.cause, sampling.symptom) if step is not None]
    while True:
        started = clock()
        seen = look_once()
        rounds.append(_round(started - begun, seen, judged, holding=False))
        if _all_pass(seen, judged) or clock() - begun >= sampling.within_s:
            break
        pause(max(0.0, min(sampling.every_s - (clock() - started), sampling.within_s)))
    if not _all_pass(seen, judged) or sampling.hold_s <= 0:
        return rounds, seen
    telling: Seen | None = None
    parts = _parts(sampling)
    held_s = 0.0
    for number, part_s in enumerate(parts, start=1):
        started = clock()
        for at_s, later in look_through(part_s, sampling.every_s):
            complete = {**seen, **later}
            rounds.append(_round(started - begun + at_s, complete, judged, holding=True))
            seen = complete
            if telling is None and not _all_pass(complete, judged):
                telling = complete
        held_s += part_s
        if number < len(parts):
            name = figure(seen[sampling.symptom])[0] if sampling.symptom in seen else ""
            tell(Held(at_s=held_s, of_s=sampling.hold_s, rounds=tuple(rounds), name=name))
            # The next part begins with a look of its own, one interval after the last one.
            pause(max(0.0, part_s + sampling.every_s - (clock() - started)))
            held_s += sampling.every_s
    return rounds, telling or seen


def _parts(sampling: Sampling) -> list[float]:
    """Return how long each round trip of a period samples; between two lies one interval."""
    most = max(PART_S, sampling.every_s)
    parts: list[float] = []
    left = sampling.hold_s
    while left > most + sampling.every_s:
        parts.append(most)
        left -= most + sampling.every_s
    return [*parts, left]


def _round(at_s: float, seen: Seen, judged: list[str], *, holding: bool) -> Round:
    symptom = judged[-1]
    return {
        "at_s": round(at_s, 3),
        "holding": holding,
        "results": {step: seen[step]["result"] for step in judged if step in seen},
        "figure": figure(seen[symptom])[1] if symptom in seen else None,
    }


def figure(seen: Mapping[str, Any]) -> tuple[str, float | None]:
    """Return the first number that a step's condition names, with its name; None without one."""
    for path in re.findall(r"(?<![\w.])[a-z]\w*((?:\.\w+)+)", str(seen.get("expected") or "")):
        value: Any = seen.get("facts")
        for name in path.strip(".").split("."):
            value = value.get(name) if isinstance(value, Mapping) else None
        if isinstance(value, int | float) and not isinstance(value, bool):
            return path.rpartition(".")[2], float(value)
    return "", None


def progress(held: Held, symptom: str) -> str:
    """Say how far a period has come, for the eye: elapsed, bars over time, what is still to come."""
    figures = [each["figure"] for each in held.rounds]
    numbers = [value for value in figures if value is not None]
    results = [each["results"].get(symptom) for each in held.rounds]
    well = results.count(CheckResult.PASSED.value)
    values = figures if numbers else [float(one != CheckResult.PASSED.value) for one in results]
    drawn = sparkline(values, most=16)
    last = f", {held.name} {numbers[-1]:g}" if numbers and held.name else ""
    left = held.of_s - held.at_s
    so_far = f"{held.at_s:.0f} of {held.of_s:.0f} s, {left:.0f} s left"
    return f"{so_far}: {drawn} {well} of {len(results)} held{last}"


def _all_pass(seen: Mapping[str, Mapping[str, Any]], judged: list[str]) -> bool:
    return all(step in seen and seen[step]["result"] == CheckResult.PASSED.value for step in judged)
