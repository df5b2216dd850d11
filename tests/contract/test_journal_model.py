"""Whatever is done to a journal on disk, it tells what the one in memory tells."""

import tempfile
from collections.abc import Callable
from pathlib import Path

import hypothesis.strategies as st
from hypothesis import HealthCheck, settings
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, rule

from runbook.errors import RunbookError
from runbook.journal import Journal, MilestoneFilter, RunFilter
from runbook.journal.memory import MemoryJournal
from runbook.journal.opening import open_journal
from runbook.model.event import HostFinished, RunFinished, RunInterrupted, RunResumed
from runbook.model.verdict import Verdict
from tests.contract.journals import WALK, run

RUNS = st.sampled_from(["a1", "a1", "a1", "b1", "b1", "a2"])
HOSTS = st.sampled_from([["web1"], ["web2"], ["web1", "web2"]])
EVENTS = st.lists(
    st.sampled_from(
        [
            *WALK,
            HostFinished(host="web2", verdict=Verdict.UNKNOWN, reason="password=hunter2hunter2"),
            RunInterrupted(reason="lunch"),
            RunResumed(operator="ben"),
            RunFinished(verdict=Verdict.RESOLVED),
        ]
    ),
    max_size=4,
)


class TwoJournals(RuleBasedStateMachine):
    """The same is done to both, and both have to answer alike, refusals included."""

    def __init__(self) -> None:
        super().__init__()
        self._folder = tempfile.TemporaryDirectory()
        self._place = self.make_place()
        self._disk: Journal = open_journal(self._place)
        self._memory: Journal = MemoryJournal()
        self._now = 1000.0

    def make_place(self) -> Path | str:
        """Return where the one on disk is, with nothing in it."""
        return Path(self._folder.name) / "journal.sqlite"

    def _both(self, ask: Callable[[Journal], object]) -> object:
        told = [_told(ask, journal) for journal in (self._disk, self._memory)]
        assert told[0] == told[1]
        return told[0]

    @initialize()
    def begin_some(self) -> None:
        """Begin two of the runs, one of which holds its hosts."""
        for name in ("a1", "b1"):
            self._both(lambda journal, name=name: journal.begin(run(name)))  # type: ignore[misc]
        self._both(lambda journal: journal.claim("a1", ["web1", "web2"], at=self._now))

    @rule(name=RUNS)
    def begin(self, name: str) -> None:
        """Begin a run, perhaps once more."""
        self._now += 1
        self._both(lambda journal: journal.begin(run(name, started_at=self._now)))

    @rule(name=RUNS, events=EVENTS, back=st.sampled_from([0.0, 0.0, 500.0]))
    def append(self, name: str, events: list[object], back: float) -> None:
        """Write some events, at a time that may have gone back."""
        self._now += 1
        self._both(
            lambda journal: journal.append(name, events, at=self._now - back, who="anna")  # type: ignore[arg-type]
        )

    @rule(name=RUNS, hosts=HOSTS)
    def claim(self, name: str, hosts: list[str]) -> None:
        """Claim hosts, which another run may hold."""
        self._both(lambda journal: journal.claim(name, hosts, at=self._now))

    @rule(name=RUNS, hosts=HOSTS)
    def release(self, name: str, hosts: list[str]) -> None:
        """Let hosts go, held or not."""
        self._both(lambda journal: journal.release(name, hosts))

    @rule()
    def open_again(self) -> None:
        """Close the one on disk and open it again, as another command does."""
        self._disk.close()
        self._disk = open_journal(self._place)

    @rule(prefix=st.sampled_from(["a", "a1", "b", "x"]))
    def find(self, prefix: str) -> None:
        """Find a run by the start of its id."""
        self._both(lambda journal: journal.find(prefix))

    @invariant()
    def tell_the_same(self) -> None:
        """Tell the same runs, entries, chains, milestones and claims."""
        runs = self._both(lambda journal: tuple(journal.runs(RunFilter(limit=None))))
        self._both(lambda journal: tuple(journal.milestones(MilestoneFilter(limit=None))))
        self._both(lambda journal: tuple(journal.claims()))
        for each in runs if isinstance(runs, tuple) else ():
            self._both(lambda journal, name=each.id: tuple(journal.entries(name)))  # type: ignore[misc]
            self._both(lambda journal, name=each.id: journal.verify(name))  # type: ignore[misc]

    def teardown(self) -> None:
        """Remove the one on disk."""
        self._disk.close()
        self._folder.cleanup()


def _told(ask: Callable[[Journal], object], journal: Journal) -> object:
    try:
        return ask(journal)
    except RunbookError as error:
        return error.problems[0].reference


MODEL = settings(
    max_examples=12,
    stateful_step_count=15,
    deadline=None,
    suppress_health_check=list(HealthCheck),
)

TestTwoJournals = TwoJournals.TestCase
TestTwoJournals.settings = MODEL
