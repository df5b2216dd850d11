"""A run that was cut into slices is one run to people: listed, reported and added up as one."""

import json

import pytest

from runbook.driver.figures import figures
from runbook.driver.whole import end_if_over, whole_run
from runbook.journal import MilestoneFilter, RunFilter
from runbook.journal.following import News
from runbook.journal.memory import MemoryJournal
from runbook.model.definition import FixResult
from runbook.model.event import (
    Event,
    HostFinished,
    HostJoined,
    RunFinished,
    RunInterrupted,
    RunSliced,
    WaveLookBegun,
    WaveLookEnded,
)
from runbook.model.observation import Verification
from runbook.model.slices import Slice, slice_id
from runbook.model.verdict import Verdict
from runbook.notify.incidents import Troubles
from runbook.notify.plan import Kind, Tier
from runbook.notify.signs import Sign
from runbook.schedule.metrics import Figures
from runbook.views.abandoning import close
from runbook.views.history import history_document
from runbook.views.options import Output
from runbook.views.report import report_text
from runbook.views.report_document import run_document
from runbook.views.slicing import runs_as_one
from tests.contract.journals import STARTED, run


@pytest.fixture
def journal() -> MemoryJournal:
    """Give a journal with a run of three slices, of which two have begun, and one run before it."""
    journal = MemoryJournal()
    written(journal, "before", 1.0, STARTED, *ended("db1", Verdict.HEALTHY))
    written(journal, "r1", 10.0, STARTED, RunSliced(hosts=(("web1", "web2"), ("web3",), ("web4",))))
    for number, host, verdict in ((1, "web1", Verdict.RESOLVED), (2, "web3", Verdict.DECLINED)):
        part = Slice(whole="r1", number=number, slices=3, size=4)
        begins = (STARTED, part, WaveLookBegun(step="restart", begun=1))
        name = slice_id("r1", number)
        written(journal, name, 10.0 + number, *begins, *ended(host, verdict, "stopped"))
    return journal


def written(journal: MemoryJournal, name: str, at: float, *events: Event) -> None:
    """Write a run down."""
    journal.begin(run(name, started_at=at))
    journal.append(name, events, at=at, who="anna")


def ended(host: str, verdict: Verdict, *causes: str) -> tuple[Event, ...]:
    """Return how a run of one host went."""
    finished = HostFinished(host=host, verdict=verdict, causes=causes)
    return HostJoined(host=host), finished, RunFinished(verdict=verdict)


def test_history_has_it_as_one(journal: MemoryJournal) -> None:
    """One row with the hosts and causes of all that began, under way until the whole is over."""
    [(whole, slices), (before, none)] = runs_as_one(journal, RunFilter(limit=2))

    assert (whole.id, whole.hosts, whole.causes) == ("r1", ("web1", "web3"), ("stopped",))
    assert (whole.verdict, whole.holder) == (None, None)
    assert [one.id for one in slices] == ["r1.1", "r1.2"]
    assert (before.id, none) == ("before", ())
    [document] = history_document([whole], living={}, slices={"r1": slices})
    assert document["state"] == "under way"
    assert [one["run_id"] for one in document["slices"]] == ["r1.1", "r1.2"]
    assert "slices" not in document["slices"][0]


def test_history_finds_it_by_what_a_slice_has(journal: MemoryJournal) -> None:
    """A host or a cause of a slice is the run's; a verdict has to be that of the run itself."""

    def found(**which: object) -> list[str]:
        return [whole.id for whole, _ in runs_as_one(journal, RunFilter(**which))]  # type: ignore[arg-type]

    assert found(host="web3") == found(cause="stopped") == found(host="web3", limit=1) == ["r1"]
    assert found(verdict=Verdict.RESOLVED) == []
    assert found(verdict=Verdict.HEALTHY) == ["before"]
    assert found(limit=None) == ["r1", "before"]
    assert found(limit=1) == ["r1"]


def test_a_slice_whose_run_was_removed_is_listed_by_itself(journal: MemoryJournal) -> None:
    """What is kept no longer leaves nobody without an answer."""
    journal.append("r1", [RunFinished(verdict=Verdict.DECLINED)], at=20.0, who="anna")
    assert journal.remove("r1")

    assert [one.id for one, _ in runs_as_one(journal, RunFilter())] == ["r1.2", "r1.1", "before"]


def test_its_report_tells_of_all_slices(journal: MemoryJournal) -> None:
    """All hosts, the worst verdict, and what every slice did, in one timeline."""
    journal.append("r1", [RunFinished(verdict=Verdict.DECLINED)], at=20.0, who="anna")
    whole = whole_run(journal.find("r1"), journal)

    text = report_text(whole.summary, whole.entries)
    document = json.loads(json.dumps(run_document(whole.summary, whole.entries)))

    assert {host: told["verdict"] for host, told in document["hosts"].items()} == {
        "web1": "resolved",
        "web3": "declined",
    }
    assert (document["run_id"], document["verdict"], document["duration_s"]) == (
        "r1",
        "declined",
        10.0,
    )
    assert "cut into 3 slices, of 4 hosts in all" in text
    assert "restart: looking again at the 1 hosts of all waves so far" in text
    assert text.count("the run ended") == 1
    assert "web1: resolved" in text


def test_its_report_says_why_a_slice_stopped(journal: MemoryJournal) -> None:
    """A slice that stopped and was not gone on with is why the run has not ended."""
    stops = RunInterrupted(reason="SIGTERM")
    written(journal, "r1.3", 13.0, STARTED, HostJoined(host="web4"), stops)
    whole = whole_run(journal.find("r1"), journal)

    document = run_document(whole.summary, whole.entries)

    assert document["hosts"]["web4"]["reason"] == "the run stopped: SIGTERM"
    assert [one.id for one in whole.slices if one.interrupted] == ["r1.3"]


def test_what_one_slice_saw_of_anothers_host_is_told_of_that_host(journal: MemoryJournal) -> None:
    """A host that fell back is unresolved in the run, though its own slice ended well."""
    seen = {"web1": Verification(result=FixResult.RECURRED)}
    look = WaveLookEnded(step="restart", begun=1, seen=seen, unseen="web9")
    written(journal, "r1.3", 13.0, STARTED, look, *ended("web4", Verdict.DECLINED))
    whole = whole_run(journal.find("r1"), journal)

    document = run_document(whole.summary, whole.entries)

    assert document["hosts"]["web1"]["verdict"] == "unresolved"
    told = report_text(whole.summary, whole.entries)
    assert "restart: the waves so far were looked at again (nobody could see web9)" in told


def test_it_counts_once(journal: MemoryJournal) -> None:
    """In figures of a runbook and of a service a run is one, however many slices it has."""
    journal.append("r1", [RunFinished(verdict=Verdict.DECLINED)], at=20.0, who="anna")
    runs = journal.runs(RunFilter(limit=None))
    served = Figures()

    added = figures(runs, journal.milestones(MilestoneFilter(limit=None)), window_s=60.0)
    served.take(News(run=one, entries=tuple(journal.entries(one.id))) for one in runs)

    assert (added.runs, added.walks) == (2, 3)
    assert added.repair.median_s == 1.0
    counted = [
        line for line in served.text({}).splitlines() if line.startswith("runbook_runs_total{")
    ]
    assert sorted(counted) == [
        'runbook_runs_total{runbook="fix-502",verdict="declined",by="person"} 1',
        'runbook_runs_total{runbook="fix-502",verdict="healthy",by="person"} 1',
    ]


def test_its_trouble_is_one_incident() -> None:
    """What two slices meet is told in one thread, known by the run that people know."""
    troubles = Troubles([Tier(name="all", targets=("chat",), about=frozenset({Kind.STARTED}))])
    signs = [
        Sign(
            kind=Kind.STARTED, run=name, runbook="fix-502", by="alert", host=host, at=1.0, text="x"
        )
        for name, host in (("r1.1", "web1"), ("r1.2", "web3"), ("r2", "web5"))
    ]

    notices = [notice for sign in signs for notice in troubles.take(sign)]

    assert [notice.incident for notice in notices] == ["r1", "r1", "r2"]


def test_it_is_over_with_its_last_slice(journal: MemoryJournal) -> None:
    """Not while a slice has not begun or waits for an answer; then with the worst verdict, once."""
    end_if_over("r1", journal, at=14.0)
    assert journal.find("r1").verdict is None
    written(journal, "r1.3", 13.0, STARTED, *ended("web4", Verdict.WAITING))
    end_if_over("r1", journal, at=14.0)
    assert journal.find("r1").verdict is None
    journal.append("r1.3", ended("web4", Verdict.ESCALATED)[1:], at=14.0, who="anna")

    for _ in range(2):
        end_if_over("r1", journal, at=15.0)

    assert journal.find("r1").verdict is Verdict.ESCALATED
    assert len(list(journal.entries("r1"))) == 3


def test_closing_it_closes_its_slices(
    journal: MemoryJournal, capsys: pytest.CaptureFixture[str]
) -> None:
    """A slice that stopped ends as aborted, with its hosts; those that are over stay as they are."""
    written(journal, "r1.3", 13.0, STARTED, HostJoined(host="web4"), RunInterrupted(reason="TERM"))
    output = Output(json=False, colour=False, verbosity=0)

    close(journal.find("r1"), "web4 is gone", output, journal)

    assert "Run r1 is closed; aborted and free again: web4." in capsys.readouterr().out
    names = ("r1", "r1.1", "r1.2", "r1.3")
    assert [journal.find(name).verdict for name in names] == [
        Verdict.ABORTED,
        Verdict.RESOLVED,
        Verdict.DECLINED,
        Verdict.ABORTED,
    ]
