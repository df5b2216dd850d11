"""Problems as a terminal shows them and as JSON says them."""

from typing import Any

import click

from runbook.errors import Location, Problem, Severity
from runbook.views.safe_text import printable, printable_lines

_COLOURS = {Severity.ERROR: "red", Severity.WARNING: "yellow"}


def render(problem: Problem, *, colour: bool) -> str:
    """Return a problem as `Problem.render` has it, in colour if wanted.

    What it quotes of files and hosts cannot steer the terminal.
    """
    first, *rest = _harmless(problem).render().split("\n")
    if not colour:
        return "\n".join([first, *rest])
    severity, _, reference = first.partition(":")
    lines = [click.style(f"{severity}:", fg=_COLOURS[problem.severity], bold=True) + reference]
    for line in rest:
        if line.startswith("hint:"):
            lines.append(click.style("hint:", fg="cyan", bold=True) + line.removeprefix("hint:"))
        elif line.strip(" |") == "^":
            lines.append(line.replace("^", click.style("^", fg="red", bold=True)))
        else:
            lines.append(line)
    return "\n".join(lines)


def document(problem: Problem) -> dict[str, Any]:
    """Return a problem as plain data; `line` and `column` count from 1, null if unknown."""
    where = problem.where
    return {
        "file": where.path if where else None,
        "line": where.line if where else None,
        "column": where.column if where else None,
        "severity": str(problem.severity),
        "reference": problem.reference,
        "message": problem.message,
        "context": problem.context,
        "hint": problem.hint,
    }


def _harmless(problem: Problem) -> Problem:
    where = problem.where
    return Problem(
        reference=problem.reference,
        message=_lines(problem.message),
        where=where
        and Location(
            path=printable(where.path),
            line=where.line,
            column=_column(where),
            text=where.text if where.text is None else "\n".join(printable_lines(where.text)),
        ),
        context=problem.context and _lines(problem.context),
        hint=problem.hint and _lines(problem.hint),
        severity=problem.severity,
    )


def _column(where: Location) -> int:
    """Return the column once tabs and unprintable characters before it are spelt out."""
    if where.text is None:
        return where.column
    before = where.text[: where.column - 1]
    return len("".join(printable_lines(before))) + 1


def _lines(text: str) -> str:
    return "\n".join(printable_lines(text))
