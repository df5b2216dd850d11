"""The pages about the command line and the settings are current."""

import runpy
from pathlib import Path

from runbook.settings import DEFAULT_FORKS, KEYS, MAX_FORKS

DOCS = Path(__file__).parents[3] / "docs"


def test_the_page_of_commands_is_what_the_commands_say() -> None:
    """docs/reference/cli.md is what docs/generate_cli.py writes today."""
    page = runpy.run_path(str(DOCS / "generate_cli.py"))["page"]()
    written = (DOCS / "reference" / "cli.md").read_text(encoding="utf-8")

    assert written == page, "run: python docs/generate_cli.py"


def test_the_page_of_settings_names_every_setting() -> None:
    """docs/how-to/configure.md has a row for each setting and no other, with the right figures."""
    page = (DOCS / "how-to" / "configure.md").read_text(encoding="utf-8")
    rows = [line.split("|") for line in page.splitlines() if line.startswith("| `")]

    assert [row[1].strip(" `") for row in rows] == list(KEYS)
    forks = next(row for row in rows if "forks" in row[1])
    assert forks[2].strip().endswith(f"1 to {MAX_FORKS}")
    assert forks[4].strip() == str(DEFAULT_FORKS)


def test_the_example_report_is_what_a_report_looks_like() -> None:
    """The page and the drawing that docs/how-to/afterwards.md shows are as written today."""
    files = runpy.run_path(str(DOCS / "generate_afterwards.py"))["files"]()

    for path, text in files.items():
        assert path.read_text(encoding="utf-8") == text, "run: python docs/generate_afterwards.py"
