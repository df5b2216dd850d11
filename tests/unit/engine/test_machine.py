"""Several hosts, a journal, crashes, people who answer late: the engine among all of it."""

from random import Random

from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, rule

from runbook.engine import cohorts, decide, replay
from runbook.model.decision import AskOperator, RequestApproval
from runbook.model.definition import Fix, Runbook
from runbook.model.event import (
    Acted,
    Event,
    EvidenceExpired,
    FixApproved,
    FixEnded,
    FixIntended,
    HostEvent,
    HostFinished,
    LookAgain,
    Mode,
    RunInterrupted,
    RunResumed,
    StepAllowed,
    StepJumped,
    SteppingSet,
    StepSkipped,
)
from runbook.model.targets import outcomes
from runbook.model.verdict import Verdict
from tests.engine_harness import Walk, World, answered, approved, declined, ended
from tests.strategies import CHOICES, longest, runbooks, world_of

HOSTS = ("web1.example", "web2.example", "web10.example")
hosts = st.sampled_from(HOSTS)


class Run(RuleBasedStateMachine):
    """A run over three hosts; `walks` is what its driver holds, `journal` what it wrote."""

    def __init__(self) -> None:
        super().__init__()
        self.journal: list[Event] = []
        self.walks: dict[str, Walk] = {}
        self.runbook: Runbook

    @initialize(runbook=runbooks())
    def begin(self, runbook: Runbook) -> None:
        """All hosts join."""
        self.runbook = runbook
        for host in HOSTS:
            self.walks[host] = Walk(runbook=runbook, world=World(), host=host)
            self.journal += self.walks[host].events

    def take(self, event: HostEvent) -> None:
        """Let a host take an event in, and write it down."""
        self.walks[event.host].take(event)
        self.journal.append(event)

    @rule(host=hosts, chance=st.randoms(use_true_random=False), steps=st.integers(1, 12))
    def advance(self, host: str, chance: Random, steps: int) -> None:
        """Do what is next for a host, some times over."""
        walk = self.walks[host]
        walk.world = world_of(self.runbook, chance)
        for _ in range(steps):
            before = len(walk.events)
            walk.advance()
            self.journal += walk.events[before:]

    @rule()
    def crash(self) -> None:
        """Kill the driver; the next one has only the journal, and knows no fix's end."""
        self.journal += [RunInterrupted(reason="killed"), RunResumed()]
        for host, state in replay(self.runbook, self.journal).items():
            self.walks[host].state = state
            if state.acting and state.position is not None:
                self.take(ended(state.position, Acted.UNKNOWN, interrupted=True, host=host))

    @rule(host=hosts, data=st.data())
    def speak_at_any_time(self, host: str, data: st.DataObject) -> None:
        """Somebody says something about some step, whether it was asked or not."""
        step = data.draw(st.sampled_from(list(self.runbook.steps)))
        said: list[HostEvent] = [
            approved(step, host),
            declined(step, host),
            EvidenceExpired(host=host, step=step, age_s=61.0),
            SteppingSet(host=host, on=data.draw(st.booleans()), by="ann"),
            StepAllowed(host=host, step=step, by="ann"),
            StepJumped(host=host, step=step, to=self.runbook.start, by="ann"),
            *self._skips(host, step),
            LookAgain(host=host, step=step, by="ann"),
            *(answered(step, choice, host) for choice in CHOICES),
        ]
        self.take(data.draw(st.sampled_from(said)))

    def _skips(self, host: str, step: str) -> list[StepSkipped]:
        """Return each way to skip a step, none for a fix."""
        found = self.runbook.steps[step]
        return [
            StepSkipped(host=host, step=step, result=result, next=target, by="ann")
            for result, target in (() if isinstance(found, Fix) else outcomes(found))
        ]

    @rule(host=hosts)
    def leave_waiting(self, host: str) -> None:
        """Nobody is there to ask, so the host's walk is put off."""
        state = self.walks[host].state
        if isinstance(decide(self.runbook, state, Mode.RUN), RequestApproval | AskOperator):
            self.take(HostFinished(host=host, verdict=Verdict.WAITING, reason="nobody there"))

    @invariant()
    def the_journal_tells_the_state(self) -> None:
        """Folding the journal gives what the driver holds."""
        live = {host: walk.state for host, walk in self.walks.items()}
        assert replay(self.runbook, self.journal) == live

    @invariant()
    def every_intent_had_its_yes(self) -> None:
        """Each destructive fix began after a yes to it on that host, which is used up by it."""
        open_yes: set[tuple[str, str]] = set()
        for event in self.journal:
            match event:
                case FixApproved(host=host, step=step):
                    open_yes.add((host, step))
                case FixIntended(host=host, step=step):
                    fix = self.runbook.steps[step]
                    assert isinstance(fix, Fix)
                    assert not fix.destructive or (host, step) in open_yes
                    open_yes.discard((host, step))
                case _:
                    continue

    @invariant()
    def fixes_of_a_host_do_not_overlap(self) -> None:
        """No fix of a host begins before the last one has ended."""
        acting: set[str] = set()
        for event in self.journal:
            if isinstance(event, FixIntended):
                assert event.host not in acting
                acting.add(event.host)
            elif isinstance(event, FixEnded):
                acting.remove(event.host)

    @invariant()
    def cohorts_part_the_hosts(self) -> None:
        """Every host is in one cohort."""
        states = {host: walk.state for host, walk in self.walks.items()}
        decisions = {host: decide(self.runbook, state, Mode.RUN) for host, state in states.items()}
        found = [name for one in cohorts(self.runbook, decisions, states) for name in one.hosts]
        assert sorted(found) == sorted(states)

    def teardown(self) -> None:
        """Left alone, every host comes to its verdict."""
        for walk in self.walks.values():
            walk.world = World()
            assert walk.run(limit=longest(self.runbook)).verdict is not None


TestRun = Run.TestCase
TestRun.settings = settings(
    max_examples=40,
    stateful_step_count=25,
    deadline=None,
    suppress_health_check=[HealthCheck.too_slow, HealthCheck.data_too_large],
)
