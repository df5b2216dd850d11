"""What the journal costs beside a bare SQLite insert: `python benchmarks/journal.py`.

The peer writes the same text as one row with one commit, to a file with the same durability (WAL,
`synchronous=FULL`), and nothing else: no masking, chain, or summary. Rounds alternate, so that a
slow spell of the machine hits both; medians are given.
"""

import sqlite3
import tempfile
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from statistics import median

from runbook.journal import RunSummary
from runbook.journal.sqlite import SqliteJournal, open_journal
from runbook.model.codec import to_text
from runbook.model.definition import CheckResult, Goto
from runbook.model.event import Event, Mode, StepConcluded
from runbook.model.observation import Observation

ROUNDS = 9
WRITES = 300
BATCH = 30
RUN = "bench"


def event(number: int) -> Event:
    """Return an entry of ordinary size: a check that failed, with what was seen."""
    return StepConcluded(
        host=f"web{number}",
        step="site",
        result="failed",
        next=Goto(step="backend_state"),
        evidence=Observation(
            result=CheckResult.FAILED,
            facts={
                "answered": True,
                "status": 502,
                "body": "<html><h1>502 Bad Gateway</h1></html>",
                "headers": {"server": "nginx", "content-type": "text/html"},
            },
            expected="site.answered and site.status not in [502, 503, 504]",
            seen_at=1771125122.031 + number,
            took_s=0.031,
        ),
    )


def journaled(journal: SqliteJournal, events: Sequence[Event], size: int) -> None:
    """Append events in transactions of `size`."""
    for start in range(0, len(events), size):
        journal.append(RUN, events[start : start + size], at=1.0, who="anna")


def bare(connection: sqlite3.Connection, events: Sequence[Event], size: int) -> None:
    """Insert the events' texts in transactions of `size`."""
    for start in range(0, len(events), size):
        connection.execute("BEGIN IMMEDIATE")
        connection.executemany(
            "INSERT INTO entries (run, event) VALUES (?, ?)",
            [(RUN, to_text(each)) for each in events[start : start + size]],
        )
        connection.execute("COMMIT")


def seconds(action: Callable[[], object]) -> float:
    """Return how long an action takes."""
    began = time.perf_counter()
    action()
    return time.perf_counter() - began


def compared(
    journal: SqliteJournal, connection: sqlite3.Connection, size: int
) -> tuple[float, float]:
    """Return entries per second of the journal and of the peer, in transactions of `size`."""
    events = [event(number) for number in range(WRITES if size == 1 else 10 * WRITES)]
    ours: list[float] = []
    theirs: list[float] = []
    for _ in range(ROUNDS):
        ours.append(seconds(lambda: journaled(journal, events, size)))
        theirs.append(seconds(lambda: bare(connection, events, size)))
    return len(events) / median(ours), len(events) / median(theirs)


def peer(path: Path) -> sqlite3.Connection:
    """Open the peer's file."""
    connection = sqlite3.connect(path, isolation_level=None)
    connection.execute("PRAGMA journal_mode = WAL")
    connection.execute("PRAGMA synchronous = FULL")
    connection.execute("CREATE TABLE entries (id INTEGER PRIMARY KEY, run TEXT, event TEXT)")
    return connection


def main() -> None:
    """Measure and print a table."""
    print(f"{'entries a commit':>16} {'journal/s':>10} {'bare/s':>10} {'ratio of cost':>14}")
    with tempfile.TemporaryDirectory() as folder:
        journal = open_journal(Path(folder) / "journal.db")
        journal.begin(
            RunSummary(
                id=RUN, runbook=RUN, mode=Mode.RUN, pattern="all", operator="anna", started_at=0.0
            )
        )
        connection = peer(Path(folder) / "peer.db")
        for size in (1, BATCH):
            ours, theirs = compared(journal, connection, size)
            print(f"{size:>16} {ours:>10.0f} {theirs:>10.0f} {theirs / ours:>14.2f}")
        read = seconds(lambda: journal.verify(RUN))
        count = journal.verify(RUN).seq
        print(f"verify: {count} entries at {count / read:.0f}/s")
        connection.close()
        journal.close()


if __name__ == "__main__":
    main()
