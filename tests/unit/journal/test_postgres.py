"""The store on Postgres: its server's faults, other processes, and what tampering with it shows."""

import signal
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack
from dataclasses import replace
from pathlib import Path
from threading import Timer

import psycopg
import pytest
from hypothesis import settings
from hypothesis.stateful import run_state_machine_as_test

from runbook.driver.operator import ApprovalRequest
from runbook.errors import RunbookError
from runbook.journal import Journal, RunFilter
from runbook.journal.holder import this_process
from runbook.journal.postgres import PostgresJournal, open_journal
from runbook.journal.postgres_session import SILENCE_S
from runbook.model.event import HostJoined, RunFinished, RunInterrupted
from runbook.model.verdict import Verdict
from tests.contract.journal_child import BATCH
from tests.contract.journals import STARTED, WALK, child, dead, line_of, reference, run, tell
from tests.contract.test_journal_model import MODEL, TwoJournals
from tests.postgres import Cutting, Server
from tests.unit.driver.stage import ONE_FIX, RUN, Person, Stage, host


@pytest.fixture
def url(postgres_server: Server) -> str:
    """Give the URL of an empty journal."""
    return postgres_server.journal()


@pytest.fixture
def journal(url: str) -> Iterator[PostgresJournal]:
    """Give an empty journal."""
    opened = open_journal(url)
    yield opened
    opened.close()


@pytest.fixture
def cutting(postgres_server: Server, tmp_path: Path) -> Iterator[Cutting]:
    """Give a socket in `tmp_path` that cuts commits off."""
    socket = Cutting(postgres_server, tmp_path)
    yield socket
    socket.close()


@pytest.fixture
def by_cut(
    postgres_server: Server, url: str, cutting: Cutting, tmp_path: Path
) -> Iterator[PostgresJournal]:
    """Give the journal by way of that socket."""
    name = url.partition("@/")[2].partition("?")[0]
    opened = open_journal(postgres_server.url(name, host=tmp_path))
    yield opened
    opened.close()


@pytest.mark.parametrize("answered", [True, False], ids=["kept", "lost"])
def test_a_commit_without_an_answer_is_looked_up(
    by_cut: PostgresJournal, cutting: Cutting, answered: bool
) -> None:
    """Whether the server got to see the commit or not, the entries are there exactly once."""
    by_cut.begin(run("r1"))
    by_cut.append("r1", WALK[:2], at=1.0, who="anna")

    cutting.arm(answered=answered)
    by_cut.append("r1", WALK[2:4], at=2.0, who="anna")
    by_cut.append("r1", WALK[4:], at=3.0, who="anna")

    assert cutting.cut == 1
    assert [entry.event for entry in by_cut.entries("r1")] == list(WALK)
    by_cut.verify("r1")


@pytest.mark.parametrize("answered", [True, False], ids=["kept", "lost"])
def test_what_is_begun_and_claimed_stays_ones_own_when_a_commit_has_no_answer(
    by_cut: PostgresJournal, cutting: Cutting, answered: bool
) -> None:
    """A run that was begun is not met as somebody else's, nor is its host."""
    cutting.arm(answered=answered)
    by_cut.begin(run("r1"))
    cutting.arm(answered=answered)
    assert by_cut.claim("r1", ["web1"], at=1.0) is None

    assert cutting.cut == 2
    assert [(claim.host, claim.run) for claim in by_cut.claims()] == [("web1", "r1")]


def test_a_server_that_is_away_is_waited_for(postgres_server: Server, url: str) -> None:
    """A write during a restart of the server is on disk when it returns, and nothing else is lost."""
    journal = open_journal(url)
    journal.begin(run("r1"))
    journal.append("r1", WALK[:3], at=1.0, who="anna")
    postgres_server.stop()
    back = Timer(1.0, postgres_server.start)
    back.start()
    try:
        journal.append("r1", WALK[3:], at=2.0, who="anna")
    finally:
        back.join()

    assert [entry.event for entry in journal.entries("r1")] == list(WALK)
    journal.verify("r1")
    journal.close()


def test_patience_with_a_server_that_is_away_has_an_end(postgres_server: Server, url: str) -> None:
    """After it nothing may be done, and that is said; once the server is back, the same one works."""
    journal = open_journal(url, patience_s=0.3)
    journal.begin(run("r1"))
    postgres_server.stop()
    try:
        began = time.monotonic()
        with pytest.raises(RunbookError, match="cannot be reached") as caught:
            journal.append("r1", [STARTED], at=1.0, who="anna")
        assert caught.value.problems[0].reference == "journal-unusable"
        assert time.monotonic() - began < 20
        assert reference(lambda: journal.runs(RunFilter())) == "journal-unusable"
        assert reference(lambda: open_journal(url, patience_s=0.1)) == "journal-unusable"
    finally:
        postgres_server.start()

    journal.append("r1", [STARTED], at=2.0, who="anna")
    assert journal.verify("r1").seq == 1
    journal.close()


def test_a_server_that_is_frozen_for_a_moment_is_waited_for(
    postgres_server: Server, url: str
) -> None:
    """It takes what it is sent and answers nothing; afterwards each entry is there exactly once."""
    journal = open_journal(url, silence_s=0.5)
    journal.begin(run("r1"))
    journal.append("r1", WALK[:3], at=1.0, who="anna")
    with ThreadPoolExecutor(max_workers=1) as pool:
        with postgres_server.frozen():
            writing = pool.submit(journal.append, "r1", WALK[3:], at=2.0, who="anna")
            with pytest.raises(TimeoutError):  # By now its silence was noticed.
                writing.result(timeout=1.0)
        writing.result(timeout=30)

    assert [entry.event for entry in journal.entries("r1")] == list(WALK)
    journal.verify("r1")
    journal.close()


def test_with_a_frozen_server_nothing_is_begun(postgres_server: Server, url: str) -> None:
    """Patience ends: the fix that was approved is not begun, and is once the server goes on."""
    journal = open_journal(url, patience_s=0.2, silence_s=0.5)
    freezing = ExitStack()

    def yes(request: ApprovalRequest) -> frozenset[str]:
        freezing.enter_context(postgres_server.frozen())
        return frozenset(request.hosts)

    stage = Stage(
        runbook=ONE_FIX, hosts={"web1": host()}, journal=journal, operator=Person(says=yes)
    )
    with freezing, pytest.raises(RunbookError, match="cannot be reached") as caught:
        stage.play()
    assert caught.value.problems[0].reference == "journal-unusable"
    assert not stage.fixes

    stage.operator = Person()
    assert stage.resume() is Verdict.RESOLVED
    assert len(stage.fixes) == 1
    journal.verify(RUN)
    journal.close()


def test_a_lock_is_no_silence(journal: PostgresJournal) -> None:
    """The server gives up waiting for a lock, and says so, long before that counts as silence."""
    [(milliseconds,)] = journal._session.rows(
        "SELECT setting::int FROM pg_settings WHERE name = 'lock_timeout'", ()
    )

    assert 0 < milliseconds / 1000 <= SILENCE_S / 2


@pytest.mark.parametrize(
    ("wrong", "said"),
    [
        ("postgresql://nobody-knows@/{name}?host={host}", "nobody-knows"),
        ("postgresql://postgres@/nowhere?host={host}", "nowhere"),
    ],
)
def test_what_no_waiting_would_mend_is_said_at_once(
    postgres_server: Server, url: str, wrong: str, said: str
) -> None:
    """A user or database that does not exist is no server that is away."""
    name, _, host = url.partition("@/")[2].partition("?host=")
    began = time.monotonic()

    with pytest.raises(RunbookError, match="journal on Postgres") as caught:
        open_journal(wrong.format(name=name, host=host), patience_s=60)

    assert said in caught.value.render()
    assert time.monotonic() - began < 30


def test_a_replaced_driver_can_write_no_more(url: str, journal: PostgresJournal) -> None:
    """Once another process took a run over, the one that began it is told and writes nothing."""
    journal.begin(run("r1", holder=dead()))
    journal.append("r1", [STARTED], at=1.0, who="anna")
    second = open_journal(url)
    second.take_over("r1", this_process())
    second.append("r1", [STARTED], at=2.0, who="ben")

    assert reference(lambda: journal.append("r1", WALK, at=3.0, who="anna")) == "run-taken-over"
    assert journal.verify("r1").seq == 2
    second.close()


def as_elsewhere(url: str, name: str = "r1") -> None:
    """Have a run's driver look like a process of another machine, which it is to another journal."""
    with psycopg.connect(url) as connection:
        connection.execute(
            'UPDATE runbook.runs SET holder = replace(holder, \'"controller":"\','
            ' \'"controller":"not-\') WHERE id = %s',
            (name,),
        )


def test_a_living_driver_on_another_machine_is_left_its_run(
    url: str, journal: PostgresJournal
) -> None:
    """As long as its connection lasts it is seen to live; afterwards nobody knows, and one may resume."""
    journal.begin(run("r1"))
    journal.claim("r1", ["web1"], at=1.0)
    as_elsewhere(url)
    other = open_journal(url)

    assert [claim.alive for claim in other.claims()] == [True]
    assert reference(lambda: other.take_over("r1", this_process())) == "run-driven"
    journal.close()
    while other.claims()[0].alive:
        time.sleep(0.01)  # The server notices in its own time.
    assert [claim.alive for claim in other.claims()] == [None]
    other.take_over("r1", this_process())
    other.close()


def test_a_driver_is_still_seen_to_live_after_its_connection_broke(
    url: str, journal: PostgresJournal
) -> None:
    """With the next call from there it shows again what it drives."""
    journal.begin(run("r1"))
    journal.claim("r1", ["web1"], at=1.0)
    with psycopg.connect(url) as connection:
        connection.execute(
            "SELECT pg_terminate_backend(pid) FROM pg_stat_activity"
            " WHERE pid <> pg_backend_pid() AND datname = current_database()"
        )

    journal.append("r1", [STARTED], at=2.0, who="anna")

    as_elsewhere(url)
    other = open_journal(url)
    assert [claim.alive for claim in other.claims()] == [True]
    other.close()


@pytest.mark.parametrize(
    "last", [RunFinished(verdict=Verdict.WAITING), RunInterrupted(reason="SIGTERM")]
)
def test_a_run_that_stopped_can_be_gone_on_with_elsewhere(
    url: str, journal: PostgresJournal, last: RunFinished | RunInterrupted
) -> None:
    """A process that lives on does not keep what it no longer drives."""
    journal.begin(run("r1"))
    journal.append("r1", [STARTED, last], at=1.0, who="anna")
    as_elsewhere(url)
    other = open_journal(url)

    other.take_over("r1", replace(this_process(), controller="third.example"))

    assert other.find("r1").holder != this_process()
    other.close()


def test_a_kill_in_the_midst_of_writing_tears_nothing(url: str) -> None:
    """After kill -9 the chain holds and every batch is there whole or not at all."""
    with child("append", url, "r1") as writer:
        assert line_of(writer) == "ready"
        journal = open_journal(url)
        while not list(journal.entries("r1")):
            time.sleep(0.01)
        writer.kill()

    head = journal.verify("r1")
    assert head.seq > 0
    assert head.seq % BATCH == 0
    journal.append("r1", [STARTED], at=2.0, who="anna")
    assert journal.verify("r1").seq == head.seq + 1
    journal.close()


def test_who_is_stopped_alone_holds_up_nobody_and_does_no_harm(url: str) -> None:
    """Another one goes on, with what was begun undone; who was stopped does it again, after it."""
    with child("alone", url, "r1") as stopped:
        assert line_of(stopped) == "stopped"
        journal = open_journal(url)
        mine = [HostJoined(host="mine")]
        journal.alone("r1", lambda: journal.append("r1", mine, at=2.0, who="ben"))
        stopped.send_signal(signal.SIGCONT)
        assert line_of(stopped) == "done"

    assert journal.find("r1").hosts == ("mine", "child2")
    journal.verify("r1")
    journal.close()


def test_of_processes_that_claim_a_host_exactly_one_wins(url: str) -> None:
    """Processes that claim the same hosts at once share them out."""
    contenders = [child("contend", url, f"r{number}", "20") for number in range(3)]
    for contender in contenders:
        assert line_of(contender) == "ready"
    for contender in contenders:
        tell(contender)
    won = [line_of(contender).split() for contender in contenders]
    journal = open_journal(url)
    held = {claim.host: claim.run for claim in journal.claims()}
    for contender in contenders:
        contender.communicate()
    journal.close()

    assert sorted(host for hosts in won for host in hosts) == sorted(f"web{n}" for n in range(20))
    assert held == {host: f"r{number}" for number, hosts in enumerate(won) for host in hosts}


def test_the_database_itself_lets_nobody_hold_a_host_twice(
    url: str, journal: PostgresJournal
) -> None:
    """Whatever a program does, the key of the table refuses a second claim."""
    for name in ("r1", "r2"):
        journal.begin(run(name))
    journal.claim("r1", ["web1"], at=1.0)

    with psycopg.connect(url) as connection, pytest.raises(psycopg.errors.UniqueViolation):
        connection.execute("INSERT INTO runbook.held_hosts VALUES ('web1', 'r2', 1)")


def test_a_lock_is_waited_for_and_then_unusable(url: str, journal: PostgresJournal) -> None:
    """A writer waits for whoever else has its run's row only so long."""
    journal.begin(run("r1"))
    journal._session.rows("SELECT set_config('lock_timeout', '50ms', false)", ())
    with psycopg.connect(url) as connection:
        connection.execute("SELECT 1 FROM runbook.runs FOR UPDATE")

        with pytest.raises(RunbookError, match="keeps it locked"):
            journal.append("r1", [STARTED], at=1.0, who="anna")

    journal.append("r1", [STARTED], at=1.0, who="anna")
    assert journal.verify("r1").seq == 1


def test_names_that_postgres_cannot_keep_come_back_as_they_were(journal: PostgresJournal) -> None:
    """NUL, half a surrogate pair and a leading quote are kept in names of hosts and people."""
    names = ("a\0b", "\udc80", '"quoted"', "plain", "ü")
    journal.begin(run("r1", operator='"\0'))
    journal.append("r1", [HostJoined(host=name) for name in names], at=1.0, who="\0\udcff")
    assert journal.claim("r1", names, at=1.0) is None

    assert journal.find("r1").hosts == names
    assert journal.find("r1").operator == '"\0'
    assert {claim.host for claim in journal.claims()} == set(names)
    assert [found.id for found in journal.runs(RunFilter(host="a\0b", who='"\0'))] == ["r1"]
    assert {entry.who for entry in journal.entries("r1")} == {"\0\udcff"}


def test_no_secret_reaches_the_database(url: str, journal: PostgresJournal) -> None:
    """Neither the entries nor the history's columns hold what the mask hides."""
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
    with psycopg.connect(url) as connection:
        for table in ("runs", "entries", "run_hosts", "milestones"):
            kept = connection.execute(f"SELECT * FROM runbook.{table}".encode()).fetchall()
            assert "hunter2" not in repr(kept)


# What somebody may do to a run behind the journal's back, and what verifying it then says.
TAMPERING = {
    "edit": ("UPDATE entries SET event = replace(event, '8000', '8001') WHERE seq = 2", "entry 2"),
    "cut at the end": ("DELETE FROM entries WHERE seq = 9", "entry 9"),
    "another head": ("UPDATE runs SET head_seq = 8", "entry 9"),
    "another verdict": ("UPDATE runs SET verdict = 'resolved', ended_at = 9", "verdict"),
    "no verdict at all": ("UPDATE runs SET verdict = 'splendid'", "verdict"),
    "a host less": ("DELETE FROM run_hosts WHERE host = 'web1'", "hosts"),
}


@pytest.mark.parametrize(("statement", "named"), TAMPERING.values(), ids=TAMPERING.keys())
def test_tampering_shows(url: str, journal: Journal, statement: str, named: str) -> None:
    """What was changed by somebody who means it is found, and named."""
    journal.begin(run("r1"))
    journal.append("r1", WALK, at=1.0, who="anna")
    with psycopg.connect(url) as connection:
        connection.execute("SET search_path = runbook")
        connection.execute("ALTER TABLE entries DISABLE TRIGGER ALL")
        connection.execute(statement.encode())
        connection.execute("ALTER TABLE entries ENABLE TRIGGER ALL")

    with pytest.raises(RunbookError, match=named) as caught:
        journal.verify("r1")
    assert caught.value.problems[0].reference == "journal-broken"


def test_whatever_is_done_to_it_it_tells_what_memory_tells(postgres_server: Server) -> None:
    """The same is done to a database and to memory, and both answer alike, refusals included."""

    class InDatabase(TwoJournals):
        def make_place(self) -> str:
            return postgres_server.journal()

    run_state_machine_as_test(InDatabase, settings=settings(MODEL, max_examples=4))


def test_an_entry_is_not_edited_by_mistake(url: str, journal: PostgresJournal) -> None:
    """The database itself refuses an UPDATE of an entry."""
    journal.begin(run("r1"))
    journal.append("r1", WALK, at=1.0, who="anna")

    with psycopg.connect(url) as connection, pytest.raises(psycopg.Error, match="never edited"):
        connection.execute("UPDATE runbook.entries SET who = 'ben'")
