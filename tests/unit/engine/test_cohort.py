"""Hosts that need the same thing next."""

from runbook.engine import Cohort, cohorts, decide, evolve
from runbook.model.decision import Decision, Done, Observe, RequestApproval
from runbook.model.event import Mode, Observed
from runbook.model.observation import Texts
from runbook.model.state import HostState
from tests.engine_harness import Walk, World, book, check, fix, seen

RUNBOOK = book(
    check("site", failed="backend"),
    check("backend", failed="restart", passed="reload"),
    fix("restart", symptom="site"),
    fix("reload", symptom="site"),
)


def stand(host: str, *, backend: str = "") -> HostState:
    """Return the state of a host that has seen its backend so, or nothing yet."""
    looks = {"site": seen("failed"), "backend": seen(backend or "failed")}
    walk = Walk(runbook=RUNBOOK, world=World(look=looks.__getitem__), host=host)
    while backend and walk.state.position not in {"restart", "reload"}:
        walk.advance()
    return walk.state


def group(states: dict[str, HostState]) -> tuple[Cohort, ...]:
    """Group hosts by what is decided for each."""
    decisions = {host: decide(RUNBOOK, state, Mode.RUN) for host, state in states.items()}
    return cohorts(RUNBOOK, decisions, states)


def test_hosts_with_one_decision_are_one_cohort() -> None:
    """Hosts at the same fix are asked about together, in the natural order of their names."""
    names = ["web10.example", "web2.example", "web1.example"]

    found = group({name: stand(name, backend="failed") for name in names})

    assert found == (
        Cohort(
            decision=RequestApproval(fix="restart"),
            hosts=("web1.example", "web2.example", "web10.example"),
        ),
    )


def test_cohorts_come_in_the_order_of_the_runbook() -> None:
    """Whatever the order of hosts, earlier steps come first and finished hosts last."""
    states = {
        "c": stand("c", backend="passed"),
        "b": stand("b", backend="failed"),
        "a": stand("a"),
    }
    decisions: dict[str, Decision] = {
        host: decide(RUNBOOK, state, Mode.RUN) for host, state in states.items()
    }
    decisions["d"] = Done()
    states["d"] = stand("d")

    found = cohorts(RUNBOOK, decisions, states)

    assert [cohort.decision for cohort in found] == [
        Observe(steps=("site", "backend")),
        RequestApproval(fix="restart"),
        RequestApproval(fix="reload"),
        Done(),
    ]
    assert found == cohorts(RUNBOOK, dict(reversed(decisions.items())), states)


def test_a_step_that_reads_differently_is_asked_about_apart() -> None:
    """Nobody says yes to a text they have not read."""
    states = {
        "a": titled(stand("a", backend="failed"), "Restart gunicorn"),
        "b": titled(stand("b", backend="failed"), "Restart uwsgi"),
        "c": titled(stand("c", backend="failed"), "Restart gunicorn"),
    }

    assert [cohort.hosts for cohort in group(states)] == [("a", "c"), ("b",)]


def titled(state: HostState, title: str) -> HostState:
    """Return the state with the fix's title as rendered for its host."""
    texts = {"restart": Texts(title=title)}
    return evolve(RUNBOOK, state, Observed(host=state.host, observations={}, texts=texts))


def test_what_is_to_be_recorded_is_one_hosts_own() -> None:
    """Events are never shared by hosts."""
    states: dict[str, HostState] = {}
    for host in ("a", "b"):
        walk = Walk(runbook=RUNBOOK, world=World(look=lambda _: seen("failed")), host=host)
        walk.advance()
        states[host] = walk.state

    assert [cohort.hosts for cohort in group(states)] == [("a",), ("b",)]
