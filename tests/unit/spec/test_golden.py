"""Every problem the language knows, as a person reads it: tests/golden/lint/NAME.yml and .txt."""

import re
from pathlib import Path

import pytest

import runbook.spec
from runbook.errors import RunbookError
from runbook.spec.library import check
from runbook.spec.policy_file import load_policy

GOLDEN = Path(__file__).parents[2] / "golden"
FOLDER = GOLDEN / "lint"
FILES = sorted(path.name for path in FOLDER.glob("*.yml"))
POLICIES = GOLDEN / "policy"

# Their input is bytes that no text file of this repository should hold, or a wrong command line;
# test_reader.py, test_library.py, test_own_probe.py and test_policy.py prove what is said of them.
ELSEWHERE = {
    "bad-probe",
    "file-too-large",
    "not-utf-8",
    "policy-unreadable",
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


@pytest.mark.parametrize("name", sorted(path.name for path in POLICIES.glob("*.yml")))
def test_problems_of_policies_read_as_written_down(
    name: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """So are those of a policy."""
    monkeypatch.chdir(POLICIES)

    with pytest.raises(RunbookError) as caught:
        load_policy(Path(name))

    assert (
        caught.value.render().strip() == Path(name).with_suffix(".txt").read_text("utf-8").strip()
    )


def test_every_problem_has_an_example() -> None:
    """No reference occurs in the code of which no golden file shows how it reads."""
    code = Path(runbook.spec.__file__).parent.rglob("*.py")
    pattern = re.compile(
        r'(?:reference=|RunbookError\.of\(\s*|_stop\(event, |_problem\(\s*)"([a-z0-9-]+)"'
    )
    known = {name for path in code for name in pattern.findall(path.read_text(encoding="utf-8"))}
    shown = {
        name
        for path in (*FOLDER.glob("*.txt"), *POLICIES.glob("*.txt"))
        for name in re.findall(
            r"^(?:error|warning): ([a-z0-9-]+)$", path.read_text("utf-8"), re.MULTILINE
        )
    }

    assert known - ELSEWHERE <= shown
    assert shown <= known | {"fix-without-verify", "not-a-check"}
