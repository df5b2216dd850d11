"""A journal on a disk of its own that fails in mid-run: full, read-only by an error, or gone.

The disk is a file with ext4 on it, in a mount namespace that ends with the play; the kernel itself
fails it. Needs root. `python -m tests.crash.disks FAULT BOUNDARY` is what `play_on_disk` starts there.

Sources: ext4(5) for `errors=remount-ro`; https://docs.kernel.org/admin-guide/ext4.html for
`trigger_fs_error`; EXT4_IOC_SHUTDOWN of fs/ext4/ext4.h.
"""

import fcntl
import json
import os
import signal
import struct
import sys
import tempfile
from collections.abc import Callable, Iterator
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

from tests.crash.hosts import begun, lay_out
from tests.crash.judging import judge, judge_record
from tests.crash.lives import Life, await_end, passed, spawn
from tests.crash.matrix import Played
from tests.lab.commands import run

INTENT = "FixIntended: BEGIN"
"""The boundary before the intent of a fix is written."""

_SIZE = 16 << 20
_SHUT_DOWN, _AND_WRITE_NOTHING = 0x8004587D, 2


def fill(journal: Path) -> None:
    """Leave no room on the disk (ENOSPC)."""
    descriptor = os.open(journal.with_name("filler"), os.O_WRONLY | os.O_CREAT)
    for size in (1 << 16, 1 << 10):
        with suppress(OSError):
            while True:
                os.write(descriptor, b"x" * size)
    os.close(descriptor)


def find_an_error(journal: Path) -> None:
    """Have the file system find an error in itself, and become read-only (EROFS)."""
    number = journal.parent.stat().st_dev
    device = Path(f"/sys/dev/block/{os.major(number)}:{os.minor(number)}").resolve().name
    Path(f"/sys/fs/ext4/{device}/trigger_fs_error").write_text("found by a test")


def take_away(journal: Path) -> None:
    """Take the disk away, with all that is not on it yet, as a power cut does (EIO)."""
    descriptor = os.open(journal.parent, os.O_RDONLY)
    fcntl.ioctl(descriptor, _SHUT_DOWN, struct.pack("I", _AND_WRITE_NOTHING))
    os.close(descriptor)


FAULTS: tuple[Callable[[Path], None], ...] = (fill, find_an_error, take_away)


@dataclass(frozen=True, kw_only=True, slots=True)
class Disk:
    """A disk whose content is in the file `image`, and where it is mounted."""

    image: Path
    place: Path

    def make(self) -> None:
        """Make it, empty."""
        with self.image.open("wb") as file:
            file.truncate(_SIZE)
        # Else a part of it would be left for root, whom tests may run as.
        run(["mkfs.ext4", "-q", "-m", "0", str(self.image)])
        self.place.mkdir(parents=True)
        self.mount()

    def mount(self) -> None:
        """Mount it."""
        run(["mount", "-o", "loop,errors=remount-ro", str(self.image), str(self.place)])

    def mend(self) -> None:
        """Have it as it is when somebody has mended it: with room, and mounted anew."""
        run(["umount", str(self.place)])
        self.mount()
        (self.place / "filler").unlink(missing_ok=True)


def play_on_disk(fault: Callable[[Path], None], boundary: int | str) -> Played:
    """Have the disk fail at a boundary or a stage, mend it, go on, and judge what is left."""
    inside = ["unshare", "--mount", "--propagation", "private", sys.executable, "-m", __name__]
    said = run([*inside, fault.__name__, str(boundary)])
    stages, wrong = json.loads(said)
    return Played(stages=tuple(stages), wrong=tuple(wrong))


def _play(folder: Path, fault: Callable[[Path], None], boundary: int | str) -> Played:
    life = Life(home=folder / "home", spoils_at=boundary, spoil=fault)
    disk = Disk(image=folder / "image", place=life.journal.parent)
    disk.make()
    lay_out(life.hosts)
    code = await_end(spawn(life))
    stages = passed(life.home)
    reached = stages[boundary - 1 : boundary] if isinstance(boundary, int) else [boundary]
    wrong = list(_told(life, code, reached))
    disk.mend()
    wrong += judge_record(life.home)
    again = await_end(spawn(Life(home=life.home)))
    if again != 0:
        wrong.append(f"going on ended with {again}: {life.said.read_text()[-2000:]}")
    wrong += judge(life.home)
    run(["umount", str(disk.place)])
    return Played(
        stages=tuple(f"{fault.__name__}: {stage}" for stage in reached), wrong=tuple(wrong)
    )


def _told(life: Life, code: int, reached: list[str]) -> Iterator[str]:
    """Return what is wrong with how a life ended whose disk failed."""
    said = life.said.read_text()
    # What SQLite has mapped into memory, the kernel cannot give to it any more (mmap(2)).
    if code not in (0, 2, -signal.SIGBUS) or "Traceback" in said:
        yield f"it ended with {code}: {said[-2000:]}"
    if code == 2 and "journal-unusable" not in said:
        yield f"it does not say what is wrong: {said[-2000:]}"
    if reached == [INTENT] and (code == 0 or begun(life.hosts)):
        yield f"what could not be written was done: {begun(life.hosts)}, exit code {code}"


def main() -> None:
    """Play what the arguments say, and print what came of it."""
    name, boundary = sys.argv[1:]
    (fault,) = [fault for fault in FAULTS if fault.__name__ == name]
    with tempfile.TemporaryDirectory() as folder:
        played = _play(Path(folder), fault, int(boundary) if boundary.isdigit() else boundary)
    print(json.dumps([played.stages, played.wrong]))


if __name__ == "__main__":
    main()
