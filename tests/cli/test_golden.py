"""What the read-only commands print, to the letter: tests/golden/cli/NAME."""

import pytest

from tests.acceptance.program import Program
from tests.cli.conftest import GOLDEN

# The file that holds what is printed, the exit code, and the call.
CALLS: dict[str, tuple[int, str]] = {
    "help.txt": (0, "--help"),
    "list.txt": (0, "list GOLDEN"),
    "list.json": (0, "list golden --json"),
    "show.txt": (0, "show loop"),
    "show.json": (0, "show loop --json"),
    "graph.txt": (0, "graph loop"),
    "graph.mmd": (0, "graph loop --format mermaid"),
    "graph.dot": (0, "graph loop --format dot"),
    "graph.svg": (0, "graph loop --format svg"),
    "lint.txt": (2, "lint RUNBOOKS"),
    "lint.json": (2, "lint RUNBOOKS --json"),
    "history.txt": (0, "history"),
    "history.json": (0, "history --json"),
}


@pytest.mark.parametrize("name", CALLS)
def test_what_is_printed(name: str, program: Program) -> None:
    """Standard output is what the file holds, standard error is empty, the exit code is as said."""
    code, call = CALLS[name]

    done = program(*call.replace("RUNBOOKS", str(GOLDEN / "runbooks")).split())

    shown = done.stdout.replace(str(GOLDEN), "GOLDEN")
    assert shown == (GOLDEN / name).read_text(encoding="utf-8")
    assert done.stderr == ""
    assert done.code == code


def test_no_golden_file_is_forgotten() -> None:
    """Each file beside the examples belongs to a call."""
    assert {path.name for path in GOLDEN.iterdir() if path.is_file()} == set(CALLS)
