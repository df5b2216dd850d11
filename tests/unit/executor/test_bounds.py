"""How long an invocation may take."""

from runbook.executor.bounds import CONNECT_S, START_S, Bounds

BEGIN = {"kind": "ours", "host": "a", "task": "runbook_begin"}
BEGAN = {"kind": "began", "host": "a", "task": "Restart"}
ACTED = {"kind": "ours", "host": "a", "task": "runbook_acted"}


def test_a_look_at_many_hosts_takes_turns() -> None:
    """Hosts beyond the forks wait for the others; how many there are is told by the hosts' list."""
    bounds = Bounds(hosts=0, forks=50, act_s=None, look_s=10.0)

    assert bounds.at_start() == START_S + CONNECT_S + 10
    assert bounds.after({"kind": "hosts", "hosts": ["h"] * 101}) == START_S + 3 * (CONNECT_S + 10)
    assert bounds.after({"kind": "observed", "host": "a"}) is None


def test_an_action_is_bounded_from_its_first_task_on() -> None:
    """Neither the start nor the look afterwards are part of a fix's own time."""
    bounds = Bounds(hosts=2, forks=50, act_s=7.0, look_s=10.0)

    assert bounds.after({"kind": "began", "host": "a", "task": "Gathering Facts"}) is None
    assert bounds.after(BEGIN) == START_S + CONNECT_S + 7 + 10
    assert bounds.after(BEGAN) == 7.0
    assert bounds.after(ACTED) == START_S + CONNECT_S + 10


def test_no_stage_counts_twice() -> None:
    """A host cannot prolong it by going on and on."""
    bounds = Bounds(hosts=2, forks=50, act_s=7.0, look_s=10.0)
    for record in (BEGIN, BEGAN, ACTED):
        assert bounds.after(record) is not None

    assert [bounds.after(record) for record in (BEGIN, BEGAN, ACTED)] == [None, None, None]


def test_all_of_it_is_bounded() -> None:
    """A lease has to last that long."""
    bounds = Bounds(hosts=4, forks=2, act_s=7.0, look_s=10.0)

    assert bounds.longest() >= 2 * (CONNECT_S + 7 + 10)
