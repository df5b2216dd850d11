"""Where the journal cannot be written nothing is begun, and nothing that was written is lost."""

import random
import shutil
import time
from collections.abc import Callable
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path

import pytest

from runbook.journal.sqlite import open_journal
from runbook.model.event import HostJoined
from tests.contract.journals import run
from tests.crash import disks
from tests.crash.hosts import begun, lay_out
from tests.crash.judging import judge, judge_record
from tests.crash.lives import KILLED, Life, await_end, spawn
from tests.crash.matrix import boundaries
from tests.crash.storage import FAULTS

_Fault = Callable[[Path], None]


@pytest.fixture(scope="module")
def stages(tmp_path_factory: pytest.TempPathFactory) -> list[str]:
    """Give the boundaries of a run that nothing disturbs."""
    return boundaries(tmp_path_factory.mktemp("undisturbed"))


def spoilt(home: Path, boundary: int, fault: _Fault) -> tuple[int, str]:
    """Live with a journal that fails from a boundary on; return how that ended and what it said."""
    life = Life(home=home, spoils_at=boundary, spoil=fault, busy_s=0.3)
    lay_out(life.hosts)
    return await_end(spawn(life)), life.said.read_text()


@pytest.mark.parametrize("fault", FAULTS)
def test_an_intent_that_cannot_be_written_begins_nothing(
    fault: _Fault, stages: list[str], tmp_path: Path
) -> None:
    """No host sees a fix begin; once there is a journal again, resuming ends the run."""
    code, said = spoilt(tmp_path, stages.index("FixIntended: BEGIN") + 1, fault)

    assert code == 2, said
    assert "journal-unusable" in said
    assert "runbook resume" in said
    assert not begun(Life(home=tmp_path).hosts)
    assert not judge_record(tmp_path)
    assert await_end(spawn(Life(home=tmp_path))) == 0
    assert not judge(tmp_path)


@pytest.mark.parametrize("fault", FAULTS)
def test_wherever_the_journal_fails_the_run_can_be_gone_on_with(
    fault: _Fault, stages: list[str], tmp_path: Path
) -> None:
    """At boundaries that a seed chooses: no traceback, nothing lost, no fix repeated."""
    seed = FAULTS.index(fault)
    for boundary in sorted(random.Random(seed).sample(range(6, len(stages)), 4)):
        home = tmp_path / str(boundary)
        code, said = spoilt(home, boundary, fault)

        assert code in (0, 2), (seed, boundary, said)
        assert "Traceback" not in said, (seed, boundary)
        assert await_end(spawn(Life(home=home))) == 0, (seed, boundary)
        assert not judge(home), (seed, boundary)


@pytest.mark.lab
@pytest.mark.parametrize("fault", disks.FAULTS)
def test_where_a_real_disk_fails_an_intent_begins_nothing(fault: _Fault) -> None:
    """Full, read-only by an error, or gone as in a power cut, in mid-run, by the kernel's own doing."""
    played = disks.play_on_disk(fault, disks.INTENT)

    assert not played.wrong
    assert played.stages == (f"{fault.__name__}: {disks.INTENT}",)


@dataclass(kw_only=True)
class Jumping:
    """A clock that jumps by `by_s` seconds, at first behind or ahead, once it was asked so often."""

    after: int
    by_s: float
    asked: int = 0

    def __call__(self) -> float:
        """Return POSIX seconds."""
        self.asked += 1
        return time.time() - (self.by_s if self.asked <= self.after else 0.0)


@pytest.mark.parametrize(
    ("after", "by_s"),
    [(3, -3600.0), (7, -3600.0), (12, -3600.0), (20, -3600.0), (7, 3600.0), (12, 3600.0)],
)
def test_a_clock_that_jumps_loses_and_repeats_nothing(
    after: int, by_s: float, stages: list[str], tmp_path: Path
) -> None:
    """By an hour in mid-run, or between a kill and the resume: all ends as it would have.

    Forward it jumps where the machine was asleep.
    """
    lay_out(Life(home=tmp_path).hosts)
    dies_at = stages.index("the fix at work") + 1 if after == 20 else None
    clock = Jumping(after=after, by_s=by_s)

    code = await_end(spawn(Life(home=tmp_path, clock=clock, dies_at=dies_at)))

    assert code == (0 if dies_at is None else KILLED)
    assert await_end(spawn(Life(home=tmp_path))) == 0
    assert not judge(tmp_path)


def test_of_a_torn_write_all_or_nothing_is_there(tmp_path: Path) -> None:
    """The log is cut at every page of its last write, and within pages: the chain holds each time."""
    path = tmp_path / "journal.sqlite"
    log = Path(f"{path}-wal")
    batch = [HostJoined(host=f"web{n}", params={"text": "x" * 3000}) for n in range(5)]
    with closing(open_journal(path)) as journal:
        journal.begin(run("r1"))
        journal.append("r1", batch, at=1.0, who="ann")
        before = log.stat().st_size
        journal.append("r1", batch, at=2.0, who="ann")
        whole = log.read_bytes()
        (page,) = journal._connection.execute("PRAGMA page_size").fetchone()
        # Its -shm file is left behind, as after a power cut: the log tells what there is.
        shutil.copy(path, tmp_path / "base")
    frame = page + 24  # https://www.sqlite.org/fileformat.html#the_write_ahead_log
    frames = range(before, len(whole), frame)
    assert len(frames) > 3

    found = set()
    for cut in [*frames, *(at + 100 for at in frames), *(at + frame - 1 for at in frames)]:
        for rest in (b"", b"\0" * (len(whole) - cut)):
            torn = tmp_path / f"{cut}-{len(rest)}" / "journal.sqlite"
            torn.parent.mkdir()
            shutil.copy(tmp_path / "base", torn)
            Path(f"{torn}-wal").write_bytes(whole[:cut] + rest)
            with closing(open_journal(torn)) as journal:
                found.add((cut == len(whole), journal.verify("r1").seq))
                journal.append("r1", batch, at=3.0, who="ann")
                assert journal.verify("r1").seq in (10, 15)
    assert found == {(False, 5)}


def test_a_checkpoint_that_is_torn_loses_nothing(tmp_path: Path) -> None:
    """While entries are moved from the log to the file, either of them may be half written."""
    path = tmp_path / "journal.sqlite"
    log = Path(f"{path}-wal")
    with closing(open_journal(path)) as journal:
        journal.begin(run("r1"))
        for number in range(20):
            joined = HostJoined(host=f"web{number}", params={"text": "x" * 3000})
            journal.append("r1", [joined], at=1.0, who="ann")
        before, whole = path.read_bytes(), log.read_bytes()
        journal._connection.execute("PRAGMA wal_checkpoint(FULL)")
        after = path.read_bytes()
    assert len(after) > len(before)

    for cut in range(4096, len(after), 3 * 4096 + 1000):
        torn = tmp_path / str(cut) / "journal.sqlite"
        torn.parent.mkdir()
        torn.write_bytes(after[:cut] + b"\xa5" * 2048 + before[cut + 2048 :])
        Path(f"{torn}-wal").write_bytes(whole)
        with closing(open_journal(torn)) as journal:
            assert journal.verify("r1").seq == 20
