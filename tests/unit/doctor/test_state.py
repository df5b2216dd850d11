"""What the doctor finds about the state that runs leave: each line can be good, and can fail."""

import os
import sqlite3
import subprocess
import time
from contextlib import closing
from dataclasses import replace
from pathlib import Path

import pytest

from runbook.doctor import State
from runbook.doctor.state import (
    DAY_S,
    chains,
    disk,
    disks,
    journal,
    permissions,
    unfinished,
    unpacked_modules,
    working_folders,
)
from runbook.errors import RunbookError
from runbook.executor.workspace import OWNER_FILE, base_folder
from runbook.journal import RunSummary
from runbook.journal.holder import this_process
from runbook.journal.memory import MemoryJournal
from runbook.journal.sqlite import open_journal
from runbook.model.event import FixIntended, HostJoined, Mode, RunFinished, RunStarted
from runbook.model.verdict import Verdict

DEAD = replace(this_process(), started=1)
"""A holder whose process number has been given to another process since."""


def summary(name: str) -> RunSummary:
    """Return a run whose process is dead."""
    return RunSummary(
        id=name,
        runbook="fix-502",
        mode=Mode.RUN,
        pattern="prod",
        operator="ann",
        started_at=1.0,
        holder=DEAD,
    )


def test_a_journal_that_holds(tmp_path: Path) -> None:
    """None is fine as long as the first run can make one; a whole one says how much was checked."""
    path = tmp_path / "home" / "journal.sqlite"
    [none] = journal(path)
    with closing(open_journal(path)) as opened:
        opened.begin(summary("20260102-030405-aaaa"))
        started = RunStarted(
            runbook="fix-502", closure="c", pattern="prod", mode=Mode.RUN, operator="ann"
        )
        ended = RunFinished(verdict=Verdict.HEALTHY)
        opened.append("20260102-030405-aaaa", [started, ended], at=2.0, who="ann")

    whole, rest = journal(path)
    unwritable, *_ = journal(path, writable=lambda _: False)

    assert none.state is State.GOOD
    assert (unwritable.state, unwritable.remedy) == (
        State.BAD,
        f"chown -R $(id -un) {path.parent}",
    )
    assert (whole.state, whole.seen) == (State.GOOD, "1 run checked, every chain holds")
    assert (rest.check, rest.state) == ("unfinished-runs", State.GOOD)


def test_a_journal_that_somebody_changed(tmp_path: Path) -> None:
    """The run whose chain does not hold is named."""
    path = tmp_path / "journal.sqlite"
    with closing(open_journal(path)) as opened:
        opened.begin(summary("20260102-030405-aaaa"))
        opened.append("20260102-030405-aaaa", [HostJoined(host="web1")], at=2.0, who="ann")
    with closing(sqlite3.connect(path)) as raw, raw:
        for (name,) in raw.execute(
            "SELECT name FROM sqlite_master WHERE type = 'trigger'"
        ).fetchall():
            raw.execute(f"DROP TRIGGER {name}")
        raw.execute("UPDATE entries SET who = 'eve'")

    found = next(iter(journal(path)))

    assert found.state is State.BAD
    assert "20260102-030405-aaaa does not hold" in found.seen


def test_a_journal_of_another_program(tmp_path: Path) -> None:
    """What cannot be opened is told as any command tells it."""
    path = tmp_path / "journal.sqlite"
    path.write_bytes(b"no journal at all, but long enough to be looked at" * 50)

    with pytest.raises(RunbookError) as error:
        list(journal(path))

    assert error.value.problems[0].hint


def test_checking_chains_ends_in_time() -> None:
    """However many runs there are, only as many are checked as there is time for."""
    kept = MemoryJournal()
    for number in range(3):
        kept.begin(summary(f"20260102-03040{number}-aaaa"))

    assert chains(kept, within_s=-1).seen == "the newest 1 run checked, every chain holds"


def test_runs_that_did_not_come_to_an_end() -> None:
    """A run that is driven is left alone; a dead one can be resumed, one within a fix has to be."""
    kept = MemoryJournal()
    dead, acting, living = (f"20260102-03040{number}-aaaa" for number in (1, 2, 3))
    kept.begin(summary(dead))
    kept.begin(summary(acting))
    kept.claim(acting, ["web2"], at=1.0)
    begun = FixIntended(host="web2", step="restart", attempt=1, invocation="i")
    kept.append(acting, [HostJoined(host="web2"), begun], at=1.0, who="ann")
    kept.begin(replace(summary(living), holder=this_process()))

    found = {finding.seen.partition(":")[0]: finding for finding in unfinished(kept)}

    assert set(found) == {dead, acting}
    assert found[dead].state is State.NOTE
    assert found[acting].state is State.BAD
    assert f"runbook resume {acting}" in (found[acting].remedy or "")


def test_state_that_others_may_read(tmp_path: Path) -> None:
    """Each file and folder is told with the command that closes it."""
    home = tmp_path / "home"
    assert [found.state for found in permissions(home)] == [State.GOOD]
    home.mkdir(mode=0o700)
    (home / "key").write_bytes(b"x")
    (home / "key").chmod(0o600)
    assert [found.state for found in permissions(home)] == [State.GOOD]

    home.chmod(0o750)
    (home / "key").chmod(0o644)

    found = list(permissions(home))
    assert [each.state for each in found] == [State.BAD, State.BAD]
    assert [each.remedy for each in found] == [f"chmod 700 {home}", f"chmod 600 {home}/key"]


def test_disks_that_are_nearly_full(tmp_path: Path) -> None:
    """Below one bound it is bad, below the other worth knowing; a folder yet to be made counts."""
    endless = 1 << 60
    below = tmp_path / "not" / "yet"

    assert disk("a", "A", below, bad=0, low=0).state is State.GOOD
    assert disk("a", "A", below, bad=0, low=endless).state is State.NOTE
    full = disk("a", "A", below, bad=endless, low=endless)
    assert (full.state, str(tmp_path) in full.seen) == (State.BAD, True)
    assert len(list(disks(below))) == 2


def test_working_folders_of_the_dead(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """What a killed run left is told and left alone; an unsafe place is an error with a remedy."""
    monkeypatch.setenv("XDG_RUNTIME_DIR", str(tmp_path))
    [clean] = working_folders()
    left = base_folder() / "20260102-030405-aaaa-1-bbbbbb"
    left.mkdir()
    (left / OWNER_FILE).touch()

    [found] = working_folders()

    assert clean.state is State.GOOD
    assert (found.state, str(left) in found.seen) == (State.NOTE, True)
    assert left.exists()
    base_folder().chmod(0o755)
    with pytest.raises(RunbookError) as error:
        list(working_folders())
    assert error.value.problems[0].hint


def test_what_killed_modules_left_is_told(tmp_path: Path) -> None:
    """With the command that removes just that; what is not a day old may be at work."""
    for name, age_s in (("a_b", 2 * DAY_S), ("ping", 2 * DAY_S), ("new", 60.0)):
        folder = tmp_path / f"ansible_{name}_payload_x"
        folder.mkdir()
        (folder / "payload.zip").touch()
        os.utime(folder, (time.time() - age_s, time.time() - age_s))
    (tmp_path / "other").mkdir()

    [found] = unpacked_modules([tmp_path, tmp_path, tmp_path / "none"])
    assert found.state is State.NOTE
    assert found.seen.startswith("2 modules")
    assert found.remedy is not None
    subprocess.run(found.remedy, shell=True, check=True)

    assert {path.name for path in tmp_path.iterdir()} == {"ansible_new_payload_x", "other"}
    assert list(unpacked_modules([tmp_path])) == []
