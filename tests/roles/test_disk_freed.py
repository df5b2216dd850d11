"""Role `disk_freed`."""

import os
import struct
import sys
import time
from contextlib import closing
from pathlib import Path

from tests.playbooks import Ansible
from tests.roles.playing import PREVIEW, Player

MEGABYTE = 2**20
OLD = time.time() - 30 * 86400


def write(path: Path, size: int = 8192, *, changed_at: float = OLD) -> None:
    """Write a file of that age."""
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(b"x" * size)
    os.utime(path, (changed_at, changed_at))


def write_archive(folder: Path, number: int) -> Path:
    """Write what journald takes for an archive of 1 MB with an entry in it."""
    path = folder / f"system@{'0' * 32}-{number:016x}-{number:016x}.journal"
    # The number of entries, for an archive without any is always removed.
    header = bytes(152) + struct.pack("<Q", 1)
    path.write_bytes(header.ljust(MEGABYTE, b"\x01"))
    os.utime(path, (OLD + number, OLD + number))
    return path


def variables(folder: Path, **more: object) -> dict[str, object]:
    """Return the role's variables: only the logs in `folder`, unless `more` says otherwise."""
    return {
        "disk_freed_journal_size": "",
        "disk_freed_log_directories": [str(folder)],
        "disk_freed_package_cache": False,
        **more,
    }


def test_removes_only_old_rotated_logs(play: Player, tmp_path: Path) -> None:
    """What goes is listed before it goes; young, living, linked and foreign files all stay."""
    logs = tmp_path / "log"
    going = ["app.log.1", "app.log.2", "nginx/error.log.3.gz", "syslog.1"]
    staying = ["app.log", "data.sqlite", "app.1.conf", "dump.12"]
    for name in (*going, *staying):
        write(logs / name)
    write(logs / "young.log.1", changed_at=time.time())
    write(tmp_path / "elsewhere/other.log.1")
    (logs / "link.1").symlink_to(tmp_path / "elsewhere/other.log.1")
    (logs / "folder").symlink_to(tmp_path / "elsewhere")
    os.link(tmp_path / "elsewhere/other.log.1", logs / "second.log.1")
    before = sorted(path for path in tmp_path.rglob("*log/**/*"))

    preview = play("disk_freed", variables(logs), *PREVIEW)

    assert (preview.failed, preview.changed) == (False, 1), preview.output
    assert all(f"-{logs / name} (8192 bytes)" in preview.output for name in going)
    assert preview.output.count("bytes)") == len(going)
    assert sorted(path for path in tmp_path.rglob("*log/**/*")) == before

    played = play("disk_freed", variables(logs), "-v")

    assert (played.failed, played.changed) == (False, 1), played.output
    assert "logs: 32768 bytes" in played.output
    assert {str(path.relative_to(logs)) for path in logs.rglob("*") if path.is_file()} == {
        *staying,
        "young.log.1",
        "link.1",
        "second.log.1",
    }
    again = play("disk_freed", variables(logs))
    assert (again.failed, again.changed) == (False, 0), again.output


def test_vacuums_the_journal(play: Player, tmp_path: Path) -> None:
    """Journald's oldest archives go until the rest is as small as asked for, as previewed."""
    machine = tmp_path / ("0" * 32)
    machine.mkdir()
    archives = [write_archive(machine, number) for number in range(1, 6)]
    wanted = variables(
        tmp_path,
        disk_freed_log_directories=[],
        disk_freed_journal_size="3M",
        disk_freed_journal_directory=str(tmp_path),
    )

    preview = play("disk_freed", wanted, *PREVIEW)
    assert [str(path) in preview.output for path in archives] == [True, True, False, False, False]
    assert all(path.exists() for path in archives)
    played = play("disk_freed", wanted, "-v")

    assert (played.failed, played.changed) == (False, 1), played.output
    assert [path.exists() for path in archives] == [False, False, True, True, True]
    assert f"journal: {2 * MEGABYTE} bytes" in played.output
    again = play("disk_freed", wanted)
    assert (again.failed, again.changed) == (False, 0), again.output


def test_cleans_the_package_cache(tmp_path: Path) -> None:
    """Apt's own clean removes the packages it keeps, here from a cache of its own."""
    cache = "/var/cache/apt/archives"
    prepare = (
        f"mount -t tmpfs tmpfs {cache} && mkdir {cache}/partial"
        f' && head -c 1M /dev/zero >{cache}/x_1_all.deb && exec "$@"'
    )
    namespace = ["unshare", "--mount", *([] if os.geteuid() == 0 else ["--map-root-user"])]
    within = [*namespace, "sh", "-c", prepare, "sh"]
    wanted = variables(tmp_path, disk_freed_log_directories=[], disk_freed_package_cache=True)
    folder = tmp_path / "plays"
    folder.mkdir()
    with closing(Ansible.start(folder, sys.executable, within=within)) as ansible:
        play = Player(folder=tmp_path, ansible=ansible)
        package = Path(f"{ansible.root}{cache}/x_1_all.deb")

        preview = play("disk_freed", wanted, *PREVIEW)
        was_there = package.exists()
        played = play("disk_freed", wanted, "-v")
        is_there = package.exists()

    assert f"-{cache}/x_1_all.deb ({MEGABYTE} bytes)" in preview.output
    assert was_there
    assert (played.failed, played.changed) == (False, 1), played.output
    assert f"packages: {MEGABYTE} bytes" in played.output
    assert not is_there


def test_what_does_not_work_is_told(play: Player, tmp_path: Path) -> None:
    """A folder that is none fails the role; together with what works it is only told."""
    logs = tmp_path / "log"
    write(logs / "app.log.1")
    machine = tmp_path / ("0" * 32)
    machine.mkdir()
    write_archive(machine, 1)
    missing = variables(tmp_path / "nonsuch")
    young = variables(logs, disk_freed_log_days=0)
    partly = variables(
        tmp_path / "nonsuch",
        disk_freed_journal_size="1K",
        disk_freed_journal_directory=str(tmp_path),
    )

    for wanted, reason in (
        (missing, "nonsuch is no folder of logs"),
        (young, "younger than a day"),
    ):
        played = play("disk_freed", wanted)
        assert played.failed
        assert reason in played.words
    some = play("disk_freed", partly, "-v")
    assert not some.failed, some.output
    assert "nonsuch is no folder of logs" in some.words
    assert (logs / "app.log.1").exists()
