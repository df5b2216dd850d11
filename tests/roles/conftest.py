"""Folders that a service's user can see, and a player of roles."""

import os
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.playbooks import ansible_here
from tests.roles.playing import Player


@pytest.fixture
def play(tmp_path: Path) -> Player:
    """Return a function that applies a role to this machine."""
    return Player(folder=tmp_path, ansible=ansible_here())


@pytest.fixture
def shared_folder() -> Iterator[Path]:
    """Return a folder that every user may read."""
    mask = os.umask(0o022)
    with tempfile.TemporaryDirectory(prefix="runbook-test-") as name:
        Path(name).chmod(0o755)
        yield Path(name).resolve()
    os.umask(mask)
