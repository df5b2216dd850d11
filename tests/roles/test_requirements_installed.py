"""Role `requirements_installed`."""

from pathlib import Path

import pytest

from tests.roles.applications import installed, make_environment, pip_options, write_wheel
from tests.roles.playing import PREVIEW, SERVICE_USER, Player


@pytest.fixture
def variables(tmp_path: Path, shared_folder: Path) -> dict[str, object]:
    """Return the role's variables for an environment with `left` 1.0 in it."""
    wheels = shared_folder / "wheels"
    for name, version in (("left", "1.0"), ("left", "2.0"), ("right", "1.0")):
        write_wheel(wheels, name, version)
    (shared_folder / "requirements.txt").write_text("left==2.0\nright\n")
    return {
        "requirements_installed_python": str(make_environment(shared_folder / "venv")),
        "requirements_installed_file": str(shared_folder / "requirements.txt"),
        "requirements_installed_user": SERVICE_USER,
        "requirements_installed_pip_options": pip_options(wheels),
        "requirements_installed_state_directory": str(tmp_path / "kept"),
    }


def test_previews_installs_and_goes_back(
    play: Player, variables: dict[str, object], shared_folder: Path, tmp_path: Path
) -> None:
    """Versions are shown, installed, left alone the second time, and brought back by the undo."""
    python = shared_folder / "venv/bin/python"
    requirements = shared_folder / "requirements.txt"
    wanted = requirements.read_text()
    requirements.write_text("left==1.0\n")
    assert not play("requirements_installed", variables).failed
    requirements.write_text(wanted)

    preview = play("requirements_installed", variables, *PREVIEW)

    assert (preview.failed, preview.changed) == (False, 1), preview.output
    assert "+left-2.0" in preview.output
    assert "+right-1.0" in preview.output
    assert installed(python) == {"left": "1.0"}

    played = play("requirements_installed", variables)

    assert (played.failed, played.changed) == (False, 1), played.output
    assert installed(python) == {"left": "2.0", "right": "1.0"}
    assert [path.stat().st_mode & 0o777 for path in (tmp_path / "kept").iterdir()] == [0o600]
    again = play("requirements_installed", variables)
    assert (again.failed, again.changed) == (False, 0), again.output

    shown = play.undo("requirements_installed", variables, *PREVIEW)
    assert "-left==2.0" in shown.output
    assert installed(python) == {"left": "2.0", "right": "1.0"}
    undone = play.undo("requirements_installed", variables)

    assert (undone.failed, undone.changed) == (False, 1), undone.output
    assert installed(python) == {"left": "1.0"}


def test_undo_after_a_failure_takes_nothing_of_before_back(
    play: Player, variables: dict[str, object], shared_folder: Path
) -> None:
    """A failed installation says why; its undo leaves what an earlier one installed."""
    python = shared_folder / "venv/bin/python"
    assert not play("requirements_installed", variables).failed
    (shared_folder / "requirements.txt").write_text("nonsuch==7\n")

    played = play("requirements_installed", variables)
    undone = play.undo("requirements_installed", variables)

    assert played.failed
    assert "No matching distribution found for nonsuch==7" in played.words
    assert (undone.failed, undone.changed) == (False, 0), undone.output
    assert installed(python) == {"left": "2.0", "right": "1.0"}


def test_leaves_other_pythons_alone(
    play: Player, variables: dict[str, object], shared_folder: Path
) -> None:
    """The system's Python is refused; an environment whose Python is gone is told as such."""
    system = {**variables, "requirements_installed_python": "/usr/bin/python3"}
    (shared_folder / "venv/bin/python").unlink()
    gone = play("requirements_installed", variables)
    played = play("requirements_installed", system)

    assert gone.failed
    assert "cannot run" in gone.words
    assert played.failed
    assert "is not of a virtual environment: left alone" in played.words
