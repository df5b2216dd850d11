"""Whoever answers for a run: a person at a terminal, `--yes`, or nobody."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Protocol

from runbook.driver.experience import Experience
from runbook.executor import HostPreviewed
from runbook.model.definition import Ask, Cause, Fix, Manual, Probe, Step, Target
from runbook.model.event import Reach
from runbook.model.observation import Observation
from runbook.model.policy import Judgement
from runbook.model.state import HostState


@dataclass(frozen=True, kw_only=True, slots=True)
class Note:
    """A remark for the journal; the question stays open."""

    text: str
    by: str


@dataclass(frozen=True, kw_only=True, slots=True)
class OwnCheck:
    """A look at the hosts by a probe of the operator's own; the question stays open.

    `text` is the probe as it was typed. `told` gets what each host answered, none where the run
    stops; it is called from the driver's thread.
    """

    probe: Probe
    text: str
    by: str
    told: Callable[[Mapping[str, Observation]], None]


@dataclass(frozen=True, kw_only=True, slots=True)
class Recheck:
    """Look at the hosts again before anything is decided; this takes the question back."""

    by: str


@dataclass(frozen=True, kw_only=True, slots=True)
class EndRun:
    """Stop the run here; it can be resumed. This takes the question back."""

    by: str
    reason: str = ""

    @property
    def why(self) -> str:
        """Why the run stops, in words."""
        return f"ended by {self.by}" + (f": {self.reason}" if self.reason else "")


Aside = Note | OwnCheck | Recheck | EndRun


@dataclass(frozen=True, kw_only=True, slots=True)
class ApprovalRequest:
    """May this fix be done on these hosts; with everything a person needs to say.

    `title` and `impact` are as rendered for these hosts, `evidence` is what found the cause on each
    of them, `run` the states of all hosts of the run, `previews` what Ansible predicts (empty where
    nobody would look at it), `experience` what earlier runs came to on these hosts (None where
    nobody asked). `aside` takes, from any thread, what the operator wants before they answer; None
    where nothing of that can be had. `blocked` says, by host, what else goes on there that only a
    person may pass over. `undoing`: it is the undo of a fix that was done.
    `digests` bind an answer, by host, to what is known now.
    """

    fix: Fix
    hosts: tuple[str, ...]
    title: str
    impact: str
    cause: Cause | None
    states: Mapping[str, HostState]
    evidence: Mapping[str, Observation]
    run: Mapping[str, HostState] = field(default_factory=dict)
    previews: Mapping[str, HostPreviewed] = field(default_factory=dict)
    experience: Experience | None = None
    aside: Callable[[Aside], None] | None = None
    blocked: Mapping[str, str] = field(default_factory=dict)
    undoing: bool = False
    digests: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True, kw_only=True, slots=True)
class ApprovalReply:
    """The answer: hosts approved; all others of the request are declined.

    `reasons` are those of single hosts, `reason` is that of all others. `reach` says what else of
    the run a no is for. `guards` names, by host, the limit of a policy that stood in the way, `names`
    who answered for a host where that was not `by`. `waiting` are hosts that nobody answered for
    yet, with the reason: their walk is suspended.
    """

    approved: frozenset[str]
    by: str
    reason: str = ""
    reach: Reach = Reach.HOST
    reasons: Mapping[str, str] = field(default_factory=dict)
    guards: Mapping[str, str] = field(default_factory=dict)
    names: Mapping[str, str] = field(default_factory=dict)
    waiting: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True, kw_only=True, slots=True)
class Question:
    """An `ask` or `manual` step that some hosts stand at, its texts as rendered for them.

    `states` are those of the hosts, with what led there; `evidence` is, by host, the last look that
    failed on the way. `digests` bind an answer, by host, to what is known now.
    """

    step: Ask | Manual
    hosts: tuple[str, ...]
    title: str
    states: Mapping[str, HostState]
    evidence: Mapping[str, Observation] = field(default_factory=dict)
    digests: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True, kw_only=True, slots=True)
class Answer:
    """A choice's id, or `done` or `not_done`."""

    answer: str
    by: str
    note: str = ""


@dataclass(frozen=True, kw_only=True, slots=True)
class Answers:
    """What is answered host by host; `waiting` are those nobody answered for yet, with the reason.

    Their walk is suspended.
    """

    given: Mapping[str, Answer]
    waiting: Mapping[str, str]


@dataclass(frozen=True, kw_only=True, slots=True)
class StepRequest:
    """The step that some hosts' walks stand at, of a run that asks before each.

    `looks` are the titles of what would be looked at then, in one go. `result` is the step's where
    it is known already ("" where it is not), `seen` what was seen of it on each host. `titles` are
    those of other steps as rendered, by id, as far as that is known.
    """

    step: Step
    hosts: tuple[str, ...]
    title: str
    looks: tuple[str, ...] = ()
    result: str = ""
    seen: Mapping[str, Observation] = field(default_factory=dict)
    titles: Mapping[str, str] = field(default_factory=dict)
    states: Mapping[str, HostState] = field(default_factory=dict)


@dataclass(frozen=True, kw_only=True, slots=True)
class GoOn:
    """Let the step be done; with `rest`, all that follow as well."""

    by: str
    rest: bool = False


@dataclass(frozen=True, kw_only=True, slots=True)
class Skip:
    """Go on from the step as if it had come to `result`, which leads to `to`.

    A fix is declined, whatever is said here.
    """

    by: str
    result: str
    to: Target
    reason: str = ""


@dataclass(frozen=True, kw_only=True, slots=True)
class Jump:
    """Begin anew at another step."""

    by: str
    to: str
    reason: str = ""


StepReply = GoOn | Skip | Jump | EndRun


class Bench(Protocol):
    """People who are asked out of band: their answers come when the run has long been suspended."""

    def answers(self, request: ApprovalRequest, judged: Mapping[str, Judgement]) -> ApprovalReply:
        """Return what they have said of a fix on these hosts; who has not been asked is asked now.

        `judged` is what the policy says of each host. Nobody is waited for: hosts without an answer
        are in `waiting`.
        """

    def choices(self, question: Question) -> Answers:
        """Return what they have answered to a question; who has not been asked is asked now."""


class Operator(Protocol):
    """Asked by the driver, which goes on meanwhile; replies may come from any thread, or never."""

    @property
    def name(self) -> str:
        """Who answers, as the journal is told."""

    @property
    def wants_previews(self) -> bool:
        """Whether Ansible's prediction is wanted before an approval is asked for."""

    def approve(self, request: ApprovalRequest, reply: Callable[[ApprovalReply], None]) -> None:
        """Ask whether a fix may be done."""

    def answer(self, question: Question, reply: Callable[[Answer | Answers], None]) -> None:
        """Ask a question of the runbook; its `expires` branch is taken where no reply comes."""

    def step(self, request: StepRequest, reply: Callable[[StepReply], None]) -> None:
        """Ask what to do with the next step."""

    def leave(self) -> None:
        """Ask nothing more: the run is about to stop, and no answer counts."""


@dataclass(frozen=True, kw_only=True)
class ApprovingOperator:
    """`--yes`: approves every fix that nothing blocks and no name has to be typed for.

    `because` is the reason it gives.
    """

    name: str
    wants_previews: bool = False
    because: str = "--yes was given"

    def approve(self, request: ApprovalRequest, reply: Callable[[ApprovalReply], None]) -> None:
        """Say yes, but for hosts that a person has to look at, or to type the name of."""
        typed = [host for host in request.hosts if request.states[host].typed]
        reasons = dict.fromkeys(
            typed, "the inventory wants a name typed for this host, which --yes cannot do"
        )
        reasons |= {
            host: f"{why}; only a person who is asked may pass over that"
            for host, why in request.blocked.items()
        }
        reply(
            ApprovalReply(
                approved=frozenset(host for host in request.hosts if host not in reasons),
                by=self.name,
                reason=self.because,
                reasons=reasons,
            )
        )

    def answer(self, question: Question, reply: Callable[[Answer | Answers], None]) -> None:
        """Leave the question to its expiry."""

    def step(
        self,
        request: StepRequest,  # noqa: ARG002 -- whatever it is
        reply: Callable[[StepReply], None],
    ) -> None:
        """Let this step be done, and all others."""
        reply(GoOn(by=self.name, rest=True))

    def leave(self) -> None:
        """Nothing is left open."""


@dataclass(frozen=True, kw_only=True)
class AbsentOperator:
    """Nobody can be asked, and nobody said yes beforehand: destructive fixes are declined.

    `because` is the reason it gives.
    """

    name: str
    wants_previews: bool = False
    because: str = "there is no terminal to ask at, and --yes was not given"

    def approve(
        self,
        request: ApprovalRequest,  # noqa: ARG002 -- whatever it is
        reply: Callable[[ApprovalReply], None],
    ) -> None:
        """Say no."""
        reply(
            ApprovalReply(
                approved=frozenset(),
                by=self.name,
                reason=self.because,
            )
        )

    def answer(self, question: Question, reply: Callable[[Answer | Answers], None]) -> None:
        """Leave the question to its expiry."""

    def step(
        self,
        request: StepRequest,  # noqa: ARG002 -- whatever it is
        reply: Callable[[StepReply], None],
    ) -> None:
        """Stop: whoever wanted to be asked before each step is not there."""
        reply(EndRun(by=self.name, reason="there is no terminal to ask at before each step"))

    def leave(self) -> None:
        """Nothing is left open."""


@dataclass(frozen=True, kw_only=True)
class UnwatchedOperator:
    """Has questions answered out of band, by those on the `bench`; all else is `operator`'s.

    Whoever waits for an answer holds neither a process nor its host.
    """

    operator: Operator
    bench: Bench

    @property
    def name(self) -> str:
        """The name of whoever answers all else."""
        return self.operator.name

    @property
    def wants_previews(self) -> bool:
        """As whoever answers wants it."""
        return self.operator.wants_previews

    def approve(self, request: ApprovalRequest, reply: Callable[[ApprovalReply], None]) -> None:
        """Have it asked whether a fix may be done."""
        self.operator.approve(request, reply)

    def answer(self, question: Question, reply: Callable[[Answer | Answers], None]) -> None:
        """Give what has been answered so far; who was not asked yet is asked now."""
        reply(self.bench.choices(question))

    def step(self, request: StepRequest, reply: Callable[[StepReply], None]) -> None:
        """Have it asked what to do with the next step."""
        self.operator.step(request, reply)

    def leave(self) -> None:
        """Have nothing more asked."""
        self.operator.leave()
