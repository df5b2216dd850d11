"""Faults on real hosts: `runbook run fix-502` names each cause, shows it, and repairs it.

Each cause of the runbook is played once: here, or where the sandbox can have it, in
`tests/sandbox/test_fix_502.py`, which needs no root. `make matrix` plays every fault under every manager.
"""

from collections.abc import Callable
from pathlib import Path

import pytest

from runbook.demo import faults as sandbox
from runbook.spec.library import load
from tests.lab.cells import Wave, everywhere, once
from tests.lab.faults import FAULTS, NOT_RUN
from tests.lab.lab import Lab
from tests.lab.playing import play

IN_THE_SANDBOX = {fault.cause for fault in sandbox.FAULTS.values()}
ORDINARY = once(FAULTS, but=IN_THE_SANDBOX)


@pytest.fixture(scope="module")
def broken(create_lab: Callable[[], Lab]) -> Lab:
    """Give a lab whose hosts are broken again and again."""
    return create_lab()


@pytest.mark.lab
@pytest.mark.parametrize(
    "wave", ORDINARY, ids=lambda wave: ", ".join(cell.fault.name for cell in wave)
)
def test_faults_are_named_shown_and_repaired(broken: Lab, wave: Wave) -> None:
    """One run over all hosts: the exact causes, true evidence, a site that answers, no traces."""
    assert {one.cell.fault.name: one.wrong for one in play(broken, wave)} == {
        cell.fault.name: [] for cell in wave
    }


def test_everywhere_has_every_cell() -> None:
    """No cell of the matrix is silently left out, and no host of a wave is broken twice."""
    whole = everywhere(FAULTS)
    cells = [(cell.fault.name, cell.manager) for wave in whole for cell in wave]

    assert sorted(cells) == sorted((fault.name, one) for fault in FAULTS for one in fault.managers)
    for wave in (*ORDINARY, *whole):
        assert len({cell.host for cell in wave}) == len(wave)


def test_no_cause_is_left_out(repository: Path) -> None:
    """Each cause of the runbook is made in every run of all tests, or listed with the reason why not."""
    causes = {cause.id for cause in load("fix-502", [repository / "runbooks"]).causes.values()}
    played = {cause for wave in ORDINARY for cell in wave for cause in cell.fault.causes}
    made = {cause for fault in FAULTS for cause in fault.causes}

    assert causes - played - IN_THE_SANDBOX == causes & set(NOT_RUN)
    assert made | IN_THE_SANDBOX <= causes
