"""Problems on a terminal: the same words with and without colour, and nothing that steers it."""

import click

from runbook.errors import Location, Problem, Severity
from runbook.views.problems import document, render

PROBLEM = Problem(
    reference="unknown-step",
    message='check "site" goes to "sitte"',
    where=Location(path="a.yml", line=7, column=9, text="\tnext: sitte"),
    context="hint: this is a context",
    hint="Did you mean?",
    severity=Severity.WARNING,
)


def test_without_colour_it_is_the_problem_itself() -> None:
    """The plain form is `Problem.render`, tabs widened."""
    assert render(PROBLEM, colour=False) == (
        "warning: unknown-step\n\n"
        'a.yml:7:12: check "site" goes to "sitte"\n\n'
        "  7 |     next: sitte\n"
        "    |            ^\n\n"
        "hint: this is a context\n\nhint: Did you mean?"
    )


def test_colour_adds_nothing_but_colour() -> None:
    """Nothing is said by colour alone: without it the same text is left."""
    coloured = render(PROBLEM, colour=True)

    assert coloured != render(PROBLEM, colour=False)
    assert click.unstyle(coloured) == render(PROBLEM, colour=False)


def test_what_is_quoted_cannot_steer_the_terminal() -> None:
    """Escapes in any part are written out, and the caret still points at its column."""
    evil = "\x1b[2J\u202e"
    problem = Problem(
        reference="bad",
        message=f"one {evil}\ntwo",
        where=Location(path=f"{evil}.yml", line=1, column=3, text=f"{evil[0]}a{evil}"),
        context=evil,
        hint=evil,
    )

    for colour in (False, True):
        shown = click.unstyle(render(problem, colour=colour))
        assert not {"\x1b", "\u202e"} & {*shown}
        assert "two" in shown
        lines = shown.split("\n")
        [caret] = [number for number, line in enumerate(lines) if line.strip(" |") == "^"]
        assert lines[caret - 1].index("\\x1b[2J") == lines[caret].index("^")


def test_as_data_every_part_has_a_name() -> None:
    """Place, severity and words are fields; what is not known is null."""
    assert document(PROBLEM)["line"] == 7
    assert document(PROBLEM)["severity"] == "warning"
    bare = document(Problem(reference="a", message="b"))
    assert (bare["file"], bare["line"], bare["hint"]) == (None, None, None)
