"""A tree that is drawn over: what is to be seen of it at each moment."""

import io
import re
import threading
import time
from collections.abc import Callable
from itertools import count

import pytest
from rich.console import Console
from rich.text import Text

from runbook.model.event import HostEvent
from runbook.views.live import LiveObserver
from runbook.views.region import Region
from tests.engine_harness import book, check
from tests.unit.views.scenes import Play, approved, broken, declined, intended, looked, seen, well
from tests.unit.views.terminals import at_terminal

MANY_CHECKS = book(
    *(check(f"fine{number}", passed=f"fine{number + 1}") for number in range(5)),
    check("fine5", passed="site"),
    check("site"),
)


def console(width: int = 80, height: int = 24) -> Console:
    """Return a terminal without colours."""
    return Console(
        file=io.StringIO(),
        width=width,
        height=height,
        force_terminal=True,
        color_system=None,
        highlight=False,
        _environ={},
    )


def written(on: Console) -> str:
    """Return all that was written."""
    assert isinstance(on.file, io.StringIO)
    return on.file.getvalue()


def screen(on: Console) -> list[str]:
    """Return what is to be seen, as a terminal makes it of all that was written."""
    rows, row, column = [""], 0, 0
    for number, code, control, text in re.findall(
        r"\x1b\[(\d+)([A-Z])|([\r\n])|([^\x1b\r\n]+)", written(on)
    ):
        match code or control:
            case "A":
                row = max(row - int(number), len(rows) - on.height)
            case "B":
                row = min(row + int(number), len(rows) - 1)
            case "K":
                rows[row] = ""
            case "\n":
                row, column = row + 1, 0
                rows += [""] * (row == len(rows))
            case "\r":
                column = 0
            case _:
                rows[row] = (
                    rows[row][:column].ljust(column) + text + rows[row][column + len(text) :]
                )
                column += len(text)
    while rows and not rows[-1]:
        rows.pop()
    return rows


def tell(view: LiveObserver, play: Play, *events: HostEvent) -> None:
    """Have events happen before a view."""
    for event in play.on(*events):
        view.happened(event, play.states)


def soon(holds: Callable[[], bool]) -> bool:
    """Wait until something holds, for a minute at most."""
    until = time.monotonic() + 60
    while not holds() and time.monotonic() < until:
        time.sleep(0.01)
    return holds()


def test_what_happens_is_drawn_and_stays_at_the_end() -> None:
    """The tree shows what has happened while the run goes, and all of it once it is over."""
    on, play = console(), Play()
    play.joined("web1", "web2")

    with LiveObserver(runbook=play.runbook, console=on) as view:
        tell(view, play, looked("web1", broken()))
        assert soon(lambda: any("status 502" in row for row in screen(on)))
        tell(view, play, looked("web2", well()), approved("web1"), intended("web1"))

    seen = screen(on)
    assert "├─ web1" in seen
    assert "│    approved by ann → doing" in seen
    assert "   ■ healthy" in seen
    assert len([row for row in seen if "502 Bad Gateway" in row]) == 1


def test_nothing_is_drawn_during_a_pause() -> None:
    """A pause takes the tree away and leaves the terminal to others; then it is drawn below."""
    on, play = console(), Play()
    play.joined("web1")
    with LiveObserver(runbook=play.runbook, console=on) as view:
        tell(view, play, looked("web1", broken()))
        assert soon(lambda: len(screen(on)) > 1)

        view.pause()
        assert screen(on) == []
        on.print("Do this? y")
        before = written(on)
        tell(view, play, approved("web1"))
        time.sleep(0.6)
        assert written(on) == before

        view.resume()
        seen = screen(on)
        assert seen[0] == "Do this? y"
        assert "     approved by ann" in seen


def test_a_program_that_was_stopped_draws_all_of_it_again() -> None:
    """After Ctrl-Z and fg the tree stands whole below what the shell wrote, and nothing of that goes."""
    on, play, now = console(), Play(), [0.0]
    play.joined("web1")
    with LiveObserver(runbook=play.runbook, console=on, clock=lambda: now[0]) as view:
        tell(view, play, looked("web1", broken()))
        assert soon(lambda: len(screen(on)) > 1)
        stopped = screen(on)
        on.print("$ fg")

        now[0] += 60.0

        assert soon(lambda: screen(on) == [*stopped, "$ fg", *stopped])


def test_an_error_ends_the_drawing() -> None:
    """A run that stops with an error leaves the tree, below an open question, and no thread."""
    on, play = console(), Play()
    play.joined("web1")
    threads = threading.active_count()

    def interrupted() -> None:
        with LiveObserver(runbook=play.runbook, console=on) as view:
            tell(view, play, looked("web1", broken()))
            view.working(("web1",), "asking Ansible")
            view.pause()
            on.print("Do this? ", end="")
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        interrupted()

    assert threading.active_count() == threads
    assert screen(on)[0] == "Do this? "
    assert screen(on)[-1] == "   ! cause: The backend service is not running"


def test_the_tree_stays_within_the_window() -> None:
    """While the run goes, there are fewer rows than the window has, for the cursor stands below."""
    on, play = console(height=6), Play()
    play.joined("web1", "web2", "web3")

    with LiveObserver(runbook=play.runbook, console=on) as view:
        for host, seen in (("web1", broken()), ("web2", broken(504)), ("web3", well())):
            tell(view, play, looked(host, seen))
        assert soon(lambda: len(screen(on)) > 1)
        assert len(screen(on)) <= 5

    assert len(screen(on)) > 6


@pytest.mark.parametrize(
    ("height", "folded", "is_brief"), [(9, True, True), (9, False, False), (24, True, False)]
)
def test_a_tree_higher_than_the_window_is_left_without_what_was_in_order(
    height: int, folded: bool, is_brief: bool
) -> None:
    """What was found and done stays; who wants all of it has -v, or a window that is high enough."""
    on, play = console(height=height), Play(runbook=MANY_CHECKS)
    play.joined("web1")
    fine = {f"fine{number}": seen("passed") for number in range(6)}

    with LiveObserver(runbook=play.runbook, console=on, folded=folded) as view:
        tell(view, play, looked("web1", {**fine, "site": seen("failed")}))

    left = screen(on)
    assert ("   … and 6 steps that were in order" in left) is is_brief
    assert any("fine3 is fine" in row for row in left) is not is_brief
    assert any("site is fine: failed" in row for row in left)


def test_a_tree_without_end_is_left_as_it_was() -> None:
    """Where every host went its own way, the end leaves no more of the tree than a window."""
    on, play = console(), Play()
    hosts = [f"web{number}" for number in range(60)]
    play.joined(*hosts)

    with LiveObserver(runbook=play.runbook, console=on) as view:
        for host in hosts:
            tell(view, play, looked(host, broken()), declined(host, reason=f"not {host}"))

    assert 2 < len(screen(on)) < 24


def test_only_rows_that_are_different_are_drawn_again() -> None:
    """Whatever rows follow one another, the screen is as if it were new, for the fewest rows."""
    on = console()
    region = Region(console=on)
    on.print("above")
    for rows, drawn in (
        (["one", "two", "three"], 3),
        (["one", "two", "three"], 0),
        (["one", "2", "three"], 1),
        (["1", "2", "3"], 2),
        (["1", "2", "3", "4"], 1),
        (["1", "3", "4"], 2),
        (["1"], 0),
        (["1", "2", "three"], 2),
        ([], 0),
        (["one"], 1),
    ):
        before = len(written(on))
        region.draw([Text(row) for row in rows])

        assert screen(on) == ["above", *rows]
        assert written(on)[before:].count("\n") == drawn


def test_a_row_of_another_colour_is_drawn_again() -> None:
    """What differs in nothing but its style is different."""
    on = console()
    region = Region(console=on)
    region.draw([Text("one", style="red")])

    assert region.draw([Text("one", style="green")]) > 0
    assert region.draw([Text("one", style="green")]) == 0


def test_a_slow_link_has_little_to_carry() -> None:
    """Through a quiet second a few dozen characters, for a change its rows: 9600 baud are plenty."""
    on, play, now = console(), Play(runbook=MANY_CHECKS), [0.0]
    play.joined("web1", "web2")
    fine = {f"fine{number}": seen("passed") for number in range(6)}

    def shows(text: str) -> bool:
        return soon(lambda: any(text in row for row in screen(on)))

    with LiveObserver(runbook=play.runbook, console=on, clock=lambda: now[0]) as view:
        tell(view, play, looked("web1", fine), looked("web2", {"fine0": seen("passed")}))
        view.working(("web1", "web2"), "looking")
        assert shows("looking")
        whole = len(written(on))
        for second in range(1, 5):
            now[0] += 1.0
            assert shows(f"looking, {second} s")
        assert len(written(on)) - whole < 4 * 100
        before = len(written(on))
        tell(view, play, looked("web2", {"fine1": seen("failed")}))
        assert shows("fine1 is fine: failed")
        assert len(written(on)) - before < whole / 2


def test_what_changes_all_the_time_is_drawn_as_a_slow_link_carries_it() -> None:
    """A few windows at once, and then no more than a link of 9600 baud brings through."""
    on, play, now = console(), Play(), [0.0]
    hosts = tuple(f"web{number}" for number in range(20))
    joined = play.joined(*hosts)

    with LiveObserver(runbook=play.runbook, console=on, folded=False, clock=lambda: now[0]) as view:
        for event in joined:
            view.happened(event, play.states)

        turns = count()

        def drawn() -> int:
            """Have all rows change; return how much is written by a little later."""
            view.working(hosts, f"doing {next(turns)} of very many things that are there to do")
            time.sleep(0.1)
            return len(written(on))

        assert soon(lambda: drawn() >= 4096)
        at_once = drawn()
        assert at_once < 4096 + 2000
        assert [drawn() for _ in range(4)] == [at_once] * 4
        now[0] += 1.5
        assert soon(lambda: drawn() > at_once)
        assert max(drawn() for _ in range(4)) < at_once + 1.5 * 960 + 2000


def test_a_window_made_narrower_is_reckoned_with() -> None:
    """Rows that a narrower window has broken in two are both taken away."""
    on = console(width=40)
    region = Region(console=on)
    region.draw([Text("x" * 30), Text("y" * 10)])

    on.width = 20
    region.draw([Text("z")])

    assert written(on).count("\x1b[1A\x1b[2K") == 3


def test_rows_of_wide_characters_are_one_row_each() -> None:
    """A row is cut to the window by the columns it takes, not by its characters."""
    on = console(width=10)
    region = Region(console=on)

    region.draw([Text("日本語日本語日本語")])
    region.erase()

    assert written(on) == "日本語日本\n\r\x1b[1A\x1b[2K"


def test_a_terminal_is_drawn_on_and_a_dumb_one_is_not() -> None:
    """The tree is for terminals that can be drawn over; others get lines."""
    module = "tests.unit.views.prompted"
    for term, tree in (("xterm", True), ("dumb", False)):
        with at_terminal(module, "web1", "approve", TERM=term) as terminal:
            terminal.expect(r"Enter is no\): ")
            lines = "fix-502: 502 Bad Gateway" in terminal.before
            terminal.send("\n")
            terminal.expect("REPLY")
        assert lines is not tree
