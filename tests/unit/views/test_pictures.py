"""What operators see, as written down in `tests/golden/console/`."""

from collections.abc import Callable
from pathlib import Path

import pytest

from runbook.driver.operator import ApprovalRequest
from tests.unit.views.pictures import (
    PICTURES,
    also_here,
    cannot_predict,
    confirmation,
    drawn,
    hosts_differ,
    one_host,
)
from tests.unit.views.scenes import site_book

GOLDEN = Path(__file__).parents[2] / "golden" / "console"


@pytest.mark.parametrize("name", PICTURES)
def test_pictures_are_as_written_down(name: str) -> None:
    """Each picture is exactly that of its file."""
    assert PICTURES[name]() == (GOLDEN / f"{name}.txt").read_text("utf-8")


def test_every_file_is_a_picture() -> None:
    """No file is left over from a picture that is no longer drawn."""
    assert {path.stem for path in GOLDEN.iterdir()} == set(PICTURES)


@pytest.mark.parametrize("name", sorted(PICTURES))
def test_no_picture_holds_a_control_of_a_host(name: str) -> None:
    """What hosts say reaches no terminal as a control: all there are is our own colours."""
    text = PICTURES[name]()

    for own in ("\x1b[0m", "\x1b[1m", "\x1b[2m", "\x1b[3m"):
        text = text.replace(own, "")
    assert "\x1b[2J" not in text
    assert "\x1b]" not in text
    assert "\u202e" not in text
    if not name.endswith("-colour"):
        assert "\x1b" not in text


@pytest.mark.parametrize("width", [40, 80, 120])
@pytest.mark.parametrize("height", [12, 21])
@pytest.mark.parametrize("request_of", [one_host, hosts_differ, cannot_predict, also_here])
def test_a_confirmation_fits_the_window(
    request_of: Callable[[], ApprovalRequest], height: int, width: int
) -> None:
    """However much there is to say, the question itself stays in sight, with what it is about."""
    rows = drawn(confirmation(request_of(), site_book(), height=height), width=width).splitlines()

    assert len(rows) <= height
    assert rows[1].startswith("Restart myapp on ")
