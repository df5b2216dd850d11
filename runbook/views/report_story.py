"""An account of a run, put together from its entries alone.

The runbook's file may have changed since, or be gone: titles are those that were rendered for each
host at the time, else those the run began with; causes' titles are those it began with. What was
looked at ahead of need and lies off the path taken is in the journal, but in no account.
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, replace

from runbook.driver.collisions import collisions
from runbook.journal import Entry, RunSummary
from runbook.model.definition import CheckResult, End, FixResult, Goto, Json
from runbook.model.event import (
    Acted,
    ActivitySeen,
    Answered,
    ByHand,
    CauseFound,
    EvidenceExpired,
    FixApproved,
    FixConcluded,
    FixDeclined,
    FixEnded,
    FixIntended,
    FixRechecked,
    FixVerified,
    HostFinished,
    HostJoined,
    LookAgain,
    Noted,
    Notified,
    Observed,
    OwnLook,
    RunFinished,
    RunInterrupted,
    RunResumed,
    RunSliced,
    RunStarted,
    StepAllowed,
    StepConcluded,
    StepJumped,
    SteppingSet,
    StepSkipped,
    UndoEnded,
    UndoIntended,
    WalkEvent,
    WaveLookBegun,
    WaveLookEnded,
)
from runbook.model.observation import Observation, Texts
from runbook.model.sketch import SketchedStep
from runbook.model.slices import Slice
from runbook.model.verdict import Verdict, worst
from runbook.views.account import (
    Cause,
    HostAccount,
    Moment,
    Notice,
    Passed,
    Repair,
    RunAccount,
)
from runbook.views.evidence import is_choice
from runbook.views.words import RESULTS, say_delivery, say_observation


def account_of(summary: RunSummary, entries: Iterable[Entry]) -> RunAccount:
    """Tell a run from its entries, in the order they were written."""
    teller = _Teller()
    count = 0
    head = ""
    last_at = summary.started_at
    for entry in entries:
        teller.hear(entry)
        count, head = entry.seq, entry.hash
        # Who was told is written down later.
        last_at = last_at if isinstance(entry.event, Notified) else entry.at
    hosts = {host: story.told(teller.cause_titles) for host, story in teller.hosts.items()}
    unfinished = worst(account.verdict or Verdict.UNKNOWN for account in hosts.values())
    return RunAccount(
        summary=summary,
        title=teller.title,
        tree=teller.tree,
        titles=teller.step_titles,
        verdict=unfinished if teller.verdict is None else teller.verdict,
        finished=teller.verdict is not None,
        interrupted=teller.interrupted,
        # A clock set back must not make a run end before it began.
        took_s=max(0.0, last_at - summary.started_at),
        entries=count,
        head=head,
        hosts=hosts,
        moments=tuple(teller.moments),
        notices=tuple(teller.notices.values()),
    )


@dataclass(kw_only=True, slots=True)
class _Story:
    """What has been heard of one host so far.

    `written` are steps' titles as written, by id; `epoch_at` is where on the path its epoch began.
    """

    host: str
    written: Mapping[str, str]
    params: Mapping[str, Json] = field(default_factory=dict)
    texts: dict[str, Texts] = field(default_factory=dict)
    verdict: Verdict | None = None
    reason: str | None = None
    path: list[Passed] = field(default_factory=list)
    causes: dict[str, tuple[str, float, Observation | None]] = field(default_factory=dict)
    repairs: list[Repair] = field(default_factory=list)
    refusals: list[FixDeclined] = field(default_factory=list)
    approvals: dict[str, FixApproved] = field(default_factory=dict)
    answers: dict[str, Answered] = field(default_factory=dict)
    epoch_at: int = 0
    also_here: tuple[str, ...] = ()

    def title(self, step: str) -> str:
        texts = self.texts.get(step)
        return texts.title if texts is not None else self.written.get(step, "")

    def awaken(self) -> None:
        """Take note that the walk goes on: who waited for a person has no verdict any more."""
        if self.verdict is Verdict.WAITING:
            self.verdict = self.reason = None

    def find(self, cause: str | None, step: str, at: float, seen: Observation | None) -> None:
        if cause is None:
            return
        if seen is not None and is_choice(seen):
            step, seen = self.last_failed() or (step, None)
        self.causes.setdefault(cause, (step, at, seen))

    def leave_by_hand(self, step: str, result: str, to: Goto | End, at: float, why: str) -> None:
        self.path.append(
            Passed(
                step=step,
                title=self.title(step),
                result=result,
                at=at,
                next=to,
                reason=why or None,
            )
        )

    def last_failed(self) -> tuple[str, Observation] | None:
        """Return the last step of the epoch whose look failed, with what was seen."""
        for passed in reversed(self.path[self.epoch_at :]):
            seen = passed.evidence
            if seen is not None and seen.result is CheckResult.FAILED:
                return passed.step, seen
        return None

    def told(self, cause_titles: Mapping[str, str]) -> HostAccount:
        return HostAccount(
            host=self.host,
            params=self.params,
            verdict=self.verdict,
            reason=self.reason,
            path=tuple(self.path),
            causes=tuple(
                Cause(
                    id=cause, title=cause_titles.get(cause, ""), step=step, at=at, evidence=evidence
                )
                for cause, (step, at, evidence) in self.causes.items()
            ),
            repairs=tuple(self.repairs),
            refusals=tuple(self.refusals),
            also_here=self.also_here,
            titles={
                **self.written,
                **{step: texts.title for step, texts in self.texts.items()},
            },
        )


class _Teller:
    """Hears entries in order."""

    def __init__(self) -> None:
        self.hosts: dict[str, _Story] = {}
        self.moments: list[Moment] = []
        self.notices: dict[tuple[str, str], Notice] = {}
        self.title = ""
        self.cause_titles: Mapping[str, str] = {}
        self.step_titles: Mapping[str, str] = {}
        self.tree: tuple[SketchedStep, ...] = ()
        self.verdict: Verdict | None = None
        self.interrupted: str | None = None

    def hear(self, entry: Entry) -> None:
        """Take one entry in."""
        match entry.event:
            case RunStarted() | RunInterrupted() | RunResumed() | RunFinished():
                text, host = self._hear_run(entry.event), ""
            case Slice() | RunSliced() | WaveLookBegun() | WaveLookEnded():
                text, host = _hear_slices(entry.event), ""
            case Noted(hosts=hosts, text=said):
                host, text = ", ".join(hosts), f"note: {said}"
            case OwnLook():
                host, text = entry.event.host, _hear_look(entry.event)
            case Notified() as said:
                host, text = "", f"{say_delivery(said)}: {said.text}"
                # One that failed first is told once, as what became of it.
                self.notices[said.target, said.message] = Notice(at=entry.at, said=said)
            case UndoIntended() | UndoEnded():
                host, text = entry.event.host, _hear_undo(entry.event)
            case SteppingSet() | StepAllowed() | StepSkipped() | StepJumped():
                host = entry.event.host
                text = _hear_by_hand(self._story(host), entry.event, entry.at)
            case _:
                host = entry.event.host
                text = _hear_host(self._story(host), entry.event, entry.at)
        self.moments.append(Moment(at=entry.at, who=entry.who, host=host, text=text))

    def _story(self, host: str) -> _Story:
        return self.hosts.setdefault(host, _Story(host=host, written=self.step_titles))

    def _hear_run(self, event: RunStarted | RunInterrupted | RunResumed | RunFinished) -> str:
        match event:
            case RunStarted():
                self.title, self.tree = event.title, event.tree
                self.cause_titles, self.step_titles = event.causes, event.steps
                return f"{event.mode.value} of {event.runbook} on {event.pattern} began"
            case RunInterrupted():
                self.interrupted = event.reason
                return f"the run stopped: {event.reason}"
            case RunResumed():
                self.interrupted = self.verdict = None
                return "the run goes on"
            case RunFinished():
                self.interrupted, self.verdict = None, event.verdict
                return f"the run ended: {event.verdict.value}"


def _hear_slices(event: Slice | RunSliced | WaveLookBegun | WaveLookEnded) -> str:
    match event:
        case Slice(whole=whole, number=number, slices=slices):
            return f"slice {number} of {slices} of run {whole}"
        case RunSliced(hosts=parts):
            return f"cut into {len(parts)} slices, of {sum(map(len, parts))} hosts in all"
        case WaveLookBegun(step=step, begun=begun):
            return f"{step}: looking again at the {begun} hosts of all waves so far"
        case WaveLookEnded(step=step, unseen=unseen):
            return _with(
                f"{step}: the waves so far were looked at again",
                f"nobody could see {unseen}" if unseen else None,
            )


def _hear_look(event: OwnLook) -> str:
    seen = say_observation(event.seen) or RESULTS[event.seen.result.value]
    return f"looked at by {event.by} with {event.probe}: {seen}"


def _hear_undo(event: UndoIntended | UndoEnded) -> str:
    if isinstance(event, UndoIntended):
        return _with(f"undo of {event.step} begins, wanted by {event.by}", event.reason or None)
    done = {
        Acted.CHANGED: "undone",
        Acted.UNCHANGED: "there was nothing left to undo",
        Acted.FAILED: "the undo failed",
        Acted.WITHHELD: "the undo did not begin",
        Acted.UNKNOWN: "nobody knows whether it is undone",
    }[event.acted]
    return _with(f"{event.step}: {done}", event.reason)


def _hear_host(story: _Story, event: WalkEvent, at: float) -> str:
    """Add an event to a host's story; return its line of the timeline."""
    match event:
        case FixIntended() | FixEnded() | FixVerified() | FixRechecked() | FixConcluded():
            return _hear_fix(story, event, at)
        case FixApproved() | FixDeclined() | Answered():
            return _hear_person(story, event)
        case StepConcluded():
            return _hear_step(story, event, at)
        case HostJoined():
            story.params = event.params
            return "joined"
        case Observed() | ActivitySeen():
            return _hear_seen(story, event)
        case CauseFound():
            story.find(event.cause, _seen_by(story, event), at, event.evidence)
            return f"cause found: {event.cause}"
        case EvidenceExpired() | LookAgain():
            story.awaken()
            story.epoch_at = len(story.path)
            return _hear_again(event)
        case HostFinished():
            story.verdict, story.reason = event.verdict, event.reason
            for cause in event.causes:
                story.find(cause, "", at, None)
            return _with(f"verdict: {event.verdict.value}", event.reason)


def _hear_again(event: EvidenceExpired | LookAgain) -> str:
    if isinstance(event, LookAgain):
        return f"{event.by}, asked about {event.step}, wants it looked at again"
    old = f"{event.age_s:.0f} s old" if event.age_s >= 0 else "of before the clock was set back"
    return f"evidence for {event.step} was {old}: looking again"


def _hear_by_hand(story: _Story, event: ByHand, at: float) -> str:
    match event:
        case SteppingSet(on=on, by=by):
            return f"asked before each step, by {by}" if on else f"{by} lets the rest run"
        case StepAllowed():
            return f"{event.step} let be done by {event.by}"
        case StepSkipped():
            story.leave_by_hand(event.step, "skipped", event.next, at, event.reason)
            text = f"{event.step} skipped by {event.by} as {event.result}, {led_to(event.next)}"
        case StepJumped():
            story.leave_by_hand(event.step, "jumped", Goto(step=event.to), at, event.reason)
            story.epoch_at = len(story.path)
            text = f"{event.by} jumped from {event.step} to {event.to}"
    return _with(text, event.reason)


def _hear_seen(story: _Story, event: Observed | ActivitySeen) -> str:
    match event:
        case Observed():
            story.texts.update(event.texts)
            count = len(event.observations)
            return f"looked at: {count} step{'' if count == 1 else 's'}"
        case ActivitySeen():
            story.also_here = tuple(each.text for each in collisions(event.activity))
            return f"also here: {event.activity.reason or '; '.join(story.also_here) or 'nothing'}"


def _seen_by(story: _Story, event: CauseFound) -> str:
    """Return the step whose look speaks for a cause; the event names the fix that it led to."""
    seen = (step.step for step in reversed(story.path) if step.evidence == event.evidence)
    return event.step if event.evidence is None else next(seen, event.step)


def _hear_step(story: _Story, event: StepConcluded, at: float) -> str:
    story.find(event.cause, event.step, at, event.evidence)
    _find_at_end(story, event.next, event.step, at, event.evidence)
    texts = story.texts.get(event.step)
    story.path.append(
        Passed(
            step=event.step,
            title=story.title(event.step),
            result=event.result,
            at=at,
            next=event.next,
            evidence=event.evidence,
            reason=None if event.evidence is None else event.evidence.reason,
            answer=story.answers.pop(event.step, None),
            told=texts if texts is not None and texts.instruction else None,
        )
    )
    return f"{event.step}: {event.result}, {led_to(event.next)}"


def _hear_person(story: _Story, event: FixApproved | FixDeclined | Answered) -> str:
    story.awaken()
    match event:
        case FixApproved():
            story.approvals[event.step] = event
            return _with(f"{event.step} approved by {event.by}", event.reason)
        case FixDeclined():
            story.refusals.append(event)
            return _with(f"{event.step} declined by {event.by}", event.reason)
        case Answered():
            story.answers[event.step] = event
            said = f"{event.answer}, “{event.title}”" if event.title else event.answer
            return _with(f"{event.step} answered by {event.by}: {said}", event.note)


def _hear_fix(
    story: _Story,
    event: FixIntended | FixEnded | FixVerified | FixRechecked | FixConcluded,
    at: float,
) -> str:
    match event:
        case FixIntended():
            texts = story.texts.get(event.step)
            story.repairs.append(
                Repair(
                    step=event.step,
                    title=story.title(event.step),
                    impact=texts.impact if texts is not None else "",
                    attempt=event.attempt,
                    begun_at=at,
                    approval=story.approvals.get(event.step),
                )
            )
            return f"{event.step} begins, attempt {event.attempt}"
        case FixEnded():
            _amend(story, event.step, ended=event)
            return _with(f"{event.step} ended: {event.acted.value}", event.reason)
        case FixVerified():
            _amend(story, event.step, verification=event.verification)
            return f"{event.step} verified: {event.verification.result.value}"
        case FixRechecked():
            return _hear_recheck(story, event)
        case FixConcluded():
            return _conclude_fix(story, event, at)


def _hear_recheck(story: _Story, event: FixRechecked) -> str:
    seen = event.verification
    if seen.result is FixResult.RECURRED:
        _amend(story, event.step, outcome=seen.result, verified=True, reason=None)
    told = f"{event.step} looked at again before the next wave: {seen.result.value}"
    return _with(told, seen.reason)


def _conclude_fix(story: _Story, event: FixConcluded, at: float) -> str:
    ends_epoch = begun = event.result is not FixResult.DECLINED
    repair = story.repairs[-1] if begun and story.repairs else None
    if repair is not None:
        seen = repair.verification is not None and repair.verification.result is event.result
        _amend(
            story,
            event.step,
            outcome=event.result,
            verified=seen and event.result is not FixResult.UNKNOWN,
            reason=event.reason,
        )
        withheld = repair.ended is not None and repair.ended.acted is Acted.WITHHELD
        ends_epoch = not withheld
        if not withheld:
            # A yes is for one walk; the next one may find something else.
            story.approvals.clear()
    _find_at_end(story, event.next, event.step, at, None)
    story.path.append(
        Passed(
            step=event.step,
            title=story.title(event.step),
            result=event.result.value,
            at=at,
            next=event.next,
            reason=event.reason,
        )
    )
    if ends_epoch:
        story.epoch_at = len(story.path)
    return _with(f"{event.step}: {event.result.value}, {led_to(event.next)}", event.reason)


def _amend(story: _Story, step: str, **changes: object) -> None:
    """Change the last repair, which is the one under way."""
    if story.repairs and story.repairs[-1].step == step:
        story.repairs[-1] = replace(story.repairs[-1], **changes)  # type: ignore[arg-type]


def _find_at_end(
    story: _Story, target: Goto | End, step: str, at: float, evidence: Observation | None
) -> None:
    if isinstance(target, End):
        story.find(target.cause, step, at, evidence)


def _with(text: str, more: str | None) -> str:
    return f"{text} ({more})" if more else text


def led_to(target: Goto | End) -> str:
    """Say in words where a step led."""
    match target:
        case Goto():
            return f"on to {target.step}"
        case End(cause=None):
            return f"end: {target.verdict.value}"
        case End():
            return f"end: {target.verdict.value}, {target.cause}"
