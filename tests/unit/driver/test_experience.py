"""What earlier runs tell of fixes and causes."""

from collections.abc import Iterable

from runbook.driver.experience import (
    Attempt,
    CauseExperience,
    FixExperience,
    attempts,
    experience,
)
from runbook.journal import Entry, MilestoneFilter
from runbook.journal.memory import MemoryJournal
from runbook.model.definition import End, FixResult
from runbook.model.event import (
    Acted,
    Event,
    FixConcluded,
    FixEnded,
    FixIntended,
    FixRechecked,
    HostFinished,
    UndoEnded,
)
from runbook.model.observation import TaskChange, Verification
from runbook.model.verdict import Verdict
from tests.contract.journals import run


def told(*walks: tuple[float, Iterable[tuple[float, Event]]]) -> list[Entry]:
    """Return the milestones of runs, one for each walk, begun at a time; events come so later."""
    journal = MemoryJournal()
    for number, (began, walk) in enumerate(walks):
        journal.begin(run(f"r{number}"))
        for after, event in walk:
            journal.append(f"r{number}", [event], at=began + after, who="anna")
    return list(journal.milestones(MilestoneFilter(runbook="fix-502")))


def fixed(
    host: str,
    result: FixResult,
    took_s: float,
    acted: Acted = Acted.CHANGED,
    changes: tuple[TaskChange, ...] = (),
) -> list[tuple[float, Event]]:
    """Return a fix on a host from its intent to its conclusion."""
    return [
        (0.0, FixIntended(host=host, step="restart", attempt=1, invocation="i1")),
        (0.1, FixEnded(host=host, step="restart", acted=acted, changes=changes)),
        (
            took_s,
            FixConcluded(
                host=host, step="restart", result=result, next=End(verdict=Verdict.RESOLVED)
            ),
        ),
    ]


def test_a_fix_is_judged_by_what_was_seen_after_it() -> None:
    """Only verified results count as worked; the median is of those; the newest failure is named."""
    entries = told(
        (100.0, fixed("web1", FixResult.RESOLVED, 40.0)),
        (200.0, fixed("web2", FixResult.NO_EFFECT, 900.0)),
        (300.0, fixed("web1", FixResult.CAUSE_REMOVED, 42.0)),
        (400.0, fixed("web3", FixResult.UNKNOWN, 7.0, Acted.UNKNOWN)),
    )

    assert experience(entries).fixes == {
        "restart": FixExperience(
            tried=4,
            worked=2,
            median_s=41.0,
            last_failure=Attempt(
                run="r3",
                step="restart",
                host="web3",
                at=400.0,
                result=FixResult.UNKNOWN,
                took_s=7.0,
            ),
        )
    }


def test_what_helped_by_its_fallback_or_was_taken_back_did_not_work() -> None:
    """A task that failed and was rescued, a fix that did not last, one that was undone: as they were."""
    stumbled = (
        TaskChange(name="Reload it", status="failed"),
        TaskChange(name="Restart it", status="ok"),
    )
    rescued = fixed("web1", FixResult.RESOLVED, 9.0, changes=stumbled)
    failed = fixed("web2", FixResult.FAILED, 9.0, Acted.FAILED, changes=stumbled)
    again = Verification(result=FixResult.RECURRED)
    recurred: list[tuple[float, Event]] = [
        *fixed("web3", FixResult.RESOLVED, 9.0),
        (20.0, FixRechecked(host="web3", step="restart", verification=again)),
    ]
    undone: list[tuple[float, Event]] = [
        *fixed("web4", FixResult.RESOLVED, 9.0),
        (99.0, UndoEnded(host="web4", step="restart", acted=Acted.CHANGED)),
    ]
    kept: list[tuple[float, Event]] = [
        *fixed("web5", FixResult.RESOLVED, 8.0),
        (99.0, UndoEnded(host="web5", step="restart", acted=Acted.WITHHELD)),
    ]
    walks = enumerate([rescued, failed, recurred, undone, kept])
    known = experience(told(*((1000.0 * number, walk) for number, walk in walks)))
    fix = known.fixes["restart"]

    assert (fix.tried, fix.worked, fix.fell_back, fix.median_s) == (5, 1, 1, 8.0)
    assert fix.last_failure is not None
    assert (fix.last_failure.host, fix.last_failure.undone) == ("web4", True)


def test_what_never_ran_is_no_experience() -> None:
    """A declined fix, a withheld one and one whose end nobody recorded count neither way."""
    declined = fixed("web1", FixResult.DECLINED, 1.0)[2:]
    withheld = fixed("web1", FixResult.UNKNOWN, 1.0, Acted.WITHHELD)
    under_way = fixed("web1", FixResult.RESOLVED, 1.0)[:2]

    entries = told((1.0, declined), (2.0, withheld), (3.0, under_way))

    assert [(attempt.run, attempt.result) for attempt in attempts(entries)] == [("r2", None)]
    assert experience(entries).fixes == {"restart": FixExperience()}
    assert experience(told((1.0, declined))).fixes == {}


def test_tries_of_one_fix_on_one_host_are_told_apart() -> None:
    """A run that tries a fix twice made two attempts, however the clock was set meanwhile."""
    first, second = fixed("web1", FixResult.NO_EFFECT, 5.0), fixed("web1", FixResult.RESOLVED, 3.0)
    walk = first + [(after - 60.0, event) for after, event in second]

    assert [attempt.result for attempt in attempts(told((100.0, walk)))] == [
        FixResult.RESOLVED,
        FixResult.NO_EFFECT,
    ]


def test_a_conclusion_whose_beginning_was_not_read_is_passed_over() -> None:
    """Looking back stops at some entry; half an attempt beyond it is none."""
    entries = told((1.0, fixed("web1", FixResult.RESOLVED, 1.0)))

    assert attempts(entries[:2]) == []


def test_causes_that_cleared_by_themselves_are_counted() -> None:
    """A cause counts once for each host that finished with it, cleared where nobody had acted."""
    entries = told(
        (1.0, [(0.0, HostFinished(host="web1", verdict=Verdict.RESOLVED, causes=("a", "b")))]),
        (2.0, [(0.0, HostFinished(host="web2", verdict=Verdict.SELF_RECOVERED, causes=("a",)))]),
        (3.0, [(0.0, HostFinished(host="web2", verdict=Verdict.HEALTHY))]),
    )

    assert experience(entries).causes == {
        "a": CauseExperience(found=2, cleared=1),
        "b": CauseExperience(found=1, cleared=0),
    }
