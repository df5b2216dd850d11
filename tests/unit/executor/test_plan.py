"""The plan survives its file, and says of each step what the plugins need."""

import json
from pathlib import Path

import pytest

from runbook.executor import FixRequest, ObserveRequest, Request
from runbook.executor.plan import Plan, planned_step, register_of
from runbook.executor.target import Target
from runbook.executor.work import compile_request
from runbook.model.definition import Runbook
from runbook.model.needs import with_needs
from runbook.spec.library import load

RUNBOOKS = Path(__file__).parents[2] / "runbooks"


@pytest.fixture(scope="module")
def runbook() -> Runbook:
    """Return the runbook that has one step of each kind."""
    return load(str(RUNBOOKS / "all-kinds.yml"), [RUNBOOKS])


@pytest.mark.parametrize(
    "request_",
    [
        ObserveRequest(
            id="i",
            pattern="all",
            joining=True,
            steps=("site", "unit_file", "which", "imports/site", "evidence"),
        ),
        ObserveRequest(
            id="i", pattern="a", wants={"a": ("site",)}, known={"a": {"site": {"n": [1, None]}}}
        ),
        FixRequest(id="i", fix="restart", hosts=("a",)),
        FixRequest(id="i", fix="imports/restart", hosts=("a",)),
    ],
)
def test_a_plan_is_the_same_after_its_file(runbook: Runbook, request_: Request) -> None:
    """Everything comes back as it went, tuples included."""
    target = Target(given={"url": "http://192.0.2.1"})
    plan = compile_request(runbook, target, "run-1", "ann", request_).plan

    assert Plan.from_data(json.loads(json.dumps(plan.as_data()))) == plan


def test_a_plan_says_who_is_asked_for_what(runbook: Runbook) -> None:
    """Hosts that are named have their own steps, all others those of everyone."""
    request = ObserveRequest(id="i", pattern="all", steps=("site",), wants={"a": ("which",)})
    plan = compile_request(runbook, Target(), "run-1", "ann", request).plan

    assert plan.wanted("a") == ("which",)
    assert plan.wanted("b") == ("site",)
    assert set(plan.steps) == {"site", "which"}


def test_a_step_that_does_not_look_cannot_be_planned(runbook: Runbook) -> None:
    """A fix in an observation is a defect, and said to be one."""
    with pytest.raises(ValueError, match="restart"):
        planned_step(runbook.steps["restart"])


def test_what_a_check_uses_is_looked_at_before_it(runbook: Runbook) -> None:
    """Needs come first, each once."""
    assert with_needs(runbook, ("unit_state", "site", "site")) == ("unit_state", "site")


def test_registers_are_names_that_ansible_takes() -> None:
    """Whatever the id of a step, the variable is an identifier, and differs by step."""
    names = [register_of(step) for step in ("a", "deploy/a", "deploy/a-b", "deploy/a_b")]

    assert all(name.isidentifier() for name in names)
    assert len(set(names)) == len(names)
