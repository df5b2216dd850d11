"""docs/concepts/incident-reports.md: which step does what engineers did by hand."""

import re
from pathlib import Path

ROOT = Path(__file__).parents[2]
# A name that leads to a page is a whole runbook.
_NAMED = re.compile(r"(?<!\[)`(?:([a-z0-9-]+)/)?([a-z0-9_]+)`")
_STEP_OR_PARAM = re.compile(r"^  (?:- [a-z]+: ([a-z0-9_]+)$|([a-z0-9_]+):)", re.MULTILINE)


def _words(runbook: str) -> set[str]:
    """Return the ids of a runbook's steps and the names of its params."""
    text = (ROOT / f"runbooks/{runbook}.yml").read_text("utf-8")
    return {word for pair in _STEP_OR_PARAM.findall(text) for word in pair if word}


def test_each_step_it_names_is_there() -> None:
    """Every word in the right column of a table is a step of the runbook before it, or a param."""
    text = (ROOT / "docs/concepts/incident-reports.md").read_text("utf-8")
    rows = [line.replace("\\|", " ").split("|") for line in text.splitlines() if line[:2] == "| "]
    cells = [row[2] for row in rows if len(row) == 4 and row[2].strip() != "step"]
    named = [(book or "fix-502", word) for cell in cells for book, word in _NAMED.findall(cell)]
    words = {book: _words(book) | {"undo"} for book, _ in named}

    assert len(cells) > 40
    assert [f"{book}/{word}" for book, word in named if word not in words[book]] == []
