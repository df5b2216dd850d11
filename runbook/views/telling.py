"""Events in words: what a person watching a run is told, whatever it is drawn on."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from enum import StrEnum

from runbook.model.definition import (
    Ask,
    Branch,
    Check,
    CheckResult,
    Collect,
    End,
    Fix,
    FixResult,
    Manual,
    Runbook,
    Step,
    Watch,
)
from runbook.model.event import (
    Acted,
    Answered,
    CauseFound,
    EvidenceExpired,
    FixApproved,
    FixConcluded,
    FixDeclined,
    FixEnded,
    FixIntended,
    FixRechecked,
    FixVerified,
    HostEvent,
    HostFinished,
    LookAgain,
    StepConcluded,
    StepJumped,
    SteppingSet,
    StepSkipped,
)
from runbook.model.observation import Observation
from runbook.model.state import HostState, Visit
from runbook.model.verdict import Verdict
from runbook.views.evidence import speaking
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

_RECHECKED = {
    FixResult.RESOLVED: "still well",
    FixResult.RECURRED: "not well any more",
    FixResult.UNKNOWN: "could not tell",
}

GOOD = frozenset({Verdict.HEALTHY, Verdict.RESOLVED, Verdict.SELF_RECOVERED})
"""Verdicts nobody has to do anything about."""

_MARKS = {
    CheckResult.PASSED.value: Mark.PASSED,
    CheckResult.FAILED.value: Mark.FAILED,
    CheckResult.UNKNOWN.value: Mark.UNKNOWN,
}

_ANSWERS = {
    "done": "done by hand",
    "not_done": "not done",
    "expired": "no answer came in time",
}


@dataclass(frozen=True, kw_only=True, slots=True)
class Told:
    """One thing that happened on a host: what it is about, what came of it, what was seen.

    `step` is the one it is about, a cause's id, or "": what it is on all hosts, whose titles may
    differ. `expected` is the condition that did not hold. All of it is printable.
    """

    mark: Mark
    title: str
    step: str = ""
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


@dataclass(kw_only=True)
class Causes:
    """Remembers which causes have been told of each host: each is told once in an epoch."""

    runbook: Runbook
    _told: dict[str, set[str]] = field(default_factory=dict)

    def take_up(self, states: Iterable[HostState]) -> None:
        """Take those that states hold as told."""
        for state in states:
            now = {found.cause for found in state.causes if found.epoch == state.epoch}
            self._told[state.host] = now

    def found_by(self, event: HostEvent, state: HostState) -> list[Told]:
        """Say which causes an event finds that have not been told."""
        told = self._told.setdefault(event.host, set())
        lines = []
        for cause, evidence in _causes(event):
            if cause not in told:
                told.add(cause)
                seen = speaking(evidence, state, epoch=state.epoch)
                lines.append(tell_cause(self.runbook, cause, seen))
        if isinstance(event, FixConcluded | EvidenceExpired | LookAgain):
            told.clear()  # They end the epoch: what is found after them is news.
        return lines


def _causes(event: HostEvent) -> Iterable[tuple[str, Observation | None]]:
    match event:
        case CauseFound(cause=cause, evidence=evidence):
            yield cause, evidence
        case StepConcluded(cause=cause, evidence=evidence, next=target):
            if cause is not None:
                yield cause, evidence
            if isinstance(target, End) and target.cause is not None:
                yield target.cause, evidence
        case FixConcluded(next=End(cause=str() as cause)):
            yield cause, None


def tell_cause(runbook: Runbook, cause: str, evidence: Observation | None) -> Told:
    """Say that a cause was found."""
    known = runbook.causes.get(cause)
    return Told(
        mark=Mark.CAUSE,
        title="cause",
        step=cause,
        result=printable(known.title if known is not None else cause),
        seen=say_observation(evidence) if evidence is not None else "",
    )


def tell(runbook: Runbook, event: HostEvent, state: HostState) -> Told | None:
    """Say what happened to a host, None where it is nothing to be told of.

    What was looked at ahead of need is told only once the walk passes it. Causes are told by
    `Causes`, since events of several kinds find them.
    """
    match event:
        case StepConcluded():
            return _tell_step(runbook, event, state)
        case EvidenceExpired(age_s=age):
            old = f"{say_duration(age)} old" if age >= 0 else "of before the clock was set back"
            text = f"what was seen is {old}, so it is looked at again"
            return Told(mark=Mark.NOTE, title=text)
        case LookAgain(by=by):
            return Told(mark=Mark.NOTE, title=f"{printable(by)} wants it looked at again")
        case Answered(by=by, answer=answer):
            what = _answer(runbook.steps.get(event.step), answer)
            by = "" if answer == "expired" else f" ({printable(by)})"
            title = title_of(runbook, state, event.step)
            return Told(
                mark=Mark.NOTE,
                title=title,
                step=event.step,
                result=what + by,
                seen=printable(event.note),
            )
        case HostFinished(verdict=verdict, reason=reason):
            return Told(mark=Mark.END, title=VERDICTS[verdict], seen=printable(reason or ""))
        case StepSkipped() | StepJumped() | SteppingSet():
            return _tell_by_hand(runbook, event, state)
        case FixConcluded(result=FixResult.DECLINED):
            return None  # Who declined, and why, has been told.
        case FixApproved() | FixDeclined() | FixIntended() | FixEnded() | FixConcluded():
            title = title_of(runbook, state, event.step)
            return Told(mark=Mark.FIX, title=title, step=event.step, result=_phase(event))
        case FixVerified() | FixRechecked():
            return _tell_look(runbook, event, state)
        case _:
            return None


def _tell_look(runbook: Runbook, event: FixVerified | FixRechecked, state: HostState) -> Told:
    """Say that a host was looked at after a fix, and what each look came to."""
    looks = [
        f"{title_of(runbook, state, step)}: {RESULTS[seen.result.value]}"
        for step, seen in event.verification.observations.items()
    ]
    again = "looked again"
    if isinstance(event, FixRechecked):
        again += f" before the next wave: {_RECHECKED[event.verification.result]}"
    title = title_of(runbook, state, event.step)
    return Told(mark=Mark.FIX, title=title, step=event.step, result=again, seen=", ".join(looks))


def _tell_by_hand(
    runbook: Runbook, event: StepSkipped | StepJumped | SteppingSet, state: HostState
) -> Told:
    by = printable(event.by)
    match event:
        case SteppingSet(on=on):
            what = (
                "asked before each step" if on else "the rest runs without asking before each step"
            )
            return Told(mark=Mark.NOTE, title=what, result="" if on else by)
        case StepSkipped():
            result = f"skipped by {by} as {_result(runbook.steps.get(event.step), event.result)}"
        case StepJumped():
            result = f"left by {by} for “{title_of(runbook, state, event.to)}”"
    title = title_of(runbook, state, event.step)
    return Told(
        mark=Mark.NOTE,
        title=title,
        step=event.step,
        result=result,
        seen=printable(event.reason),
    )


def tell_visits(runbook: Runbook, state: HostState, *, since: int = 0) -> list[Told]:
    """Say what a host has behind it since an epoch, as far as its state alone knows."""
    return [_tell_visit(runbook, visit, state) for visit in state.path if visit.epoch >= since]


def _tell_visit(runbook: Runbook, visit: Visit, state: HostState) -> Told:
    step = runbook.steps.get(visit.step)
    seen = state.known.get(visit.step) if visit.epoch == state.epoch else None
    if isinstance(step, Fix):
        mark, result = Mark.FIX, FIX_RESULTS.get(visit.result, visit.result)
    elif visit.by_hand:
        mark, result = Mark.NOTE, printable(visit.reason or visit.result)
    else:
        mark, result = _mark(step, visit.result), _result(step, visit.result)
    said = say_observation(seen, visit.step) if _is_judged(step) and seen is not None else ""
    title = title_of(runbook, state, visit.step)
    return Told(mark=mark, title=title, step=visit.step, result=result, seen=said)


def _tell_step(runbook: Runbook, event: StepConcluded, state: HostState) -> Told | None:
    step = runbook.steps.get(event.step)
    if isinstance(step, Ask | Manual):
        return None  # The answer has been told.
    seen = event.evidence if _is_judged(step) else None
    failed = event.result == CheckResult.FAILED.value
    return Told(
        mark=_mark(step, event.result),
        title=title_of(runbook, state, event.step),
        step=event.step,
        result=_result(step, event.result),
        seen=say_observation(seen, event.step) if seen is not None else "",
        expected=say_expected(seen) if seen is not None and failed else "",
    )


def _is_judged(step: Step | None) -> bool:
    return isinstance(step, Check | Watch)


def _mark(step: Step | None, result: str) -> Mark:
    if _is_judged(step) or result == CheckResult.UNKNOWN.value:
        return _MARKS.get(result, Mark.NOTE)
    return Mark.NOTE


def _result(step: Step | None, result: str) -> str:
    """Say a result in the words of its kind of step; of a branch, which case was taken."""
    number = result.removeprefix("case ")
    match step:
        case Branch() if number.isdecimal() and 1 <= int(number) <= len(step.cases):
            return shorten(printable(" ".join(step.cases[int(number) - 1].when.split())), LIMIT)
        case Collect() if result == CheckResult.PASSED.value:
            return "collected"
        case Ask() | Manual():
            return _answer(step, result)
        case _:
            return RESULTS.get(result, printable(result))


def _answer(step: Step | None, answer: str) -> str:
    """Say what was answered to a question: a choice by its title."""
    titles = {choice.id: choice.title for choice in step.choices} if isinstance(step, Ask) else {}
    return printable(titles.get(answer) or _ANSWERS.get(answer, answer))


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
