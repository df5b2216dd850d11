"""When the process of a further host begins."""

from dataclasses import dataclass

from runbook.executor.pacing import MOST_FOR_ALL_S, MOST_FOR_ONE_S, WAIT_S, Pace, wanting_to_run


@dataclass(kw_only=True)
class _Machine:
    """Processors that are busy until a time, in seconds."""

    busy_until: float
    now: float = 0.0

    def running(self) -> int:
        return 99 if self.now < self.busy_until else 1

    def sleep(self, seconds: float) -> None:
        self.now += seconds

    def pace(self) -> Pace:
        return Pace(at_once=2, running=self.running, clock=lambda: self.now, sleep=self.sleep)


def test_who_finds_no_processor_waits_for_one() -> None:
    """The first ones begin at once, the next one as soon as the processors have time again."""
    machine = _Machine(busy_until=0.2)
    pace = machine.pace()
    pace.begin("look")
    pace.begin("look")
    assert machine.now == 0.0

    pace.begin("look")
    assert 0.2 <= machine.now <= 0.2 + 2 * WAIT_S


def test_nobody_waits_where_there_is_time() -> None:
    """Processors that are not busy hold up none of many hosts."""
    machine = _Machine(busy_until=0.0)
    pace = machine.pace()
    for _ in range(500):
        pace.begin("look")

    assert machine.now == 0.0


def test_a_busy_machine_holds_up_nobody_for_long() -> None:
    """Where others keep the processors busy, each host waits its time, and all of a task theirs."""
    machine = _Machine(busy_until=1e9)
    pace = machine.pace()
    for _ in range(3):
        pace.begin("look")
    assert abs(machine.now - MOST_FOR_ONE_S) <= 2 * WAIT_S

    for _ in range(500):
        pace.begin("look")
    assert abs(machine.now - MOST_FOR_ALL_S) <= MOST_FOR_ONE_S
    pace.begin("mend")
    pace.begin("mend")
    assert abs(machine.now - MOST_FOR_ALL_S) <= MOST_FOR_ONE_S


def test_the_machine_says_who_wants_to_run() -> None:
    """This test does, so there is one at least, where the machine says so."""
    assert wanting_to_run() >= 1
