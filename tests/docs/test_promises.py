"""What is promised about security is shown by tests that there are, and the lock by what it holds."""

import re
import tomllib
from pathlib import Path

ROOT = Path(__file__).parents[2]
PAGE = ROOT / "docs" / "concepts" / "threat-model.md"

_SHOWN = re.compile(r"`(?P<file>tests/[\w/]+\.py)::(?P<test>test_\w+)`")


def _name(requirement: str) -> str:
    return re.split(r"[^\w.-]", requirement)[0].lower()


def test_every_promise_names_tests_that_there_are() -> None:
    """Each numbered promise is followed by its tests; each of them stands in the file it is said to."""
    text = PAGE.read_text("utf-8")
    promised = text.partition("## What is promised")[2].partition("## What is not promised")[0]
    promises = re.split(r"^\d+\. ", promised, flags=re.MULTILINE)[1:]

    assert len(promises) >= 15
    assert [each for each in promises if not _SHOWN.search(each)] == []
    missing = [
        shown[0]
        for shown in _SHOWN.finditer(text)
        if not re.search(
            rf"^def {shown['test']}\(", (ROOT / shown["file"]).read_text("utf-8"), re.MULTILINE
        )
    ]
    assert missing == []


def test_the_lock_holds_what_is_required_with_hashes_and_without_an_address() -> None:
    """Each requirement of the program, its demo and its development is in it; `make lock` mends it."""
    project = tomllib.loads((ROOT / "pyproject.toml").read_text("utf-8"))
    required = [
        *project["project"]["dependencies"],
        *project["project"]["optional-dependencies"]["demo"],
        *project["dependency-groups"]["dev"],
    ]
    lock = (ROOT / "requirements-dev.lock").read_text("utf-8")
    entries = re.split(r"^(?=\S)", lock, flags=re.MULTILINE)[1:]
    locked = {_name(entry) for entry in entries}

    assert {_name(each) for each in required} - locked == set()
    assert [entry.splitlines()[0] for entry in entries if "--hash=sha256:" not in entry] == []
    assert "://" not in lock
    assert "index-url" not in lock
