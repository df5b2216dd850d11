"""Role `checkout_updated`."""

import subprocess
from pathlib import Path

import pytest

from tests.roles.applications import (
    Repository,
    installed,
    make_environment,
    pip_options,
    write_wheel,
)
from tests.roles.playing import PREVIEW, SERVICE_USER, Player
from tests.unit.probes.prober import python_of_nobody

BROKEN = {"backend/app.py": "from core import User\n"}


@pytest.fixture
def repository(shared_folder: Path) -> Repository:
    """Return a checkout of an application, with its upstream."""
    return Repository.create(shared_folder)


@pytest.fixture
def variables(repository: Repository, tmp_path: Path) -> dict[str, object]:
    """Return the role's variables for the checkout."""
    return {
        "checkout_updated_path": str(repository.checkout),
        "checkout_updated_directory": "backend",
        "checkout_updated_python": python_of_nobody(),
        "checkout_updated_user": SERVICE_USER,
        "checkout_updated_module": "app",
        "checkout_updated_state_directory": str(tmp_path / "kept"),
    }


def test_previews_updates_and_goes_back(
    play: Player, repository: Repository, variables: dict[str, object]
) -> None:
    """What imports is pulled, a second time does nothing, and the undo restores the commit."""
    before = repository.head
    # Needs a file that is in no commit, as a configuration is.
    fixed = repository.publish("Mend", {"backend/app.py": "open('.env')\nfrom core import name\n"})
    (repository.checkout / "backend/.env").write_text("")

    preview = play("checkout_updated", variables, *PREVIEW)

    assert (preview.failed, preview.changed) == (False, 1), preview.output
    assert "Start" in preview.output
    assert repository.head == before

    played = play("checkout_updated", variables)

    assert (played.failed, played.changed) == (False, 1), played.output
    assert repository.head == fixed
    assert repository.work_trees == 1
    again = play("checkout_updated", variables)
    assert (again.failed, again.changed) == (False, 0), again.output

    undone = play.undo("checkout_updated", variables)

    assert (undone.failed, undone.changed) == (False, 1), undone.output
    assert repository.head == before


def test_stays_if_upstream_does_not_import(
    play: Player, repository: Repository, variables: dict[str, object]
) -> None:
    """A broken upstream is not pulled, however new: the commit that works stays."""
    before = repository.head
    repository.publish("Break", BROKEN)

    played = play("checkout_updated", variables, "-v")

    assert (played.failed, played.changed) == (False, 0), played.output
    assert repository.head == before
    assert "cannot import name 'User'" in played.output


def test_goes_back_to_the_last_commit_that_imports(
    play: Player, repository: Repository, variables: dict[str, object]
) -> None:
    """Of several broken commits none stays; too few allowed and nothing is touched."""
    good = repository.head
    repository.publish("Break", BROKEN)
    worst = repository.publish("Break it more", {"backend/core.py": "syntax error\n"})
    repository.pull()

    too_few = play("checkout_updated", {**variables, "checkout_updated_depth": 1})

    assert too_few.failed
    assert "nothing is changed, since no commit imports" in too_few.words
    assert "Break it more" in too_few.words
    assert repository.head == worst

    played = play("checkout_updated", variables)

    assert (played.failed, played.changed) == (False, 1), played.output
    assert repository.head == good
    assert (repository.checkout / "backend/core.py").read_text() == "name = 1\n"


def test_refuses_what_is_not_to_be_guessed(
    play: Player, repository: Repository, variables: dict[str, object]
) -> None:
    """A dirty checkout is refused by the names of the files, an own commit by its subject."""
    repository.publish("Mend", {"backend/core.py": "name = 2\n"})
    before = repository.head
    mine = repository.checkout / "backend/core.py"
    mine.write_text("name = 3\n")

    dirty = play("checkout_updated", variables)

    assert dirty.failed
    assert "has changes that no commit holds: backend/core.py" in dirty.words
    assert (repository.head, mine.read_text()) == (before, "name = 3\n")

    who = ["-c", "user.name=Ops", "-c", "user.email=ops@webmagic.example"]
    subprocess.run(["git", *who, "commit", "-qam", "Hot mend"], cwd=repository.checkout, check=True)
    diverged = play("checkout_updated", variables)

    assert diverged.failed
    assert "went different ways" in diverged.words
    assert "Hot mend" in diverged.words


def test_requirements_go_with_the_commit(
    play: Player,
    repository: Repository,
    variables: dict[str, object],
    shared_folder: Path,
) -> None:
    """Changed requirements are tried apart, then installed; the undo brings both back."""
    wheels = shared_folder / "wheels"
    write_wheel(wheels, "right", "1.0")
    python = make_environment(shared_folder / "venv")
    variables |= {
        "checkout_updated_python": str(python),
        "checkout_updated_pip_options": pip_options(wheels),
    }
    before = repository.head
    repository.publish("Want too much", {"backend/requirements.txt": "nonsuch\n"})
    refused = play("checkout_updated", variables, "-v")
    assert (refused.failed, repository.head) == (False, before), refused.output
    assert "its requirements cannot be installed" in refused.words
    assert installed(python) == {}

    wants = repository.publish(
        "Want right", {"backend/requirements.txt": "right\n", "backend/app.py": "import right\n"}
    )
    played = play("checkout_updated", variables)

    assert not played.failed, played.output
    assert repository.head == wants
    assert installed(python) == {"right": "1.0"}

    undone = play.undo("checkout_updated", variables)

    assert not undone.failed, undone.output
    assert repository.head == before
    assert installed(python) == {}
