"""The report of a run as JSON, for other programs."""

import math
from collections.abc import Iterable, Mapping

from runbook.journal import Entry, RunSummary
from runbook.model.codec import plain
from runbook.model.definition import Json
from runbook.model.observation import Observation
from runbook.model.verdict import Verdict
from runbook.views.account import Cause, HostAccount, Notice, Passed, RunAccount
from runbook.views.evidence import is_choice
from runbook.views.report_story import account_of
from runbook.views.report_times import iso
from runbook.views.words import say_observation

_LONGEST_SEEN = 300


def run_document(summary: RunSummary, entries: Iterable[Entry]) -> dict[str, Json]:
    """Return a run as the JSON document that `run --json` and `report` write.

    Times are ISO 8601 in UTC. A host without a verdict has `unknown`, with the reason. `steps` are
    those of `path` in the same order: `seen` is in words, `evidence` in full, null where nothing was
    looked at. `told` says of each message about the run what has become of it (`delivered`; `failed`,
    which is tried again; `given_up`), and since when. It is strict JSON: figures that JSON has no word for are strings.
    """
    account = account_of(summary, entries)
    return {
        "run_id": summary.id,
        "runbook": summary.runbook,
        "verdict": account.verdict.value,
        "started_at": iso(summary.started_at),
        "duration_s": round(account.took_s, 3),
        "hosts": {host: _host(told, account) for host, told in account.hosts.items()},
        "told": [_notice(notice) for notice in account.notices],
    }


def _notice(notice: Notice) -> dict[str, Json]:
    said = notice.said
    return {
        "target": said.target,
        "at": iso(notice.at),
        "text": said.text,
        "delivery": said.delivery.value,
        "attempts": said.attempts,
        "reason": said.reason or None,
    }


def _host(told: HostAccount, account: RunAccount) -> dict[str, Json]:
    return {
        "verdict": (told.verdict or Verdict.UNKNOWN).value,
        "reason": told.reason if told.verdict else account.unfinished,
        "causes": [_cause(cause) for cause in told.causes],
        "also_here": list(told.also_here),
        "path": [step.step for step in told.path],
        "steps": [_step(step) for step in told.path],
        "fixes": [
            {
                "step": repair.step,
                "outcome": repair.outcome.value,
                "verified": repair.verified,
            }
            for repair in told.repairs
        ],
    }


def _cause(cause: Cause) -> dict[str, Json]:
    return {
        "id": cause.id,
        "title": cause.title or cause.id,
        "evidence": _evidence(cause.evidence, cause.step),
    }


def _step(step: Passed) -> dict[str, Json]:
    seen = step.evidence
    words = ""
    if seen is not None and not (step.bundle or is_choice(seen)):
        words = say_observation(seen, step.step, limit=_LONGEST_SEEN)
    return {
        "step": step.step,
        "title": step.title or step.step,
        "result": step.result,
        "seen": words or None,
        "expected": None if seen is None else seen.expected,
        "reason": step.reason,
        "evidence": _evidence(seen, step.step),
    }


def _evidence(seen: Observation | None, step: str) -> Json:
    if seen is None:
        return None
    data = plain(seen)
    return {
        "step": step,
        "result": data["result"],
        "expected": data["expected"],
        "reason": data["reason"],
        "facts": _strict(data["facts"]),
        "seen_at": iso(seen.seen_at),
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
