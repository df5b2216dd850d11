"""The private folder of an invocation."""

import json
import os
import py_compile
import stat
from importlib.util import cache_from_source
from pathlib import Path

import pytest

from runbook.errors import RunbookError
from runbook.executor.workspace import PLUGIN_FOLDERS, Workspace, base_folder


@pytest.fixture(autouse=True)
def runtime(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Give workspaces a place of the test's own."""
    folder = tmp_path / "runtime"
    folder.mkdir(mode=0o700)
    monkeypatch.setenv("XDG_RUNTIME_DIR", str(folder))
    return folder


def filled(content: Path, *roles: Path, called: tuple[Path, ...] = ()) -> Workspace:
    """Make and fill a workspace."""
    workspace = Workspace.create("run-1-1")
    workspace.fill(
        content=content,
        called=called,
        roles=roles,
        defaults={"port": 8000},
        extra={"token": "x"},
    )
    workspace.ask(playbook="- hosts: all\n", plan={"a": 1})
    return workspace


def mode(path: Path) -> int:
    """Return the permissions of a file."""
    return stat.S_IMODE(path.lstat().st_mode)


def test_nobody_else_can_read_it(tmp_path: Path, runtime: Path) -> None:
    """Folders are 0700 and files 0600 from the moment they exist, whatever the umask."""
    before = os.umask(0)
    try:
        workspace = filled(tmp_path / "nothing")
    finally:
        os.umask(before)

    assert mode(runtime / "runbook") == 0o700
    assert mode(workspace.folder) == 0o700
    assert mode(workspace.project) == 0o700
    files = [workspace.plan, workspace.defaults, workspace.extra]
    assert {mode(path) for path in files} == {0o600}
    assert json.loads(workspace.defaults.read_text()) == {"all": {"vars": {"port": 8000}}}


def test_nothing_is_left_of_it(tmp_path: Path) -> None:
    """Removing takes everything, but follows no link."""
    content = tmp_path / "content"
    (content / "files").mkdir(parents=True)
    (content / "files" / "page").write_text("text")
    workspace = filled(content)

    workspace.remove()

    assert not workspace.folder.exists()
    assert (content / "files" / "page").read_text() == "text"


def test_what_ansible_runs_of_ours_is_compiled_once(tmp_path: Path) -> None:
    """Where one of our plugins has been compiled, Python finds that in the workspace too."""
    for plugin in PLUGIN_FOLDERS["action_plugins"].glob("*.py"):
        py_compile.compile(str(plugin), doraise=True)
    workspace = filled(tmp_path / "nothing")

    for plugin in PLUGIN_FOLDERS["action_plugins"].glob("*.py"):
        link = workspace.project / "action_plugins" / plugin.name
        compiled = Path(cache_from_source(str(link)))
        assert compiled.resolve() == Path(cache_from_source(str(plugin)))
        assert compiled.read_bytes()


def test_what_lies_beside_the_runbook_is_found_by_its_name(tmp_path: Path) -> None:
    """Templates, files and modules of the author are there, roles of every search path too."""
    content, elsewhere = tmp_path / "content", tmp_path / "roles"
    for name in ("templates/unit.j2", "library/own.py", "roles/own/x", ".hidden/x"):
        (content / name).parent.mkdir(parents=True, exist_ok=True)
        (content / name).write_text(name)
    for name in ("own/y", "shared/x"):
        (elsewhere / name).parent.mkdir(parents=True, exist_ok=True)
        (elsewhere / name).write_text(name)

    project = filled(content, content / "roles", elsewhere).project

    assert (project / "templates" / "unit.j2").read_text() == "templates/unit.j2"
    assert (project / "library" / "own.py").exists()
    assert (project / "library" / "runbook_probe.py").exists()
    assert (project / "roles" / "own" / "x").exists(), "the first that has a role wins"
    assert (project / "roles" / "shared" / "x").exists()
    assert not (project / ".hidden").exists()


def test_a_runbook_cannot_replace_the_engine(tmp_path: Path) -> None:
    """A plugin or module of ours is ours, whatever lies beside the runbook under its name."""
    content = tmp_path / "content"
    ours = [
        ("library", "runbook_probe.py"),
        ("action_plugins", "runbook_observe.py"),
        ("callback_plugins", "runbook_results.py"),
        ("module_utils", "runbook_probes"),
    ]
    for folder, name in ours:
        (content / folder).mkdir(parents=True)
        (content / folder / name).write_text("evil")
    (content / "runbook-play.yml").write_text("evil")

    workspace = filled(content)

    for folder, name in ours:
        assert (workspace.project / folder / name).resolve().parent == PLUGIN_FOLDERS[folder]
    assert (workspace.project / "runbook-play.yml").read_text() == "- hosts: all\n"


def test_an_id_is_used_once() -> None:
    """A folder that is there already is never shared."""
    Workspace.create("run-1-1")

    with pytest.raises(RunbookError) as caught:
        Workspace.create("run-1-1")

    assert caught.value.problems[0].reference == "workspace-unusable"


@pytest.mark.parametrize("trap", ["link", "open", "file"])
def test_a_place_that_is_not_ours_alone_is_refused(
    runtime: Path, tmp_path: Path, trap: str
) -> None:
    """A link, a folder others may enter, a file: no secret is written there."""
    place = runtime / "runbook"
    if trap == "link":
        (tmp_path / "elsewhere").mkdir(mode=0o700)
        place.symlink_to(tmp_path / "elsewhere")
    elif trap == "open":
        place.mkdir()
        place.chmod(0o755)
    else:
        place.touch()

    with pytest.raises(RunbookError) as caught:
        base_folder()

    assert caught.value.problems[0].reference in ("workspace-unsafe", "workspace-unusable")
    assert caught.value.problems[0].hint


def test_a_disk_that_is_full_is_said(tmp_path: Path, runtime: Path) -> None:
    """Failing to write is an error with its reason, not a traceback."""
    workspace = Workspace.create("run-1-1")
    (workspace.project / "roles").touch()

    with pytest.raises(RunbookError) as caught:
        workspace.fill(content=tmp_path, called=(), roles=(), defaults={}, extra={})

    assert "File exists" in str(caught.value)


def _beside(place: Path, *names: str) -> Path:
    """Make a runbook's folder with files that hold where they are."""
    for name in names:
        (place / name).parent.mkdir(parents=True, exist_ok=True)
        (place / name).write_text(place.name)
    return place


def test_what_called_runbooks_name_is_there_too(tmp_path: Path) -> None:
    """Templates of both are found by their names; variables of groups stay with their runbook."""
    content = _beside(tmp_path / "own", "templates/a.j2", "group_vars/all.yml", "vars/x.yml")
    called = _beside(tmp_path / "called", "templates/b.j2", "files/f", "group_vars/web.yml")

    project = filled(content, called=(called, content)).project

    assert (project / "templates/a.j2").read_text() == "own"
    assert (project / "templates/b.j2").read_text() == "called"
    assert (project / "files/f").read_text() == "called"
    assert (project / "vars/x.yml").read_text() == "own"
    assert [path.name for path in (project / "group_vars").iterdir()] == ["all.yml"]


def test_one_name_for_two_templates_is_refused(tmp_path: Path) -> None:
    """A called runbook's step never gets what its caller has under that name."""
    content = _beside(tmp_path / "own", "templates/unit.j2")
    called = _beside(tmp_path / "called", "templates/unit.j2")

    with pytest.raises(RunbookError) as caught:
        filled(content, called=(called,))

    assert caught.value.problems[0].reference == "content-ambiguous"
    assert f"{called}/templates/unit.j2" in caught.value.problems[0].message
