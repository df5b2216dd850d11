"""A share of the kills around real Ansible; `make crash` plays all of them."""

import pytest

from tests.crash.processes import Victim, play_seed


@pytest.mark.parametrize(("victim", "seed"), [(Victim.STARTER, 2), (Victim.ANSIBLE, 3)])
def test_the_program_outlives_what_it_started(victim: Victim, seed: int) -> None:
    """Ansible is killed in mid-run: there is a verdict or a reason, and the next run mends the host."""
    played = play_seed(victim, seed)

    assert not played.wrong
    assert played.stages
