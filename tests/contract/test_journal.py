"""What every journal does, whatever it is stored in."""

from collections.abc import Callable, Iterator
from dataclasses import replace
from functools import partial
from pathlib import Path
from threading import Thread
from typing import Any, cast

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from runbook.errors import RunbookError
from runbook.journal import Claim, Conflict, Entry, Head, Journal, MilestoneFilter, RunFilter
from runbook.journal.chain import GENESIS
from runbook.journal.holder import this_process
from runbook.journal.memory import MemoryJournal
from runbook.journal.opening import open_journal
from runbook.model.definition import End, FixResult
from runbook.model.event import (
    Event,
    FixConcluded,
    FixIntended,
    HostFinished,
    HostJoined,
    RunFinished,
    RunInterrupted,
    RunResumed,
)
from runbook.model.masking import MASK
from runbook.model.verdict import Verdict
from tests.contract.journals import STARTED, WALK, dead, living, reference, run
from tests.event_strategies import events, unhurried


@pytest.fixture(params=["sqlite", "postgres", "memory"])
def journal(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Journal]:
    """Give an empty journal of each kind."""
    store: Journal
    match request.param:
        case "sqlite":
            store = open_journal(tmp_path / "state" / "journal.db")
        case "postgres":
            store = open_journal(request.getfixturevalue("postgres_server").journal())
        case _:
            store = MemoryJournal()
    yield store
    store.close()


def written(journal: Journal, name: str = "r1") -> list[Event]:
    """Return the events of a run as read back."""
    return [entry.event for entry in journal.entries(name)]


def test_entries_are_read_back_in_order(journal: Journal) -> None:
    """What was appended is read back equal, numbered from 1, with who and when, and linked."""
    journal.begin(run("r1"))
    journal.append("r1", WALK[:3], at=10.25, who="anna")
    journal.append("r1", WALK[3:], at=11.5, who="engine")

    entries = list(journal.entries("r1"))

    assert tuple(entry.event for entry in entries) == WALK
    assert [entry.seq for entry in entries] == list(range(1, len(WALK) + 1))
    assert [entry.at for entry in entries] == [10.25] * 3 + [11.5] * (len(WALK) - 3)
    assert [entry.who for entry in entries] == ["anna"] * 3 + ["engine"] * (len(WALK) - 3)
    assert {entry.run for entry in entries} == {"r1"}
    assert [entry.previous for entry in entries] == [
        GENESIS,
        *(entry.hash for entry in entries[:-1]),
    ]
    assert journal.verify("r1") == Head(seq=len(WALK), hash=entries[-1].hash)


@given(batches=st.lists(st.lists(events, max_size=4), max_size=4))
@settings(
    unhurried,
    suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow],
    max_examples=30,
)
def test_any_events_are_kept(journal: Journal, batches: list[list[Event]]) -> None:
    """Whatever the events hold, the journal keeps them (masked as the codec says) and verifies."""
    name = f"r{len(journal.runs(RunFilter(limit=None)))}"
    journal.begin(run(name))
    for batch in batches:
        journal.append(name, batch, at=1.0, who="anna")

    kinds = [type(event) for event in written(journal, name)]

    assert kinds == [type(event) for batch in batches for event in batch]


def test_reading_goes_on_where_it_stopped(journal: Journal) -> None:
    """`after` skips what has been read, and the link to what was skipped is right."""
    journal.begin(run("r1"))
    journal.append("r1", WALK, at=1.0, who="anna")
    whole = list(journal.entries("r1"))

    for after in range(len(WALK) + 2):
        assert list(journal.entries("r1", after=after)) == whole[after:]


def test_many_entries_are_read_back(journal: Journal) -> None:
    """Reading by portions loses nothing at their edges, also while more is written."""
    journal.begin(run("r1"))
    joined = [HostJoined(host=f"web{number}") for number in range(1001)]
    journal.append("r1", joined, at=1.0, who="anna")

    reading = journal.entries("r1")
    first: Entry = next(reading)
    journal.append("r1", [STARTED], at=2.0, who="anna")

    assert [first.event, *(entry.event for entry in reading)][:1001] == joined


def test_events_are_masked_before_they_are_kept(journal: Journal) -> None:
    """What looks like a secret reaches neither the entry nor its hash; names stay as they are."""
    secret = HostJoined(host="password=web1", params={"url": "http://a:hunter2@b.example/"})
    journal.begin(run("r1"))
    journal.append("r1", [secret], at=1.0, who="anna")

    assert written(journal) == [
        HostJoined(host="password=web1", params={"url": f"http://a:{MASK}@b.example/"})
    ]
    journal.verify("r1")


def test_a_clock_going_back_changes_no_order(journal: Journal) -> None:
    """Entries keep the order they were written in, whatever the clock says."""
    journal.begin(run("r1"))
    journal.append("r1", [HostJoined(host="a")], at=100.0, who="anna")
    journal.append("r1", [HostJoined(host="b")], at=50.0, who="anna")

    assert written(journal) == [HostJoined(host="a"), HostJoined(host="b")]
    journal.verify("r1")


def test_a_batch_that_cannot_be_written_leaves_nothing(journal: Journal) -> None:
    """When one event of a batch has no plain form, none of the batch is kept."""
    journal.begin(run("r1"))
    journal.append("r1", [STARTED], at=1.0, who="anna")
    unwritable = HostJoined(host="web1", params={"what": object()})

    with pytest.raises(TypeError):
        journal.append("r1", [HostJoined(host="web0"), unwritable], at=2.0, who="anna")

    assert written(journal) == [STARTED]
    assert journal.find("r1").hosts == ()
    journal.verify("r1")


def test_threads_share_a_journal(journal: Journal) -> None:
    """Several threads append to one run and to their own; nothing is lost and chains hold."""
    journal.begin(run("shared"))

    def work(name: str) -> None:
        journal.begin(run(name))
        for number in range(20):
            event = HostJoined(host=f"{name}-{number}")
            journal.append(name, [event], at=1.0, who=name)
            journal.append("shared", [event], at=1.0, who=name)
            journal.runs(RunFilter())

    threads = [Thread(target=work, args=(f"t{number}",)) for number in range(6)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()

    assert journal.verify("shared").seq == 120
    assert [journal.verify(f"t{number}").seq for number in range(6)] == [20] * 6
    for number in range(6):
        own = [entry.event for entry in journal.entries("shared") if entry.who == f"t{number}"]
        assert own == written(journal, f"t{number}")


def test_summary_follows_from_entries(journal: Journal) -> None:
    """Hosts and causes of a run come from its entries, in their order, each once."""
    journal.begin(run("r1"))
    journal.append("r1", WALK[:2], at=1.0, who="anna")
    journal.append("r1", WALK[2:], at=1.0, who="anna")

    summary = journal.find("r1")

    assert summary.hosts == ("web2", "web1")
    assert summary.causes == ("stopped", "crashed", "overloaded", "old")
    assert (summary.verdict, summary.ended_at, summary.interrupted) == (None, None, None)
    assert summary.holder == this_process()


def test_summary_follows_the_run_through_its_ends(journal: Journal) -> None:
    """A run is interrupted, goes on, finishes, and after all goes on again: history says so."""
    journal.begin(run("r1"))

    def after(event: Event, at: float) -> tuple[Verdict | None, float | None, str | None]:
        journal.append("r1", [event], at=at, who="anna")
        journal.verify("r1")
        summary = journal.find("r1")
        return summary.verdict, summary.ended_at, summary.interrupted

    assert after(RunInterrupted(reason="SIGTERM"), 2.0) == (None, None, "SIGTERM")
    assert after(RunResumed(operator="ben"), 3.0) == (None, None, None)
    assert after(RunFinished(verdict=Verdict.WAITING), 4.0) == (Verdict.WAITING, 4.0, None)
    assert after(RunResumed(operator="ben"), 5.0) == (None, None, None)
    assert after(RunFinished(verdict=Verdict.RESOLVED), 6.0) == (Verdict.RESOLVED, 6.0, None)


def test_run_is_found_by_the_start_of_its_id(journal: Journal) -> None:
    """A prefix that means one run finds it, a whole id even where it starts another's."""
    for name in ("20261121-a", "20261121-b", "20261121-b2", "x%_"):
        journal.begin(run(name))

    assert journal.find("20261121-a").id == "20261121-a"
    assert journal.find("20261121-b").id == "20261121-b"
    assert journal.find("x").id == "x%_"
    for prefix in ("2026", "", "b", "x_", "%"):
        assert reference(partial(journal.find, prefix)) == "unknown-run"


def test_ambiguous_prefix_names_the_runs(journal: Journal) -> None:
    """The error of a prefix that several runs share shows which."""
    journal.begin(run("r1"))
    journal.begin(run("r2"))

    with pytest.raises(RunbookError, match="r1, r2"):
        journal.find("r")


def test_runs_are_listed_newest_first_and_filtered(journal: Journal) -> None:
    """History can be asked for a runbook, a host, a verdict, a time, and a number of runs."""
    for number in range(5):
        name = f"r{number}"
        journal.begin(
            run(name, started_at=100.0 + number, runbook="disk-full" if number == 3 else "fix-502")
        )
        journal.append(name, [HostJoined(host=f"web{number % 2}")], at=1.0, who="anna")
    journal.append("r4", [RunFinished(verdict=Verdict.HEALTHY)], at=1.0, who="anna")

    def listed(**which: Any) -> list[str]:
        return [summary.id for summary in journal.runs(RunFilter(**which))]

    assert listed() == ["r4", "r3", "r2", "r1", "r0"]
    assert listed(limit=2) == ["r4", "r3"]
    assert listed(limit=None) == ["r4", "r3", "r2", "r1", "r0"]
    assert listed(runbook="disk-full") == ["r3"]
    assert listed(host="web1") == ["r3", "r1"]
    assert listed(host="web") == []
    assert listed(verdict=Verdict.HEALTHY) == ["r4"]
    assert listed(since=103.0) == ["r4", "r3"]
    assert listed(until=101.0) == ["r1", "r0"]
    assert listed(since=101.0, until=103.0, runbook="fix-502", host="web0", limit=1) == ["r2"]


def test_runs_are_filtered_by_cause_and_operator(journal: Journal) -> None:
    """History can be asked for what was found and who asked, and for all of it at once."""
    for number, (who, cause) in enumerate(
        [("anna", "stopped"), ("ben", "stopped"), ("anna", "full"), ("anna", "stopped")]
    ):
        name = f"r{number}"
        journal.begin(run(name, started_at=100.0 + number, operator=who))
        found: Event = HostFinished(host="web1", verdict=Verdict.RESOLVED, causes=(cause, "other"))
        walk = [HostJoined(host=f"web{number % 2}"), HostJoined(host="web9"), found]
        journal.append(name, walk, at=1.0, who=who)

    def listed(**which: Any) -> list[str]:
        return [summary.id for summary in journal.runs(RunFilter(**which))]

    assert listed(cause="stopped") == ["r3", "r1", "r0"]
    assert listed(cause="stop") == []
    assert listed(who="anna") == ["r3", "r2", "r0"]
    assert listed(cause="other", who="ben") == ["r1"]
    assert listed(cause="stopped", host="web1") == ["r3", "r1"]
    assert listed(cause="stopped", host="web1", who="anna", since=101.0, limit=1) == ["r3"]
    assert listed(cause="stopped", until=100.0) == ["r0"]
    (summary,) = journal.runs(RunFilter(cause="full"))
    assert (summary.hosts, summary.causes) == (("web0", "web9"), ("full", "other"))


def test_runs_of_one_instant_are_listed_last_begun_first(journal: Journal) -> None:
    """Runs that started at the same time keep the order they were begun in."""
    for name in ("b", "a", "c"):
        journal.begin(run(name))

    assert [summary.id for summary in journal.runs(RunFilter())] == ["c", "a", "b"]


def test_milestones_are_found_over_all_runs(journal: Journal) -> None:
    """Fixes and verdicts of a runbook are read back newest first, as `entries` gives them."""
    for number, (name, runbook) in enumerate(
        [("r1", "fix-502"), ("r2", "disk-full"), ("r3", "fix-502")]
    ):
        journal.begin(run(name, runbook=runbook))
        journal.append(name, WALK, at=10.0 + number, who="anna")
    journal.append("r1", [HostFinished(host="web2", verdict=Verdict.HEALTHY)], at=5.0, who="ben")

    def marked(**which: Any) -> list[tuple[str, int]]:
        found = journal.milestones(MilestoneFilter(**{"runbook": "fix-502", **which}))
        assert all(entry in list(journal.entries(entry.run)) for entry in found)
        return [(entry.run, entry.seq) for entry in found]

    newest = [("r3", seq) for seq in (9, 8, 7, 6)]
    oldest = [("r1", seq) for seq in (9, 8, 7, 6, 10)]
    assert marked() == newest + oldest
    assert marked(runbook="disk-full") == [("r2", seq) for seq in (9, 8, 7, 6)]
    assert marked(runbook=None) == newest + marked(runbook="disk-full") + oldest
    assert marked(runbook=None, hosts=["web2"]) == [("r1", 10)]
    assert marked(runbook=None, limit=1) == newest[:1]
    assert marked(hosts=["web2", "web9"]) == [("r1", 10)]
    assert marked(hosts=[]) == []
    assert marked(since=12.0) == newest
    assert marked(limit=2, hosts=("web1",)) == newest[:2]
    assert marked(limit=None) == newest + oldest
    assert marked(fixes=True) == [mark for mark in newest + oldest if mark[1] < 9]
    assert marked(fixes=True, runbook=None, limit=4)[3:] == [("r2", 8)]
    assert marked(fixes=True, hosts=["web2"]) == []
    declined = FixConcluded(
        host="web1", step="restart", result=FixResult.DECLINED, next=End(verdict=Verdict.DECLINED)
    )
    journal.append("r3", [declined], at=13.0, who="anna")
    assert len(marked(fixes=True)) == 6
    assert len(marked()) == 10


def test_a_run_that_is_over_can_be_removed(journal: Journal) -> None:
    """All of it goes, and the others' chains hold; what is live, waits or is half done stays."""
    over = [RunFinished(verdict=Verdict.RESOLVED)]
    begun = FixIntended(host="web9", step="restart", attempt=1, invocation="i")
    for name in ("r1", "r2", "live", "waiting", "half", "holding"):
        journal.begin(run(name))
        journal.append(name, [STARTED, HostJoined(host="web1")], at=1.0, who="anna")
    for name in ("r1", "r2", "holding"):
        journal.append(name, [*WALK, *over], at=2.0, who="anna")
    journal.append("waiting", [RunFinished(verdict=Verdict.WAITING)], at=2.0, who="anna")
    journal.append("half", [HostJoined(host="web9"), begun, *over], at=2.0, who="anna")
    journal.claim("holding", ["web7"], at=2.0)

    removed = [
        name for name in ("r1", "live", "waiting", "half", "holding") if journal.remove(name)
    ]

    assert removed == ["r1"]
    assert {found.id for found in journal.runs(RunFilter())} == {
        "r2", "live", "waiting", "half", "holding"
    }  # fmt: skip
    assert "r1" not in {entry.run for entry in journal.milestones(MilestoneFilter())}
    assert "r1" not in {found.id for found in journal.runs(RunFilter(host="web1"))}
    for name in ("r2", "live", "waiting", "half", "holding"):
        journal.verify(name)
    with pytest.raises(RunbookError):
        journal.remove("r1")


def test_a_run_that_does_not_exist_is_named(journal: Journal) -> None:
    """Each method that takes a run says `unknown-run` at once when there is none."""
    actions: list[Callable[[], object]] = [
        lambda: journal.append("r9", [STARTED], at=1.0, who="anna"),
        lambda: journal.entries("r9"),
        lambda: journal.verify("r9"),
        lambda: journal.find("r9"),
        lambda: journal.claim("r9", ["web1"], at=1.0),
        lambda: journal.take_over("r9", this_process()),
    ]
    for action in actions:
        assert reference(action) == "unknown-run"


def test_a_run_is_begun_once(journal: Journal) -> None:
    """An id that is taken is refused, and what it names is left as it was."""
    journal.begin(run("r1"))

    assert reference(lambda: journal.begin(run("r1", runbook="other"))) == "run-exists"
    assert journal.find("r1").runbook == "fix-502"


def test_a_run_is_begun_with_its_first_entries_or_not_at_all(journal: Journal) -> None:
    """Nobody finds a run whose beginning is not told: both are one write, the operator's."""
    journal.begin(run("r1", started_at=7.0, operator="anna"), WALK[:2])
    assert reference(lambda: journal.begin(run("r1"), WALK)) == "run-exists"

    entries = list(journal.entries("r1"))
    assert tuple(entry.event for entry in entries) == WALK[:2]
    assert {(entry.at, entry.who) for entry in entries} == {(7.0, "anna")}
    assert journal.verify("r1").seq == 2

    unwritable = cast("Event", object())
    with pytest.raises(TypeError):
        journal.begin(run("r2"), [unwritable])
    assert reference(lambda: journal.find("r2")) == "unknown-run"


def test_a_closed_journal_is_unusable(journal: Journal) -> None:
    """After closing, every call says so; closing twice is no error."""
    journal.begin(run("r1"))
    journal.close()
    journal.close()

    actions: list[Callable[[], object]] = [
        lambda: journal.begin(run("r2")),
        lambda: journal.append("r1", [STARTED], at=1.0, who="anna"),
        lambda: journal.entries("r1"),
        lambda: journal.verify("r1"),
        lambda: journal.find("r1"),
        lambda: journal.runs(RunFilter()),
        lambda: journal.milestones(MilestoneFilter(runbook="fix-502")),
        lambda: journal.claim("r1", ["web1"], at=1.0),
        lambda: journal.release("r1", ["web1"]),
        journal.claims,
        lambda: journal.take_over("r1", this_process()),
    ]
    for action in actions:
        assert reference(action) == "journal-unusable"


def test_hosts_are_held_all_or_none(journal: Journal) -> None:
    """A run gets all hosts it asks for or none, and is told who stands against it."""
    journal.begin(run("r1"))
    journal.begin(run("r2", runbook="disk-full"))

    assert journal.claim("r1", ["web2", "web1"], at=5.0) is None
    assert journal.claim("r2", ["web0", "web2", "web3"], at=6.0) == Conflict(
        claims=(
            Claim(
                host="web2",
                run="r1",
                runbook="fix-502",
                since=5.0,
                holder=this_process(),
                alive=True,
                acting=False,
            ),
        )
    )
    assert [claim.host for claim in journal.claims()] == ["web1", "web2"]


def test_a_run_may_claim_what_it_holds(journal: Journal) -> None:
    """Claiming again, and more, is no conflict with oneself; the first claim's time stays."""
    journal.begin(run("r1"))
    journal.claim("r1", ["web1"], at=5.0)

    assert journal.claim("r1", ["web1", "web2", "web2"], at=6.0) is None
    assert [(claim.host, claim.since) for claim in journal.claims()] == [
        ("web1", 5.0),
        ("web2", 6.0),
    ]


def test_ten_thousand_hosts_are_claimed_at_once(journal: Journal) -> None:
    """No limit of a statement's parameters stands in the way of a large run."""
    hosts = [f"web{number}" for number in range(10_000)]
    journal.begin(run("r1"))
    journal.begin(run("r2"))

    assert journal.claim("r1", hosts, at=1.0) is None
    conflict = journal.claim("r2", hosts, at=1.0)

    assert conflict is not None
    assert len(conflict.claims) == 10_000
    journal.release("r1", hosts)
    assert journal.claims() == []


def test_only_ones_own_hosts_are_released(journal: Journal) -> None:
    """Letting go of what another run holds does nothing."""
    journal.begin(run("r1"))
    journal.begin(run("r2"))
    journal.claim("r1", ["web1", "web2"], at=1.0)

    journal.release("r2", ["web1"])
    journal.release("r1", ["web2", "web9"])

    assert [(claim.host, claim.run) for claim in journal.claims()] == [("web1", "r1")]
    assert journal.claim("r2", ["web2"], at=2.0) is None


def test_a_host_is_let_go_with_its_verdict_and_all_with_the_runs(journal: Journal) -> None:
    """It is one write, so that no kill falls between; others' hosts stay held."""
    for name, hosts in {"r1": ["web1", "web2", "web3"], "r2": ["web4"]}.items():
        journal.begin(run(name))
        journal.claim(name, hosts, at=1.0)
    seen: list[list[str]] = []

    for event in (
        HostFinished(host="web1", verdict=Verdict.HEALTHY),
        HostFinished(host="web4", verdict=Verdict.HEALTHY),
        RunFinished(verdict=Verdict.HEALTHY),
    ):
        journal.append("r1", [event], at=2.0, who="anna")
        seen.append([claim.host for claim in journal.claims()])

    assert seen == [["web2", "web3", "web4"], ["web2", "web3", "web4"], ["web4"]]


def test_a_host_is_never_taken_from_a_living_process(journal: Journal) -> None:
    """While the process that drives a run lives, its hosts are its own."""
    with living() as holder:
        journal.begin(run("r1", holder=holder))
        journal.claim("r1", ["web1"], at=1.0)
        journal.begin(run("r2"))

        conflict = journal.claim("r2", ["web1"], at=2.0)

    assert conflict is not None
    assert [(claim.run, claim.alive) for claim in conflict.claims] == [("r1", True)]


def test_a_host_is_never_taken_from_another_controller(journal: Journal) -> None:
    """Of a process elsewhere nobody can tell here whether it lives, so it keeps its hosts."""
    elsewhere = replace(dead(), controller="laptop.example")
    journal.begin(run("r1", holder=elsewhere))
    journal.claim("r1", ["web1"], at=1.0)
    journal.begin(run("r2"))

    conflict = journal.claim("r2", ["web1"], at=2.0)

    assert conflict is not None
    assert [(claim.holder, claim.alive) for claim in conflict.claims] == [(elsewhere, None)]


def test_hosts_of_a_dead_process_are_taken(journal: Journal) -> None:
    """A dead run that was in no fix loses all its hosts, and its record says why, once."""
    journal.begin(run("r1", holder=dead()))
    journal.append("r1", WALK, at=1.0, who="anna")
    journal.claim("r1", ["web1", "web2"], at=1.0)
    journal.begin(run("r2"))

    assert journal.claim("r2", ["web1", "web3"], at=2.0) is None

    assert [(claim.host, claim.run) for claim in journal.claims()] == [
        ("web1", "r2"),
        ("web3", "r2"),
    ]
    assert written(journal) == [*WALK, RunInterrupted(reason="its process died")]
    assert journal.find("r1").interrupted == "its process died"
    journal.verify("r1")


@pytest.mark.parametrize(
    "last", [RunFinished(verdict=Verdict.RESOLVED), RunInterrupted(reason="SIGTERM")]
)
def test_a_run_that_had_ended_is_not_said_to_have_died(journal: Journal, last: Event) -> None:
    """A run that wrote its end before its process went keeps its own words."""
    journal.begin(run("r1", holder=dead()))
    journal.append("r1", [last], at=1.0, who="anna")
    journal.claim("r1", ["web1"], at=1.0)
    journal.begin(run("r2"))

    assert journal.claim("r2", ["web1"], at=2.0) is None
    assert written(journal) == [last]


def test_hosts_of_a_dead_process_in_a_fix_stay_held(journal: Journal) -> None:
    """A fix without an end may have done anything: its run's hosts wait for that run's resume."""
    journal.begin(run("r1", holder=dead()))
    journal.append("r1", WALK[:6], at=1.0, who="anna")
    journal.claim("r1", ["web1", "web2"], at=1.0)
    journal.begin(run("r2"))

    conflict = journal.claim("r2", ["web2"], at=2.0)

    assert conflict is not None
    assert [(claim.run, claim.alive, claim.acting) for claim in conflict.claims] == [
        ("r1", False, True)
    ]
    assert written(journal) == list(WALK[:6])


def test_a_dead_run_is_taken_over_and_a_living_one_is_not(journal: Journal) -> None:
    """Resuming makes another process the driver, and cannot be done to a living one."""
    journal.begin(run("r1", holder=dead()))
    journal.take_over("r1", this_process())

    assert journal.find("r1").holder == this_process()
    with living() as other:
        assert reference(lambda: journal.take_over("r1", other)) == "run-driven"
    journal.take_over("r1", this_process())


def test_hosts_follow_their_run_to_its_new_driver(journal: Journal) -> None:
    """After a run was taken over, its hosts are held by a living process."""
    journal.begin(run("r1", holder=dead()))
    journal.claim("r1", ["web1"], at=1.0)
    journal.take_over("r1", this_process())

    assert [(claim.holder, claim.alive) for claim in journal.claims()] == [(this_process(), True)]


def test_slices_are_found_by_their_run(journal: Journal) -> None:
    """Those that have begun, in order of their numbers, with their entries; not the run itself."""
    for name in ("r1", "r1.10", "r1.2", "r10", "r1.x", "r1.2.1", "r1-1"):
        journal.begin(run(name))
    journal.append("r1.2", WALK[:3], at=1.0, who="anna")

    assert list(journal.slices("r1").items()) == [("r1.2", 3), ("r1.10", 0)]
    assert list(journal.slices("r1.2").items()) == [("r1.2.1", 0)]
    assert journal.slices("r2") == {}


def test_what_is_done_alone_is_done_by_one_at_a_time(journal: Journal) -> None:
    """Eight threads each read how far a run has come and write one more: none is missed or doubled."""
    journal.begin(run("r1"))

    def work() -> int:
        entries = len(list(journal.entries("r1")))
        journal.append("r1", [HostJoined(host=f"web{entries}")], at=1.0, who="anna")
        return journal.find("r1").hosts.index(f"web{entries}")

    found: list[int] = []
    threads = [Thread(target=lambda: found.append(journal.alone("r1", work))) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()

    assert sorted(found) == list(range(8))
    assert journal.find("r1").hosts == tuple(f"web{number}" for number in range(8))
    journal.verify("r1")


def test_what_fails_alone_leaves_the_journal_as_it_was(journal: Journal) -> None:
    """Who finds that nothing is to be done raises, nothing is written, and the next one may go on."""
    journal.begin(run("r1"))

    def work() -> None:
        raise KeyError(len(list(journal.entries("r1"))))

    with pytest.raises(KeyError):
        journal.alone("r1", work)

    assert journal.alone("r1", lambda: written(journal)) == []
    journal.append("r1", WALK, at=1.0, who="anna")
    assert len(written(journal)) == len(WALK)
