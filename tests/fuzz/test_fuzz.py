"""What reads what others wrote takes anything: a bounded share of what `make fuzz` does."""

import pytest

from tests.fuzz.__main__ import fuzz
from tests.fuzz.targets import TARGETS, Target


@pytest.mark.parametrize("target", TARGETS, ids=lambda target: target.name)
def test_nothing_that_is_read_leads_to_a_traceback(target: Target) -> None:
    """Inputs that are nearly right are taken, or refused in words of ours; each in time."""
    outcome = fuzz(target, 4 * target.share, seed=0)

    assert outcome.inputs == 4 * target.share
    assert not outcome.troubles, outcome.troubles[0]


def test_a_traceback_is_found() -> None:
    """A reader that trusts its input is seen to fail, with what led to it."""
    trusting = Target(name="trusting", take=lambda data: data.decode("ascii"), seeds=(b"text",))

    (trouble,) = fuzz(trusting, 300, seed=0).troubles

    assert "UnicodeDecodeError" in trouble
    assert "input: b" in trouble
