"""Folders that a service's user can see, and a player of roles."""

import os
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.lab import obstacles
from tests.roles.playing import Player


def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    """Leave out what needs hosts or networks of its own where there can be none."""
    needing = [item for item in items if item.get_closest_marker("lab")]
    if needing and obstacles.find():
        config.hook.pytest_deselected(items=needing)
        items[:] = [item for item in items if item not in needing]


@pytest.fixture
def play(tmp_path: Path) -> Player:
    """Return a function that applies a role to this machine."""
    return Player(folder=tmp_path)


@pytest.fixture
def shared_folder() -> Iterator[Path]:
    """Return a folder that every user may read."""
    mask = os.umask(0o022)
    with tempfile.TemporaryDirectory(prefix="runbook-test-") as name:
        Path(name).chmod(0o755)
        yield Path(name).resolve()
    os.umask(mask)
