"""The pages of docs/runbooks are made of the library's runbooks."""

import runpy
from pathlib import Path

import pytest

from runbook.spec.library import load
from runbook.spec.places import runbook_files

ROOT = Path(__file__).parents[2]
NAMES = [path.stem for path in runbook_files(ROOT / "runbooks")]


@pytest.fixture(scope="module")
def pages() -> dict[Path, str]:
    """Give the pages as they should be, by their places."""
    written: dict[Path, str] = runpy.run_path(str(ROOT / "docs" / "generate_runbooks.py"))[
        "pages"
    ]()
    return written


def test_the_pages_are_current(pages: dict[Path, str]) -> None:
    """docs/runbooks holds exactly what docs/generate_runbooks.py writes: run `make docs`."""
    there = {path: path.read_text("utf-8") for path in (ROOT / "docs/runbooks").glob("*.md")}

    assert sorted(there) == sorted(pages)
    assert [path.name for path, text in pages.items() if there[path] != text] == []


@pytest.mark.parametrize("name", NAMES)
def test_a_page_tells_all_of_its_runbook(name: str, pages: dict[Path, str]) -> None:
    """Each param, cause and own step of a runbook is on its page, and so is the tree."""
    runbook = load(name, [ROOT / "runbooks"])
    page = pages[ROOT / "docs" / "runbooks" / f"{name}.md"]
    own = [step.id for step in runbook.steps.values() if not step.scope]

    missing = [word for word in (*runbook.params, *runbook.causes, *own) if f"`{word}`" not in page]
    assert missing == []
    assert "```mermaid\nflowchart TD\n" in page


@pytest.mark.parametrize("name", NAMES)
def test_links_lead_somewhere(name: str, pages: dict[Path, str]) -> None:
    """No link of a page to another file of the project is broken."""
    page = pages[ROOT / "docs" / "runbooks" / f"{name}.md"]
    targets = {part.partition(")")[0].partition("#")[0] for part in page.split("](")[1:]}

    assert targets
    broken = [link for link in targets if link and not (ROOT / "docs/runbooks" / link).exists()]
    assert broken == []
