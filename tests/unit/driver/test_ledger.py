"""What is written down of a run, and when."""

import pytest

from runbook.engine import start
from runbook.errors import RunbookError
from tests.engine_harness import HOST, intended, observed
from tests.unit.driver.stage import ONE_FIX, Stage


def test_an_event_that_does_not_fit_is_not_written() -> None:
    """A fix nobody approved is refused with what came along, and the run can still be written."""
    stage = Stage(runbook=ONE_FIX, hosts={})
    ledger = stage.begin().ledger
    ledger.open({HOST: start(ONE_FIX, HOST)})
    written = stage.events

    with pytest.raises(RunbookError) as caught:
        ledger.tell(observed(up="failed"), intended("restart"))

    assert caught.value.problems[0].reference == "event-out-of-place"
    assert stage.events == written
    assert ledger.states == {HOST: start(ONE_FIX, HOST)}
    assert not ledger.is_lost
    ledger.tell(observed(up="failed"))
    assert stage.events == [*written, observed(up="failed")]
