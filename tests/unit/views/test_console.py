"""Which view a stream gets."""

import io
import os
import pty
from collections.abc import Iterator

import pytest

from runbook.views.console import is_live, observer_for
from runbook.views.plain import PlainObserver
from tests.unit.views.scenes import site_book


@pytest.fixture
def terminal() -> Iterator[io.TextIOWrapper]:
    """Return a real terminal."""
    ours, theirs = pty.openpty()
    with os.fdopen(theirs, "w") as stream:
        yield stream
    os.close(ours)


@pytest.mark.parametrize(
    ("environment", "live"),
    [
        ({"TERM": "xterm-256color"}, True),
        ({"TERM": "xterm-256color", "NO_COLOR": "1"}, True),
        ({"TERM": "dumb"}, False),
        ({}, False),
        ({"TERM": "xterm", "CI": "true"}, False),
    ],
)
def test_only_a_terminal_that_can_is_drawn_on(
    terminal: io.TextIOWrapper, environment: dict[str, str], live: bool
) -> None:
    """A terminal without powers, or with a machine before it, is not drawn on."""
    assert is_live(terminal, environment) is live


def test_a_file_is_not_drawn_on() -> None:
    """What is no terminal is written to line by line."""
    assert not is_live(io.StringIO(), {"TERM": "xterm"})


def test_lines_can_be_asked_for(
    terminal: io.TextIOWrapper, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Who asks for plain lines gets them on any terminal, as a screen reader needs them."""
    monkeypatch.setenv("TERM", "xterm")
    monkeypatch.delenv("CI", raising=False)

    assert not isinstance(observer_for(site_book(), terminal), PlainObserver)
    assert isinstance(observer_for(site_book(), terminal, plain=True), PlainObserver)
