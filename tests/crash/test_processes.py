"""A share of the kills around real Ansible; `make crash` plays all of them."""

from tests.crash.processes import Victim, play_seed


def test_the_program_outlives_ansible() -> None:
    """Ansible is killed in mid-run: there is a verdict or a reason, and the next run mends the host."""
    played = play_seed(Victim.ANSIBLE, 2)

    assert not played.wrong
    assert played.stages
