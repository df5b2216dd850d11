"""Rehearsals: what a runbook comes to over canned outcomes."""

from pathlib import Path

import pytest

from runbook.errors import RunbookError
from runbook.rehearsal.playing import Played, play
from runbook.rehearsal.reading import find, read_rehearsal

ROOT = Path(__file__).parents[3]
RUNBOOKS = ROOT / "tests" / "runbooks"
SHIPPED = sorted([*(ROOT / "runbooks").glob("*.rehearsal.yml"), *RUNBOOKS.glob("*.rehearsal.yml")])


def rehearsed(folder: Path, cases: str, runbook: str = "all-kinds") -> list[Played]:
    """Play cases of a runbook of the examples."""
    for name in ("all-kinds", "minimal"):
        (folder / f"{name}.yml").write_text((RUNBOOKS / f"{name}.yml").read_text())
    path = folder / f"{runbook}.rehearsal.yml"
    path.write_text(f"rehearsal: {runbook}\ncases:\n{cases}")
    rehearsal = read_rehearsal(path, [folder])
    return [played for case in rehearsal.cases for played in play(rehearsal.runbook, case)]


def refused(folder: Path, cases: str) -> list[tuple[str, int, str]]:
    """Return what is wrong with cases: reference, line within them, and the words."""
    with pytest.raises(RunbookError) as caught:
        rehearsed(folder, cases)
    return [
        (each.reference, (each.where.line if each.where else 0) - 2, each.render())
        for each in caught.value.problems
    ]


@pytest.mark.parametrize("path", SHIPPED, ids=lambda path: path.name.partition(".")[0])
def test_every_shipped_rehearsal_comes_out_as_expected(path: Path) -> None:
    """The cases beside the runbooks hold."""
    rehearsal = read_rehearsal(path, [path.parent])

    different = [
        (case.title, played.host, played.difference())
        for case in rehearsal.cases
        for played in play(rehearsal.runbook, case)
        if not played.as_expected
    ]

    assert different == []


def test_every_kind_of_step_can_be_rehearsed(tmp_path: Path) -> None:
    """Branches, questions, watches, instructions, called runbooks and evidence, on one way."""
    (played,) = rehearsed(
        tmp_path,
        """
  - case: All the way
    unlisted: passed
    looks:
      site: failed
      which: case 1
      imports/site: failed
      site_again: failed
      steady: failed
      backend_port_open: [passed, failed]
    fixes: {imports/restart: no_effect}
    answers: {by_hand: done}
    expect:
      verdict: escalated
      causes: [imports/stopped]
      path: [site, backend_port_open, which, imports/site, imports/restart, by_hand, site_again, evidence]
      fixes: [{imports/restart: no_effect}]
""",
    )

    assert played.as_expected, played.difference()


def test_a_question_nobody_answers_expires_at_once(tmp_path: Path) -> None:
    """A rehearsal waits for nothing; the branch for silence is taken."""
    (played,) = rehearsed(
        tmp_path,
        """
  - case: Silence
    looks: {site: failed, backend_port_open: passed, which: otherwise, evidence: passed}
    expect: {verdict: escalated, path: [site, backend_port_open, which, operator, evidence]}
""",
    )

    assert played.as_expected, played.difference()


def test_looks_and_tries_come_one_after_the_other(tmp_path: Path) -> None:
    """The second time a step is come to, its second outcome counts; the last one stays."""
    (played,) = rehearsed(
        tmp_path,
        """
  - case: The cause goes, the symptom stays, and then all is well
    looks: {site: [failed, failed, passed], backend_port_open: failed, unit_file: passed, unit_state: passed}
    fixes: {restart: [cause_removed, resolved]}
    expect: {verdict: resolved, fixes: [{restart: cause_removed}, {restart: resolved}]}
""",
    )

    assert "restart: cause_removed" in "\n".join(played.came.lines())


def test_a_diagnosis_does_no_fix(tmp_path: Path) -> None:
    """In its mode the walk ends before the first fix."""
    (played,) = rehearsed(
        tmp_path,
        "  - {case: Only look, mode: diagnose, looks: {site: failed},"
        " expect: {verdict: unresolved, causes: [stopped], fixes: []}}\n",
        "minimal",
    )

    assert played.as_expected, played.difference()


def test_only_fixes_that_are_named_are_approved(tmp_path: Path) -> None:
    """A list approves what it names and declines the rest."""
    yes, no = rehearsed(
        tmp_path,
        "  - {case: Named, approve: [restart], looks: {site: failed}, fixes: {restart: resolved},"
        " expect: {verdict: resolved}}\n"
        "  - {case: Not named, approve: [], looks: {site: failed}, expect: {verdict: declined}}\n",
        "minimal",
    )

    assert yes.as_expected
    assert no.as_expected


def test_a_difference_shows_both_and_only_what_was_expected(tmp_path: Path) -> None:
    """Lines with - were expected, lines with + came instead; what nobody asked for is not shown."""
    (played,) = rehearsed(
        tmp_path,
        "  - {case: Wrong, looks: {site: failed}, fixes: {restart: failed},"
        " expect: {verdict: resolved, path: [site, other_step]}}\n".replace("other_step", "site"),
        "minimal",
    )

    assert not played.as_expected
    assert played.difference() == [
        "- verdict: resolved",
        "+ verdict: unresolved",
        "  path:",
        "    site",
        "-   site",
        "+   restart",
    ]


@pytest.mark.parametrize(
    ("cases", "reference", "line", "words"),
    [
        ("  - {case: x, expect: {verdict: fine}}", "wrong-rehearsal", 1, "fine is not one of"),
        ("  - {case: x, expect: {}}", "wrong-rehearsal", 1, "lacks the key verdict"),
        ("  - {case: x}", "wrong-rehearsal", 1, "either hosts, or expect"),
        (
            "  - {case: x, hosts: {a: {expect: {verdict: healthy}}}, unlisted: passed}",
            "wrong-rehearsal",
            1,
            "either hosts, or expect",
        ),
        ("  - {case: x, look: {}, expect: {verdict: healthy}}", "unknown-key", 1, '"looks"'),
        (
            "  - case: x\n    looks: {sight: passed}\n    expect: {verdict: healthy}",
            "unknown-step",
            2,
            'Did you mean "site"',
        ),
        (
            "  - case: x\n    looks: {restart: passed}\n    expect: {verdict: healthy}",
            "unknown-step",
            2,
            "no check or branch or watch or collect",
        ),
        (
            "  - case: x\n    looks: {site: perhaps}\n    expect: {verdict: healthy}",
            "wrong-rehearsal",
            2,
            "perhaps",
        ),
        (
            "  - case: x\n    looks: {which: passed}\n    expect: {verdict: healthy}",
            "wrong-rehearsal",
            2,
            "It comes to case 1, case 2, otherwise, unknown",
        ),
        (
            "  - case: x\n    fixes: {restart: mended}\n    expect: {verdict: healthy}",
            "wrong-rehearsal",
            2,
            "mended",
        ),
        (
            "  - case: x\n    answers: {operator: perhaps}\n    expect: {verdict: healthy}",
            "wrong-rehearsal",
            2,
            "It takes restart, leave",
        ),
        (
            "  - case: x\n    approve: [site]\n    expect: {verdict: healthy}",
            "unknown-step",
            2,
            'no fix "site"',
        ),
        (
            "  - case: x\n    expect:\n      verdict: healthy\n      causes: [config_drif]",
            "unknown-cause",
            4,
            "config_drift",
        ),
        (
            "  - case: x\n    expect:\n      verdict: healthy\n      path: [sit]",
            "unknown-step",
            4,
            '"site"',
        ),
        (
            "  - case: x\n    expect:\n      verdict: healthy\n      fixes: [{site: resolved}]",
            "unknown-step",
            4,
            "no fix",
        ),
        ("  - case: x\n    case: y", "duplicate-key", 2, "case"),
        ("  []", "wrong-rehearsal", 1, "[]"),
    ],
)
def test_what_is_wrong_with_a_rehearsal_is_said_with_its_place(
    tmp_path: Path, cases: str, reference: str, line: int, words: str
) -> None:
    """Shape, names and values: nothing is played before all is sound."""
    found = refused(tmp_path, cases + "\n")

    assert [(each[0], each[1]) for each in found] == [(reference, line)], found
    assert words in found[0][2]


def test_a_rehearsal_is_found_by_the_name_of_its_runbook(tmp_path: Path) -> None:
    """By name, by the runbook's path, by its own; and all of them without a name."""
    (tmp_path / "minimal.rehearsal.yml").touch()
    expected = [tmp_path / "minimal.rehearsal.yml"]

    assert find(["minimal"], [tmp_path]) == expected
    assert find([str(tmp_path / "minimal.yml")], []) == expected
    assert find([str(expected[0])], []) == expected
    assert find([], [tmp_path]) == expected
    for names in (["other"], []):
        with pytest.raises(RunbookError) as caught:
            find(names, [tmp_path / "empty"])
        assert caught.value.problems[0].reference == "no-rehearsal"


def test_a_rehearsal_is_called_like_its_runbook(tmp_path: Path) -> None:
    """Its name says which runbook it is of, and so does its file's."""
    path = tmp_path / "minimal.rehearsal.yml"
    path.write_text("rehearsal: other\ncases: [{case: x, expect: {verdict: healthy}}]\n")

    with pytest.raises(RunbookError) as caught:
        read_rehearsal(path, [tmp_path])

    assert caught.value.problems[0].reference == "name-differs"


def test_a_file_that_cannot_be_read_is_said(tmp_path: Path) -> None:
    """No traceback for what is not there."""
    with pytest.raises(RunbookError) as caught:
        read_rehearsal(tmp_path / "x.rehearsal.yml", [])

    assert caught.value.problems[0].reference == "unreadable-file"
