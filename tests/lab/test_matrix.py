"""Each fault once on real hosts: `runbook run fix-502` names its cause, shows it, and repairs it."""

from collections.abc import Callable
from pathlib import Path

import pytest

from runbook.spec.library import load
from tests.lab.cells import Wave, everywhere, once
from tests.lab.faults import FAULTS, NOT_RUN
from tests.lab.lab import Lab
from tests.lab.playing import play


@pytest.fixture(scope="module")
def broken(create_lab: Callable[[], Lab]) -> Lab:
    """Give a lab whose hosts are broken again and again."""
    return create_lab()


@pytest.mark.lab
@pytest.mark.matrix
@pytest.mark.parametrize(
    "wave", once(FAULTS), ids=lambda wave: ", ".join(cell.fault.name for cell in wave)
)
def test_faults_are_named_shown_and_repaired(broken: Lab, wave: Wave) -> None:
    """One run over all hosts: the exact causes, true evidence, a site that answers, no traces."""
    assert {one.cell.fault.name: one.wrong for one in play(broken, wave)} == {
        cell.fault.name: [] for cell in wave
    }


def test_once_has_every_cause_and_everywhere_every_cell() -> None:
    """No cell is silently left out, and no host of a wave is broken twice."""
    short, whole = once(FAULTS), everywhere(FAULTS)
    causes = [cause for wave in short for cell in wave for cause in cell.fault.causes]
    cells = [(cell.fault.name, cell.manager) for wave in whole for cell in wave]

    assert set(causes) == {cause for fault in FAULTS for cause in fault.causes}
    assert sorted(cells) == sorted((fault.name, one) for fault in FAULTS for one in fault.managers)
    for wave in (*short, *whole):
        assert len({cell.host for cell in wave}) == len(wave)


def test_no_cause_is_left_out(repository: Path) -> None:
    """Each cause of the runbook is made by a fault, or listed with the reason why it is not."""
    causes = {cause.id for cause in load("fix-502", [repository / "runbooks"]).causes.values()}
    made = {cause for fault in FAULTS for cause in fault.causes}

    assert causes - made == causes & set(NOT_RUN)
    assert made <= causes
