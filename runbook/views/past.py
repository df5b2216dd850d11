"""Experience in words: how fixes and causes came out before. All text is printable."""

import time
from collections.abc import Mapping

from runbook.driver.experience import Attempt, FixExperience
from runbook.model.definition import FixResult
from runbook.views.safe_text import printable
from runbook.views.words import say_duration

_FAILURES: Mapping[FixResult | None, str] = {
    FixResult.FAILED: "failed",
    FixResult.NO_EFFECT: "had no effect",
    FixResult.RECURRED: "did not last",
}


def say_fix_experience(fix: FixExperience, *, now: float | None = None) -> str:
    """Return `worked 17 of 19 times, median 41 s; last failed on web3, 2 h 5 min ago`.

    `now` is POSIX seconds, this moment unless it is given.
    """
    said = f"worked {say_times(fix.worked, fix.tried)}"
    if fix.fell_back:
        said += f", {fix.fell_back} more by its fallback"
    if fix.median_s is not None:
        said += f", median {say_duration(fix.median_s)}"
    if fix.last_failure is not None:
        said += f"; {_failure(fix.last_failure, time.time() if now is None else now)}"
    return said


def say_times(some: int, times: int) -> str:
    """Return `2 of 9 times`, `the only time`, `0 of 1 time`."""
    if some == times == 1:
        return "the only time"
    return f"{some} of {times} time{'' if times == 1 else 's'}"


def _failure(attempt: Attempt, now: float) -> str:
    how = _FAILURES.get(attempt.result, "could not be judged")
    if attempt.undone:
        how = "taken back"
    return f"last {how} on {printable(attempt.host)}, {say_duration(now - attempt.at)} ago"
