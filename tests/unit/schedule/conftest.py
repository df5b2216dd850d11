"""Where the service's state is in these tests: each holds for a file and for a database."""

from pathlib import Path

import pytest


@pytest.fixture(params=["file", "postgres"])
def place(request: pytest.FixtureRequest, tmp_path: Path) -> Path | str:
    """Give a place for a service's state, with nothing in it yet."""
    if request.param == "file":
        return tmp_path / "service.sqlite"
    url: str = request.getfixturevalue("postgres_server").journal()
    return url
