"""`python -m tests.lab.matrix [WORD…]`, behind `make matrix`: break real hosts in every way.

Prints a table: the fault, its host, what nginx answered before and after, the verdict, the seconds of
the run that repaired it (with the other hosts of its wave), and the causes that were named.
"""

import os
import sys
import tempfile
from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path

from tests.lab.cells import everywhere
from tests.lab.faults import FAULTS, NOT_RUN
from tests.lab.lab import Lab
from tests.lab.playing import Seen, play


def rows(all_seen: Iterable[Seen]) -> Iterator[str]:
    """Return lines of the table, and below each what is wrong with it."""
    for one in all_seen:
        mark = "WRONG" if one.wrong else "right"
        yield (
            f"{mark:6}{one.cell.fault.name:58}{one.cell.manager:11}{one.before:9}{one.verdict:15}"
            f"{one.after:9}{one.seconds:5.1f}  {', '.join(one.causes) or '-'}"
        )
        yield from (f"      {text}" for text in one.wrong)


def main(arguments: Sequence[str]) -> int:
    """Play the whole matrix, or the faults whose names contain one of the arguments."""
    chosen = [
        fault for fault in FAULTS if not arguments or any(word in fault.name for word in arguments)
    ]
    wrong = count = 0
    print(
        f"{'':6}{'fault':58}{'host':11}{'before':9}{'verdict':15}{'after':9}{'s':>5}  causes named",
        flush=True,
    )
    name = f"matrix-{os.getpid()}"
    with tempfile.TemporaryDirectory() as folder, Lab.create(name, Path(folder)) as lab:
        for wave in everywhere(chosen):
            seen = play(lab, wave)
            count += len(seen)
            wrong += sum(bool(one.wrong) for one in seen)
            for row in rows(seen):
                print(row, flush=True)
    for what, reason in NOT_RUN.items():
        print(f"not run: {what}: {reason}")
    print(f"{count - wrong} of {count} right")
    return 1 if wrong else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
