"""Each runbook of the library is rehearsed: the healthy path, each cause, the unknown, the no."""

from pathlib import Path

import pytest

from runbook.model.definition import Fix
from runbook.model.verdict import Verdict
from runbook.rehearsal.cases import Case, Rehearsal
from runbook.rehearsal.playing import play
from runbook.rehearsal.reading import SUFFIX, read_rehearsal
from runbook.spec.places import runbook_files

LIBRARY = Path(__file__).parents[2] / "runbooks"
REHEARSALS = [
    read_rehearsal(LIBRARY / f"{path.stem}{SUFFIX}", [LIBRARY]) for path in runbook_files(LIBRARY)
]
CASES = [
    pytest.param(rehearsal, case, id=f"{rehearsal.runbook.name}: {case.title}")
    for rehearsal in REHEARSALS
    for case in rehearsal.cases
]
EACH = pytest.mark.parametrize("rehearsal", REHEARSALS, ids=[r.runbook.name for r in REHEARSALS])


@pytest.mark.parametrize(("rehearsal", "case"), CASES)
def test_the_case_comes_out_as_written(rehearsal: Rehearsal, case: Case) -> None:
    """The real engine and driver come to what the case says, over its canned outcomes."""
    played = play(rehearsal.runbook, case)

    assert [line for each in played if not each.as_expected for line in each.difference()] == []


@EACH
def test_each_own_cause_is_found_in_a_case(rehearsal: Rehearsal) -> None:
    """No cause of a runbook goes without a case that names it among those found."""
    found = {cause for case in rehearsal.cases for cause in _expected_causes(case)}

    assert sorted({name for name in rehearsal.runbook.causes if "/" not in name} - found) == []


@EACH
def test_each_own_fix_is_tried_in_a_case(rehearsal: Rehearsal) -> None:
    """No fix of a runbook goes without a case in which it is done; those it calls have their own."""
    own = {
        step.id
        for step in rehearsal.runbook.steps.values()
        if isinstance(step, Fix) and not step.scope
    }
    tried = {
        fix
        for case in rehearsal.cases
        for actor in case.hosts.values()
        for fix, _ in actor.expected.fixes or ()
    }

    assert sorted(own - tried) == []


@EACH
def test_the_healthy_the_unknown_and_the_no_are_rehearsed(rehearsal: Rehearsal) -> None:
    """There is a case that ends healthy, one that could not look, and one in which nobody agrees."""
    ends = {actor.expected.verdict for case in rehearsal.cases for actor in case.hosts.values()}
    fixes = any(isinstance(step, Fix) for step in rehearsal.runbook.steps.values())

    assert Verdict.HEALTHY in ends
    assert Verdict.UNKNOWN in ends
    assert not fixes or any(case.approved == frozenset() for case in rehearsal.cases)


def _expected_causes(case: Case) -> set[str]:
    return {cause for actor in case.hosts.values() for cause in actor.expected.causes or ()}
