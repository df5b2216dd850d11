"""A share of the kills around a real host; `make crash` plays all of them."""

import pytest

from tests.crash.on_hosts import play_on
from tests.crash.processes import During, Victim
from tests.lab.host import HostPlan
from tests.lab.lab import Lab
from tests.lab.site import Site

pytestmark = pytest.mark.lab


def test_a_host_whose_power_is_cut_in_mid_undo_is_undone_in_the_end(lab: Lab, bare: Site) -> None:
    """The undo is unknown, with the reason; once the host is back it can be undone, each time counted."""
    lab.up(HostPlan(name="dying", site=bare))

    played = play_on(lab, "dying", Victim.HOST, During.UNDO, 4)

    assert not played.wrong
    assert played.stages
    lab.down("dying")
