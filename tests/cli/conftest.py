"""The program in a folder of its own, with the examples of tests/golden/cli as its library."""

from pathlib import Path

import pytest

from tests.acceptance.program import Program

GOLDEN = Path(__file__).parents[1] / "golden" / "cli"


@pytest.fixture
def program(tmp_path: Path) -> Program:
    """Give the program, called where nothing is but a home."""
    folder = tmp_path / "here"
    folder.mkdir()
    return Program(
        home=tmp_path / "home",
        folder=folder,
        environment={
            "HOME": str(tmp_path),
            "COLUMNS": "80",
            "RUNBOOK_LIBRARY": str(GOLDEN / "runbooks"),
        },
    )
