"""Role `imports_valid`."""

from pathlib import Path

from tests.roles.playing import PREVIEW, SERVICE_USER, Player
from tests.unit.probes.prober import python_of_nobody


def variables(folder: Path, **more: object) -> dict[str, object]:
    """Return the role's variables for an application in `folder`."""
    return {
        "imports_valid_directory": str(folder),
        "imports_valid_python": python_of_nobody(),
        "imports_valid_user": SERVICE_USER,
        "imports_valid_module": "main",
        **more,
    }


def test_imports_as_the_service_and_leaves_nothing(play: Player, shared_folder: Path) -> None:
    """The module is imported as the service's user, with the environment given; nothing changes."""
    (shared_folder / "main.py").write_text(
        "import getpass, os, sub\n"
        f"assert getpass.getuser() == {SERVICE_USER!r}\n"
        "assert os.environ['DATABASE_URL'] == 'sqlite://'\n"
        "print('talkative')\n"
    )
    (shared_folder / "sub.py").write_text("")

    played = play(
        "imports_valid",
        variables(shared_folder, imports_valid_environment={"DATABASE_URL": "sqlite://"}),
    )

    assert (played.failed, played.changed) == (False, 0), played.output
    assert sorted(path.name for path in shared_folder.iterdir()) == ["main.py", "sub.py"]


def test_names_error_file_and_line(play: Player, shared_folder: Path) -> None:
    """What cannot be imported is named with the place; a preview executes nothing."""
    (shared_folder / "main.py").write_text("import sub\n")
    (shared_folder / "sub.py").write_text("\nfrom core.auth import get_current_user\n")

    preview = play("imports_valid", variables(shared_folder), *PREVIEW)
    played = play("imports_valid", variables(shared_folder))

    assert not preview.failed
    assert played.failed
    assert f"ModuleNotFoundError: No module named 'core' ({shared_folder}/sub.py:2)" in played.words


def test_prefers_the_applications_own_script(play: Player, shared_folder: Path) -> None:
    """test_imports.py decides where there is one: by its exit status, and its words are shown."""
    (shared_folder / "main.py").write_text("raise RuntimeError\n")
    script = shared_folder / "test_imports.py"
    script.write_text("import sys\nprint('models.user: ok')\nsys.exit(0)\n")
    passes = play("imports_valid", variables(shared_folder))
    script.write_text("import sys\nprint('models.scrape: FAILED')\nsys.exit(1)\n")
    fails = play("imports_valid", variables(shared_folder))

    assert not passes.failed, passes.output
    assert fails.failed
    assert "test_imports.py ended with 1" in fails.output
    assert "models.scrape: FAILED" in fails.output


def test_an_import_that_hangs_or_kills_is_a_failure(play: Player, shared_folder: Path) -> None:
    """An import that does not end, or ends Python, is told as such and not waited for."""
    main = shared_folder / "main.py"
    main.write_text("import time\ntime.sleep(600)\n")
    hangs = play("imports_valid", variables(shared_folder, imports_valid_timeout_s=2))
    main.write_text("import os\nos.abort()\n")
    dies = play("imports_valid", variables(shared_folder))

    assert hangs.failed
    assert "main is not imported within 2 s" in hangs.words
    assert dies.failed
    assert "main: exit status -6" in dies.words
