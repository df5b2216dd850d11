"""Playing a case: the real driver over the scripted executor, with a journal in memory."""

import difflib
from collections.abc import Callable
from dataclasses import dataclass

from runbook.driver.launch import Setting, begin_run, drive
from runbook.driver.observer import Observer, Silent
from runbook.driver.operator import (
    Answer,
    ApprovalReply,
    ApprovalRequest,
    GoOn,
    Question,
    StepReply,
    StepRequest,
)
from runbook.executor.scripted import ScriptedExecutor, ScriptedHost
from runbook.journal.memory import MemoryJournal
from runbook.model.definition import Branch, Check, CheckResult, Collect, Runbook, Watch
from runbook.model.event import RunStarted
from runbook.model.observation import Observation
from runbook.model.state import HostState
from runbook.rehearsal.cases import Actor, Case, Outcome

RUN = "rehearsal"
CLOSURE = "rehearsed"
UNLISTED = "it is not in the rehearsal"


@dataclass(frozen=True, kw_only=True, slots=True)
class Played:
    """One host of a case: what was expected, and what came of it, as far as that is expected."""

    host: str
    expected: Outcome
    came: Outcome

    @property
    def as_expected(self) -> bool:
        """Whether the two are the same."""
        return self.expected == self.came

    def difference(self) -> list[str]:
        """Return both as lines: `-` is expected and did not come, `+` came and is not expected."""
        expected, came = self.expected.lines(), self.came.lines()
        return [line.rstrip() for line in difflib.ndiff(expected, came) if line[0] != "?"]


def play(
    runbook: Runbook,
    case: Case,
    *,
    observer: Observer | None = None,
    asked: Callable[[Question], None] = lambda _: None,
) -> list[Played]:
    """Play a case, and return each host's end; raise RunbookError as a run does.

    `observer` watches as it would a run, `asked` hears of each question before its answer.
    """
    executor = ScriptedExecutor(
        hosts={host: _script(runbook, actor) for host, actor in case.hosts.items()}
    )
    setting = Setting(
        runbook=runbook,
        executor=executor,
        journal=MemoryJournal(),
        operator=_Prompter(case=case, asked=asked),
        observer=observer or Silent(),
        closure=lambda: CLOSURE,
        # Observations of a script are of no time, so that none of them is ever too old.
        clock=lambda: 0.0,
        gather_s=0.0,
    )
    started = RunStarted(runbook=runbook.name, closure=CLOSURE, pattern="all", mode=case.mode)
    driver = begin_run(RUN, setting, started)
    drive(driver, "all")
    return [
        Played(host=host, expected=actor.expected, came=_outcome(driver.states[host], actor))
        for host, actor in case.hosts.items()
    ]


def _script(runbook: Runbook, actor: Actor) -> ScriptedHost:
    looks: dict[str, tuple[Observation, ...]] = {}
    for id_, step in runbook.steps.items():
        if isinstance(step, Check | Watch | Collect):
            looks[id_] = (Observation(result=actor.unlisted, reason=UNLISTED),)
        elif isinstance(step, Branch):
            facts = {"cases": ["unknown"] * len(step.cases)}
            looks[id_] = (Observation(result=CheckResult.PASSED, facts=facts, reason=UNLISTED),)
    return ScriptedHost(
        looks={**looks, **actor.looks}, fixes=actor.fixes, unreachable=actor.unreachable
    )


def _outcome(state: HostState, actor: Actor) -> Outcome:
    """Return a host's end, with as much of it as is expected of it."""
    wanted = actor.expected
    if state.verdict is None:
        raise ValueError(f"{state.host} has no verdict")
    return Outcome(
        verdict=state.verdict,
        causes=None if wanted.causes is None else tuple(each.cause for each in state.causes),
        path=None if wanted.path is None else tuple(visit.step for visit in state.path),
        fixes=None
        if wanted.fixes is None
        else tuple((fix.step, str(fix.result)) for fix in state.fixes),
    )


@dataclass(frozen=True, kw_only=True)
class _Prompter:
    """The person of a case: approves what it names, and answers as it says, at once."""

    case: Case
    asked: Callable[[Question], None]
    name: str = RUN
    wants_previews: bool = False

    def approve(self, request: ApprovalRequest, reply: Callable[[ApprovalReply], None]) -> None:
        """Say yes to the fixes of the case."""
        yes = self.case.approved is None or request.fix.id in self.case.approved
        approved = frozenset(request.hosts) if yes else frozenset[str]()
        reply(ApprovalReply(approved=approved, by=self.name, reason="" if yes else "as rehearsed"))

    def answer(self, question: Question, reply: Callable[[Answer], None]) -> None:
        """Give the answer of the case, or let the question's time be up at once."""
        self.asked(question)
        answer = self.case.answers.get(question.step.id, "expired")
        reply(Answer(answer=answer, by=self.name))

    def step(
        self,
        request: StepRequest,  # noqa: ARG002 -- whatever it is
        reply: Callable[[StepReply], None],
    ) -> None:
        """Let everything be done: a rehearsal is not walked step by step."""
        reply(GoOn(by=self.name, rest=True))

    def leave(self) -> None:
        """Nothing is left open."""
