"""What operators see, as written down in `tests/golden/console/`."""

from pathlib import Path

import pytest

from tests.unit.views.pictures import PICTURES

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
