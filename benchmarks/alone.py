"""What needs no host: commands that only look, the engine, the journal."""

import contextlib
import os
import sys
import time
from pathlib import Path

from benchmarks import engine_scale
from benchmarks.journal import compared, event, peer
from benchmarks.measuring import Contender, cpu_ms, in_turn
from benchmarks.rows import Row, row
from runbook.journal import RunSummary
from runbook.journal.sqlite import SqliteJournal, open_journal
from runbook.model.event import HostFinished, HostJoined, Mode, RunFinished
from runbook.model.verdict import Verdict

ROOT = Path(__file__).parent.parent
RUNS = 100_000
ENTRIES_A_RUN = 10


def commands(folder: Path, rounds: int) -> list[Row]:
    """Compare what `--help`, `list` and `lint` cost with what they may, beside a bare Python."""
    os.environ["RUNBOOK_HOME"] = str(folder / "home")
    program = (sys.executable, "-m", "runbook")
    took = cpu_ms(
        {
            "python -c pass": (sys.executable, "-c", "pass"),
            "--help": (*program, "--help"),
            "list": (*program, "list"),
            "lint fix-502": (*program, "lint", str(ROOT / "runbooks/fix-502.yml")),
        },
        2 * rounds + 1,
    )
    bare = took["python -c pass"]
    return [
        row(
            "runbook --help", "100 ms of CPU and a bare Python", took["--help"], 100 + bare, 1, "ms"
        ),
        row("runbook list", "100 ms of CPU and a bare Python", took["list"], 100 + bare, 1, "ms"),
        row("runbook lint fix-502", "300 ms of CPU", took["lint fix-502"], 300, 1, "ms"),
    ]


def engine() -> list[Row]:
    """Compare the engine's cost per host at each size with that at the smallest."""
    each = {count: engine_scale.row(count)[0] / count * 1000 for count in engine_scale.SIZES}
    smallest, *larger = each
    return [
        row(
            f"engine, {count} hosts",
            f"{smallest} hosts, for each host",
            each[count],
            each[smallest],
            1.5,
            "ms",
        )
        for count in larger
    ]


def journal(folder: Path, rounds: int) -> list[Row]:
    """Compare appending with a bare insert; look into a journal of a million entries."""
    small = open_journal(folder / "small.db")
    small.begin(_summary("bench", 0.0))
    with contextlib.closing(peer(folder / "peer.db")) as connection:
        ours, theirs = compared(small, connection, 1)
    small.close()
    rows = [
        row("one entry, synced", "a bare row in SQLite", 1000 / ours, 1000 / theirs, None, "ms")
    ]
    large = folder / "large" / "journal.sqlite"
    large.parent.mkdir()
    _fill(large)
    few = folder / "few" / "journal.sqlite"
    few.parent.mkdir()
    _fill(few, runs=10)
    program = (sys.executable, "-m", "runbook")
    for name, words in {"history": ("history",), "report": ("report", "last")}.items():
        took = in_turn(
            [
                Contender(
                    name=place.parent.name,
                    command=(*program, *words),
                    environment={"RUNBOOK_HOME": str(place.parent)},
                )
                for place in (large, few)
            ],
            rounds,
        )
        rows.append(
            row(
                f"{name}, {RUNS * ENTRIES_A_RUN:,} entries",
                "a journal of 10 runs",
                1000 * took["large"],
                1000 * took["few"],
                1.25,
                "ms",
            )
        )
    return rows


def _summary(run: str, at: float) -> RunSummary:
    return RunSummary(
        id=run, runbook="fix-502", mode=Mode.RUN, pattern="all", operator="anna", started_at=at
    )


def _fill(path: Path, runs: int = RUNS) -> None:
    """Write runs of ten entries each."""
    opened: SqliteJournal = open_journal(path)
    # What is measured comes later: of 100,000 runs each would wait twice for the disk.
    opened._connection.execute("PRAGMA synchronous = OFF")  # noqa: SLF001 -- no journal offers it
    for number in range(runs):
        at = 1_700_000_000.0 + 60 * number
        run = f"{time.strftime('%Y%m%d-%H%M%S', time.gmtime(at))}-{number % 65536:04x}"
        opened.begin(_summary(run, at))
        middle = [event(each) for each in range(ENTRIES_A_RUN - 3)]
        joined = HostJoined(host="web1", params={})
        ended = HostFinished(host="web1", verdict=Verdict.HEALTHY)
        opened.append(
            run, (joined, *middle, ended, RunFinished(verdict=Verdict.HEALTHY)), at=at, who="anna"
        )
    opened.close()
