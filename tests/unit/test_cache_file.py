"""What is kept between processes to save time, and never trusted further than that."""

import os
from pathlib import Path

import pytest

from runbook import cache_file


@pytest.fixture(autouse=True)
def place(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Give the folder things are kept in, which nobody has made yet."""
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    return tmp_path / "cache" / "runbook"


def test_what_was_written_is_read_and_for_nobody_else_to_see(place: Path) -> None:
    """The folder is made 0700 and the file 0600; a name that nothing was kept under has nothing."""
    cache_file.write("one", b"content")

    assert cache_file.read("one") == b"content"
    assert cache_file.read("two") is None
    assert place.stat().st_mode & 0o777 == 0o700
    assert (place / "one").stat().st_mode & 0o777 == 0o600


def test_what_others_could_have_written_is_not_read(place: Path) -> None:
    """A file that a group may write, a link and a pipe count as nothing kept."""
    for name in ("shared", "target"):
        cache_file.write(name, b"content")
    (place / "shared").chmod(0o660)
    (place / "link").symlink_to(place / "target")
    os.mkfifo(place / "pipe")

    assert [cache_file.read(name) for name in ("shared", "link", "pipe")] == [None, None, None]
    assert cache_file.read("target") == b"content"


def test_where_nothing_can_be_kept_nothing_fails(place: Path) -> None:
    """A file in the place of the folder, or a folder others may write to: it is not kept."""
    place.parent.mkdir()
    place.write_text("in the way")
    cache_file.write("one", b"content")
    assert cache_file.read("one") is None

    place.unlink()
    place.mkdir()
    place.chmod(0o777)
    cache_file.write("one", b"content")
    assert list(place.iterdir()) == []


def test_what_was_used_longest_ago_goes(place: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Only so many are kept, the last ones that were written or read."""
    monkeypatch.setattr(cache_file, "MOST", 2)
    for number in range(4):
        cache_file.write(f"kept-{number}", b"content")
        os.utime(place / f"kept-{number}", (number, number))
    assert cache_file.read("kept-2") == b"content"

    cache_file.write("kept-4", b"content")

    assert {path.name for path in place.iterdir()} == {"kept-2", "kept-4"}
