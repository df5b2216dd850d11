"""The order of looks."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from runbook.executor.plan import PlannedProbe, PlannedStep
from runbook.executor.staging import Phase, phases, stages


def probe(id_: str, *needs: str, origin: str = "host", templates: bool = True) -> PlannedStep:
    """Return a step with one probe."""
    argument = "{{ something }}" if templates else "/fixed"
    return PlannedStep(
        id=id_,
        scope="",
        needs=needs,
        probes=(
            PlannedProbe(
                key=id_,
                type="file",
                arguments={"path": argument},
                acting_as=None,
                origin=origin,
                timeout_s=1.0,
            ),
        ),
    )


def task(id_: str, *needs: str) -> PlannedStep:
    """Return a step with an Ansible task."""
    return PlannedStep(id=id_, scope="", needs=needs, register=f"registered_{id_}")


def branch(id_: str, *needs: str) -> PlannedStep:
    """Return a branch."""
    return PlannedStep(id=id_, scope="", needs=needs, cases=("true",))


def test_what_uses_a_result_comes_after_it() -> None:
    """As many as possible in one stage, each after what its arguments use."""
    steps = [probe("c", "b"), probe("a"), probe("b", "a"), probe("d")]

    assert [[step.id for step in stage] for stage in stages(steps)] == [["a", "d"], ["b"], ["c"]]


def test_a_condition_alone_forces_no_order() -> None:
    """Conditions are judged when all is in, so a probe without templates waits for nobody."""
    steps = [probe("a"), probe("b", "a", templates=False)]

    assert len(stages(steps)) == 1


def test_a_circle_is_looked_at_all_the_same() -> None:
    """Nothing is lost; the templates will be undefined."""
    steps = [probe("a", "b"), probe("b", "a")]

    assert [[step.id for step in stage] for stage in stages(steps)] == [["a", "b"]]


@pytest.mark.parametrize(
    ("steps", "expected"),
    [
        ([], [("host", [])]),
        ([branch("x", "a")], [("host", [])]),
        ([probe("a"), probe("b", "a")], [("host", ["a", "b"])]),
        ([probe("a"), probe("b", origin="controller")], [("host", ["a", "b"])]),
        ([probe("a", origin="db")], [("host", []), ("db", ["a"])]),
        ([task("t")], [("host", []), (None, ["t"])]),
        ([task("t", "a"), probe("a")], [("host", ["a"]), (None, ["t"])]),
        (
            [probe("a", "t"), task("t"), task("u", "a")],
            [("host", []), (None, ["t"]), ("host", ["a"]), (None, ["u"])],
        ),
        (
            [probe("a", "b"), probe("b", origin="db")],
            [("host", []), ("db", ["b"]), ("host", ["a"])],
        ),
        ([probe("a", "t"), task("t", "a")], [("host", []), ("host", ["a"]), (None, ["t"])]),
    ],
)
def test_phases(steps: list[PlannedStep], expected: list[tuple[str | None, list[str]]]) -> None:
    """Probes of one origin together, tasks between them where results are used that way."""
    assert [(phase.origin, list(phase.steps)) for phase in phases(steps)] == expected


ids = st.sampled_from(["a", "b", "c", "d", "e"])
kinds = st.sampled_from(["here", "db", "task"])


@given(st.dictionaries(ids, st.tuples(kinds, st.lists(ids, max_size=3)), max_size=5))
def test_every_step_is_in_one_phase(drawn: dict[str, tuple[str, list[str]]]) -> None:
    """Whatever uses whatever, circles included; and what can come after its needs does."""
    steps = [
        task(id_, *needs)
        if kind == "task"
        else probe(id_, *needs, origin="host" if kind == "here" else "db")
        for id_, (kind, needs) in drawn.items()
    ]

    found: list[Phase] = phases(steps)

    assert sorted(step for phase in found for step in phase.steps) == sorted(drawn)
    assert found[0].origin == "host"
    order = {step: number for number, phase in enumerate(found) for step in phase.steps}
    if not _has_circle({id_: set(needs) - {id_} for id_, (_, needs) in drawn.items()}):
        for id_, (_, needs) in drawn.items():
            assert all(order[need] <= order[id_] for need in needs if need in drawn)


def _has_circle(needs: dict[str, set[str]]) -> bool:
    left = dict(needs)
    while left:
        free = [id_ for id_, wanted in left.items() if not wanted & left.keys()]
        if not free:
            return True
        for id_ in free:
            del left[id_]
    return False
