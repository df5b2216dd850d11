"""A run of the real driver over a script instead of hosts, and a journal in memory."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field

from runbook.driver.acting import Guarding
from runbook.driver.launch import Setting, begin_run, drive, resume_run
from runbook.driver.loop import Driver
from runbook.driver.observer import Silent
from runbook.driver.operator import (
    Answer,
    ApprovalReply,
    ApprovalRequest,
    GoOn,
    Operator,
    Question,
    StepReply,
    StepRequest,
)
from runbook.executor import (
    Deliver,
    Executor,
    FixRequest,
    Invocation,
    ObserveRequest,
    PreviewRequest,
    Request,
)
from runbook.executor.scripted import (
    ScriptedExecutor,
    ScriptedFix,
    ScriptedHost,
    ScriptedInvocation,
)
from runbook.journal import Journal
from runbook.journal.memory import MemoryJournal
from runbook.model.definition import Ask, Runbook
from runbook.model.event import Event, Mode, Reach, RunStarted
from runbook.model.observation import Observation
from runbook.model.policy import Ramp
from runbook.model.slices import Slice
from runbook.model.state import HostState
from runbook.model.verdict import Verdict
from tests.engine_harness import book, check, fix, seen

RUN = "20260102-030405-9f3a"
CLOSURE = "the closure"

MENDED = ScriptedFix()
FAULTY = seen("failed", reason="it is down")
FINE = seen("passed")

ONE_FIX = book(
    check("up", failed="restart"),
    fix("restart", symptom="up", cause="stopped", cause_removed="up"),
)


def host(
    looks: Mapping[str, Sequence[Observation]] | None = None,
    fixes: Mapping[str, Sequence[ScriptedFix]] | None = None,
    *stuck: str,
) -> ScriptedHost:
    """Script a host; by default its check fails, and a fix mends it."""
    return ScriptedHost(
        looks=looks or {"up": [FAULTY]},
        fixes=fixes or {"restart": [MENDED]},
        stuck=frozenset(stuck),
    )


@dataclass(kw_only=True)
class Person:
    """Somebody who answers as told; None leaves a request open. `asked` keeps every request."""

    says: Callable[[ApprovalRequest], frozenset[str] | None] = lambda request: frozenset(
        request.hosts
    )
    chooses: Callable[[Question], str | None] = lambda _: None
    name: str = "ann"
    wants_previews: bool = False
    asked: list[ApprovalRequest] = field(default_factory=list)
    questions: list[Question] = field(default_factory=list)
    reach: Reach = Reach.HOST
    does: Callable[[StepRequest], StepReply] = lambda _: GoOn(by="ann")
    steps: list[StepRequest] = field(default_factory=list)
    left: bool = False

    def approve(self, request: ApprovalRequest, reply: Callable[[ApprovalReply], None]) -> None:
        """Answer at once, or never."""
        self.asked.append(request)
        approved = self.says(request)
        if approved is not None:
            reply(ApprovalReply(approved=approved, by=self.name, reach=self.reach))

    def answer(self, question: Question, reply: Callable[[Answer], None]) -> None:
        """Answer at once, or never."""
        self.questions.append(question)
        chosen = self.chooses(question)
        if chosen is not None:
            reply(Answer(answer=chosen, by=self.name))

    def step(self, request: StepRequest, reply: Callable[[StepReply], None]) -> None:
        """Answer at once."""
        self.steps.append(request)
        reply(self.does(request))

    def leave(self) -> None:
        """Take note that no answer counts any more."""
        self.left = True


@dataclass(kw_only=True)
class Late(Person):
    """Somebody who answers what was left open when told to, with yes."""

    _open: list[Callable[[], None]] = field(default_factory=list)

    def approve(self, request: ApprovalRequest, reply: Callable[[ApprovalReply], None]) -> None:
        """Answer at once, or keep it for later."""
        super().approve(request, reply)
        yes = ApprovalReply(approved=frozenset(request.hosts), by=self.name)
        self._open.append(lambda: reply(yes))

    def answer(self, question: Question, reply: Callable[[Answer], None]) -> None:
        """Keep a question for later."""
        super().answer(question, reply)
        assert isinstance(question.step, Ask)
        first = Answer(answer=question.step.choices[0].id, by=self.name)
        self._open.append(lambda: reply(first))

    def answer_now(self) -> None:
        """Say yes to all that was asked, and the first choice to all questions."""
        for reply in self._open:
            reply()


@dataclass(kw_only=True)
class Cancellable(ScriptedExecutor):
    """Remembers its invocations, so that a test can end one that is stuck."""

    invocations: list[Invocation] = field(default_factory=list)

    def start(self, request: Request, deliver: Deliver) -> ScriptedInvocation:
        """Begin, and return at once."""
        invocation = super().start(request, deliver)
        self.invocations.append(invocation)
        return invocation

    def cancel_all(self) -> None:
        """End what is stuck."""
        for invocation in self.invocations:
            invocation.cancel()


@dataclass(kw_only=True)
class Watcher(Silent):
    """Calls back on each event and on what is being done, in the driver's thread."""

    on_event: Callable[[Event], None] = lambda _: None
    on_working: Callable[[str], None] = lambda _: None

    def happened(self, event: Event, states: Mapping[str, HostState]) -> None:
        """Pass the event on."""
        self.on_event(event)

    def working(self, hosts: tuple[str, ...], what: str) -> None:
        """Pass on what is being done."""
        self.on_working(what)


@dataclass(kw_only=True)
class Stage:
    """One run; its clock stands at `now` until a test moves it."""

    runbook: Runbook
    hosts: Mapping[str, ScriptedHost]
    operator: Operator = field(default_factory=Person)
    journal: Journal = field(default_factory=MemoryJournal)
    mode: Mode = Mode.RUN
    run: str = RUN
    gather_s: float = 60.0
    stepping: bool = False
    wait_s: float = 0.0
    now: float = 0.0
    closure: str = CLOSURE
    blocking: tuple[str, ...] = ()
    paused: Callable[[], str | None] = lambda: None
    ramp: Ramp | None = None
    pattern: str = "all"
    at_most: int | None = None
    slice: Slice | None = None
    guarding: Guarding | None = None
    on_event: Callable[[Event], None] = lambda _: None
    on_working: Callable[[str], None] = lambda _: None
    executor: Executor | None = None
    driver: Driver | None = None

    def __post_init__(self) -> None:
        self.script = Cancellable(hosts=self.hosts)

    @property
    def setting(self) -> Setting:
        """What the run is driven with."""
        return Setting(
            runbook=self.runbook,
            executor=self.executor or self.script,
            journal=self.journal,
            operator=self.operator,
            observer=Watcher(on_event=self.on_event, on_working=self.on_working),
            closure=lambda: self.closure,
            clock=lambda: self.now,
            gather_s=self.gather_s,
            stepping=self.stepping,
            wait_s=self.wait_s,
            blocking=self.blocking,
            paused=self.paused,
            ramp=self.ramp,
            at_most=self.at_most,
            guarding=self.guarding,
        )

    def begin(self) -> Driver:
        """Begin the run, and look at no host yet."""
        started = RunStarted(
            runbook=self.runbook.name,
            closure=self.closure,
            pattern=self.pattern,
            mode=self.mode,
            operator=self.operator.name,
        )
        self.driver = begin_run(self.run, self.setting, started, self.slice)
        return self.driver

    def play(self) -> Verdict:
        """Drive the run to its end."""
        return drive(self.begin(), self.pattern)

    def resume(self) -> Verdict:
        """Take the run up and drive it to its end."""
        self.driver = resume_run(self.journal.find(self.run), self.setting)
        return drive(self.driver, self.pattern)

    @property
    def events(self) -> list[Event]:
        """What is in the journal."""
        return [entry.event for entry in self.journal.entries(self.run)]

    def of(self, *kinds: type[Event]) -> list[Event]:
        """Return the events of some kinds."""
        return [event for event in self.events if isinstance(event, kinds)]

    @property
    def verdicts(self) -> dict[str, Verdict | None]:
        """Each host's verdict."""
        assert self.driver is not None
        return {name: state.verdict for name, state in self.driver.states.items()}

    @property
    def fixes(self) -> list[FixRequest]:
        """The fixes the executor was asked for."""
        return [request for request in self.script.requests if isinstance(request, FixRequest)]

    @property
    def looks(self) -> list[ObserveRequest]:
        """The observations the executor was asked for."""
        return [request for request in self.script.requests if isinstance(request, ObserveRequest)]

    @property
    def previews(self) -> list[PreviewRequest]:
        """The predictions the executor was asked for."""
        return [request for request in self.script.requests if isinstance(request, PreviewRequest)]
