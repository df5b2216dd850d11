"""Diagnose in one process that stays, as an unattended mode does: each line of input is a pattern.

    python -m benchmarks.warm RUNBOOK INVENTORY

For each it prints the verdict once the run is over and journaled. Nothing is kept from one run to
the next but the process that has Ansible imported: the runbook is loaded anew, as are the inventory,
the plan and all connections' masters that have gone.
"""

import sys
from contextlib import closing
from pathlib import Path

from runbook.driver.observer import Silent
from runbook.driver.operator import AbsentOperator
from runbook.executor.runner import Starter
from runbook.executor.target import Target
from runbook.journal.sqlite import open_journal
from runbook.model.event import Mode
from runbook.settings import load_settings
from runbook.spec.loading import load
from runbook.views.running import Order, ansible_started, carry_out


def main() -> None:
    """Answer until the input ends."""
    name, inventory = sys.argv[1:]
    settings = load_settings()
    target = Target(inventories=(str(Path(inventory).absolute()),), roles=settings.roles)
    with ansible_started(target.config) as starter:
        for line in sys.stdin:
            print(_verdict(name, line.strip(), target, starter), flush=True)


def _verdict(name: str, pattern: str, target: Target, starter: Starter) -> str:
    settings = load_settings()
    with closing(open_journal(settings.journal)) as journal:
        order = Order(
            runbook=load(name, settings.library),
            mode=Mode.DIAGNOSE,
            pattern=pattern,
            target=target,
            home=settings.home,
        )
        result = carry_out(order, starter, journal, AbsentOperator(name="bench"), Silent())
    return "none" if result.verdict is None else result.verdict.value


if __name__ == "__main__":
    main()
