"""What holds for all tests: how they share the machine, and where there can be no lab."""

import os
from functools import cache

import pytest

from tests.lab import obstacles

_find_obstacle = cache(obstacles.find)

MOST_WORKERS = 8
"""So many sandboxes fit onto any machine."""


def pytest_xdist_auto_num_workers() -> int:
    """Take two workers for each processor: half of its time, a test waits for other programs."""
    return min(MOST_WORKERS, 2 * (os.cpu_count() or 1))


def pytest_report_header() -> str | None:
    """Say why tests are left out."""
    obstacle = _find_obstacle()
    return f"lab: its tests are left out: {obstacle}" if obstacle else None


@pytest.hookimpl(tryfirst=True)
def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    """Leave out what needs a lab where there can be none; keep together what shares something.

    What is shared is costly: the hosts of a lab, or what Ansible said once for all tests of a
    module. One worker makes it, and does all that needs it.
    """
    needing = [item for item in items if item.get_closest_marker("lab")]
    if needing and _find_obstacle():
        config.hook.pytest_deselected(items=needing)
        items[:] = [item for item in items if item not in needing]
    for item in items:
        assert isinstance(item, pytest.Function)
        shared = _shared_by(item)
        if shared is not None:
            item.add_marker(pytest.mark.xdist_group(shared))


def _shared_by(item: pytest.Function) -> str | None:
    """Return the name of what a test shares with others: the lab, or its module."""
    found = item._fixtureinfo.name2fixturedefs
    scopes = {name: fixtures[-1].scope for name, fixtures in found.items()}
    if scopes.get("lab") == "session":
        return "lab"
    return str(item.path) if "module" in scopes.values() else None
