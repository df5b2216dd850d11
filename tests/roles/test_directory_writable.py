"""Role `directory_writable`."""

from pathlib import Path

from tests.roles.playing import PREVIEW, SERVICE_USER, Player


def variables(folder: Path, kept: Path, **more: object) -> dict[str, object]:
    """Return the role's variables."""
    return {
        "directory_writable_path": str(folder),
        "directory_writable_user": SERVICE_USER,
        "directory_writable_state_directory": str(kept / "kept"),
        **more,
    }


def test_makes_a_folder_and_removes_it(play: Player, shared_folder: Path, tmp_path: Path) -> None:
    """A preview makes nothing; the folder belongs to the service; the undo spares what is in it."""
    folder = shared_folder / "log"
    wanted = variables(folder, tmp_path)

    preview = play("directory_writable", wanted, *PREVIEW)
    assert (preview.failed, preview.changed) == (False, 1), preview.output
    assert f"-{folder}: absent" in preview.output
    assert not folder.exists()

    played = play("directory_writable", wanted)

    assert (played.failed, played.changed) == (False, 1), played.output
    assert (folder.owner(), folder.stat().st_mode & 0o7777) == (SERVICE_USER, 0o750)
    again = play("directory_writable", wanted)
    assert (again.failed, again.changed) == (False, 0), again.output

    (folder / "app.log").write_text("words\n")
    for options in (PREVIEW, ()):
        refused = play.undo("directory_writable", wanted, *options)
        assert refused.failed
        assert "was made and is not empty now: not removed" in refused.words
    (folder / "app.log").unlink()
    undone = play.undo("directory_writable", wanted)
    assert (undone.failed, undone.changed) == (False, 1), undone.output
    assert not folder.exists()


def test_brings_owner_and_mode_back(play: Player, shared_folder: Path, tmp_path: Path) -> None:
    """A folder that was there gets its mode back, what is inside is left alone throughout."""
    folder = shared_folder / "log"
    folder.mkdir()
    (folder / "app.log").touch(0o600)
    folder.chmod(0o500)
    before = folder.stat()
    wanted = variables(folder, tmp_path, directory_writable_mode="2770")

    assert not play("directory_writable", wanted).failed
    assert (folder.owner(), folder.stat().st_mode & 0o7777) == (SERVICE_USER, 0o2770)
    assert (folder / "app.log").stat().st_mode & 0o777 == 0o600
    undone = play.undo("directory_writable", wanted)

    assert not undone.failed, undone.output
    after = folder.stat()
    assert (after.st_uid, after.st_gid, after.st_mode) == (
        before.st_uid,
        before.st_gid,
        before.st_mode,
    )


def test_refuses_what_would_not_help_or_harm(
    play: Player, shared_folder: Path, tmp_path: Path
) -> None:
    """A missing parent, a file, everybody's write and the top of the file system are refused."""
    (shared_folder / "file").touch()
    for path, more, reason in (
        (shared_folder / "a/b", {}, f"there is no {shared_folder}/a to make it in"),
        (shared_folder / "file", {}, "is no folder"),
        (shared_folder / "log", {"directory_writable_mode": "0777"}, "let everybody write"),
        (Path("/var"), {}, "/var is not a folder of one service"),
    ):
        played = play("directory_writable", variables(path, tmp_path, **more))
        assert played.failed
        assert reason in played.words
    assert sorted(path.name for path in shared_folder.iterdir()) == ["file"]
