"""What is kept between processes to save time, and never trusted further than that."""

import os
import pwd
import resource
import sys
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import NoReturn

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


def test_what_is_not_whole_is_not_read(place: Path) -> None:
    """Cut off, changed in one byte, or under another thing's name: it counts as nothing kept."""
    cache_file.write("one", b"content")
    whole = (place / "one").read_bytes()
    (place / "other").write_bytes(whole)
    (place / "other").chmod(0o600)
    assert cache_file.read("one") == b"content"
    assert cache_file.read("other") is None

    holed = [whole[:at] + b"\0" + whole[at + 1 :] for at in range(len(whole)) if whole[at]]
    for content in (*(whole[:size] for size in range(len(whole))), *holed, whole + b"\0"):
        (place / "one").write_bytes(content)
        assert cache_file.read("one") is None


def test_what_others_could_have_put_there_is_not_read(
    place: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Where others may write to the folder, or it is theirs, they choose what has which name."""
    cache_file.write("one", b"content")

    place.chmod(0o770)
    assert cache_file.read("one") is None
    place.chmod(0o700)
    monkeypatch.setattr(os, "geteuid", lambda: place.stat().st_uid + 1)
    assert cache_file.read("one") is None


def test_names_differ_where_python_works_out_something_else(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """Another build of Python, another place of what is compiled and another question: another name."""
    names = {cache_file.of_this_python("kind"), cache_file.of_this_python("kind", "asked")}
    with monkeypatch.context() as other:
        other.setattr(sys, "version", f"{sys.version} (mended)")
        names.add(cache_file.of_this_python("kind"))
    with monkeypatch.context() as other:
        other.setattr(sys, "pycache_prefix", "/elsewhere")
        names.add(cache_file.of_this_python("kind"))

    assert len(names) == 4
    assert cache_file.of_this_python("kind") in names


def test_a_full_disk_is_left_as_it_was(place: Path) -> None:
    """What does not fit leaves what was kept before, and nothing half written."""
    cache_file.write("one", b"content")
    before = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (1 << 20, before[1]))
    try:
        cache_file.write("one", bytes(1 << 21))
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, before)

    assert [path.name for path in place.iterdir()] == ["one"]
    assert cache_file.read("one") == b"content"


def test_who_reads_while_others_write_reads_one_of_them(place: Path) -> None:
    """Of what several write at once one whole thing is there at any time, and nothing beside it."""
    contents = [bytes([number]) * 100_000 for number in range(4)]
    cache_file.write("one", contents[0])

    def write_often(content: bytes) -> list[bytes | None]:
        found = []
        for _ in range(20):
            cache_file.write("one", content)
            found.append(cache_file.read("one"))
        return found

    with ThreadPoolExecutor(4) as threads:
        found = [each for told in threads.map(write_often, contents) for each in told]

    assert {*found} <= {*contents}
    assert [path.name for path in place.iterdir()] == ["one"]


def test_who_has_no_home_keeps_nothing(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A user that the machine does not know has no folder made where he happens to be."""

    def unknown(_user: int) -> NoReturn:
        raise KeyError

    for name in ("HOME", "XDG_CACHE_HOME"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setattr(pwd, "getpwuid", unknown)
    monkeypatch.chdir(tmp_path)

    cache_file.write("one", b"content")

    assert cache_file.read("one") is None
    assert [*tmp_path.iterdir()] == []


def test_root_makes_no_folder_in_the_home_of_another(
    place: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """With a home that sudo leaves as it is: its owner could never keep anything there."""
    if os.geteuid() == 0:
        os.chown(tmp_path, 1000, -1)
    monkeypatch.setattr(os, "geteuid", lambda: 0)

    cache_file.write("one", b"content")

    assert not place.parent.exists()


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
