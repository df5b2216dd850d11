"""What runbook keeps: the journal, its folder, working folders, runs that did not come to an end."""

import os
import shutil
import tempfile
import time
from collections.abc import Callable, Iterable, Iterator
from contextlib import closing
from pathlib import Path

from runbook.doctor import Finding, State
from runbook.errors import RunbookError
from runbook.executor.leftovers import left_behind
from runbook.executor.workspace import base_folder
from runbook.journal import Journal, RunFilter, RunSummary
from runbook.journal.holder import alive

VERIFY_S = 3.0
"""How long chains are checked, the newest first."""

MOST_RUNS = 200
MOST_TOLD = 5
BAD_BYTES = 50 << 20
LOW_BYTES = 500 << 20
DAY_S = 86_400.0
UNPACKED = "ansible_*_payload_*"
"""The folders into which Ansible unpacks modules, on local hosts beside other temporary files."""


def may_write(place: Path) -> bool:
    """Say whether we may write a file, or into a folder."""
    return os.access(place, os.W_OK)


def journal(
    place: Path | str, *, writable: Callable[[Path], bool] = may_write
) -> Iterator[Finding]:
    """Open the journal, check its chains for a while, and look for what is not over."""
    if isinstance(place, Path) and not place.exists():
        yield _journal(State.GOOD, f"none yet; the first run makes {place}")
        return
    from runbook.journal.opening import open_journal  # noqa: PLC0415 -- where there is one

    with closing(open_journal(place, wait_s=2.0)) as opened:
        if isinstance(place, Path):
            yield from _unwritable(place, writable)
        yield chains(opened)
        yield from unfinished(opened)


def _unwritable(path: Path, writable: Callable[[Path], bool]) -> Iterator[Finding]:
    for place in (path, path.parent):
        if not writable(place):
            yield _journal(
                State.BAD,
                f"{place} cannot be written, and without a journal nothing is done",
                f"chown -R $(id -un) {path.parent}",
            )
            return


def _journal(state: State, seen: str, remedy: str | None = None) -> Finding:
    return Finding(check="journal", title="Journal", state=state, seen=seen, remedy=remedy)


def chains(opened: Journal, within_s: float = VERIFY_S) -> Finding:
    """Check the newest runs' chains, as far as the time allows."""
    runs = opened.runs(RunFilter(limit=MOST_RUNS))
    ends = time.monotonic() + within_s
    checked = 0
    for run in runs:
        try:
            opened.verify(run.id)
        except RunbookError as error:
            return _journal(
                State.BAD,
                f"run {run.id} does not hold: {error.problems[0].message}",
                "compare it with a backup; do not rely on that run's record",
            )
        checked += 1
        if time.monotonic() > ends:
            break
    runs_told = f"{checked} run{'s' * (checked != 1)}"
    newest = f"the newest {runs_told}" if checked < len(runs) else runs_told
    return _journal(State.GOOD, f"{newest} checked, every chain holds")


def unfinished(opened: Journal) -> Iterator[Finding]:
    """Yield the runs that are not over: one that somebody drives is none of our business."""
    acting = {claim.run for claim in opened.claims() if claim.acting}
    stopped = [
        run
        for run in opened.runs(RunFilter(limit=MOST_RUNS))
        if run.verdict is None and not (run.holder and alive(run.holder))
    ]
    for run in stopped[:MOST_TOLD]:
        yield _stopped(run, acting=run.id in acting)
    if len(stopped) > MOST_TOLD:
        yield _unfinished(
            State.NOTE, f"{len(stopped) - MOST_TOLD} more did not come to an end", "runbook history"
        )
    if not stopped:
        yield _unfinished(State.GOOD, "none")


def _stopped(run: RunSummary, *, acting: bool) -> Finding:
    where = ", ".join(run.hosts[:MOST_TOLD]) or run.pattern
    seen = f"{run.id}: {run.runbook} on {where} did not come to an end"
    if acting:
        seen += "; what its fix did there is unknown, and no other run may touch the hosts"
    return _unfinished(
        State.BAD if acting else State.NOTE,
        seen,
        f"runbook resume {run.id} (or close it: runbook resume {run.id} --abandon)",
    )


def _unfinished(state: State, seen: str, remedy: str | None = None) -> Finding:
    return Finding(
        check="unfinished-runs", title="Unfinished runs", state=state, seen=seen, remedy=remedy
    )


def permissions(home: Path) -> Iterator[Finding]:
    """See that nobody else can read what runs saw, or write what they rest on."""
    found = 0
    for path in (home, home / "journal.sqlite", home / "key"):
        if not path.exists():
            continue
        status = path.stat()
        if status.st_uid != os.getuid():
            found += 1
            yield _permissions(State.BAD, f"{path} is somebody else's", f"chown $(id -un) {path}")
        elif status.st_mode & 0o077:
            found += 1
            mode = "700" if path.is_dir() else "600"
            seen = f"{path} is open to others ({status.st_mode & 0o777:o})"
            yield _permissions(State.BAD, seen, f"chmod {mode} {path}")
    if not found:
        yield _permissions(
            State.GOOD, f"{home} is yours alone" if home.exists() else "no state yet"
        )


def _permissions(state: State, seen: str, remedy: str | None = None) -> Finding:
    return Finding(
        check="permissions", title="State's permissions", state=state, seen=seen, remedy=remedy
    )


def disks(home: Path) -> Iterator[Finding]:
    """Measure what is free for the journal and for working folders."""
    yield disk("disk-state", "Disk for the journal", home)
    yield disk("disk-working", "Disk for working folders", base_folder())


def disk(
    check: str, title: str, folder: Path, *, bad: int = BAD_BYTES, low: int = LOW_BYTES
) -> Finding:
    """Measure what is free where a folder is, or will be; bounds are in bytes."""
    place = next(each for each in (folder, *folder.parents) if each.exists())
    free = shutil.disk_usage(place).free
    state = State.BAD if free < bad else State.NOTE if free < low else State.GOOD
    return Finding(
        check=check,
        title=title,
        state=state,
        seen=f"{free / (1 << 20):.0f} MB free at {place}",
        remedy=None if state is State.GOOD else f"free some space: du -xh {place} | sort -h | tail",
    )


def working_folders() -> Iterator[Finding]:
    """Look for what killed runs left behind."""
    left_over = left_behind()
    if not left_over:
        yield _working(State.GOOD, str(base_folder()))
    for left in left_over[:MOST_TOLD]:
        if left.at_work:
            yield _working(
                State.BAD,
                f"Ansible still works in {left.folder}, though its run is gone",
                "wait for its end; then `runbook resume last` finds out what it did",
            )
        else:
            yield _working(
                State.NOTE, f"{left.folder} was left behind", "the next run removes it by itself"
            )


def unpacked_modules(places: Iterable[Path] | None = None) -> Iterator[Finding]:
    """Look for what modules of Ansible left that were killed on this machine more than a day ago."""
    if places is None:
        places = [Path(tempfile.gettempdir()), Path("/dev/shm")]  # noqa: S108 -- looked at only
    for place in dict.fromkeys(places):
        left = [each for each in place.glob(UNPACKED) if _is_ours_and_old(each)]
        if left:
            yield _working(
                State.NOTE,
                f"{len(left)} modules of Ansible that were killed left folders in {place}",
                f"find {place} -maxdepth 1 -name '{UNPACKED}' -user $(id -un) -mtime +0"
                " -exec rm -r {} +",
            )


def _is_ours_and_old(path: Path) -> bool:
    try:
        status = path.lstat()
    except OSError:
        return False
    return status.st_uid == os.geteuid() and time.time() - status.st_mtime > DAY_S


def _working(state: State, seen: str, remedy: str | None = None) -> Finding:
    return Finding(
        check="working-folders", title="Working folders", state=state, seen=seen, remedy=remedy
    )
