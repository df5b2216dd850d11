"""Services on several machines with one database: what each of them may count on."""

import time
from collections.abc import Iterator
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path
from threading import Barrier, Thread, Timer

import pytest

from runbook.journal.holder import this_process
from runbook.model.codec import canonical, plain
from runbook.model.policy import Source
from runbook.schedule import shared_state
from runbook.schedule.approvals import AboutHost, Approvals, Ask, Stand, Vote
from runbook.schedule.queue import Queue
from runbook.schedule.requests import Request, Stage
from runbook.schedule.shared_state import SharedState
from runbook.schedule.state import FILE, State, opened, place_of
from tests.postgres import Server

NOON = datetime(2026, 6, 1, 12, tzinfo=UTC)
ELSEWHERE = canonical(plain(replace(this_process(), controller="other.example")))


@pytest.fixture
def url(postgres_server: Server) -> str:
    """Give the URL of a database with nothing in it."""
    return postgres_server.journal()


@pytest.fixture
def state(url: str) -> Iterator[State]:
    """Give the state there."""
    with opened(url) as state:
        yield state


def asked(key: str, pattern: str) -> Request:
    """Return a request for a host."""
    return Request(
        key=key,
        source=Source.TRIGGER,
        asker="anna",
        runbook="fix-502",
        pattern=pattern,
        line=key,
        due=NOON,
    )


def taken_at_once(url: str, *, apart: bool) -> int:
    """Have three services take what they can at the same moment; return how much they took."""
    together = Barrier(3)
    taken: list[int] = []

    def service(name: str) -> None:
        with opened(url) as own:
            queue = Queue(own)
            together.wait()
            for kept in queue.requests(Stage.QUEUED):
                names = frozenset({kept.request.pattern}) if apart else frozenset[str]()
                if queue.take(kept.id, run=f"{name}{kept.id}", holder=name, now=NOON, apart=names):
                    taken.append(kept.id)

    threads = [Thread(target=service, args=(f"s{each}",)) for each in range(3)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(set(taken)) == len(taken)
    return len(taken)


def test_each_request_is_taken_once_however_many_services_there_are(url: str, state: State) -> None:
    """Three services at once share out the requests of many hosts."""
    for number in range(12):
        Queue(state).put(asked(str(number), f"web{number}"), NOON)

    assert taken_at_once(url, apart=True) == 12


def test_a_host_is_aimed_at_by_one_run_at_a_time(url: str, state: State) -> None:
    """Of requests for one host one is taken, whoever comes; without the rule all of them are."""
    for number in range(6):
        Queue(state).put(asked(str(number), "web1"), NOON)

    assert taken_at_once(url, apart=True) == 1
    assert taken_at_once(url, apart=False) == 5


def test_a_firing_is_put_once(url: str, state: State) -> None:
    """Of services that put the same firing at once one is told its number, the others nothing."""
    numbers: list[int | None] = []
    together = Barrier(4)

    def service() -> None:
        with opened(url) as own:
            together.wait()
            numbers.append(Queue(own).put(asked("schedule disks 1", "web1"), NOON))

    threads = [Thread(target=service) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()

    assert numbers.count(None) == 3
    assert len(Queue(state).requests(Stage.QUEUED)) == 1


def test_votes_cast_at_once_all_count(url: str, state: State) -> None:
    """Where two people are wanted and both say yes at the same moment, it is approved."""
    approval = Approvals(state).put(
        Ask(
            run="r1",
            runbook="fix-502",
            fix="restart",
            title="Restart it",
            impact="2 s",
            cause="It is stopped",
            rule="two people",
            people=2,
            hosts={"web1": AboutHost(digest="d1")},
            asked=NOON,
            expires=NOON.replace(hour=13),
        )
    )
    together = Barrier(2)

    def person(name: str) -> None:
        with opened(url) as own:
            together.wait()
            Approvals(own).vote(approval.id, Vote(who=name, yes=True, reason=""), NOON)

    threads = [Thread(target=person, args=(name,)) for name in ("anna", "ben")]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()

    assert Approvals(state).find(approval.id).stand is Stand.APPROVED


def test_a_service_elsewhere_lives_as_long_as_it_shows_it(
    url: str, state: State, monkeypatch: pytest.MonkeyPatch
) -> None:
    """One that shows nothing is given time before it counts as dead; one of here is looked at."""
    with opened(url) as other:
        other.show(ELSEWHERE)
        monkeypatch.setattr(shared_state, "GONE_S", 0.0)
        assert state.lives(ELSEWHERE)

    deadline = time.monotonic() + 60
    while state.lives(ELSEWHERE):
        assert time.monotonic() < deadline
        time.sleep(0.01)  # The server notices in its own time.
    monkeypatch.setattr(shared_state, "GONE_S", 60.0)
    assert state.lives(ELSEWHERE)
    assert state.lives(canonical(plain(this_process())))


def test_a_restart_of_the_server_is_waited_for(postgres_server: Server, url: str) -> None:
    """What comes after it finds what was before, and a service is seen to live again."""
    with opened(url) as own:
        queue = Queue(own)
        own.show(ELSEWHERE)
        queue.put(asked("a", "web1"), NOON)
        postgres_server.stop()
        back = Timer(0.5, postgres_server.start)
        back.start()
        try:
            queue.put(asked("b", "web2"), NOON)
        finally:
            back.join()

        assert [kept.request.key for kept in queue.requests(Stage.QUEUED)] == ["a", "b"]
        with opened(url) as other:
            assert isinstance(other, SharedState)
            assert other.lives(ELSEWHERE)
            assert not other._unseen


def test_what_is_done_in_one_go_is_undone_in_one_go(state: State) -> None:
    """A write that fails within others takes them with it."""
    queue = Queue(state)

    def fail() -> None:
        with state.writing():
            queue.put(asked("a", "web1"), NOON)
            raise KeyError

    with pytest.raises(KeyError):
        fail()

    assert queue.requests(Stage.QUEUED) == []


def test_text_that_postgres_cannot_keep_comes_back_as_it_was(state: State) -> None:
    """An alert may say anything; what it says never ends a service."""
    queue = Queue(state)
    odd = replace(asked('"\0', "a\0b"), given=('x="\0\udc80',), asker="\udcff")

    queue.put(odd, NOON)

    [kept] = queue.of_key('"\0')
    assert kept.request == odd


def test_a_file_is_beside_a_journal_in_a_file(tmp_path: Path) -> None:
    """Only where the journal is in a database does the service share its state there."""
    assert place_of(tmp_path, tmp_path / "journal.sqlite") == tmp_path / FILE
    assert place_of(tmp_path, "postgresql:///runbook") == "postgresql:///runbook"
