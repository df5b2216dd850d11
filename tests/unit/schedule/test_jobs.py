"""Workers that are called for what is queued: real ones of Procrastinate, on a real server."""

import threading
import time
from collections import Counter
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from functools import partial
from itertools import count
from threading import Timer

import psycopg
import pytest
from prometheus_client.parser import text_string_to_metric_families

from runbook.journal.holder import this_process
from runbook.journal.memory import MemoryJournal
from runbook.model.codec import canonical, plain
from runbook.model.policy import Source
from runbook.schedule import jobs
from runbook.schedule.approvals import AboutHost, Approvals, Ask, Vote
from runbook.schedule.intake import Intake
from runbook.schedule.jobs import Crew
from runbook.schedule.pages import Pages
from runbook.schedule.pause import Pause, Switch
from runbook.schedule.queue import Queue
from runbook.schedule.requests import Request, Stage
from runbook.schedule.service import Service
from runbook.schedule.state import State, opened
from tests.acceptance.program import wait_until
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


def asked(key: str, pattern: str, line: str = "") -> Request:
    """Return a request for hosts."""
    return Request(
        key=key,
        source=Source.TRIGGER,
        asker="anna",
        runbook="fix-502",
        pattern=pattern,
        line=line or key,
        due=NOON,
    )


def in_database(url: str, statement: str) -> list[tuple[object, ...]]:
    """Do a statement on the tables of the jobs; return what it finds."""
    with psycopg.connect(url, options="-c search_path=runbook") as connection:
        done = connection.execute(statement.encode())
        return done.fetchall() if done.description else []


def called_for(url: str) -> list[int]:
    """Return the requests that somebody is called for, and forget them."""
    found = in_database(url, "DELETE FROM procrastinate_jobs RETURNING args->>'request'")
    return sorted(int(str(request)) for (request,) in found)


class Seen:
    """Sees to requests for a moment each, and notes which of them met."""

    def __init__(self, host_of: Callable[[int], str]) -> None:
        self.done: list[int] = []
        self.log: list[tuple[str, Mapping[str, str]]] = []
        self.most = Counter[str]()
        self.for_s = 0.05
        self._host_of = host_of
        self._now = Counter[str]()
        self._lock = threading.Lock()

    def __call__(self, request: int) -> bool:
        """See to a request."""
        here = {self._host_of(request), "anywhere"}
        with self._lock:
            self._now.update(here)
            self.most |= self._now
        time.sleep(self.for_s)
        with self._lock:
            self._now.subtract(here)
            self.done.append(request)
        return False

    def tell(self, what: str, details: Mapping[str, str]) -> None:
        """Take what happens."""
        self.log.append((what, details))


@contextmanager
def crew(url: str, seen: Seen) -> Iterator[Crew]:
    """Have a crew of four work."""
    working = Crew(url, seen, 4, seen.tell)
    try:
        yield working
        working.check()
    finally:
        working.close()


def test_a_request_is_seen_to_as_soon_as_it_is_put(
    url: str, state: State, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A crew that never looks by itself is woken; the job is gone once it is done.

    So is the crew, once it has left, however often it was told to.
    """
    monkeypatch.setattr(jobs, "_FETCH_S", 3600.0)
    queue, seen, names = Queue(state), Seen(str), count()

    def one_more_is_seen_to(before: int) -> bool:
        name = f"web{next(names)}"
        queue.put(asked(name, name), NOON)
        return len(seen.done) > before

    with crew(url, seen) as working:
        wait_until(lambda: bool(state.heartbeats()))
        # It shows itself before it listens, and looks once by itself: nobody is called for what is put
        # between the two. The next one calls for both.
        for _ in range(3):
            wait_until(partial(one_more_is_seen_to, len(seen.done)))
        job = f"SELECT 1 FROM procrastinate_jobs WHERE args->>'request' = '{seen.done[0]}'"
        wait_until(lambda: in_database(url, job) == [])
        working.leave()
        working.leave()

    assert state.heartbeats() == {}


def test_two_of_one_host_are_never_seen_to_at_once(url: str, state: State) -> None:
    """Four requests of each of two hosts: one at a time each, but both hosts side by side.

    The control: what names several hosts has no lock, and is seen to side by side.
    """
    names: dict[int, str] = {}
    with state.writing():
        for number in range(8):
            put = Queue(state).put(asked(str(number), f"web{number % 2}"), NOON)
            names[put or 0] = f"web{number % 2}"
    seen = Seen(lambda request: names[request])
    with crew(url, seen):
        wait_until(lambda: len(seen.done) == 8)
    assert sorted(seen.done) == sorted(names)
    assert (seen.most["web0"], seen.most["web1"], seen.most["anywhere"]) == (1, 1, 2)

    for number in range(4):
        Queue(state).put(asked(f"both{number}", "web0,web1"), NOON)
    seen = Seen(lambda request: "both")
    with crew(url, seen):
        wait_until(lambda: len(seen.done) == 4)
    assert seen.most["both"] > 1


def test_a_call_is_a_part_of_what_it_is_for(url: str, state: State) -> None:
    """Undone with it; once for a request, however often; for what becomes queued in any way."""
    queue = Queue(state)

    def fail() -> None:
        with state.writing():
            queue.put(asked("undone", "web9"), NOON)
            raise KeyError

    with pytest.raises(KeyError):
        fail()
    assert called_for(url) == []

    first = queue.put(asked("first", "web1", line="a"), NOON) or 0
    assert queue.put(asked("first", "web1", line="a"), NOON) is None
    queue.call_for_all()
    assert called_for(url) == [first]

    # What waited for its host, and what for its line, may begin once it is over.
    queue.take(first, run="r1", holder="me", now=NOON)
    host = queue.put(asked("host", "web1\0,web1"), NOON)
    line = queue.put(asked("line", "web2", line="a"), NOON)
    queue.put(asked("later", "web1"), NOON)
    other = queue.put(asked("other", "web\0", line="b"), NOON) or 0
    called_for(url)
    [kept] = queue.requests(Stage.RUNNING)
    assert queue.move(kept, Stage.OVER, "resolved", NOON)
    assert called_for(url) == [host, line]

    # A run that is lost; an answer; the end of a pause.
    queue.take(other, run="r2", holder="me", now=NOON)
    [kept] = queue.requests(Stage.RUNNING)
    queue.move(kept, Stage.QUEUED, "its process died", NOON)
    assert called_for(url) == [other]
    queue.take(other, run="r2", holder="me", now=NOON)
    [kept] = queue.requests(Stage.RUNNING)
    queue.move(kept, Stage.WAITING, "waits for a person", NOON)
    approval = Approvals(state).put(
        Ask(
            run="r2",
            runbook="fix-502",
            fix="restart",
            title="Restart it",
            impact="2 s",
            cause="It is stopped",
            rule="a person",
            people=1,
            hosts={"web": AboutHost(digest="d1")},
            asked=NOON,
            expires=NOON.replace(hour=13),
        )
    )
    assert called_for(url) == []
    Approvals(state).vote(approval.id, Vote(who="anna", yes=True, reason=""), NOON)
    assert called_for(url) == [other]
    switch = Switch(state)
    switch.pause(Pause(since=NOON, until=NOON.replace(hour=14), by="anna", reason="moving"))
    switch.lift("anna", NOON)
    assert len(called_for(url)) == 3


def test_what_nobody_is_called_for_any_more_is_called_for_again(
    url: str, state: State, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Jobs that were removed, or are those of a dead worker, or whose service died: a turn mends it.

    What cannot begin yet is not called for, and what a living worker has is left to it.
    """
    queue = Queue(state)
    service = Service(
        schedules=(),
        queue=queue,
        intake=Intake(state),
        approvals=Approvals(state),
        switch=Switch(state),
        journal=MemoryJournal(),
        command=lambda kept, again: [],
        log=lambda what, details: None,
        lives=lambda holder: False,
    )
    first = queue.put(asked("a", "web1"), NOON) or 0
    queue.put(asked("b", "web1"), NOON)
    called_for(url)
    service.turn(NOON)
    assert called_for(url) == [first]

    service.turn(NOON)
    in_database(url, "SELECT procrastinate_register_worker_v1()")
    in_database(
        url,
        "UPDATE procrastinate_jobs SET status = 'doing', worker_id ="
        " (SELECT max(id) FROM procrastinate_workers)",
    )
    service.turn(NOON)
    assert in_database(url, "SELECT count(*) FROM procrastinate_jobs") == [(1,)]
    in_database(url, "UPDATE procrastinate_events SET at = now() - interval '31 seconds'")
    service.turn(NOON)
    assert in_database(url, "SELECT status::text FROM procrastinate_jobs") == [("todo",)]
    in_database(
        url,
        "UPDATE procrastinate_jobs SET status = 'doing', worker_id ="
        " (SELECT max(id) FROM procrastinate_workers)",
    )

    monkeypatch.setattr(jobs, "STALLED_S", 60.0)
    in_database(
        url, "UPDATE procrastinate_workers SET last_heartbeat = now() - interval '61 seconds'"
    )
    seen = Seen(str)
    with crew(url, seen):
        wait_until(
            lambda: (
                in_database(url, "SELECT 1 FROM procrastinate_jobs WHERE status = 'doing'") == []
            )
        )
        service.turn(NOON)
        wait_until(lambda: seen.done == [first])

    # A service that died with a request in hand: nothing of it keeps the host.
    queue.take(first, run="r1", holder=ELSEWHERE, now=NOON)
    in_database(
        url,
        "INSERT INTO procrastinate_jobs (queue_name, task_name, lock, queueing_lock, status, args)"
        f" VALUES ('runbook', 'see_to', 'host web1', 'request {first}', 'doing',"
        f" '{{\"request\": {first}}}')",
    )
    service.turn(NOON + timedelta(seconds=1))
    found = in_database(url, "SELECT status::text FROM procrastinate_jobs")
    assert found == [("todo",)]


def test_a_crew_that_was_out_of_touch_goes_on(
    postgres_server: Server, url: str, state: State
) -> None:
    """After a restart of the server; after it counted as dead; a job taken from it ends quietly."""
    queue = Queue(state)
    seen = Seen(str)
    with crew(url, seen):
        wait_until(lambda: bool(state.heartbeats()))
        postgres_server.stop()
        back = Timer(0.5, postgres_server.start)
        back.start()
        try:
            first = queue.put(asked("a", "web1"), NOON)
        finally:
            back.join()
        wait_until(lambda: seen.done == [first])

        seen.for_s = 1.0
        second = queue.put(asked("b", "web2"), NOON)
        wait_until(
            lambda: (
                in_database(url, "SELECT 1 FROM procrastinate_jobs WHERE status = 'doing'") != []
            )
        )
        in_database(url, "DELETE FROM procrastinate_jobs; DELETE FROM procrastinate_workers")
        wait_until(lambda: seen.done == [first, second])
        seen.for_s = 0.0
        third = queue.put(asked("c", "web3"), NOON)
        queue.call_for_all()
        wait_until(lambda: third in seen.done)

    assert {what for what, _ in seen.log} == {"out of touch"}


def test_a_job_that_nobody_has_in_hand_holds_nothing_up(
    url: str, state: State, monkeypatch: pytest.MonkeyPatch
) -> None:
    """One handed out as the server went away stays with a worker that lives on: it is dropped."""
    monkeypatch.setattr(jobs, "HEARTBEAT_S", 0.1)
    seen = Seen(str)
    with crew(url, seen):
        first = Queue(state).put(asked("a", "web1"), NOON)
        wait_until(lambda: seen.done == [first])
        # The job ends a moment after what it called for, and holds the host as long.
        doing = "SELECT 1 FROM procrastinate_jobs WHERE status = 'doing'"
        wait_until(lambda: in_database(url, doing) == [])
        in_database(
            url,
            "INSERT INTO procrastinate_jobs (queue_name, task_name, lock, status, worker_id)"
            " SELECT 'runbook', 'see_to', 'host web1', 'doing', id FROM procrastinate_workers",
        )
        second = Queue(state).put(asked("b", "web1"), NOON)
        wait_until(lambda: seen.done == [first, second])


def test_metrics_tell_which_workers_live(url: str, state: State) -> None:
    """Those that showed it of late are counted; the others stay in sight for a while."""
    pages = Pages(
        journal=MemoryJournal(),
        queue=Queue(state),
        is_paused=lambda: False,
        undelivered=lambda: 0,
        clock=time.time,
    )

    def told() -> dict[str, float]:
        page = pages.page("/metrics")
        assert page is not None
        return {
            " ".join((sample.name, *sample.labels.values())): sample.value
            for family in text_string_to_metric_families(page.content)
            for sample in family.samples
            if sample.name.startswith("runbook_worker")
        }

    assert told() == {"runbook_workers": 0}
    with crew(url, Seen(str)):
        wait_until(lambda: told()["runbook_workers"] == 1)
        [living] = state.heartbeats()
        in_database(
            url, "INSERT INTO procrastinate_workers (last_heartbeat) VALUES (now() - interval '5m')"
        )
        now, found = time.time(), told()
        [dead] = state.heartbeats().keys() - {living}
        name = "runbook_worker_last_heartbeat_timestamp_seconds"
        assert found.keys() == {"runbook_workers", f"{name} {living}", f"{name} {dead}"}
        assert found["runbook_workers"] == 1
        assert found[f"{name} {dead}"] == pytest.approx(now - 300, abs=60)


def test_a_fault_in_a_crew_is_not_kept_quiet(url: str, state: State) -> None:
    """Whoever asks is told what ended it, and it takes up nothing more."""

    def fail(request: int) -> bool:
        raise KeyError(request)

    working = Crew(url, fail, 4, lambda what, details: None)
    number = Queue(state).put(asked("a", "web1"), NOON)
    try:
        working._thread.join(30)
        with pytest.raises(KeyError, match=str(number)):
            working.check()
    finally:
        working.close()
