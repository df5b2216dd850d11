"""Diagnose as `runbook serve` does, which keeps what runs begin with: each line of input is a pattern.

    python -m benchmarks.warm RUNBOOK INVENTORY

For each it prints the verdict once the run's process has ended. Nothing is kept from one run to the
next but what was imported, here and in Ansible, and what the runbook's files came to: each run is a
process that reads settings and inventory anew, and looks whether all of the runbook's files are as they
were. The journal is open meanwhile, as it is in the service.
"""

import os
import sys
import time
from contextlib import closing

from runbook.driver.launch import new_run_id
from runbook.journal.opening import open_journal
from runbook.settings import load_settings
from runbook.views.commands.serve import PROGRAM, standing_by

POLL_S = 0.002


def main() -> None:
    """Answer until the input ends."""
    name, inventory = sys.argv[1:]
    os.environ["RUNBOOK_INVENTORY"] = inventory
    settings = load_settings()
    with (
        standing_by(settings.ansible_config) as standby,
        closing(open_journal(settings.journal)) as journal,
    ):
        for line in sys.stdin:
            run = new_run_id(time.time())
            words = ("diagnose", name, "--host", line.strip(), "--id", run)
            going = standby.begin((*PROGRAM, *words), None)
            while going.code is None:
                time.sleep(POLL_S)
            print(journal.find(run).verdict, flush=True)


if __name__ == "__main__":
    main()
