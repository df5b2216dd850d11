"""Every problem the language knows, as a person reads it: tests/golden/lint/NAME.yml and .txt."""

import re
from pathlib import Path

import pytest

import runbook.spec
from runbook.spec.library import check

FOLDER = Path(__file__).parents[2] / "golden" / "lint"
FILES = sorted(path.name for path in FOLDER.glob("*.yml"))

# Their input is bytes that no text file of this repository should hold, or a wrong command line;
# test_reader.py and test_library.py prove what is said of them.
ELSEWHERE = {
    "file-too-large",
    "not-utf-8",
    "too-many-steps",
    "unreadable-file",
    "yaml-too-large",
}


@pytest.mark.parametrize("name", FILES)
def test_problems_read_as_written_down(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """Each file's problems are exactly those of the text beside it, in order of their places."""
    monkeypatch.chdir(FOLDER)

    text = "\n\n".join(problem.render() for problem in check([Path(name)]))

    assert text.strip() == Path(name).with_suffix(".txt").read_text(encoding="utf-8").strip()


def test_every_problem_has_an_example() -> None:
    """No reference occurs in the code of which no golden file shows how it reads."""
    code = Path(runbook.spec.__file__).parent.rglob("*.py")
    pattern = re.compile(
        r'(?:reference=|RunbookError\.of\(\s*|_stop\(event, |_problem\(\s*)"([a-z0-9-]+)"'
    )
    known = {name for path in code for name in pattern.findall(path.read_text(encoding="utf-8"))}
    shown = {
        name
        for path in FOLDER.glob("*.txt")
        for name in re.findall(
            r"^(?:error|warning): ([a-z0-9-]+)$", path.read_text("utf-8"), re.MULTILINE
        )
    }

    assert known - ELSEWHERE <= shown
    assert shown <= known | {"fix-without-verify", "not-a-check"}
