"""Asking the probe module: its request, its answers."""

import json
from collections.abc import Mapping, Sequence
from typing import Any

from runbook.executor.looking import Answer, answer_from
from runbook.executor.plan import MAX_ANSWER_BYTES
from runbook.model.definition import Json

SLACK_S = 5.0
"""What a look may take beyond the longest of its probes: start of the interpreter, forks, JSON."""

Rounds = list[tuple[float, dict[str, Answer]]]
"""Samples: seconds since the first, and each probe's answer."""


def module_request(
    probes: Sequence[Mapping[str, Json]], repeat: Mapping[str, float] | None
) -> dict[str, Json]:
    """Return the probe module's arguments for some probes, repeated or not."""
    longest = max(float(probe["timeout"]) for probe in probes)
    period = repeat["for"] if repeat else 0.0
    return {
        "probes": list(probes),
        "sample": dict(repeat) if repeat else None,
        "deadline": longest + period + SLACK_S,
        "max_bytes": MAX_ANSWER_BYTES,
    }


def without_twins(
    probes: Sequence[Mapping[str, Json]],
) -> tuple[list[Mapping[str, Json]], dict[str, str]]:
    """Return the probes that differ in more than their ids, and for each id whose answer it has.

    Steps that ask the same at the same time have one answer.
    """
    first: dict[str, Mapping[str, Json]] = {}
    answered_by: dict[str, str] = {}
    for probe in probes:
        asked = {name: value for name, value in probe.items() if name != "id"}
        one = first.setdefault(json.dumps(asked, sort_keys=True, default=repr), probe)
        answered_by[probe["id"]] = one["id"]
    return list(first.values()), answered_by


def most_rounds(repeat: Mapping[str, float] | None) -> int:
    """Return how many samples there can be; the probe module waits 10 ms between two at least."""
    return int(repeat["for"] / max(repeat["every"], 0.01)) + 2 if repeat else 1


def rounds_of(
    told: Mapping[str, Any],
    answered_by: Mapping[str, str],
    repeat: Mapping[str, float] | None = None,
) -> Rounds:
    """Read what the module told, every requested probe in every round, whatever came back.

    Where looks were to be repeated, one answer without samples shows nothing of the period.
    """
    if "could_not" in told:
        return _unlooked(str(told["could_not"]), answered_by)
    if repeat is None:
        return [(0.0, _answers(told.get("answers"), answered_by))]
    samples = told.get("samples")
    return [
        (_seconds(item.get("at_s")), _answers(item.get("answers"), answered_by))
        for item in (samples if isinstance(samples, list) else [])[: most_rounds(repeat)]
        if isinstance(item, Mapping)
    ] or _unlooked("the host's answer holds no samples", answered_by)


def merged(rounds: Rounds, others: Rounds) -> Rounds:
    """Join the answers of two origins, round by round; the shorter one's last is repeated."""
    longest = max(len(rounds), len(others))
    return [
        (
            rounds[min(number, len(rounds) - 1)][0],
            {
                **rounds[min(number, len(rounds) - 1)][1],
                **others[min(number, len(others) - 1)][1],
            },
        )
        for number in range(longest)
    ]


def _unlooked(reason: str, answered_by: Mapping[str, str]) -> Rounds:
    return [(0.0, dict.fromkeys(answered_by, Answer(facts=None, reason=reason)))]


def _answers(raw: Any, answered_by: Mapping[str, str]) -> dict[str, Answer]:
    given = raw if isinstance(raw, Mapping) else {}
    answers = {one: answer_from(given.get(one)) for one in set(answered_by.values())}
    return {id_: answers[one] for id_, one in answered_by.items()}


def _seconds(value: Any) -> float:
    return float(value) if isinstance(value, int | float) and 0 <= value < 1e7 else 0.0
