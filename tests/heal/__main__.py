"""`python -m tests.heal [--sandbox]`, behind `make heal`: a site that heals while nobody looks.

As root on Linux it is a host of a lab, else the sandbox. The same fault is injected twice: once the
policy allows the fix, once it wants to be asked.
"""

import argparse
import sys
import tempfile
from contextlib import ExitStack
from pathlib import Path

from runbook.errors import RunbookError
from tests.heal import ground, programs
from tests.heal.story import scene
from tests.heal.watching import UNHURRIED
from tests.lab import obstacles


def main() -> int:
    """Tell both stories; say whether both ended well."""
    parser = argparse.ArgumentParser(prog="python -m tests.heal", description=__doc__)
    parser.add_argument("--sandbox", action="store_true", help="the sandbox, also as root")
    given = parser.parse_args()
    missing = programs.find_obstacle()
    if missing is not None:
        print(missing, file=sys.stderr)
        return 2
    obstacle = "the sandbox is wanted" if given.sandbox else obstacles.find()
    with ExitStack() as stack:
        folder = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="heal-")))
        if obstacle is None:
            site = stack.enter_context(ground.lab(folder / "lab"))
        else:
            print(f"no host of a lab: {obstacle}", flush=True)
            site = stack.enter_context(ground.sandbox(folder))
        watched = stack.enter_context(scene(site, folder, UNHURRIED, _say))
        for answer in ("auto", "ask"):
            _say("")
            report = watched.play(answer)
            _say(f"the journal, $ runbook report {report['run_id']}")
            told = watched.program("report", report["run_id"], "--format", "markdown").stdout
            _say(told.partition("\n## ")[0].rstrip())
            _say("\n".join(line for line in told.splitlines() if _is_told(line)))
            if report["verdict"] != "resolved":
                return 1
        _say("\nwhat Prometheus has of it:")
        for name, value in sorted(watched.settled_figures(runs=2).items()):
            _say(f"  {value:8.3f}  {name}")
    return 0


def _is_told(line: str) -> bool:
    """Say whether a line of a report's timeline tells of a decision, a fix or an end."""
    words = ("cause found", "approved", "begins", "ended", "verified", "verdict", "wants it looked")
    return line.startswith("- 20") and any(word in line for word in words)


def _say(what: str) -> None:
    print(what, flush=True)


if __name__ == "__main__":
    try:
        sys.exit(main())
    except RunbookError as error:
        print(error.render(), file=sys.stderr)
        sys.exit(error.exit_code)
