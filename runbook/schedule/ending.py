"""What has become of a request whose process is gone: the journal says it. Pure."""

from dataclasses import dataclass

from runbook.journal import RunSummary
from runbook.model.verdict import EXIT_INTERRUPTED, Verdict
from runbook.schedule.requests import Stage

MOST_TRIES = 4
"""How often the run of a request is started, its first time and each time its process died."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Ended:
    """How far a request has come with the end of its process, and why."""

    stage: Stage
    told: str


def ended(
    run: RunSummary | None, *, code: int | None, tries: int, cancelled: bool, stopping: bool
) -> Ended:
    """Judge by the run as the journal has it, None where it never began.

    `code` is the process's exit code, None where nobody saw it; `cancelled` says that a later
    request took its place, `stopping` that the service had its runs stopped.
    """
    if run is not None and run.verdict is Verdict.WAITING:
        return Ended(stage=Stage.WAITING, told="waits for a person")
    if run is not None and run.verdict is not None:
        return Ended(stage=Stage.OVER, told=run.verdict.value)
    if cancelled:
        return Ended(stage=Stage.OVER, told="cancelled")
    if stopping:
        return Ended(stage=Stage.QUEUED, told="stopped with the service")
    if code is not None and (code == EXIT_INTERRUPTED or (run is None and code >= 0)):
        return Ended(stage=Stage.OVER, told=f"exit code {code}")
    if run is not None and run.interrupted is not None and code is not None and code >= 0:
        return Ended(stage=Stage.OVER, told=f"stopped: {run.interrupted}")
    if tries >= MOST_TRIES:
        return Ended(stage=Stage.LOST, told=f"its process died {tries} times")
    return Ended(stage=Stage.QUEUED, told="its process died")
