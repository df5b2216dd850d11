"""The tree of a run under way, on screens of any size."""

import time
from dataclasses import replace

from hypothesis import given, settings
from hypothesis import strategies as st
from rich.cells import cell_len

from runbook.model.definition import FixResult
from runbook.model.event import Answered, HostEvent, RunResumed
from runbook.model.observation import Texts
from runbook.model.state import HostState
from runbook.views.board import Board
from runbook.views.telling import tell_visits
from tests.engine_harness import ask, book, check, fix, manual
from tests.unit.views.pictures import Watched, under_way, watched
from tests.unit.views.scenes import (
    Play,
    approved,
    broken,
    fixed,
    intended,
    looked,
    site_book,
    stopped,
    unreachable,
    well,
)


@settings(max_examples=60, deadline=None)
@given(
    width=st.integers(20, 120),
    height=st.integers(3, 60),
    seen=st.lists(st.sampled_from([broken(), broken(504), well(), unreachable()]), max_size=30),
    done=st.integers(0, 30),
)
def test_the_tree_fits_the_screen(
    width: int, height: int, seen: list[dict[str, object]], done: int
) -> None:
    """There are never more rows than the screen has, and no row is wider."""
    hosts = [f"web{number}" for number in range(len(seen))]
    run = watched(*hosts)
    for number, (host, observations) in enumerate(zip(hosts, seen, strict=True)):
        run.on(looked(host, observations))  # type: ignore[arg-type]
        if number < done and run.play.states[host].verdict is None:
            result = list(FixResult)[number % 4]
            run.on(*fixed(host, result))

    rows = run.rows(width=width, height=height)

    assert len(rows) <= height
    assert max(map(cell_len, rows)) <= width


def test_hosts_of_one_way_are_one_group() -> None:
    """Hosts that went the same way are folded, and values in which they differ are counted."""
    run = watched("web1", "web2", "web3", "web4")
    for host, status in (("web4", 504), ("web2", 502), ("web1", 502)):
        run.on(looked(host, broken(status)))
    run.on(looked("web3", well()))

    rows = run.rows()

    assert "├─ 3 hosts: web1, web2, web4" in rows
    assert "│  ✗ The site answers through nginx: failed, status 502 (2), status 504 (1)" in rows
    assert "└─ web3" in rows


def test_hosts_whose_titles_differ_are_one_group() -> None:
    """A title that is rendered differently parts nobody; its template is not shown."""
    book = site_book()
    titled = replace(book.steps["site"], title="{{ inventory_hostname }} answers")
    play = Play(runbook=replace(book, steps={**book.steps, "site": titled}))
    play.joined("web1", "web2")
    run = Watched(play=play, board=Board(runbook=play.runbook))
    for host in ("web1", "web2"):
        seen = looked(host, broken())
        run.on(replace(seen, texts={**seen.texts, "site": Texts(title=f"{host} answers")}))

    assert run.rows()[1:3] == [
        "└─ 2 hosts: web1, web2",
        "   ✗ … answers: failed, status 502",
    ]


def test_a_cause_stands_where_it_was_found() -> None:
    """Events are told one by one while states are ahead of them; the order is the events'."""
    play = Play()
    play.joined("web1")
    run = Watched(play=play, board=Board(runbook=play.runbook))

    for event in list(play.on(looked("web1", broken()))):
        run.board.happened(event, play.states, 0.0)

    assert [row[3] for row in run.rows()[2:]] == ["✗", "✗", "!"]


def test_a_cause_found_again_after_a_fix_is_told_again() -> None:
    """Each epoch tells its causes, once."""
    book = site_book()
    again = replace(book.steps["restart"], max_visits=2)
    play = Play(runbook=replace(book, steps={**book.steps, "restart": again}))
    run = Watched(play=play, board=Board(runbook=play.runbook))
    play.joined("web1")
    run.on(looked("web1", broken()), *fixed("web1", FixResult.CAUSE_REMOVED))

    run.on(looked("web1", broken()))

    assert sum("cause:" in row for row in run.rows()) == 2


def test_hosts_part_and_meet() -> None:
    """A host whose way differs leaves its group; one that catches up joins it."""
    run = watched("web1", "web2")
    run.on(looked("web1", broken()))
    assert [list(group.hosts) for group in run.board.groups()] == [["web1"], ["web2"]]

    run.on(looked("web2", broken()))
    assert [list(group.hosts) for group in run.board.groups()] == [["web1", "web2"]]

    run.on(approved("web2"))
    assert [list(group.hosts) for group in run.board.groups()] == [["web1"], ["web2"]]


def test_the_phases_of_a_fix_are_one_line() -> None:
    """A fix is told once, with how far it has come."""
    run = watched("web1")
    run.on(looked("web1", broken()), *fixed("web1"))

    rows = [row for row in run.rows() if "Restart myapp" in row or "approved" in row]

    assert rows == [
        "   » Restart myapp",
        "     approved by ann → doing → done, 1 change → resolved",
    ]


def test_what_is_done_is_told_with_its_time() -> None:
    """A note stands with the time since it was first made, and goes when its result is in."""
    run = watched("web1")
    assert "   … looking, 4 s" in run.rows()

    run.now += 5
    run.working("looking", "web1")
    assert "   … looking, 9 s" in run.rows()

    run.on(looked("web1", broken()))
    assert not any("looking" in row for row in run.rows())


def test_a_note_of_some_hosts_says_on_how_many() -> None:
    """Where hosts of a group do different things, the commonest is told, with its share."""
    run = watched("web1", "web2", "web3")
    run.working("Restart the service", "web1")

    assert "   … looking on 2 of 3, 4 s" in run.rows()


def test_before_hosts_are_known_the_work_is_told() -> None:
    """While the hosts are still being found, what is being done stands alone."""
    run = Watched(play=Play(), board=Board(runbook=Play().runbook))
    run.working("looking")

    assert run.rows()[1:] == ["… looking, 4 s"]


def test_work_on_hosts_that_are_on_no_way_is_told() -> None:
    """Of an undo, and of hosts that are waited for, stands what is done, and where."""
    run = Watched(play=Play(), board=Board(runbook=site_book()))

    run.working("undoing restart", "web1", "web2")

    assert run.rows()[1:] == ["… 2 hosts: web1, web2: undoing restart, 4 s"]


def test_what_is_over_shrinks_before_what_goes_on() -> None:
    """On a small screen groups that have ended are single rows while others keep their way."""
    run = under_way()

    rows = run.rows(height=24)

    assert "├─ web1: ■ resolved" in rows
    assert "│    approved by ann → doing" in rows


def test_what_is_wrong_is_kept_before_what_passed() -> None:
    """Where not all lines fit, those that passed make way for findings, however old these are."""
    walk = book(
        check("site", failed="disk"),
        check("disk", passed="memory"),
        check("memory", passed="restart"),
        fix("restart", symptom="site"),
    )
    play = Play(runbook=walk)
    run = Watched(play=play, board=Board(runbook=walk))
    play.joined("web1")
    seen = {"site": broken()["site"], "disk": well()["site"], "memory": well()["site"]}
    run.on(looked("web1", seen))

    rows = [row.strip() for row in run.rows(height=4)]

    assert rows[1:3] == ["└─ web1", "… 2 other lines"]
    assert rows[3].startswith("✗ site")


def test_hosts_can_have_a_branch_each() -> None:
    """Unfolded, hosts that went the same way stand one below the other, each with all of it."""
    play = Play()
    run = Watched(play=play, board=Board(runbook=play.runbook, folded=False))
    for event in play.joined("web1", "web2"):
        run.board.happened(event, play.states, 0.0)
    run.on(looked("web1", broken()), looked("web2", broken()))

    rows = run.rows()

    assert [row for row in rows if "web" in row] == ["├─ web1", "└─ web2"]
    assert sum("! cause: The backend service is not running" in row for row in rows) == 2


def test_a_wide_screen_shows_what_was_expected() -> None:
    """Beside the value seen stands the condition that did not hold, where there is room."""
    run = watched("web1")
    run.on(looked("web1", broken()))

    told = "✗ The backend service is running: failed, not running, state FATAL"

    assert f"   {told}; expected backend.running" in run.rows(width=119)
    assert f"   {told}" in run.rows(width=79)


def test_that_the_run_stops_is_said_until_it_has_stopped() -> None:
    """What a signal leads to stands below the title, whatever else is told meanwhile."""
    run = watched("web1")
    run.board.stopping = "Stopping once the fix under way has ended"
    run.working("Restart the service", "web1")

    assert run.rows()[1] == "Stopping once the fix under way has ended"
    run.board.rest()
    assert "Stopping" not in run.picture()


def test_on_a_tiny_screen_the_latest_is_kept() -> None:
    """Where a group's way is too long, its beginning is left out, not what is being done now."""
    run = watched("web1")
    run.on(looked("web1", broken()), approved("web1"), intended("web1"))
    run.working("doing restart", "web1")

    assert run.rows(height=6) == [
        "fix-502: 502 Bad Gateway from nginx in front of a Python backend",
        "└─ web1",
        "   … 3 earlier lines",
        "   » Restart myapp",
        "     approved by ann → doing",
        "   … doing restart, 4 s",
    ]


def test_a_run_taken_up_shows_what_lies_behind() -> None:
    """When a run goes on, each host's way so far is there at once, and goes on from there."""
    play = stopped("web1", "web2")
    run = Watched(play=play, board=Board(runbook=play.runbook))

    run.board.happened(RunResumed(operator="ann"), play.states, 0.0)
    run.on(approved("web1"))

    assert "│  ! cause: The backend service is not running" in run.rows()
    assert "└─ web2" in run.rows()
    assert sum("cause:" in row for row in run.rows()) == 2


def test_what_was_answered_is_told_in_the_words_of_the_question() -> None:
    """A choice by its title, work by hand as done or not, and a time that ran out as that."""
    which = ask("which", {"restart": "hand"})
    which = replace(which, choices=(replace(which.choices[0], title="Yes, now"),))
    play = Play(runbook=book(which, manual("hand", "late"), ask("late", {"no": "end:declined"})))
    play.joined("web1")
    for step, answer in (("which", "restart"), ("hand", "done"), ("late", "expired")):
        list(play.on(Answered(host="web1", step=step, answer=answer, by="ann")))

    told = tell_visits(play.runbook, play.states["web1"])

    assert [one.result for one in told] == ["Yes, now", "done by hand", "no answer came in time"]


def test_a_host_costs_the_same_among_many() -> None:
    """Telling the board of a host costs about the same in a run of a hundred and of two thousand.

    Were an event as dear as the run is large, it would be twenty times.
    """
    few, many = (min(_cost_each(count) for _ in range(2)) for count in (100, 2000))

    assert many < 5 * few


def _cost_each(count: int) -> float:
    play = Play()
    hosts = [f"web{number}" for number in range(count)]
    play.joined(*hosts)
    happened: list[tuple[HostEvent, dict[str, HostState]]] = []
    for host in hosts:
        happened += [
            (event, {host: play.states[host]}) for event in play.on(looked(host, broken()))
        ]
    board = Board(runbook=play.runbook)
    begun = time.process_time()
    for event, states in happened:
        board.happened(event, states, 0.0)
    return (time.process_time() - begun) / count
