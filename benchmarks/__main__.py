"""Measure runbook beside its peers: a table, `benchmarks/results.json` and `benchmarks/results.svg`.

    python -m benchmarks [--peers FOLDER] [--hosts 1,10,50] [--rounds 5] [--only commands,engine,journal,growth,storms,diagnose,repair]

Hosts are those of the lab, so diagnosing and repairing need root on Linux. Each round starts every
program once, in turn. All have their connections open from the round before that does not count.
"""

import argparse
import json
import os
import platform
import subprocess
import sys
import tempfile
from collections.abc import Callable, Iterator
from dataclasses import asdict, dataclass
from functools import partial
from pathlib import Path

from benchmarks import alone, growth, on_hosts, storms
from benchmarks.rows import Row
from runbook.errors import RunbookError

HERE = Path(__file__).parent


@dataclass(frozen=True, kw_only=True, slots=True)
class Wanted:
    """What is to be measured; `peers` is the folder with the peers' programs."""

    peers: Path
    hosts: tuple[int, ...]
    rounds: int
    only: frozenset[str]

    def wants(self, part: str) -> bool:
        """Say whether a part is to be measured."""
        return not self.only or part in self.only


def main() -> None:
    """Measure, and write down what came of it."""
    wanted = _wanted()
    rows: list[Row] = []
    broken: list[str] = []
    with tempfile.TemporaryDirectory(prefix="runbook-bench-") as folder:
        for part in _parts(wanted, Path(folder)):
            # What does not come to its end spoils no other part.
            try:
                rows += part()
            except (SystemExit, RunbookError) as error:
                broken.append(str(error))
            _write(rows)
            _show(rows)
    rows += on_hosts.growth(rows)
    _write(rows)
    _show(rows)
    subprocess.run(
        [wanted.peers / "python", HERE / "plot.py", HERE / "results.json", HERE / "results.svg"],
        check=True,
    )
    if broken:
        sys.exit("\n\n".join(broken))


def _parts(wanted: Wanted, folder: Path) -> Iterator[Callable[[], list[Row]]]:
    """Yield what measures each wanted part."""
    rounds = wanted.rounds
    alone_parts: dict[str, Callable[[], list[Row]]] = {
        "commands": lambda: alone.commands(folder, rounds),
        "engine": alone.engine,
        "journal": lambda: alone.journal(folder, rounds),
        "growth": lambda: growth.growth(folder, rounds),
        "storms": lambda: [*storms.schedules(folder), *storms.alerts(folder)],
    }
    yield from (part for name, part in alone_parts.items() if wanted.wants(name))
    for count in wanted.hosts if wanted.wants("diagnose") or wanted.wants("repair") else ():
        yield partial(on_hosts.diagnose, folder, wanted.peers, count, rounds, wanted.only)


def _write(rows: list[Row]) -> None:
    """Write the results down; of what was not measured now, the earlier ones stay."""
    path = HERE / "results.json"
    earlier = json.loads(path.read_text())["rows"] if path.exists() else []
    kept = {(each["work"], each["against"]): each for each in earlier}
    kept |= {(each.work, each.against): asdict(each) for each in rows}
    document = {"machine": _machine(), "rows": list(kept.values())}
    path.write_text(json.dumps(document, indent=2) + "\n")


def _show(rows: list[Row]) -> None:
    print(
        f"\n{_machine()}\n\n{'work':<44} {'against':<40} {'ours':>9} {'theirs':>9} {'ratio':>6} {'at most':>7}"
    )
    for row in rows:
        mark = "" if row.met is None else "met" if row.met else "NOT MET"
        target = "" if row.target is None else f"{row.target:g}"
        print(
            f"{row.work:<44} {row.against:<40} {row.ours:>9} {row.theirs:>9} {row.ratio:>6.2f}"
            f" {target:>7} {mark}",
            flush=True,
        )


def _machine() -> str:
    load = ", ".join(f"{each:.1f}" for each in os.getloadavg())
    return (
        f"{os.cpu_count()} cores, {platform.system()} {platform.release()},"
        f" Python {platform.python_version()}, load {load}"
    )


def _wanted() -> Wanted:
    parser = argparse.ArgumentParser(description="Measure runbook beside its peers.")
    parser.add_argument("--peers", type=Path, default=Path("build/bench/bin"))
    parser.add_argument("--hosts", default="1,10,50")
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--only", default="")
    given = parser.parse_args()
    return Wanted(
        peers=given.peers.absolute(),
        hosts=tuple(int(each) for each in given.hosts.split(",") if each),
        rounds=given.rounds,
        only=frozenset(each for each in given.only.split(",") if each),
    )


if __name__ == "__main__":
    main()
