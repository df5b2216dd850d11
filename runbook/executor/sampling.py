"""Looking repeatedly: until all is well, then through a period in which it has to stay so."""

import time
from collections.abc import Callable, Mapping
from typing import Any

from runbook.executor.plan import Sampling
from runbook.model.definition import CheckResult, Json

Seen = dict[str, dict[str, Any]]
"""Observations as data, by step id."""

Round = dict[str, Json]
"""One sample: `at_s` since the start, `holding` (in the period after success), `results` by step."""


def sample(
    sampling: Sampling,
    *,
    look_once: Callable[[], Seen],
    look_through: Callable[[float, float], list[tuple[float, Seen]]],
    clock: Callable[[], float] = time.monotonic,
    pause: Callable[[float], None] = time.sleep,
) -> tuple[list[Round], Seen]:
    """Return all rounds, and the observations of the telling one.

    That is the first that did not pass while it had to hold, else the last.
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
    offset = clock() - begun
    telling: Seen | None = None
    for at_s, later in look_through(sampling.hold_s, sampling.every_s):
        complete = {**seen, **later}
        rounds.append(_round(offset + at_s, complete, judged, holding=True))
        seen = complete
        if telling is None and not _all_pass(complete, judged):
            telling = complete
    return rounds, telling or seen


def _round(at_s: float, seen: Seen, judged: list[str], *, holding: bool) -> Round:
    return {
        "at_s": round(at_s, 3),
        "holding": holding,
        "results": {step: seen[step]["result"] for step in judged if step in seen},
    }


def _all_pass(seen: Mapping[str, Mapping[str, Any]], judged: list[str]) -> bool:
    return all(step in seen and seen[step]["result"] == CheckResult.PASSED.value for step in judged)
