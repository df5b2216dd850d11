"""`runbook rehearse`, called as a person would."""

from pathlib import Path

from tests.acceptance.program import Program

RUNBOOKS = Path(__file__).parents[1] / "runbooks"


def library(program: Program, *cases: str) -> Program:
    """Give the program a library of one runbook with these cases."""
    (program.folder / "minimal.yml").write_text((RUNBOOKS / "minimal.yml").read_text())
    text = "rehearsal: minimal\ncases:\n" + "".join(f"  - {case}\n" for case in cases)
    (program.folder / "minimal.rehearsal.yml").write_text(text)
    return Program(
        home=program.home,
        folder=program.folder,
        environment={**program.environment, "RUNBOOK_LIBRARY": str(program.folder)},
    )


WELL = "{case: Well, looks: {site: passed}, expect: {verdict: healthy}}"
WRONG = "{case: Not so, looks: {site: passed}, expect: {verdict: resolved}}"


def test_all_as_expected_is_zero(program: Program) -> None:
    """Each case has a line, and nothing is said on standard error."""
    done = library(program, WELL)("rehearse", "minimal")

    assert done.stdout == "as expected  minimal: Well\n1 rehearsed, 0 otherwise than expected.\n"
    assert (done.code, done.stderr) == (0, "")


def test_a_difference_is_one_and_shown(program: Program) -> None:
    """What was expected and what came stand side by side."""
    done = library(program, WELL, WRONG)("rehearse", "minimal")

    assert done.stdout == (
        "as expected  minimal: Well\n"
        "otherwise    minimal: Not so\n"
        "    - verdict: resolved\n"
        "    + verdict: healthy\n"
        "2 rehearsed, 1 otherwise than expected.\n"
    )
    assert done.code == 1


def test_json_is_one_document(program: Program) -> None:
    """With `--json` standard output is the document alone."""
    done = library(program, WRONG)("rehearse", "minimal", "--json")

    (told,) = done.document["rehearsals"]
    assert told["runbook"] == "minimal"
    assert told["case"] == "Not so"
    assert told["as_expected"] is False
    assert told["difference"] == ["- verdict: resolved", "+ verdict: healthy"]
    assert done.code == 1


def test_an_unsound_rehearsal_is_two(program: Program) -> None:
    """Nothing is played, and the place is said."""
    done = library(program, WELL, "{case: x, expect: {verdict: fine}}")("rehearse", "minimal")

    assert done.code == 2
    assert done.stdout == ""
    assert "minimal.rehearsal.yml:4:" in done.stderr
    assert "fine is not one of" in done.stderr


def test_a_rehearsal_is_no_runbook(program: Program) -> None:
    """The list and the linter pass over the files of rehearsals."""
    called = library(program, WELL)

    assert [
        line.split()[0] for line in called("list").stdout.splitlines() if "minimal" in line
    ] == ["minimal"]
    assert called("lint").code == 0
