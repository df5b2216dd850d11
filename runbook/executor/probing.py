"""Asking the probe module: its request, its answers, and running it on the controller itself."""

import json
import subprocess
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from runbook.executor.looking import Answer, answer_from
from runbook.executor.plan import MAX_ANSWER_BYTES
from runbook.model.definition import Json

CONTENT = Path(__file__).parent / "content"
"""What is shipped to Ansible: plugins and modules."""

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


def ask_controller(request: Mapping[str, Json]) -> Mapping[str, Any]:
    """Run the probe module here, as the user who runs us, without Ansible in between."""
    try:
        done = subprocess.run(
            [sys.executable, "-m", "runbook_probes"],
            input=json.dumps(request),
            capture_output=True,
            text=True,
            timeout=float(request["deadline"]) + SLACK_S,
            cwd=CONTENT / "module_utils",
            check=False,
        )
        answer = json.loads(done.stdout)
    except (OSError, subprocess.TimeoutExpired, ValueError) as error:
        return {"could_not": f"the controller's probe did not answer: {error}"}
    return answer if isinstance(answer, dict) else {"could_not": "the answer is not an object"}


def rounds_of(told: Mapping[str, Any], requests: Sequence[Mapping[str, Json]]) -> Rounds:
    """Read what the module told, every requested probe in every round, whatever came back."""
    if "could_not" in told:
        unlooked = Answer(facts=None, reason=str(told["could_not"]))
        return [(0.0, {str(item["id"]): unlooked for item in requests})]
    samples = told.get("samples")
    if isinstance(samples, list) and samples:
        return [
            (_seconds(item.get("at_s")), _answers(item.get("answers"), requests))
            for item in samples[:100_000]
            if isinstance(item, Mapping)
        ]
    return [(0.0, _answers(told.get("answers"), requests))]


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


def _answers(raw: Any, requests: Sequence[Mapping[str, Json]]) -> dict[str, Answer]:
    given = raw if isinstance(raw, Mapping) else {}
    return {str(item["id"]): answer_from(given.get(item["id"])) for item in requests}


def _seconds(value: Any) -> float:
    return float(value) if isinstance(value, int | float) and 0 <= value < 1e7 else 0.0
