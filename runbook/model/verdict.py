"""How a run ends, for one host and for all, and the exit code that says so."""

from collections.abc import Iterable
from enum import StrEnum


class Verdict(StrEnum):
    """The end of one host's walk."""

    HEALTHY = "healthy"
    RESOLVED = "resolved"
    SELF_RECOVERED = "self_recovered"
    UNRESOLVED = "unresolved"
    ESCALATED = "escalated"
    DECLINED = "declined"
    WAITING = "waiting"
    UNKNOWN = "unknown"
    ABORTED = "aborted"


EXIT_USAGE = 2
EXIT_INTERRUPTED = 130

_EXIT_CODES = {
    Verdict.HEALTHY: 0,
    Verdict.RESOLVED: 0,
    Verdict.SELF_RECOVERED: 0,
    Verdict.UNRESOLVED: 1,
    Verdict.ESCALATED: 3,
    Verdict.DECLINED: 3,
    Verdict.WAITING: 3,
    Verdict.UNKNOWN: 4,
    Verdict.ABORTED: EXIT_USAGE,
}

# From best to worst; exit codes follow 2 > 4 > 1 > 3 > 0.
_SEVERITY = (
    Verdict.HEALTHY,
    Verdict.SELF_RECOVERED,
    Verdict.RESOLVED,
    Verdict.WAITING,
    Verdict.DECLINED,
    Verdict.ESCALATED,
    Verdict.UNRESOLVED,
    Verdict.UNKNOWN,
    Verdict.ABORTED,
)


def exit_code(verdict: Verdict) -> int:
    """Return the process exit code of a verdict."""
    return _EXIT_CODES[verdict]


def worst(verdicts: Iterable[Verdict]) -> Verdict:
    """Return the verdict that counts for a whole run; `unknown` where there is none at all."""
    return max(verdicts, key=_SEVERITY.index, default=Verdict.UNKNOWN)
