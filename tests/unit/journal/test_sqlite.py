"""The SQLite store: its file, its faults, other processes, and what tampering with it shows."""

import math
import os
import signal
import sqlite3
import stat
import time
from collections.abc import Iterator
from contextlib import closing
from dataclasses import replace
from functools import partial
from pathlib import Path
from threading import Thread
from typing import Any

import pytest

from runbook.errors import RunbookError
from runbook.journal import Head, MilestoneFilter, RunFilter, chain
from runbook.journal.holder import this_process
from runbook.journal.schema import APPLICATION_ID, STEPS
from runbook.journal.sqlite import SqliteJournal, open_journal
from runbook.model.codec import canonical, plain, to_text
from runbook.model.event import FixConcluded, FixEnded, FixIntended, HostJoined, RunInterrupted
from runbook.model.verdict import Verdict
from tests.contract.journal_child import BATCH
from tests.contract.journals import STARTED, WALK, child, dead, line_of, reference, run, tell


def modes(folder: Path) -> dict[str, int]:
    """Return the permissions of a folder's files by name."""
    return {path.name: stat.S_IMODE(path.stat().st_mode) for path in folder.iterdir()}


def unusable(path: Path) -> str:
    """Open and use a journal that is of no use; return what the error says."""
    with pytest.raises(RunbookError) as caught:
        open_journal(path, busy_timeout_s=0.1).begin(run("r1"))
    assert [problem.reference for problem in caught.value.problems] == ["journal-unusable"]
    assert caught.value.problems[0].hint
    assert caught.value.exit_code == 2
    return caught.value.render()


def test_files_are_for_their_owner_alone(tmp_path: Path) -> None:
    """The folder is 0700 and every file in it 0600, whatever the umask would allow."""
    before = os.umask(0)
    try:
        journal = open_journal(tmp_path / "state" / "journal.db")
        journal.begin(run("r1"))
        assert modes(tmp_path) == {"state": 0o700}
        assert modes(tmp_path / "state") == {
            "journal.db": 0o600,
            "journal.db-shm": 0o600,
            "journal.db-wal": 0o600,
        }
        journal.close()
    finally:
        os.umask(before)


def test_each_write_is_on_disk_when_the_call_returns(tmp_path: Path) -> None:
    """The file uses the write-ahead log and syncs it at every commit (`synchronous=FULL`)."""
    journal = open_journal(tmp_path / "journal.db")

    assert journal._connection.execute("PRAGMA journal_mode").fetchone() == ("wal",)
    assert journal._connection.execute("PRAGMA synchronous").fetchone() == (2,)
    journal.close()


def test_no_secret_reaches_the_disk(tmp_path: Path) -> None:
    """Neither the entries nor the history's columns hold what the mask hides."""
    journal = open_journal(tmp_path / "journal.db")
    journal.begin(run("r1", pattern="password=hunter2", operator="token=hunter2"))
    journal.append(
        "r1",
        [
            replace(STARTED, pattern="password=hunter2", operator="token=hunter2"),
            HostJoined(host="web1", params={"db_password": "hunter2"}),
            RunInterrupted(reason="lost ssh://a:hunter2@192.0.2.1"),
        ],
        at=1.0,
        who="anna",
    )

    assert journal.find("r1").interrupted == "lost ssh://a:********@192.0.2.1"
    journal.verify("r1")
    for file in tmp_path.iterdir():
        assert b"hunter2" not in file.read_bytes()
    journal.close()


def test_a_journal_outlives_its_process(tmp_path: Path) -> None:
    """What was written is there when the file is opened again, claims included."""
    journal = open_journal(tmp_path / "journal.db")
    journal.begin(run("r1"))
    journal.append("r1", WALK, at=1.0, who="anna")
    journal.claim("r1", ["web1"], at=1.0)
    head = journal.verify("r1")
    journal.close()

    journal = open_journal(tmp_path / "journal.db")
    assert journal.verify("r1") == head
    assert [entry.event for entry in journal.entries("r1")] == list(WALK)
    assert [claim.host for claim in journal.claims()] == ["web1"]
    journal.append("r1", [STARTED], at=2.0, who="anna")
    assert journal.verify("r1").seq == head.seq + 1
    journal.close()


def test_a_replaced_driver_can_write_no_more(tmp_path: Path) -> None:
    """Once another process took a run over, the one that began it is told and writes nothing."""
    first = open_journal(tmp_path / "journal.db")
    first.begin(run("r1", holder=dead()))
    first.append("r1", [STARTED], at=1.0, who="anna")
    second = open_journal(tmp_path / "journal.db")
    second.take_over("r1", this_process())
    second.append("r1", [STARTED], at=2.0, who="ben")

    assert reference(lambda: first.append("r1", WALK, at=3.0, who="anna")) == "run-taken-over"
    assert first.verify("r1").seq == 2
    first.close()
    second.close()


@pytest.mark.parametrize("more", [0.0, 0.02, 0.05])
def test_a_kill_in_the_midst_of_writing_tears_nothing(tmp_path: Path, more: float) -> None:
    """After kill -9 the chain holds and every batch is there whole or not at all."""
    path = tmp_path / "journal.db"
    with child("append", path, "r1") as writer:
        assert line_of(writer) == "ready"
        journal = open_journal(path)
        while not list(journal.entries("r1")):
            pass
        time.sleep(more)
        writer.kill()

    head = journal.verify("r1")
    assert head.seq > 0
    assert head.seq % BATCH == 0
    journal.append("r1", [STARTED], at=2.0, who="anna")
    assert journal.verify("r1").seq == head.seq + 1
    journal.close()


def test_of_processes_that_claim_a_host_exactly_one_wins(tmp_path: Path) -> None:
    """Processes that create a journal and claim the same hosts at once share them out."""
    path = tmp_path / "state" / "journal.db"
    contenders = [child("contend", path, f"r{number}", "40") for number in range(3)]
    for contender in contenders:
        assert line_of(contender) == "ready"
    for contender in contenders:
        tell(contender)
    won = [line_of(contender).split() for contender in contenders]
    for contender in contenders:
        contender.communicate()

    assert sorted(host for hosts in won for host in hosts) == sorted(f"web{n}" for n in range(40))
    journal = open_journal(path)
    assert {claim.host: claim.run for claim in journal.claims()} == {
        host: f"r{number}" for number, hosts in enumerate(won) for host in hosts
    }
    journal.close()


def test_a_host_is_taken_once_its_process_was_killed(tmp_path: Path) -> None:
    """Another process's host is out of reach until that process is gone."""
    journal = open_journal(tmp_path / "journal.db")
    journal.begin(run("r2"))
    with child("hold", tmp_path / "journal.db", "r1", "web1") as holder:
        assert line_of(holder) == "ready"
        assert journal.claim("r2", ["web1"], at=1.0) is not None
        holder.kill()

    assert journal.claim("r2", ["web1"], at=2.0) is None
    assert journal.find("r1").interrupted == "its process died"
    journal.close()


def test_a_file_that_may_not_grow_is_unusable_and_stays_whole(tmp_path: Path) -> None:
    """At a file-size limit the batch is refused whole; once there is room it goes on."""
    with child("outgrow", tmp_path / "journal.db") as process:
        said, _ = process.communicate()

    assert said.split() == ["journal-unusable", "0", "1"]


def test_a_full_disk_is_unusable_and_stays_whole(tmp_path: Path) -> None:
    """When SQLite finds no more room the batch is refused whole, and the error says why."""
    journal = open_journal(tmp_path / "journal.db")
    journal.begin(run("r1"))
    journal.append("r1", WALK, at=1.0, who="anna")
    (pages,) = journal._connection.execute("PRAGMA page_count").fetchone()
    journal._connection.execute(f"PRAGMA max_page_count = {pages + 2}")
    large = [HostJoined(host=f"web{n}", params={"text": "x" * 3000}) for n in range(20)]

    with pytest.raises(RunbookError, match="disk or quota is full") as caught:
        journal.append("r1", large, at=2.0, who="anna")

    assert caught.value.problems[0].reference == "journal-unusable"
    assert journal.verify("r1").seq == len(WALK)
    assert journal.find("r1").hosts == ("web2", "web1")
    journal.close()


def test_a_file_that_may_only_be_read_serves_reports_but_no_run(tmp_path: Path) -> None:
    """History of a read-only journal can be read; beginning a run says what is wrong."""
    journal = open_journal(tmp_path / "journal.db")
    journal.begin(run("r1"))
    (tmp_path / "journal.db").chmod(0o400)

    with child("use", tmp_path / "journal.db") as process:
        said, _ = process.communicate()

    runs, _, message = said.partition("\n")
    assert runs == "1"
    assert message.startswith("error: journal-unusable")
    assert "cannot be written" in message
    journal.close()


def test_a_locked_file_is_waited_for_and_then_unusable(tmp_path: Path) -> None:
    """A writer waits for another one only so long, and then says which process that is."""
    path = tmp_path / "journal.db"
    journal = open_journal(path, busy_timeout_s=0.1)
    journal.begin(run("r1"))
    with child("lock", path) as other:
        assert line_of(other) == "ready"
        with pytest.raises(RunbookError, match=f"process {other.pid} keeps it locked\n") as caught:
            journal.append("r1", [STARTED], at=1.0, who="anna")
        other.send_signal(signal.SIGSTOP)
        with pytest.raises(RunbookError, match=f"process {other.pid} .* is stopped") as stopped:
            journal.append("r1", [STARTED], at=1.0, who="anna")

        assert caught.value.problems[0].reference == "journal-unusable"
        assert f"kill -CONT {other.pid}" in stopped.value.render()
        assert [summary.id for summary in journal.runs(RunFilter())] == ["r1"]
        other.kill()
    journal.append("r1", [STARTED], at=1.0, who="anna")
    journal.close()


def test_a_journal_that_is_just_being_made_is_one(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Two that begin at once, with no journal yet, do not take it for another program's file."""
    path = tmp_path / "journal.db"
    other = Thread(target=lambda: open_journal(path).close())

    class Slow(sqlite3.Connection):
        """A connection during whose first look somebody else makes the journal, if he can."""

        def execute(self, sql: str, *given: Any) -> sqlite3.Cursor:
            if sql == "PRAGMA user_version" and other.ident is None:
                other.start()
                other.join(0.3)
            return super().execute(sql, *given)

    monkeypatch.setattr("sqlite3.connect", partial(sqlite3.connect, factory=Slow))
    journal = open_journal(path)
    other.join()

    journal.begin(run("r1"))
    assert journal.verify("r1") == Head(seq=0, hash="0" * 64)
    journal.close()


def test_a_crowd_of_writers_is_waited_for(tmp_path: Path) -> None:
    """While one writes after the other there is no end of patience: each turn comes."""
    path = tmp_path / "journal.db"
    journal = open_journal(path, busy_timeout_s=1.0)
    journal.begin(run("r1"))
    journal.begin(run("r2"))
    others = sqlite3.connect(path, isolation_level=None, check_same_thread=False)
    others.execute("BEGIN IMMEDIATE")

    def write_on() -> None:
        for number in range(12):
            time.sleep(0.2)
            others.execute("UPDATE runs SET pattern = pattern || 'x' WHERE id = 'r2'")
            others.execute("COMMIT")
            others.execute("BEGIN IMMEDIATE" if number < 11 else "SELECT 1")

    crowd = Thread(target=write_on)
    crowd.start()
    journal.append("r1", [STARTED], at=1.0, who="anna")
    crowd.join()

    assert journal.verify("r1").seq == 1
    others.close()
    journal.close()


def test_what_is_no_database_is_left_alone(tmp_path: Path) -> None:
    """A file of something else is refused and not written to."""
    path = tmp_path / "journal.db"
    path.write_text("dear diary, " * 100)

    assert "it is not a journal" in unusable(path)
    assert path.read_text() == "dear diary, " * 100


def test_another_programs_database_is_left_alone(tmp_path: Path) -> None:
    """A SQLite file with tables that are not ours is refused and not written to."""
    path = tmp_path / "journal.db"
    other = sqlite3.connect(path)
    other.execute("CREATE TABLE bookmarks (url TEXT)")
    other.close()

    assert "another program" in unusable(path)
    other = sqlite3.connect(path)
    assert other.execute("SELECT name FROM sqlite_master").fetchall() == [("bookmarks",)]
    other.close()


def test_a_later_schema_is_refused(tmp_path: Path) -> None:
    """A file that a later version has changed is not touched by this one."""
    path = tmp_path / "journal.db"
    open_journal(path).close()
    later = sqlite3.connect(path)
    later.execute(f"PRAGMA user_version = {len(STEPS) + 1}")
    later.close()

    assert "later version" in unusable(path)


def test_milestones_of_an_older_file_are_found(tmp_path: Path) -> None:
    """What was written before milestones had a table is found there, what a host printed is not."""
    path = tmp_path / "journal.db"
    journal = open_journal(path)
    journal.begin(run("r1"))
    fooling = HostJoined(host="web3", params={"motd": '"type":"host_finished"', "load": math.nan})
    journal.append("r1", [fooling, *WALK], at=1.0, who="anna")
    journal.close()
    old = sqlite3.connect(path)
    old.executescript("DROP TABLE milestones; PRAGMA user_version = 2")
    old.close()

    journal = open_journal(path)

    found = journal.milestones(MilestoneFilter(runbook="fix-502"))
    assert [entry.event for entry in found] == [*reversed(WALK[-4:])]
    assert [entry.seq for entry in found] == [10, 9, 8, 7]
    journal.close()


def test_a_damaged_file_is_unusable(tmp_path: Path) -> None:
    """Pages overwritten with noise end in an error that says so."""
    path = tmp_path / "journal.db"
    journal = open_journal(path)
    journal.begin(run("r0"))
    journal.close()
    data = path.read_bytes()
    path.write_bytes(data[:100] + bytes(len(data) - 100))

    assert "it is damaged" in unusable(path)


@pytest.mark.parametrize("where", ["folder", "under a file", "cut off"])
def test_a_path_that_can_be_no_file_is_unusable(tmp_path: Path, where: str) -> None:
    """A folder in the file's place, or a file in a folder's, is said in our words."""
    (tmp_path / "a folder").mkdir()
    (tmp_path / "a file").touch()
    path = {
        "folder": tmp_path / "a folder",
        "under a file": tmp_path / "a file" / "journal.db",
        "cut off": tmp_path / ("x" * 300),
    }[where]

    assert "cannot be opened" in unusable(path)


def test_an_empty_file_becomes_a_journal(tmp_path: Path) -> None:
    """A file of no bytes, as a crash may leave it, is no obstacle."""
    path = tmp_path / "journal.db"
    path.touch()
    journal = open_journal(path)
    journal.begin(run("r1"))

    assert journal.verify("r1") == Head(seq=0, hash="0" * 64)
    journal.close()


# What somebody may do to a run's entries, and the entry the journal then names.
TAMPERING = {
    "edit": ("UPDATE entries SET event = replace(event, '8000', '8001') WHERE seq = 2", 2),
    "another author": ("UPDATE entries SET who = 'ben' WHERE seq = 3", 3),
    "another time": ("UPDATE entries SET at = 99 WHERE seq = 3", 3),
    "no JSON": ("UPDATE entries SET event = 'x' WHERE seq = 4", 4),
    "no text": ("UPDATE entries SET event = x'ff' WHERE seq = 4", 4),
    "edit with its hash": (f"UPDATE entries SET who = 'ben', hash = '{'0' * 64}' WHERE seq = 3", 3),
    "cut in the middle": ("DELETE FROM entries WHERE seq = 4", 4),
    "cut at the start": ("DELETE FROM entries WHERE seq = 1", 1),
    "cut at the end": ("DELETE FROM entries WHERE seq = 9", 9),
    "all gone": ("DELETE FROM entries", 1),
    "added": (
        "INSERT INTO entries SELECT run, 10, at, who, event, hash FROM entries WHERE seq = 9",
        10,
    ),
    "reordered": (
        """
        UPDATE entries SET seq = CASE seq WHEN 2 THEN -3 ELSE -2 END WHERE seq IN (2, 3);
        UPDATE entries SET seq = -seq WHERE seq < 0
        """,
        2,
    ),
    "moved from another run": (
        """
        UPDATE entries SET (event, hash) =
          (SELECT event, hash FROM entries other WHERE other.run = 'r2' AND other.seq = 2)
        WHERE run = 'r1' AND seq = 2
        """,
        2,
    ),
    "another head": ("UPDATE runs SET head_seq = 8", 9),
}


@pytest.mark.parametrize(("statement", "named"), TAMPERING.values(), ids=TAMPERING.keys())
def test_tampering_shows(tmp_path: Path, statement: str, named: int) -> None:
    """Any change to the entries behind the journal's back is found, and the entry named."""
    journal = open_journal(tmp_path / "journal.db")
    for name in ("r1", "r2"):
        journal.begin(run(name))
        journal.append(name, WALK, at=1.0, who="anna")
    tamper(journal, statement)

    with pytest.raises(RunbookError, match=f"entry {named} of run r1") as caught:
        journal.verify("r1")

    assert caught.value.problems[0].reference == "journal-broken"
    journal.close()


@pytest.mark.parametrize(
    "statement",
    [
        "UPDATE runs SET verdict = 'resolved', ended_at = 9",
        "UPDATE runs SET runbook = 'other'",
        "UPDATE runs SET operator = 'ben'",
        "UPDATE runs SET verdict = 'splendid'",
        "UPDATE runs SET holder = '{'",
        "DELETE FROM run_causes WHERE cause = 'overloaded'",
        "UPDATE run_hosts SET host = 'web9' WHERE host = 'web1'",
    ],
)
def test_tampering_with_the_summary_shows(tmp_path: Path, statement: str) -> None:
    """A line of the history that was edited does not follow from the entries any more."""
    journal = open_journal(tmp_path / "journal.db")
    journal.begin(run("r1"))
    journal.append("r1", WALK, at=1.0, who="anna")
    tamper(journal, statement)

    assert reference(lambda: journal.verify("r1")) == "journal-broken"
    journal.close()


def tamper(journal: SqliteJournal, statements: str) -> None:
    """Change the file as somebody with a SQLite shell would who means it."""
    with sqlite3.connect(journal._path) as connection:
        connection.executescript(f"DROP TRIGGER entries_stay_as_written; {statements}")
    connection.close()


def test_an_entry_is_not_edited_by_mistake(tmp_path: Path) -> None:
    """The store itself refuses an UPDATE of an entry."""
    journal = open_journal(tmp_path / "journal.db")
    journal.begin(run("r1"))
    journal.append("r1", WALK, at=1.0, who="anna")

    with pytest.raises(sqlite3.IntegrityError, match="never edited"):
        journal._connection.execute("UPDATE entries SET who = 'ben'")
    journal.close()


def test_an_older_file_is_brought_up_to_date(tmp_path: Path) -> None:
    """What the first version of the schema wrote is found by host and cause, as new runs are."""
    path = tmp_path / "journal.db"
    old = sqlite3.connect(path)
    for statement in STEPS[0]:
        old.execute(statement)
    old.execute(f"PRAGMA application_id = {APPLICATION_ID}")
    old.execute("PRAGMA user_version = 1")
    old.execute(
        "INSERT INTO runs VALUES ('r1', 'fix-502', 'run', 'web*', 'anna', 100.0, 101.0, 'resolved',"
        " NULL, ?, 0, ?)",
        (canonical(plain(this_process())), "0" * 64),
    )
    texts = [to_text(event) for event in WALK]
    rows, head = chain.extend("r1", chain.EMPTY, texts, at=101.0, who="anna")
    for row in rows:
        old.execute(
            "INSERT INTO entries VALUES ('r1', ?, ?, ?, ?, ?)",
            (row.seq, row.at, row.who, row.event, row.hash),
        )
    old.execute("UPDATE runs SET head_seq = ?, head_hash = ?", (head.seq, head.hash))
    old.execute("INSERT INTO run_hosts VALUES ('r1', 'web1')")
    old.execute("INSERT INTO run_causes VALUES ('r1', 'stopped')")
    old.commit()
    old.close()

    with closing(open_journal(path)) as journal:
        journal.begin(run("r2", started_at=200.0))
        journal.append("r2", [HostJoined(host="web1")], at=201.0, who="anna")

        assert [found.id for found in journal.runs(RunFilter(host="web1"))] == ["r2", "r1"]
        assert [found.id for found in journal.runs(RunFilter(host="web1", until=150.0))] == ["r1"]
        assert [found.causes for found in journal.runs(RunFilter(cause="stopped"))] == [
            ("stopped",)
        ]
        fixes = journal.milestones(MilestoneFilter(runbook="fix-502", fixes=True))
        assert [type(entry.event) for entry in fixes] == [FixConcluded, FixEnded, FixIntended]


def filled(path: Path, runs: int) -> SqliteJournal:
    """Return a journal of many runs on 100 hosts, of which one is of a rare kind in each respect."""
    journal = open_journal(path)
    holder = canonical(plain(this_process()))

    def rows() -> Iterator[tuple[str, float, tuple[str, str, str], tuple[str, str]]]:
        for number in range(runs):
            if number == 10:
                yield f"r{number}", float(number), ("rare", "rare", "escalated"), ("rare", "rare")
            else:
                names = (f"web{number % 100}", "stopped")
                yield f"r{number}", float(number), ("fix-502", "anna", "resolved"), names

    with journal._writing() as connection:
        connection.executemany(
            "INSERT INTO runs VALUES (?, ?, 'run', 'all', ?, ?, ?, ?, NULL, ?, 0, '')",
            (
                (run, runbook, who, at, at, verdict, holder)
                for run, at, (runbook, who, verdict), _ in rows()
            ),
        )
        for place, table in enumerate(("run_hosts", "run_causes")):
            connection.executemany(
                f"INSERT INTO {table} VALUES (?, ?, ?)",
                ((run, names[place], at) for run, at, _, names in rows()),
            )
    return journal


@pytest.mark.parametrize(
    ("which", "found"),
    [
        (RunFilter(), 50),
        (RunFilter(since=4990.0), 10),
        (RunFilter(until=10.0), 11),
        (RunFilter(runbook="rare"), 1),
        (RunFilter(host="rare"), 1),
        (RunFilter(verdict=Verdict.ESCALATED), 1),
        (RunFilter(cause="rare"), 1),
        (RunFilter(who="rare"), 1),
        (RunFilter(who="rare", cause="stopped"), 0),
        (RunFilter(verdict=Verdict.RESOLVED, cause="rare"), 0),
        (RunFilter(verdict=Verdict.ESCALATED, host="web7"), 0),
        (RunFilter(host="web7", cause="stopped", runbook="fix-502", who="anna"), 50),
    ],
    ids=str,
)
def test_a_query_looks_at_little_more_than_it_returns(
    which: RunFilter, found: int, tmp_path_factory: pytest.TempPathFactory
) -> None:
    """Whatever is asked for together, the work does not grow with the number of all runs."""
    path = tmp_path_factory.getbasetemp() / "many.sqlite"
    work: list[int] = []
    with closing(open_journal(path) if path.exists() else filled(path, 5000)) as journal:
        journal._connection.set_progress_handler(lambda: work.append(1), 100)
        assert len(journal.runs(which)) == found

    # Going through 5000 runs takes some 50,000 instructions of SQLite's machine.
    assert len(work) * 100 < 25_000
