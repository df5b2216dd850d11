"""Each fault once on real hosts: `runbook run fix-502` names its cause, shows it, and repairs it."""

from collections.abc import Callable
from pathlib import Path

import pytest

from runbook.spec.library import load
from tests.lab.faults import FAULTS, NOT_RUN
from tests.lab.lab import Lab
from tests.lab.matrix import Wave, once, play


@pytest.fixture(scope="module")
def broken(create_lab: Callable[[], Lab]) -> Lab:
    """Give a lab whose hosts are broken again and again."""
    return create_lab()


@pytest.mark.lab
@pytest.mark.matrix
@pytest.mark.parametrize(
    "wave", once(), ids=lambda wave: ", ".join(cell.fault.name for cell in wave)
)
def test_faults_are_named_shown_and_repaired(broken: Lab, wave: Wave) -> None:
    """One run over three hosts: the exact causes, true evidence, a site that answers, no traces."""
    assert {one.cell.fault.name: one.wrong for one in play(broken, wave)} == {
        cell.fault.name: [] for cell in wave
    }


def test_no_cause_is_left_out(repository: Path) -> None:
    """Each cause of the runbook is made by a fault, or listed with the reason why it is not."""
    causes = {cause.id for cause in load("fix-502", [repository / "runbooks"]).causes.values()}
    made = {cause for fault in FAULTS for cause in fault.causes}

    assert causes - made == causes & set(NOT_RUN)
    assert made <= causes
