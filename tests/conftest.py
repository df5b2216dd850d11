"""What holds for all tests: those that need a lab are left out where there can be none."""

from functools import cache

import pytest

from tests.lab import obstacles

_find_obstacle = cache(obstacles.find)


def pytest_report_header() -> str | None:
    """Say why tests are left out."""
    obstacle = _find_obstacle()
    return f"lab: its tests are left out: {obstacle}" if obstacle else None


def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    """Leave out what needs a lab where there can be none."""
    needing = [item for item in items if item.get_closest_marker("lab")]
    if needing and _find_obstacle():
        config.hook.pytest_deselected(items=needing)
        items[:] = [item for item in items if item not in needing]
