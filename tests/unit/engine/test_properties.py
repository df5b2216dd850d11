"""What holds for every runbook and every world."""

import copy
from collections.abc import Iterator
from dataclasses import replace
from functools import reduce

from hypothesis import HealthCheck, event, given, settings
from hypothesis import strategies as st

from runbook.engine import cohorts, decide, evolve, replay, start
from runbook.model.decision import Decision, Done, Observe, Record, RequestApproval, StartFix
from runbook.model.definition import (
    Branch,
    Check,
    CheckResult,
    Collect,
    Fix,
    FixResult,
    Goto,
    Runbook,
    Step,
    Target,
    Watch,
)
from runbook.model.event import (
    Acted,
    CauseFound,
    EvidenceExpired,
    FixApproved,
    FixConcluded,
    FixDeclined,
    FixEnded,
    FixIntended,
    HostEvent,
    HostFinished,
    Mode,
    StepConcluded,
    StepJumped,
    StepSkipped,
)
from runbook.model.state import HostState
from runbook.model.verdict import Verdict
from tests.engine_harness import HOST, Walk, World, seen
from tests.strategies import longest, runbooks, worlds

thorough = settings(
    max_examples=60,
    deadline=None,
    suppress_health_check=[HealthCheck.too_slow, HealthCheck.data_too_large],
)


@st.composite
def walks(draw: st.DrawFn, mode: Mode = Mode.RUN) -> Walk:
    """Draw a walk that has come to its end; one that does not come to one fails the test."""
    runbook = draw(runbooks())
    stepping = draw(st.booleans())
    walk = Walk(runbook=runbook, world=draw(worlds(runbook)), mode=mode, stepping=stepping)
    walk.run(limit=longest(runbook))
    return walk


def live_states(walk: Walk) -> Iterator[tuple[HostState, HostEvent]]:
    """Yield each event of a walk with the state it met."""
    state = start(walk.runbook, HOST)
    for later in walk.events:
        yield state, later
        state = evolve(walk.runbook, state, later)


def by_name(walk: Walk, step: str) -> Target | None:
    """Return where the runbook sends an unknown result of a step, by name."""
    match walk.runbook.steps[step]:
        case Check() | Watch() as looking:
            return looking.next[CheckResult.UNKNOWN]
        case Branch() as choosing:
            return choosing.unknown
        case Fix() as acting:
            return acting.next[FixResult.UNKNOWN]
        case Collect() as collecting:
            return collecting.next
        case _:
            return None


@thorough
@given(walks())
def test_every_walk_ends(walk: Walk) -> None:
    """Within the bound that `max_visits` gives, every walk comes to a verdict."""
    event(f"verdict {walk.state.verdict}")
    event(f"epochs {walk.state.epoch}")

    assert walk.state.verdict is not None
    assert isinstance(walk.events[-1], HostFinished)


@thorough
@given(walks(), st.data())
def test_the_events_give_the_state(walk: Walk, data: st.DataObject) -> None:
    """Folding the events up to anywhere, and then the rest, gives the live state and decision."""
    cut = data.draw(st.integers(1, len(walk.events)))

    before = replay(walk.runbook, walk.events[:cut])[HOST]

    live = [state for state, _ in live_states(walk)]
    assert before == [*live, walk.state][cut]
    rest = walk.events[cut:]
    assert reduce(lambda state, later: evolve(walk.runbook, state, later), rest, before) == (
        walk.state
    )


@thorough
@given(walks())
def test_events_of_hosts_may_be_mixed(one: Walk) -> None:
    """A host's state does not depend on where other hosts' events stand between its own."""
    other = Walk(runbook=one.runbook, world=World(look=lambda _step: seen("failed")), host="b")
    other.run(limit=longest(one.runbook))
    mixed: list[HostEvent] = []
    for number in range(max(len(one.events), len(other.events))):
        mixed += one.events[number : number + 1] + other.events[number : number + 1]

    assert replay(one.runbook, mixed) == {HOST: one.state, "b": other.state}


@thorough
@given(walks())
def test_deciding_and_evolving_depend_on_nothing_else(walk: Walk) -> None:
    """An equal runbook and an equal state give the same decision and the same next state."""
    twin = copy.deepcopy(walk.runbook)
    for state, later in live_states(walk):
        assert decide(twin, copy.deepcopy(state), Mode.RUN) == decide(walk.runbook, state, Mode.RUN)
        assert evolve(twin, copy.deepcopy(state), later) == evolve(walk.runbook, state, later)


@thorough
@given(walks())
def test_evolving_leaves_the_state_it_was_given(walk: Walk) -> None:
    """A state is never changed in place."""
    for state, later in live_states(walk):
        before = copy.deepcopy(state)
        evolve(walk.runbook, state, later)
        assert state == before


@thorough
@given(walks())
def test_no_destructive_fix_begins_without_its_yes(walk: Walk) -> None:
    """Each begins after a yes to it, given once, for the results the walk has found again."""
    walked: list[tuple[str, str]] = []
    yes: tuple[str, list[tuple[str, str]]] | None = None
    for later in walk.events:
        match later:
            case FixApproved():
                yes = (later.step, list(walked))
            case FixDeclined():
                yes = None
            case FixIntended() if _is_destructive(walk.runbook.steps[later.step]):
                assert yes == (later.step, walked)
                yes = None
            case EvidenceExpired():
                walked = []
            case StepJumped():
                walked = [(later.step, "jumped")]
            case StepConcluded() | StepSkipped():
                walked.append((later.step, later.result))
            case FixConcluded():
                walked.append((later.step, later.result.value))
                if later.step in _begun(walk.events, later):
                    walked = []


def _is_destructive(step: Step) -> bool:
    return isinstance(step, Fix) and step.destructive


def _begun(events: list[HostEvent], conclusion: FixConcluded) -> set[str]:
    """Return the fix of a conclusion, if it was begun and not withheld."""
    place = next(number for number, other in enumerate(events) if other is conclusion)
    for other in reversed(events[:place]):
        match other:
            case FixEnded():
                return set() if other.acted is Acted.WITHHELD else {other.step}
            case FixDeclined() | FixConcluded():
                return set()
            case _:
                continue
    return set()


@thorough
@given(walks())
def test_unknown_goes_where_the_runbook_sends_unknown(walk: Walk) -> None:
    """No result that could not be told leads anywhere but to the target named for that."""
    start_again = Goto(step=walk.runbook.start)
    for state, later in live_states(walk):
        if isinstance(later, StepConcluded) and later.result == "unknown":
            assert later.next == by_name(walk, later.step)
        if isinstance(later, FixConcluded) and later.result is FixResult.UNKNOWN:
            interrupted = state.fix.ended is not None and state.fix.ended.interrupted
            assert later.next == (start_again if interrupted else by_name(walk, later.step))


@thorough
@given(walks())
def test_a_destructive_fix_is_not_reached_blind_unless_by_name(walk: Walk) -> None:
    """Where the step passed before a destructive fix is unknown, its `unknown` names that fix."""
    last: StepConcluded | FixConcluded | None = None
    for _, later in live_states(walk):
        match later:
            case StepConcluded() | FixConcluded():
                last = later
            case EvidenceExpired() | StepJumped() | StepSkipped():
                last = None  # The walk begins elsewhere, or a person said by name where it goes on.
            case FixIntended() if last is not None and last.result == "unknown":
                event("a fix reached blind")
                assert by_name(walk, last.step) == Goto(step=later.step)
            case _:
                continue


@thorough
@given(walks())
def test_only_what_has_no_effect_is_looked_at_ahead_of_need(walk: Walk) -> None:
    """A set has the position, and else only unknown, effect-free steps, used ones before users."""
    for state, _ in live_states(walk):
        decision = decide(walk.runbook, state, Mode.RUN)
        if not isinstance(decision, Observe):
            continue
        steps = decision.steps
        assert len(set(steps)) == len(steps)
        assert not set(steps) & set(state.known)
        for place, name in enumerate(steps):
            step = walk.runbook.steps[name]
            assert not set(step.needs) & set(steps[place + 1 :]) or name == state.position
            if name != state.position:
                assert isinstance(step, Branch) or (isinstance(step, Check) and step.ahead_of_need)
                assert set(step.needs) <= {*steps[:place], *state.known, *state.answers, name}


@thorough
@given(walks())
def test_a_fix_is_done_no_more_often_than_it_says(walk: Walk) -> None:
    """Tries that began, and were not cut off by an interruption, stay within `max_visits`."""
    counted = [
        later.step
        for later in walk.events
        if isinstance(later, FixEnded)
        and later.acted is not Acted.WITHHELD
        and not later.interrupted
    ]
    for name, step in walk.runbook.steps.items():
        assert counted.count(name) <= step.max_visits or not isinstance(step, Fix)


@thorough
@given(walks())
def test_a_cause_rests_on_a_failed_look_or_none(walk: Walk) -> None:
    """No cause has a look as evidence that passed, or could not tell."""
    for later in walk.events:
        if isinstance(later, CauseFound) and later.evidence is not None:
            assert later.evidence.result is CheckResult.FAILED


@thorough
@given(walks(mode=Mode.DIAGNOSE))
def test_a_diagnosis_changes_nothing(walk: Walk) -> None:
    """Read-only, no fix is offered or begun."""
    assert not [
        decision for decision in walk.decisions if isinstance(decision, RequestApproval | StartFix)
    ]


@thorough
@given(runbooks())
def test_an_unreachable_host_is_not_called_well(runbook: Runbook) -> None:
    """Where nobody could look and nobody knew or acted, the verdict is `unknown`."""
    walk = Walk(runbook=runbook, world=World(look=lambda _step: seen("unknown")))

    walk.run(limit=longest(runbook))

    passed = [runbook.steps[visit.step] for visit in walk.state.path]
    only_looked = all(isinstance(step, Check | Branch | Watch | Collect) for step in passed)
    event(f"only looked: {only_looked}")
    assert (walk.state.verdict is Verdict.UNKNOWN) or not only_looked


@thorough
@given(walks(), st.data())
def test_cohorts_part_the_hosts(walk: Walk, data: st.DataObject) -> None:
    """Every host is in one cohort, with the decision that was made for it, in a fixed order."""
    states = {
        f"web{number}.example": state
        for number, (state, _) in enumerate(live_states(walk))
        if data.draw(st.booleans())
    }
    named = {name: replace(state, host=name) for name, state in states.items()}
    decisions: dict[str, Decision] = {
        name: decide(walk.runbook, state, Mode.RUN) for name, state in named.items()
    }

    found = cohorts(walk.runbook, decisions, named)

    assert sorted(name for cohort in found for name in cohort.hosts) == sorted(decisions)
    for cohort in found:
        assert all(decisions[name] == cohort.decision for name in cohort.hosts)
        assert not isinstance(cohort.decision, Record) or len(cohort.hosts) == 1
        assert not isinstance(cohort.decision, Done) or cohort is found[-1]
    shuffled = data.draw(st.permutations(list(decisions.items())))
    assert cohorts(walk.runbook, dict(shuffled), named) == found
