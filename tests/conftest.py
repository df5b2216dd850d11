"""What holds for all tests: how they share the machine, and where there can be no lab."""

import os
import re
import signal
from collections.abc import Iterator
from functools import cache
from typing import TYPE_CHECKING

import pytest
from hypothesis import settings
from xdist.remote import Producer
from xdist.scheduler import LoadScopeScheduling

from tests.heal import programs
from tests.lab import obstacles

if TYPE_CHECKING:
    from tests.postgres import Server

_find_obstacle = cache(obstacles.find)

_OBSTACLES = {"lab": _find_obstacle, "prometheus": programs.find_obstacle}
"""Why tests with a marker cannot run here, None where they can."""

# How long an example takes says how busy the machine is, and nothing of what a test proves.
settings.register_profile("unhurried", deadline=None)
settings.load_profile("unhurried")

# With it, Python reads a program from a pipe byte by byte, and a fifth of what Ansible does on this
# machine would be that. Some environments set it for the sake of their logs.
os.environ.pop("PYTHONUNBUFFERED", None)

OF_ONE_WORKER = (
    "tests/executor/",
    "tests/lab/test_matrix.py",
    "tests/roles/test_firewall_opened.py",
    "tests/roles/test_on_hosts.py",
    "tests/sandbox/test_fix_502.py",
)
"""Modules that are costly to prepare: a lab of its own, four sites, what Ansible said."""

OF_POSTGRES = (
    "tests/unit/journal/test_postgres",
    "tests/unit/schedule/test_jobs.py",
    "tests/unit/schedule/test_shared_state.py",
    "tests/cli/test_db.py",
    "tests/acceptance/test_postgres.py",
)

ON_POSTGRES = re.compile(r"tests/(contract|unit/schedule)/.*[\[-]postgres[]-]")
"""Those of tests for several stores that are for this one."""

MOST_WORKERS = 8
"""So many sandboxes fit onto any machine."""

MOST_TOLD = 3000
"""How many characters are told of why a test was tried once more, its end."""


def pytest_xdist_auto_num_workers() -> int:
    """Take two workers for each processor: half of its time, a test waits for others."""
    return min(MOST_WORKERS, 2 * (os.cpu_count() or 1))


def pytest_configure() -> None:
    """Have what tests start be open to signals of a terminal, also where a shell began us in the background."""
    for number, usual in (
        (signal.SIGINT, signal.default_int_handler),
        (signal.SIGQUIT, signal.SIG_DFL),
    ):
        if signal.getsignal(number) is signal.SIG_IGN:
            signal.signal(number, usual)


@pytest.fixture(scope="session")
def postgres_server() -> "Iterator[Server]":
    """Give a server of Postgres, which all tests of a worker share."""
    from tests.postgres import serving  # noqa: PLC0415 -- most tests need none

    with serving() as server:
        yield server


def pytest_report_header() -> list[str]:
    """Say why tests are left out."""
    found = {marker: find() for marker, find in _OBSTACLES.items()}
    return [f"{marker}: its tests are left out: {why}" for marker, why in found.items() if why]


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter) -> None:
    """Say why tests were tried once more: what passes then would tell nothing of what to mend."""
    for report in terminalreporter.stats.get("rerun", []):
        terminalreporter.section(f"tried once more: {report.nodeid}")
        terminalreporter.line(report.longreprtext[-MOST_TOLD:])


def pytest_xdist_make_scheduler(config: pytest.Config, log: Producer) -> LoadScopeScheduling:
    """Give tests to whichever worker is free, but what shares something costly to one."""
    return _Scheduling(config, log)


def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    """Leave out what needs a lab, or Prometheus, where there can be none."""
    for marker, find in _OBSTACLES.items():
        needing = [item for item in items if item.get_closest_marker(marker)]
        if needing and find():
            config.hook.pytest_deselected(items=needing)
            items[:] = [item for item in items if item not in needing]


class _Scheduling(LoadScopeScheduling):  # type: ignore[misc]
    """One worker has the hosts of the lab, the four sites, what Ansible said, the server of Postgres."""

    def _split_scope(self, nodeid: str) -> str:
        module = nodeid.partition("::")[0]
        if module.startswith(OF_ONE_WORKER):
            return module
        if module.startswith(OF_POSTGRES) or ON_POSTGRES.search(nodeid):
            return "postgres"
        return "lab" if module.startswith("tests/lab/") else nodeid
