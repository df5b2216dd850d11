"""`runbook lint`: whether runbooks are sound."""

import sys
from collections.abc import Sequence
from pathlib import Path

import click

from runbook.errors import Problem, RunbookError, Severity
from runbook.spec.expressions import kept_uses
from runbook.spec.library import check
from runbook.spec.places import runbook_files
from runbook.views import options, problems
from runbook.views.configured import settings_for
from runbook.views.output import wants_colour, write, write_json

EXIT_UNSOUND = 2


@click.command("lint")
@click.argument("paths", nargs=-1, metavar="[PATH]...", type=click.Path(path_type=Path))
@options.output
def lint_command(paths: tuple[Path, ...], output: options.Output) -> int:
    r"""Check whether runbooks are sound.

    PATHs are runbook files, or folders of them; the whole library by default. All problems are
    shown at once. The exit code is 2 if there are errors; warnings leave it 0. Nothing on any host
    is touched, nor is Ansible needed.

    \b
    Examples:
      runbook lint
      runbook lint runbooks/fix-502.yml
    """
    library = settings_for().library
    files = [file for path in paths or library for file in _files(path)]
    if not files:
        looked = ", ".join(map(str, paths or library)) or "the library, which is empty"
        raise RunbookError.of(
            "nothing-to-check",
            "there is no runbook to check",
            context=f"Looked in: {looked}.",
            hint="A runbook is a file that ends in .yml or .yaml.",
        )
    with kept_uses():
        found = check(files, library)
    if output.json:
        write_json(
            {"files": len(files), "problems": [problems.document(problem) for problem in found]}
        )
    else:
        colour = output.colour and wants_colour(sys.stdout)
        for problem in found:
            write(problems.render(problem, colour=colour) + "\n")
        write(_total(found, len(files)))
    return EXIT_UNSOUND if any(one.severity is Severity.ERROR for one in found) else 0


def _files(path: Path) -> list[Path]:
    return runbook_files(path) if path.is_dir() else [path]


def _total(found: Sequence[Problem], files: int) -> str:
    errors = sum(problem.severity is Severity.ERROR for problem in found)
    warnings = len(found) - errors
    counts = [_count(errors, "error")] if errors else []
    counts += [_count(warnings, "warning")] if warnings else []
    return f"{' and '.join(counts) or 'No problems'} in {_count(files, 'runbook')}."


def _count(number: int, noun: str) -> str:
    return f"{number} {noun}{'s' * (number != 1)}"
