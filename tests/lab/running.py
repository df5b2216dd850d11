"""Run the real program against hosts of a lab."""

import json
import sys
from collections.abc import Iterable
from pathlib import Path
from typing import Any

from tests.lab.lab import Lab

_REPOSITORY = Path(__file__).resolve().parents[2]


def fix(lab: Lab, hosts: Iterable[str], home: Path, *inventories: Path) -> dict[str, Any]:
    """Run `fix-502` on hosts, asking nobody, with its journal in `home`, and return its document.

    Of a run without a document it is what it complains of, as `stderr`.
    """
    command = [sys.executable, "-m", "runbook", "run", "fix-502", "--yes", "--json"]
    options = [word for one in inventories for word in ("-i", str(one))]
    done = lab.run(
        [*command, *options, "--host", ":".join(hosts)],
        folder=_REPOSITORY,
        environment={"RUNBOOK_HOME": str(home)},
        within_s=600,
    )
    try:
        document = json.loads(done.stdout)
    except ValueError:
        return {"stderr": done.stderr}
    assert isinstance(document, dict)
    return document
