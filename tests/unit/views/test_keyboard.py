"""Lines from whoever types."""

import io
import os
from collections.abc import Iterator
from threading import Timer

import pytest

from runbook.views.keyboard import Keyboard, find_keyboard


@pytest.fixture
def pipe() -> Iterator[tuple[Keyboard, int]]:
    """Return a keyboard, and where to type."""
    reads, writes = os.pipe()
    yield Keyboard(descriptor=reads), writes
    os.close(reads)


def test_lines_come_one_at_a_time(pipe: tuple[Keyboard, int]) -> None:
    """What arrives in one piece is given out line by line, without blanks around."""
    keyboard, writes = pipe
    os.write(writes, b" yes \nno\r\nhal")
    os.write(writes, b"f\n\xff\n")
    os.close(writes)

    assert [keyboard.line() for _ in range(5)] == ["yes", "no", "half", "\ufffd", None]


def test_a_line_that_was_not_finished_is_none(pipe: tuple[Keyboard, int]) -> None:
    """Input that ends in the middle of a line has not said what it began to say."""
    keyboard, writes = pipe
    os.write(writes, b"ye")
    os.close(writes)

    assert keyboard.line() is None


def test_waiting_ends(pipe: tuple[Keyboard, int]) -> None:
    """Nobody typing raises TimeoutError in due time, and a line typed later is not lost."""
    keyboard, writes = pipe
    os.write(writes, b"ye")

    with pytest.raises(TimeoutError):
        keyboard.line(0.05)

    os.write(writes, b"s\n")
    os.close(writes)
    assert keyboard.line(5) == "yes"


def test_a_time_that_is_over_already_still_takes_what_is_there(
    pipe: tuple[Keyboard, int],
) -> None:
    """A line that has been typed is taken even where no time is left."""
    keyboard, writes = pipe
    os.write(writes, b"y\n")
    os.close(writes)

    assert keyboard.line(-1) == "y"


def test_what_was_typed_before_can_be_dropped(pipe: tuple[Keyboard, int]) -> None:
    """Lines taken in but not asked for are forgotten."""
    keyboard, writes = pipe
    os.write(writes, b"one\ntwo\n")
    assert keyboard.line() == "one"

    keyboard.forget()

    os.close(writes)
    assert keyboard.line() is None


def test_a_terminal_that_is_gone_is_the_end() -> None:
    """Reading from a terminal that was closed is the end of input, not an error."""
    ours, theirs = os.openpty()
    os.close(ours)

    assert Keyboard(descriptor=theirs).line() is None

    os.close(theirs)


def test_nobody_is_asked_where_nobody_would_see_it(monkeypatch: pytest.MonkeyPatch) -> None:
    """Where standard error is no terminal there is no keyboard, whatever standard input is."""
    ours, theirs = os.openpty()
    with os.fdopen(theirs) as terminal:
        monkeypatch.setattr("sys.stdin", terminal)
        monkeypatch.setattr("sys.stderr", io.StringIO())

        assert find_keyboard() is None

    os.close(ours)


@pytest.mark.parametrize("ci", ["", "true"])
def test_where_a_machine_runs_it_nobody_is_at_the_keyboard(
    ci: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A job that has a terminal is not held up by a question either; an empty CI says nothing."""
    monkeypatch.setenv("CI", ci)
    ours, theirs = os.openpty()
    with os.fdopen(theirs) as one:
        monkeypatch.setattr("sys.stdin", one)
        monkeypatch.setattr("sys.stderr", one)

        assert (find_keyboard() is None) is bool(ci)

    os.close(ours)


def test_whoever_waits_is_told_that_nothing_more_comes(pipe: tuple[Keyboard, int]) -> None:
    """Closing ends the wait under way, and all that come after, with no line."""
    keyboard, _ = pipe
    later = Timer(0.2, keyboard.close)
    later.start()

    assert keyboard.line() is None
    assert keyboard.line(timeout_s=0.0) is None
    later.join()
