"""What the runs of a runbook add up to."""

from collections.abc import Iterable

import pytest

from runbook.driver.figures import Figures, Flapping, Times, figures, times
from runbook.journal import MilestoneFilter, RunFilter
from runbook.journal.memory import MemoryJournal
from runbook.model.definition import End, FixResult
from runbook.model.event import (
    Acted,
    Event,
    FixConcluded,
    FixEnded,
    FixIntended,
    HostFinished,
    Mode,
)
from runbook.model.verdict import Verdict
from tests.contract.journals import run

DAY = 86400.0


def added_up(*walks: tuple[float, Mode, Iterable[tuple[float, Event]]]) -> Figures:
    """Return the figures of runs, one for each walk: its start, mode, and events so much later."""
    journal = MemoryJournal()
    for number, (began, mode, walk) in enumerate(walks):
        journal.begin(run(f"r{number}", started_at=began, mode=mode))
        for after, event in walk:
            journal.append(f"r{number}", [event], at=began + after, who="anna")
    return figures(
        journal.runs(RunFilter(limit=None)),
        journal.milestones(MilestoneFilter(runbook="fix-502", limit=None)),
        window_s=DAY,
    )


def mended(
    host: str, took_s: float, *causes: str, result: FixResult = FixResult.RESOLVED
) -> list[tuple[float, Event]]:
    """Return a walk with one fix, which begins after 10 s."""
    good = result is FixResult.RESOLVED
    verdict = Verdict.RESOLVED if good else Verdict.UNRESOLVED
    return [
        (10.0, FixIntended(host=host, step="restart", attempt=1, invocation="i1")),
        (10.5, FixEnded(host=host, step="restart", acted=Acted.CHANGED)),
        (
            10.0 + took_s,
            FixConcluded(host=host, step="restart", result=result, next=End(verdict=verdict)),
        ),
        (10.0 + took_s, HostFinished(host=host, verdict=verdict, causes=causes)),
    ]


def test_runs_are_added_up() -> None:
    """Causes, fixes, verdicts and times are counted by hosts, over all runs."""
    told = added_up(
        (1000.0, Mode.RUN, mended("web1", 40.0, "stopped")),
        (2000.0, Mode.RUN, mended("web2", 60.0, "stopped", "full")),
        (3000.0, Mode.RUN, mended("web3", 90.0, "full", result=FixResult.NO_EFFECT)),
        (4000.0, Mode.RUN, [(3.0, HostFinished(host="web4", verdict=Verdict.HEALTHY))]),
    )

    assert (told.runs, told.walks, told.faults) == (4, 4, 3)
    assert told.verdicts == {Verdict.RESOLVED: 2, Verdict.UNRESOLVED: 1, Verdict.HEALTHY: 1}
    assert {name: past.found for name, past in told.past.causes.items()} == {
        "stopped": 2,
        "full": 2,
    }
    assert (told.past.fixes["restart"].tried, told.past.fixes["restart"].worked) == (3, 2)
    assert told.fix_times["restart"] == Times(count=2, median_s=50.0, p90_s=60.0)
    assert told.repair == Times(count=2, median_s=60.0, p90_s=70.0)
    assert told.flapping == ()


def test_a_diagnosis_counts_for_nothing() -> None:
    """Whoever looks first and repairs then has met one fault."""
    found = HostFinished(host="web1", verdict=Verdict.UNRESOLVED, causes=("stopped",))

    told = added_up(
        (1000.0, Mode.DIAGNOSE, [(2.0, found)]),
        (1100.0, Mode.RUN, mended("web1", 40.0, "stopped")),
    )

    assert (told.runs, told.faults, told.past.causes["stopped"].found) == (1, 1, 1)
    assert told.flapping == ()


def test_a_walk_that_waited_is_counted_once() -> None:
    """The last verdict of a host in a run is the one that counts."""
    waiting = HostFinished(host="web1", verdict=Verdict.WAITING, causes=("stopped",))

    told = added_up((1000.0, Mode.RUN, [(1.0, waiting), *mended("web1", 40.0, "stopped")]))

    assert told.verdicts == {Verdict.RESOLVED: 1}
    assert told.past.causes["stopped"].found == 1


def test_a_cause_flaps_that_is_back_within_the_window() -> None:
    """Counted are returns of the same cause to the same host, each after its last time."""
    told = added_up(
        (0.0, Mode.RUN, mended("web1", 40.0, "stopped")),
        (DAY - 100, Mode.RUN, mended("web1", 40.0, "stopped")),
        (DAY * 1.5, Mode.RUN, mended("web1", 40.0, "stopped", "full")),
        (DAY * 1.6, Mode.RUN, mended("web2", 40.0, "stopped")),
        (DAY * 9, Mode.RUN, mended("web1", 40.0, "stopped")),
    )

    assert told.flapping == (Flapping(host="web1", cause="stopped", again=2, last_at=DAY * 9 + 50),)


def test_nothing_adds_up_to_nothing() -> None:
    """Without runs every figure says that there are none."""
    assert added_up() == Figures()


@pytest.mark.parametrize(
    ("seconds", "median", "p90"),
    [
        ([5.0], 5.0, 5.0),
        ([1.0, 3.0], 2.0, 3.0),
        ([float(number) for number in range(10, 0, -1)], 5.5, 9.0),
        ([1.0] * 19 + [100.0], 1.0, 1.0),
    ],
)
def test_the_middle_and_what_nine_of_ten_did_not_exceed(
    seconds: list[float], median: float, p90: float
) -> None:
    """The 90th percentile is one of the times, the least that so many did not exceed."""
    assert times(seconds) == Times(count=len(seconds), median_s=median, p90_s=p90)
