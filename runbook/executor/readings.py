"""Reading what our plugins told of a host, whatever its shape."""

import math
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from typing import Any

from runbook.executor.plain import MAX_WORDS, words
from runbook.executor.plan import Sampling
from runbook.model.definition import CheckResult, Json
from runbook.model.observation import Activity, Observation, Texts, Verification
from runbook.model.sparkline import sparkline
from runbook.model.verification import judge

Round = Mapping[str, Any]

_BEYOND = 1e300
"""No figure is as large; neither is one that is not a number."""


def as_mapping(value: Json) -> Mapping[str, Json]:
    """Return a mapping, an empty one for anything else."""
    return value if isinstance(value, Mapping) else {}


def as_words(value: Json, *, limit: int = MAX_WORDS) -> str:
    """Return a text for the eye, empty for anything that is no text."""
    return words(value, limit) if isinstance(value, str) else ""


def own_look_from(seen: Mapping[str, Observation]) -> dict[str, Observation]:
    """Return the bundle of one probe that `OWN_LOOK` is carried out as, as that probe's answer."""
    return {step: _alone(look, as_mapping(look.facts.get(step))) for step, look in seen.items()}


def _alone(look: Observation, answer: Mapping[str, Json]) -> Observation:
    if look.result is CheckResult.UNKNOWN:
        return look
    if "could_not_look" in answer:
        reason = as_words(answer["could_not_look"])
        return replace(look, result=CheckResult.UNKNOWN, facts={}, reason=reason)
    return replace(look, facts=answer)


def _as_seconds(value: Json) -> float:
    fine = isinstance(value, int | float) and not isinstance(value, bool) and 0 <= value < 1e12
    return float(value) if fine and math.isfinite(value) else 0.0


def _as_result(value: Json) -> CheckResult:
    return CheckResult(value) if value in ("passed", "failed") else CheckResult.UNKNOWN


def problems_from(value: Json) -> Iterator[tuple[str, str, str]]:
    """Yield host, param and message of each problem with a param."""
    for problem in value if isinstance(value, list) else ():
        told = as_mapping(problem)
        yield str(told.get("host")), str(told.get("param")), as_words(told.get("message"))


def observations_from(value: Json) -> dict[str, Observation]:
    """Return observations by step id."""
    return {str(step): _observation(as_mapping(told)) for step, told in as_mapping(value).items()}


def _observation(told: Mapping[str, Json]) -> Observation:
    result = _as_result(told.get("result"))
    reason = as_words(told.get("reason")) or None
    if result is CheckResult.UNKNOWN and reason is None:
        reason = "no reason was given"
    return Observation(
        result=result,
        facts=as_mapping(told.get("facts")),
        reason=reason,
        expected=as_words(told.get("expected")) or None,
        seen_at=_as_seconds(told.get("seen_at")),
        took_s=_as_seconds(told.get("took_s")),
    )


def activity_from(value: Json) -> Activity | None:
    """Return what else goes on on a host, None where nothing was told of it."""
    told = as_mapping(value)
    if not told:
        return None
    blocking = told.get("blocking")
    return Activity(
        facts=as_mapping(told.get("facts")),
        reason=as_words(told.get("reason")) or None,
        blocking=tuple(map(as_words, blocking)) if isinstance(blocking, list) else None,
        seen_at=_as_seconds(told.get("seen_at")),
    )


def texts_from(value: Json) -> dict[str, Texts]:
    """Return rendered texts by step id."""
    return {str(step): _texts(as_mapping(told)) for step, told in as_mapping(value).items()}


def _texts(told: Mapping[str, Json]) -> Texts:
    return Texts(
        title=as_words(told.get("title")),
        impact=as_words(told.get("impact")),
        instruction=as_words(told.get("instruction")),
        commands=_all_words(told.get("commands")),
        choices=_all_words(told.get("choices")),
        helps=_all_words(told.get("helps")),
    )


def _all_words(value: Json) -> tuple[str, ...]:
    return tuple(map(as_words, _as_list(value)))


def _as_list(value: Json) -> Sequence[Json]:
    return value if isinstance(value, list) else ()


def rounds_from(value: Json) -> list[Round]:
    """Return the samples of a period."""
    return [as_mapping(each) for each in _as_list(value)]


def watched_from(
    step: str, rounds: Sequence[Round], seen: Mapping[str, Observation]
) -> Observation:
    """Judge a watch by the samples of its check: one that failed counts more than one unknown."""
    results = _results(step, rounds)
    result = CheckResult.PASSED if results else CheckResult.UNKNOWN
    for worse in (CheckResult.UNKNOWN, CheckResult.FAILED):
        if worse in results:
            result = worse
    last = seen.get(step, Observation(result=CheckResult.UNKNOWN, reason="no result came back"))
    return Observation(
        result=result,
        facts={
            "samples": len(results),
            "passed": results.count(CheckResult.PASSED),
            "last": dict(last.facts),
            "over_time": sparkline(_figures(step, rounds)),
        },
        reason=last.reason,
        expected=last.expected,
        seen_at=last.seen_at,
        took_s=_duration(rounds),
    )


def _figures(step: str, rounds: Sequence[Round]) -> list[float | None]:
    """Return what was measured in each sample; 1 for each that did not pass where nothing was."""
    figures = [_as_number(each.get("figure")) for each in rounds]
    if any(value is not None for value in figures):
        return figures
    return [float(result is not CheckResult.PASSED) for result in _results(step, rounds)]


def _as_number(value: Json) -> float | None:
    fine = isinstance(value, int | float) and not isinstance(value, bool)
    return float(value) if fine and abs(value) < _BEYOND else None


def judged(
    sampling: Sampling, rounds: Sequence[Round], seen: Mapping[str, Observation]
) -> Verification:
    """Judge sampled rounds as the verification of a fix."""
    verdict = judge(
        _results(sampling.cause, rounds) if sampling.cause is not None else [],
        _results(sampling.symptom, rounds),
        sampling.hold_s,
    )
    return Verification(
        result=verdict.result,
        observations=seen,
        reason=verdict.reason,
        took_s=_duration(rounds),
    )


def _results(step: str, rounds: Sequence[Round]) -> list[CheckResult]:
    return [_as_result(as_mapping(each.get("results")).get(step)) for each in rounds]


def _duration(rounds: Sequence[Round]) -> float:
    return _as_seconds(rounds[-1].get("at_s")) if rounds else 0.0
