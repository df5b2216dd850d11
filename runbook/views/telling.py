"""Events in words: what a person watching a run is told, whatever it is drawn on."""

from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum

from runbook.model.definition import (
    Ask,
    Branch,
    CheckResult,
    Collect,
    Fix,
    FixResult,
    Manual,
    Runbook,
)
from runbook.model.event import (
    Acted,
    Answered,
    Event,
    EvidenceExpired,
    FixApproved,
    FixConcluded,
    FixDeclined,
    FixEnded,
    FixIntended,
    FixVerified,
    HostFinished,
    StepConcluded,
)
from runbook.model.state import FoundCause, HostState, Visit
from runbook.model.verdict import Verdict
from runbook.views.safe_text import printable
from runbook.views.words import (
    FIX_RESULTS,
    LIMIT,
    RESULTS,
    VERDICTS,
    count,
    say_duration,
    say_expected,
    say_observation,
    shorten,
)


class Mark(StrEnum):
    """What kind of line it is, at a glance; the words beside it say the same."""

    PASSED = "✓"
    FAILED = "✗"
    UNKNOWN = "?"
    NOTE = "•"
    CAUSE = "!"
    FIX = "»"
    END = "■"


STYLES: Mapping[Mark, str] = {
    Mark.PASSED: "green",
    Mark.FAILED: "red",
    Mark.UNKNOWN: "yellow",
    Mark.NOTE: "dim",
    Mark.CAUSE: "bold",
    Mark.FIX: "cyan",
    Mark.END: "bold",
}

GOOD = frozenset({Verdict.HEALTHY, Verdict.RESOLVED, Verdict.SELF_RECOVERED})
"""Verdicts nobody has to do anything about."""

_MARKS = {
    CheckResult.PASSED.value: Mark.PASSED,
    CheckResult.FAILED.value: Mark.FAILED,
    CheckResult.UNKNOWN.value: Mark.UNKNOWN,
}


@dataclass(frozen=True, kw_only=True, slots=True)
class Told:
    """One thing that happened on a host: what it is about, what came of it, what was seen.

    `expected` is the condition that did not hold. Lines of a fix that follow one another have one
    `title`: they are its phases. All of it is printable.
    """

    mark: Mark
    title: str
    result: str = ""
    seen: str = ""
    expected: str = ""

    def __str__(self) -> str:
        """Return all of it on one line."""
        text = ": ".join(part for part in (self.title, self.result) if part)
        if self.seen:
            text += f" — {self.seen}"
        return f"{text} (expected {self.expected})" if self.expected else text


def title_of(runbook: Runbook, state: HostState, step: str) -> str:
    """Return a step's title as rendered for the host, else as written."""
    texts = state.texts.get(step)
    if texts is not None:
        return printable(texts.title)
    known = runbook.steps.get(step)
    return printable(known.title if known is not None else step)


def tell_cause(runbook: Runbook, found: FoundCause) -> Told:
    """Say that a cause was found."""
    cause = runbook.causes.get(found.cause)
    evidence = found.evidence
    return Told(
        mark=Mark.CAUSE,
        title="cause",
        result=printable(cause.title if cause is not None else found.cause),
        seen=say_observation(evidence) if evidence is not None else "",
    )


def tell(runbook: Runbook, event: Event, state: HostState) -> Told | None:
    """Say what happened to a host, None where it is nothing to be told of.

    What was looked at ahead of need is told only once the walk passes it. Causes are not told
    here: events of several kinds find them, so see what a state has more of than before.
    """
    match event:
        case StepConcluded():
            return _tell_step(runbook, event, state)
        case EvidenceExpired(age_s=age):
            text = f"what was seen is {say_duration(age)} old, so it is looked at again"
            return Told(mark=Mark.NOTE, title=text)
        case Answered(by=by, answer=answer):
            what = "no answer came in time" if answer == "expired" else _answer(runbook, event)
            by = "" if answer == "expired" else f" ({printable(by)})"
            title = title_of(runbook, state, event.step)
            return Told(mark=Mark.NOTE, title=title, result=what + by, seen=printable(event.note))
        case HostFinished(verdict=verdict, reason=reason):
            return Told(mark=Mark.END, title=VERDICTS[verdict], seen=printable(reason or ""))
        case FixConcluded(result=FixResult.DECLINED):
            return None  # Who declined, and why, has been told.
        case FixApproved() | FixDeclined() | FixIntended() | FixEnded() | FixConcluded():
            title = title_of(runbook, state, event.step)
            return Told(mark=Mark.FIX, title=title, result=_phase(event))
        case FixVerified(verification=verification):
            looks = [
                f"{title_of(runbook, state, step)}: {RESULTS[seen.result.value]}"
                for step, seen in verification.observations.items()
            ]
            title = title_of(runbook, state, event.step)
            said = ", ".join(looks)
            return Told(mark=Mark.FIX, title=title, result="looked again", seen=said)
        case _:
            return None


def tell_visits(runbook: Runbook, state: HostState, *, since: int = 0) -> list[Told]:
    """Say what a host has behind it since an epoch, as far as its state alone knows."""
    return [_tell_visit(runbook, visit, state) for visit in state.path if visit.epoch >= since]


def _tell_visit(runbook: Runbook, visit: Visit, state: HostState) -> Told:
    title = title_of(runbook, state, visit.step)
    if isinstance(runbook.steps.get(visit.step), Fix):
        return Told(mark=Mark.FIX, title=title, result=FIX_RESULTS.get(visit.result, visit.result))
    seen = state.known.get(visit.step) if visit.epoch == state.epoch else None
    return Told(
        mark=_MARKS.get(visit.result, Mark.NOTE),
        title=title,
        result=RESULTS.get(visit.result, printable(visit.result)),
        seen=say_observation(seen, visit.step)
        if seen is not None
        else printable(visit.reason or ""),
    )


def _tell_step(runbook: Runbook, event: StepConcluded, state: HostState) -> Told | None:
    step = runbook.steps.get(event.step)
    if isinstance(step, Ask | Manual):
        return None  # The answer has been told.
    title = title_of(runbook, state, event.step)
    if isinstance(step, Branch):
        return Told(mark=_branch_mark(event), title=title, result=_way(step, event))
    if isinstance(step, Collect):
        return Told(mark=Mark.NOTE, title=title, result="collected")
    seen = event.evidence
    failed = event.result == CheckResult.FAILED.value
    return Told(
        mark=_MARKS.get(event.result, Mark.NOTE),
        title=title,
        result=RESULTS.get(event.result, printable(event.result)),
        seen=say_observation(seen, event.step) if seen is not None else "",
        expected=say_expected(seen) if seen is not None and failed else "",
    )


def _branch_mark(event: StepConcluded) -> Mark:
    return Mark.UNKNOWN if event.result == CheckResult.UNKNOWN.value else Mark.NOTE


def _way(step: Branch, event: StepConcluded) -> str:
    """Say which way a branch went and why."""
    number = event.result.removeprefix("case ")
    if number.isdecimal() and 1 <= int(number) <= len(step.cases):
        return shorten(printable(" ".join(step.cases[int(number) - 1].when.split())), LIMIT)
    return RESULTS.get(event.result, printable(event.result))


def _answer(runbook: Runbook, event: Answered) -> str:
    step = runbook.steps.get(event.step)
    if isinstance(step, Ask):
        titles = {choice.id: choice.title for choice in step.choices}
        return printable(titles.get(event.answer, event.answer))
    return {"done": "done by hand", "not_done": "not done"}.get(event.answer, event.answer)


def _phase(
    event: FixApproved | FixDeclined | FixIntended | FixEnded | FixConcluded,
) -> str:
    match event:
        case FixApproved():
            return f"approved by {printable(event.by)}" + _because(event.reason)
        case FixDeclined():
            return f"declined by {printable(event.by)}" + _because(event.reason)
        case FixIntended(attempt=attempt):
            return "doing" if attempt == 1 else f"doing, attempt {attempt}"
        case FixEnded():
            return _ended(event)
        case FixConcluded(result=FixResult.FAILED):
            return FIX_RESULTS[FixResult.FAILED.value]  # Why has been told.
        case FixConcluded(result=result, reason=reason):
            return FIX_RESULTS[result.value] + _because(reason)


def _ended(event: FixEnded) -> str:
    changed = sum(change.status == "changed" for change in event.changes)
    match event.acted:
        case Acted.CHANGED:
            return f"done, {count(changed, 'change')}"
        case Acted.UNCHANGED:
            return "done, nothing to change"
        case Acted.FAILED:
            did = f" after {count(changed, 'change')}" if changed else ""
            return f"the action failed{did}" + _because(event.reason)
        case Acted.WITHHELD:
            return "not begun" + _because(event.reason)
        case Acted.UNKNOWN:
            return "nobody knows how far it came" + _because(event.reason)


def _because(reason: str | None) -> str:
    return f": {printable(reason)}" if reason else ""
